"""Normal form: old values that are sums of others, or repeat others, are written over those.

Two forms over old values may look different and be the same: a vertex that hands its sum on is that sum, and vertices
that repeat each other have one value. In normal form neither occurs, so that forms can be compared term by term.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netgraph.graph.activations import get_activation
from netgraph.graph.columns import Array
from netgraph.proof.forms import Rows, Terms, grown, scaled_terms, spans, stacked
from netgraph.proof.known import alike, factors, mirrors, multiples, parameters
from netgraph.proof.operators import UNKNOWN

if TYPE_CHECKING:
    from netgraph.graph import Layer
    from netgraph.proof.walk import Walk

LIMIT = 2_000_000
"""Most terms into which the forms of one layer may be written out."""


class Normal:
    """Replacements of old values, found layer by layer as they are asked for.

    Args:
        walk: the proof.
        rough: whether vertices are written over their sums also where that brings in an error. Otherwise a vertex
            whose sum, written out, has coefficients that float64 cannot hold is left as it is: what reads it can still
            be compared, however many linear layers lie below.
    """

    def __init__(self, walk: Walk, *, rough: bool) -> None:
        self._walk = walk
        self._rough = rough
        self._searched: set[int] = set()
        self._place = np.full(walk.space.one, -1, dtype=np.int64)
        self._sums = walk.collect(0, [])
        self.any_rough = False

    def of(self, rows: Rows) -> Rows:
        """The forms in normal form, as far as replacements are known."""
        if not self or not len(rows.column):
            return rows
        walk = self._walk
        operator, symbol = np.divmod(rows.column, walk.space.size)
        old = np.flatnonzero(symbol < walk.space.one)
        place = self._place[symbol[old]]
        hit, place = old[place >= 0], place[place >= 0]
        counts = self._sums.counts[place]
        if not len(hit) or counts.sum() > max(LIMIT, 4 * len(rows.column)):
            return rows
        entries = spans(self._sums.start[:-1][place], counts)
        column = walk.space.composed(np.repeat(operator[hit], counts), self._sums.column[entries])
        lost = np.zeros(len(hit), dtype=bool)
        lost[np.repeat(np.arange(len(hit)), counts)[column == UNKNOWN]] = True
        use = ~np.repeat(lost, counts) & (column >= 0)
        stays = np.ones(len(symbol), dtype=bool)
        stays[hit[~lost]] = False
        row = rows.row
        factor, error, into = (np.repeat(x[hit], counts)[use] for x in (rows.value, rows.error, row))
        value, own_error, column = self._sums.value[entries][use], self._sums.error[entries][use], column[use]
        terms = [
            Terms(row[stays], rows.column[stays], rows.value[stays], rows.error[stays]),
            Terms.product(into, column, factor, value, own_error),
        ]
        if error.any():
            carried = grown(np.abs(value) + own_error, error)
            terms.append(Terms(into, column, np.zeros(len(carried)), carried))
        return walk.collect(len(rows), terms)

    def __bool__(self) -> bool:
        return len(self._sums) > 0

    def search(self, rows: Rows) -> bool:
        """Look for replacements among the layers of the values in some forms, and among all that these read.

        Returns:
            Whether any were found that were not known.

        Costs O(edges log edges) of these layers, once for each.
        """
        walk = self._walk
        symbol = np.unique(rows.column % walk.space.size)
        symbol = symbol[symbol < walk.space.one]
        asked = self._reaching(np.unique(walk.old.vertices.layer[symbol]).tolist())
        found = False
        for layer_id in walk.old.topological_order if asked else ():
            if layer_id in asked:
                self._searched.add(layer_id)
                found = self._search_layer(walk.old.layer(layer_id)) or found
        return found

    def _reaching(self, layers: list[int]) -> set[int]:
        """These layers and all from which they can be reached, without those that were searched."""
        asked: set[int] = set()
        waiting = layers
        while waiting:
            layer_id = waiting.pop()
            if layer_id not in asked and layer_id not in self._searched:
                asked.add(layer_id)
                waiting += [link.source for link in self._walk.old.incoming[layer_id]]
        return asked

    def _search_layer(self, layer: Layer) -> bool:
        walk = self._walk
        if layer.role == "input" or layer.norm == "layer":
            return False
        own = walk.old.vertices.offset(layer.id) + np.arange(len(layer))
        as_stored = walk.old_forms([(layer, own)])
        forms = self.of(as_stored)
        factor, error = self._linear(layer, own)
        linear = np.flatnonzero(~np.isnan(factor))
        if forms.counts[linear].sum() > LIMIT:
            linear = linear[:0]
        number = np.arange(len(linear))
        written = walk.collect(len(linear), [scaled_terms(forms.take(linear), factor[linear], error[linear], number)])
        exact = written.sums(written.error) == 0
        self.any_rough = self.any_rough or not exact.all()
        if not self._rough and forms is not as_stored:
            forms = either(forms, as_stored, forms.sums(forms.error) != 0)
        plain = np.flatnonzero(exact | self._rough)
        repeats, terms = self._repeats(layer, np.setdiff1d(np.arange(len(layer)), linear[plain]), own, forms)
        if not len(plain) + len(repeats):
            return False
        sums = stacked(walk.collect(len(repeats), [terms]), written.take(plain))
        self._place[own[np.concatenate([repeats, linear[plain]])]] = len(self._sums) + np.arange(len(sums))
        self._sums = stacked(self._sums, sums)
        return True

    def _linear(self, layer: Layer, own: Array) -> tuple[Array, Array]:
        """The factor with which each vertex hands its sum on, NaN where it does not, and a bound on its error."""
        if layer.norm != "none" or layer.pool is not None:
            return np.full(len(own), np.nan), np.zeros(len(own))
        columns = {name: values.astype(np.float64) for name, values in layer.values.items()}
        bounds = self._walk.bounds
        return get_activation(layer.activation).affine(bounds.z_low[own], bounds.z_high[own], columns, layer.slope)

    def _repeats(self, layer: Layer, rows: Array, own: Array, forms: Rows) -> tuple[Array, Terms]:
        """Vertices whose form is a multiple of that of an earlier one of the layer, and what they are then."""
        if len(rows) < 2:
            return rows[:0], Terms.join([])
        values = parameters(layer)
        found: list[Array] = []
        terms: list[Terms] = []
        count = 0
        for with_multiples in (False, True):  # equal or opposite ones first: factors may be rounded
            which, part = self._repeats_of(layer, rows, own, forms.take(rows), values[rows], with_multiples)
            found.append(which)
            terms.append(Terms(part.row + count, part.column, part.value, part.error))
            count += len(which)
            rows = np.setdiff1d(rows, which)
        return np.concatenate(found), Terms.join(terms)

    def _repeats_of(
        self, layer: Layer, rows: Array, own: Array, forms: Rows, values: Array, with_multiples: bool
    ) -> tuple[Array, Terms]:
        walk = self._walk
        first = alike(layer, forms, values, multiples=with_multiples)
        asked = np.flatnonzero(first != np.arange(len(rows)))
        if not len(asked):
            return rows[:0], Terms.join([])
        model = forms.take(first[asked])
        factor, allowed = factors(layer, forms.take(asked), model)
        left = walk.collect(len(asked), [forms.take(asked).terms(), model.terms(-factor)])
        good = np.flatnonzero(allowed & left.empty & ((factor > 0) | mirrors(layer)))
        asked, factor = asked[good], factor[good]
        names = sorted(set(layer.values) - {"bias", "low", "high"})
        columns = dict(zip(names, values[asked].T, strict=True))
        symbol, number = own[rows[first[asked]]], np.arange(len(asked))
        terms = multiples(layer, columns, symbol, factor, forms.take(asked), number, walk.space.one)
        return rows[asked], terms


def shorter(one: Rows, two: Rows) -> Rows:
    """Row by row the one with fewer terms; what is known to be rounding stays that, unless it is gone."""
    second = (two.counts < one.counts) & (~one.only_rounding() | two.empty)
    second |= ~one.only_rounding() & two.only_rounding()
    return either(one, two, second)


def either(one: Rows, two: Rows, second: Array) -> Rows:
    """Row by row those of `one`, or where `second` those of `two`."""
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
