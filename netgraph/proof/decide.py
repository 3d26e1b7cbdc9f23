"""Decisions on the values of the vertices of a new layer by their own sums: a multiple, a constant, or the twin.

The twin of a new vertex is the old vertex of the same id in the same layer.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from netgraph.columns import Array
from netgraph.graph import get_activation, get_norm
from netgraph.graph.bounds import operate_interval, times, widen
from netgraph.proof.forms import Terms, collect, scaled_terms
from netgraph.proof.known import parameters, plain
from netgraph.proof.readings import Values
from netgraph.proof.shift import Shift
from netgraph.proof.sums import Sums
from netgraph.proof.walk import Walk

if TYPE_CHECKING:
    from netgraph.graph import Layer

EXPANSION = 10_000_000
"""Largest number of terms into which the vertices that read one layer may be expanded."""

FOLD = 1e-6
"""Terms up to this fraction of the largest one of their form become an error, where the form has too many terms."""


class Decision:
    """Values of the vertices of a new layer that may differ from their twins, as far as they are decided.

    Every method decides some open vertices: it gives each a symbol, or terms that `values` sums to a form, and an
    interval of the error. When no vertex is open, `values` returns the result.

    Args:
        walk: the proof.
        layer: the new layer.
        sums: sums of the k vertices that are not certainly equal to their twins.
        shift: bounds on the difference of each vertex and its twin.

    Attributes:
        open: (k,) mask of undecided vertices.
        symbol: (k,) symbol of the value of each decided vertex, -1 where the value is a form.
        low, high, soft: (k,) interval of the error, and whether the rounding of the weights explains it.
    """

    def __init__(self, walk: Walk, layer: Layer, sums: Sums, shift: Shift) -> None:
        self.walk, self.layer, self.sums, self.shift = walk, layer, sums, shift
        k = len(sums.rows)
        self.open = np.ones(k, dtype=bool)
        self.symbol = np.full(k, -1, dtype=np.int64)
        self.low, self.high = np.zeros(k), np.zeros(k)
        self.soft = np.ones(k, dtype=bool)
        self.terms: list[Terms] = []
        # `_fold` moves terms from the form into the error, so these differ from `sums` afterwards.
        self.form, self.sum_low, self.sum_high, self.sum_soft = sums.form, sums.low, sums.high, sums.soft
        self.parameters = parameters(layer)[sums.rows]
        columns = {name: np.asarray(v, dtype=np.float64)[sums.rows] for name, v in layer.values.items()}
        self.columns = columns
        self.activation, self.norm = get_activation(layer.activation), get_norm(layer.norm)
        self.sums_up = self.norm.identity and layer.merge is None  # errors of the form then carry to the value
        self.linear_factor, self.linear_error = self._linear()
        self.passes = walk.readers_compose(layer, sums.form, sums.change)

    def close(self, which: Array, how: str) -> None:
        """Mark vertices as decided, and count them under the kind of decision `how`."""
        if not len(which):
            return
        self.open[which] = False
        self.walk.tally[how] += len(which)

    def add_error(self, which: Array, low: Array, high: Array, soft: Array) -> None:
        """Set the intervals of the errors of some vertices, and whether rounding explains them (`soft`)."""
        self.low[which], self.high[which], self.soft[which] = low, high, soft

    def _linear(self) -> tuple[Array, Array]:
        """Factors from sum to value, NaN where a vertex is not linear; and bounds on their errors, `(k,)` each."""
        if not plain(self.layer):
            return np.full(len(self.open), np.nan), np.zeros(len(self.open))
        sums = self.sums
        factor, error = self.activation.affine(sums.z_low, sums.z_high, self.columns, self.layer.slope)
        return np.where(np.isfinite(sums.low) & np.isfinite(sums.high), factor, np.nan), error

    def pass_on(self, *, short: bool) -> None:
        """Decide vertices whose activation is linear on the range of their sum: the value is a multiple of the form.

        Vertices stay open where their readers cannot compose the forms or would get too many terms.

        Args:
            short: only vertices whose form is a single value with coefficient 1 or -1, the simplest form possible.
        """
        if not self.passes:
            return
        sums, factor, error = self.sums, self.linear_factor, self.linear_error
        linear = self.open & ~np.isnan(factor)
        if short:
            linear &= (error == 0) & (sums.form.counts == 1) & (sums.form.sums(np.abs(sums.form.value)) == 1)
            linear &= sums.form.sums(sums.form.column >= self.walk.space.size) == 0  # read at the same position
        # If the twin is linear with the same factor, the value is twin + factor * change, which often has fewer terms.
        relative = self.shift.linear_factor == factor
        relative &= sums.change.counts < sums.form.counts
        linear &= ~(self.shift.soft & np.isfinite(self.shift.size))  # `lean_on_twins` decides these, up to rounding
        rest, brief = np.flatnonzero(linear & ~relative), np.flatnonzero(linear & relative)
        if self._too_long(rest, brief):
            self._fold(rest)
            if self._too_long(rest, brief):
                return
        for rows, which in ((self.form, rest), (sums.change, brief)):
            if not len(which):
                continue
            self.terms.append(scaled_terms(rows.take(which), factor[which], error[which], which))
            scale = factor[which]
            low, high = times(scale, scale, self.sum_low[which], self.sum_high[which])
            self.add_error(which, low, high, self.sum_soft[which])
        self.terms.append(Terms.of(brief, sums.twin[brief], np.ones(len(brief))))
        self.close(rest, "passed on")
        self.close(brief, "passed on")

    def _too_long(self, rest: Array, brief: Array) -> bool:
        """Whether replacing these vertices by their forms, where they are read, would take too many terms."""
        counts = np.zeros(len(self.open), dtype=np.int64)
        counts[rest], counts[brief] = self.form.counts[rest], self.sums.change.counts[brief] + 1
        return self._expansion(counts) > EXPANSION

    def _expansion(self, counts: Array) -> int:
        if not counts.any():
            return 0
        of_row = np.zeros(len(self.layer), dtype=np.int64)
        of_row[self.sums.rows] = counts
        return sum(int(of_row[link.src].sum()) for link in self.walk.new.outgoing[self.layer.id])

    def _fold(self, which: Array) -> None:
        """Move the smallest terms of some forms into the errors of their sums."""
        low, high = self.walk.space.interval(self.form)
        with np.errstate(invalid="ignore"):
            size = (np.abs(self.form.value) + self.form.error) * np.maximum(np.abs(low), np.abs(high))
        size = np.where(np.isnan(size), np.inf, size)
        row = self.form.row
        largest = np.zeros(len(self.form))
        np.maximum.at(largest, row, np.where(np.isfinite(size), size, 0.0))
        chosen = np.zeros(len(self.form), dtype=bool)
        chosen[which] = True
        small = (size <= FOLD * largest[row]) & chosen[row]
        if not small.any():
            return
        gone = self.form.filter(small)
        self.form = self.form.filter(~small)
        low, high = self.walk.space.bounds(gone)
        self.sum_soft = self.sum_soft & gone.only_rounding()
        self.sum_low, self.sum_high = widen(self.sum_low + low, self.sum_high + high)

    def hold_constants(self, *, exactly: bool) -> None:
        """Decide vertices whose sum is a constant; with `exactly`, only where the value is known without an error."""
        layer, sums, walk = self.layer, self.sums, self.walk
        if self.norm.couples_vertices:
            return
        others = self.form.sums(self.form.column != walk.space.one)
        which = np.flatnonzero(self.open & (others == 0) & (self.sum_low == 0) & (self.sum_high == 0))
        if not len(which):
            return
        rows = sums.rows[which]
        low, high = operate_interval(layer, sums.z_low[which], sums.z_high[which], walk.mode, rows)
        same = high - low <= (0 if exactly else 1e-12 * np.maximum(np.abs(low), np.abs(high)))
        if exactly and not self.norm.identity:
            same &= (low == 0) & (high == 0)  # other values are rounded here; an equal known vertex has no error
        which, low, high = which[same], low[same], high[same]
        some = np.flatnonzero(low)
        one = np.full(len(some), walk.space.one)
        self.terms.append(Terms.of(which[some], one, low[some]))
        zero = np.zeros(len(which))
        with np.errstate(invalid="ignore"):
            wide = np.where(high > low, np.nextafter(high - low, np.inf), 0.0)
        self.add_error(which, zero, wide, np.ones(len(which), dtype=bool))
        self.close(which, "constant")

    def lean_on_twins(self) -> None:
        """Decide vertices with a bounded difference from their twin: the value is the twin plus an error."""
        finite = np.isfinite(self.shift.low) & np.isfinite(self.shift.high)
        which = np.flatnonzero(self.open & finite & self.shift.comparable)
        self.symbol[which] = self.sums.twin[which]
        self.add_error(which, self.shift.low[which], self.shift.high[which], self.shift.soft[which])
        self.close(which, "moved")

    def values(self, equal: Array, twins: Array) -> Values:
        """Values of the whole layer: the twin where `equal`, else the decided value."""
        n = len(self.layer)
        result = Values.known(np.where(equal, twins, -1))
        rows = self.sums.rows
        result.symbol[rows] = self.symbol
        result.low[rows], result.high[rows], result.soft[rows] = self.low, self.high, self.soft
        which = np.flatnonzero(self.symbol < 0)
        if not len(which):
            return result
        number = np.full(len(rows), -1, dtype=np.int64)
        number[which] = np.arange(len(which))
        terms = Terms.join(self.terms)
        terms = replace(terms, row=number[terms.row])
        forms = collect(len(which), terms, self.walk.epsilon, self.walk.space.columns)
        place = np.full(n, -1, dtype=np.int64)
        place[rows[which]] = np.arange(len(which))
        return Values(result.symbol, result.low, result.high, result.soft, place, forms)

    def tied(self, values: Values) -> Values | None:
        """Return the values with every vertex as its twin plus an error, where the difference is bounded.

        A vertex may have been decided as a value that has little in common with its twin. The bounds on the change of
        its readers are then tighter with the twin. Returns None when no vertex would differ from `values`.
        """
        finite = np.isfinite(self.shift.low) & np.isfinite(self.shift.high) & self.shift.comparable
        which = np.flatnonzero(finite & (self.symbol != self.sums.twin))
        if not len(which):
            return None
        rows = self.sums.rows[which]
        names = ("symbol", "low", "high", "soft")
        columns = [getattr(values, name).copy() for name in names]
        mine = (self.sums.twin, self.shift.low, self.shift.high, self.shift.soft)
        for column, own in zip(columns, mine, strict=True):
            column[rows] = own[which]
        return replace(values, **dict(zip(names, columns, strict=True)))
