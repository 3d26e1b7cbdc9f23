"""Normal form of affine forms: old values that are sums, or repeats, of other old values are replaced by these.

Two forms over old values may be equal and have different terms: a vertex with a linear activation has the value of its
sum (times a factor), and vertices that repeat each other have one value. The normal form replaces both, so that forms
can be compared term by term.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from netgraph.columns import Array, spans
from netgraph.graph import get_activation, get_norm
from netgraph.proof.forms import Rows, Stack, Terms, grown, scaled_terms
from netgraph.proof.known import alike, factors, mirror_slope, mirrors, multiples_of, operation, parameters, plain
from netgraph.proof.operators import UNKNOWN

if TYPE_CHECKING:
    from netgraph.graph import Layer
    from netgraph.proof.walk import Walk

LIMIT = 2_000_000
"""Largest number of terms into which the forms of one layer may be expanded."""


How = Literal["exact", "pointwise", "rough"]
"""Selection of the vertices that are replaced by their sums: see `Normal`."""


class Normal:
    """Replacements of old values by forms over other old values, found layer by layer on demand.

    Args:
        walk: the proof.
        how: selection of the linear vertices that are replaced by their sums. "exact": vertices whose expanded sum has
            coefficients that two float64 numbers hold exactly. The other ones stay symbols, so that forms over them
            can still be compared, whatever the number of linear layers below. "pointwise": of the exact ones only
            vertices that read every position by itself, so that any convolution can read their sums. "rough": all
            linear vertices, with errors.
    """

    def __init__(self, walk: Walk, how: How) -> None:
        self._walk = walk
        self._how = how
        self._searched: set[int] = set()
        self._place = np.full(walk.space.one, -1, dtype=np.int64)
        self._sums = Stack()
        self.any_rough = False

    def of(self, rows: Rows) -> Rows:
        """Return forms in normal form, as far as replacements have been found."""
        if not self or not len(rows.column):
            return rows
        walk = self._walk
        operator, symbol = np.divmod(rows.column, walk.space.size)
        old = np.flatnonzero(symbol < walk.space.one)
        place = self._place[symbol[old]]
        hit, place = old[place >= 0], place[place >= 0]
        sums = self._sums.rows
        counts = sums.start[place + 1] - sums.start[place]
        if not len(hit) or counts.sum() > max(LIMIT, 4 * len(rows.column)):
            return rows
        entries = spans(sums.start[place], counts)
        column = walk.space.composed(np.repeat(operator[hit], counts), sums.column[entries])
        lost = np.zeros(len(hit), dtype=bool)
        lost[np.repeat(np.arange(len(hit)), counts)[column == UNKNOWN]] = True
        use = ~np.repeat(lost, counts) & (column >= 0)
        stays = np.ones(len(symbol), dtype=bool)
        stays[hit[~lost]] = False
        row = rows.row
        factor, error, softly, into = (
            np.repeat(x[hit], counts)[use] for x in (rows.value, rows.error, rows.rounding, row)
        )
        value, own_error, column = sums.value[entries][use], sums.error[entries][use], column[use]
        terms = [
            Terms(row[stays], rows.column[stays], rows.value[stays], rows.error[stays], rows.rounding[stays]),
            Terms.product(into, column, factor, value, own_error, softly),
        ]
        if error.any():
            carried = grown(np.abs(value) + own_error, error)
            terms.append(Terms.of(into, column, np.zeros(len(carried)), carried, softly))
        return walk.collect(len(rows), terms)

    def __bool__(self) -> bool:
        return len(self._sums) > 0

    def search(self, rows: Rows) -> None:
        """Search for replacements in the layers of the values in some forms, and in all layers upstream of them.

        Costs O(edges log edges) of these layers. Each layer is searched once, and none upstream of a norm that couples
        vertices: its values are replaced by nothing.
        """
        walk = self._walk
        asked = self._reaching(walk.old_layers(rows))
        for layer_id in sorted(asked, key=walk.old_place.__getitem__):
            self._searched.add(layer_id)
            self._search_layer(walk.old.layer(layer_id))

    def _reaching(self, layers: list[int]) -> set[int]:
        """Ids of the given layers and the layers upstream of them, without layers that have been searched."""
        asked: set[int] = set()
        waiting = layers
        while waiting:
            layer_id = waiting.pop()
            if layer_id in asked or layer_id in self._searched:
                continue
            asked.add(layer_id)
            if not get_norm(self._walk.old.layer(layer_id).norm).couples_vertices:
                waiting += [link.source for link in self._walk.old.incoming[layer_id]]
        return asked

    def _search_layer(self, layer: Layer) -> None:
        walk = self._walk
        if layer.role == "position":
            self._replace_positions(layer)
        if layer.is_source or get_norm(layer.norm).couples_vertices:
            return
        own = walk.old.vertices.offset(layer.id) + np.arange(len(layer))
        as_stored = walk.index.forms(layer)
        forms = walk.in_normal_form(operation(layer), as_stored, self)
        factor, error = self._linear(layer, own)
        linear = np.flatnonzero(~np.isnan(factor))
        if forms.counts[linear].sum() > LIMIT:
            linear = linear[:0]
        number = np.arange(len(linear))
        written = walk.collect(len(linear), [scaled_terms(forms.take(linear), factor[linear], error[linear], number)])
        exact = written.sums(written.error) == 0
        self.any_rough = self.any_rough or not exact.all()
        if self._how == "pointwise":
            exact &= written.sums(written.column >= walk.space.size) == 0
        if self._how != "rough" and forms is not as_stored:
            forms = either(forms, as_stored, forms.sums(forms.error) != 0)
        whole = np.flatnonzero(exact | (self._how == "rough"))
        rest = np.setdiff1d(np.arange(len(layer)), linear[whole])
        # Equal or opposite forms come first, since other factors may be rounded. Their originals may in turn be
        # multiples of others, so `self.of` is applied to their terms after the multiples have been replaced.
        repeats, terms = self._repeats(layer, rest, own, forms, multiples=False)
        others, of_others = self._repeats(layer, np.setdiff1d(rest, repeats), own, forms, multiples=True)
        self._replace(own[linear[whole]], written.take(whole))
        self._replace(own[others], of_others)
        self._replace(own[repeats], self.of(terms))

    def _replace_positions(self, layer: Layer) -> None:
        """Replace the values of a layer of positions by those of the first one on the same grid."""
        walk, model = self._walk, self._walk.positions[layer.grid][0]
        if layer is not model:
            rows = np.arange(len(layer))
            terms = Terms.of(rows, walk.old.vertices.offset(model.id) + rows, np.ones(len(rows)))
            self._replace(walk.old.vertices.offset(layer.id) + rows, walk.collect(len(rows), [terms]))

    def _replace(self, symbol: Array, sums: Rows) -> None:
        if not len(symbol):
            return
        self._place[symbol] = len(self._sums) + np.arange(len(sums))
        self._sums.append(sums)

    def _linear(self, layer: Layer, own: Array) -> tuple[Array, Array]:
        """Factor of each vertex from sum to value, NaN where it is not linear; and a bound on the factor's error."""
        if not plain(layer):
            return np.full(len(own), np.nan), np.zeros(len(own))
        columns = {name: values.astype(np.float64) for name, values in layer.values.items()}
        bounds = self._walk.bounds
        return get_activation(layer.activation).affine(bounds.z_low[own], bounds.z_high[own], columns, layer.slope)

    def expands(self, layer: Layer) -> bool:
        """Whether a value of an old layer may be replaced by values of other layers, in this or another normal form."""
        if not plain(layer):
            return False
        own = self._walk.old.vertices.offset(layer.id) + np.arange(len(layer))
        if mirrors(layer):
            columns = {name: values.astype(np.float64) for name, values in layer.values.items()}
            low, high = mirror_slope(layer, columns, len(layer))
            if low.any() or high.any():
                return True
        return not np.isnan(self._linear(layer, own)[0]).all()

    def _repeats(self, layer: Layer, rows: Array, own: Array, forms: Rows, *, multiples: bool) -> tuple[Array, Rows]:
        """Rows of the vertices that repeat an earlier vertex of the layer, and their values over that vertex.

        A vertex repeats another one if it has the same parameters and an equal or opposite form, or with `multiples`
        any multiple of the form.
        """
        walk = self._walk
        if len(rows) < 2:
            return rows[:0], walk.collect(0, [])
        values, forms = parameters(layer)[rows], forms.take(rows)
        first = alike(layer, forms, values, multiples=multiples)
        asked = np.flatnonzero(first != np.arange(len(rows)))
        if not len(asked):
            return rows[:0], walk.collect(0, [])
        model = forms.take(first[asked])
        factor, allowed = factors(layer, forms.take(asked), model)
        left = walk.collect(len(asked), [forms.take(asked).terms(), model.terms(-factor)])
        good = np.flatnonzero(allowed & left.empty & ((factor > 0) | mirrors(layer)))
        asked, factor = asked[good], factor[good]
        names = sorted(set(layer.values) - {"bias", "low", "high"})
        columns = dict(zip(names, values[asked].T, strict=True))
        symbol, number = own[rows[first[asked]]], np.arange(len(asked))
        terms = multiples_of(layer, columns, symbol, factor, forms.take(asked), number, walk.space.one)
        return rows[asked], walk.collect(len(asked), [terms])


def shorter(one: Rows, two: Rows) -> Rows:
    """Select row by row the shorter one of two equal forms.

    A form that consists of rounding only is preferred to any form that does not, unless the other form is 0.
    """
    second = (two.counts < one.counts) & (~one.only_rounding() | two.empty)
    second |= ~one.only_rounding() & two.only_rounding()
    return either(one, two, second)


def either(one: Rows, two: Rows, second: Array) -> Rows:
    """Select row by row the form of `two` where `second`, else of `one`."""
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
