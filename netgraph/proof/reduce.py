"""Reduce differences: old values that are sums of others, or repeat others, are written over those."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netgraph.graph.activations import get_activation
from netgraph.graph.columns import Array
from netgraph.proof.forms import Rows, Terms, grown, scaled_terms, spans
from netgraph.proof.known import alike, factors, mirrors, multiples, operation, parameters
from netgraph.proof.operators import UNKNOWN

if TYPE_CHECKING:
    from netgraph.graph import Layer
    from netgraph.proof.walk import Walk

ROUNDS = 32
LIMIT = 2_000_000


def reduced(walk: Walk, change: Rows) -> Rows:
    """Each row written over fewer old values, where that leaves fewer terms; what cancels then is gone.

    Old vertices that hand their sum on (merging what an insertion split), and old vertices that repeat each other
    (merging duplicates) are replaced, round by round, at most `ROUNDS` deep and as long as there are at most `LIMIT`
    terms. O(edges into these vertices) per round.
    """
    walk.repeats.search(change)
    current = walk.repeats.canonical(change)
    best = _shorter(change, current)
    for _ in range(ROUNDS):
        symbol = current.column % walk.space.size
        asked = np.unique(symbol[symbol < walk.space.one])
        following = _replace(walk, current, *_replacements(walk, asked)) if len(asked) else None
        if following is None:
            break
        current = following
        best = _shorter(best, current)
    return best


def _replacements(walk: Walk, symbols: Array) -> tuple[Array, Rows]:
    """Which of some old values are sums of others, and these sums. The others come earlier, so that this ends."""
    known, terms = [], []
    by_operation: dict[object, list[tuple[Layer, Array]]] = {}
    layer_of = walk.old.vertices.layer[symbols]
    for layer_id in np.unique(layer_of):
        layer = walk.old.layer(int(layer_id))
        if layer.role != "input" and layer.norm != "layer":
            by_operation.setdefault(operation(layer), []).append((layer, symbols[layer_of == layer_id]))
    count = 0
    for members in by_operation.values():
        layer = members[0][0]
        own = np.concatenate([rows for _, rows in members])
        values = np.concatenate([parameters(x)[rows - walk.old.vertices.offset(x.id)] for x, rows in members])
        forms = walk.repeats.canonical(walk.old_forms(members))
        factor, error = _linear(walk, layer, own, members)
        plain = np.flatnonzero(~np.isnan(factor) & (error == 0))
        repeats, more = _repeats(walk, layer, np.setdiff1d(np.arange(len(own)), plain), own, forms, values)
        rough = np.setdiff1d(np.flatnonzero(~np.isnan(factor) & (error != 0)), repeats)
        linear = np.concatenate([plain, rough])
        handed_on = scaled_terms(forms.take(linear), factor[linear], error[linear], np.arange(len(linear)))
        for which, part in ((linear, handed_on), (repeats, more)):
            known.append(own[which])
            terms.append(Terms(part.row + count, part.column, part.value, part.error))
            count += len(which)
    return np.concatenate([np.zeros(0, np.int64), *known]), walk.collect(count, terms)


def _linear(walk: Walk, layer: Layer, own: Array, members: list[tuple[Layer, Array]]) -> tuple[Array, Array]:
    """The factor with which each vertex hands its sum on, NaN where it does not, and a bound on its error."""
    if layer.norm != "none" or layer.pool is not None:
        return np.full(len(own), np.nan), np.zeros(len(own))
    names = get_activation(layer.activation).parameters
    columns = {name: np.concatenate([x.values[name][rows - walk.old.vertices.offset(x.id)] for x, rows in members])
               .astype(np.float64) for name in names}  # fmt: skip
    bounds = walk.bounds
    return get_activation(layer.activation).affine(bounds.z_low[own], bounds.z_high[own], columns, layer.slope)


def _repeats(walk: Walk, layer: Layer, rows: Array, own: Array, forms: Rows, values: Array) -> tuple[Array, Terms]:
    """Vertices whose form is a multiple of that of an earlier one."""
    if not len(rows):
        return rows, Terms.join([])
    mine = forms.take(rows)
    first = alike(layer, mine, values[rows])
    asked = np.flatnonzero(first != np.arange(len(rows)))
    if not len(asked):
        return rows[:0], Terms.join([])
    model = mine.take(first[asked])
    factor, allowed = factors(layer, mine.take(asked), model)
    left = walk.collect(len(asked), [mine.take(asked).terms(), model.terms(-factor)])
    good = np.flatnonzero(allowed & left.empty & ((factor > 0) | mirrors(layer)))
    asked = asked[good]
    names = sorted(set(layer.values) - {"bias", "low", "high"})
    columns = dict(zip(names, values[rows[asked]].T, strict=True))
    symbol = own[rows[first[asked]]]
    number = np.arange(len(good))
    return rows[asked], multiples(layer, columns, symbol, factor[good], mine.take(asked), number, walk.space.one)


def _replace(walk: Walk, current: Rows, known: Array, sums: Rows) -> Rows | None:
    """Write the known symbols of some rows as their sums; None when there is nothing to replace, or too much."""
    if not len(known):
        return None
    place = np.full(walk.space.size, -1, dtype=np.int64)
    place[known] = np.arange(len(known))
    operator, symbol = np.divmod(current.column, walk.space.size)
    at = place[symbol]
    hit = np.flatnonzero(at >= 0)
    counts = sums.counts[at[hit]]
    if not len(hit) or counts.sum() > LIMIT:
        return None
    entries = spans(sums.start[:-1][at[hit]], counts)
    column = walk.space.composed(np.repeat(operator[hit], counts), sums.column[entries])
    lost = np.zeros(len(hit), dtype=bool)
    lost[np.repeat(np.arange(len(hit)), counts)[column == UNKNOWN]] = True
    use = ~np.repeat(lost, counts) & (column >= 0)
    row = current.row
    stays = np.ones(len(at), dtype=bool)
    stays[hit[~lost]] = False
    if stays.all():
        return None
    factor, error = (np.repeat(x[hit], counts)[use] for x in (current.value, current.error))
    value, own_error = sums.value[entries][use], sums.error[entries][use]
    into, column = np.repeat(row[hit], counts)[use], column[use]
    terms = [
        Terms(row[stays], current.column[stays], current.value[stays], current.error[stays]),
        Terms.product(into, column, factor, value, own_error),
    ]
    if error.any():
        carried = grown(np.abs(value) + own_error, error)
        terms.append(Terms(into, column, np.zeros(len(carried)), carried))
    return walk.collect(len(current), terms)


def _shorter(one: Rows, two: Rows) -> Rows:
    """Row by row the one with fewer terms; what is known to be rounding stays that, unless it is gone."""
    second = (two.counts < one.counts) & (~one.only_rounding() | two.empty)
    if not second.any():
        return one
    first = ~second
    parts = []
    for name in ("column", "value", "error", "rounding"):
        parts.append(np.concatenate([getattr(one, name)[first[one.row]], getattr(two, name)[second[two.row]]]))
    row = np.concatenate([one.row[first[one.row]], two.row[second[two.row]]])
    order = np.argsort(row, kind="stable")
    start = np.concatenate([[0], np.cumsum(np.where(second, two.counts, one.counts))])
    return Rows(start, *(part[order] for part in parts))
