"""Recognise the vertices of a new layer: a vertex with the form of a known one has its value, or a multiple of it."""

from __future__ import annotations

import numpy as np

from netgraph.columns import Array
from netgraph.graph.bounds import operate_interval, pool_interval, times, widen
from netgraph.proof.decide import EXPANSION, Decision
from netgraph.proof.forms import Rows, Terms, collect
from netgraph.proof.known import (
    Candidates,
    KnownValues,
    KnownVertices,
    alike,
    exact_factor,
    mirror_slope,
    mirrors,
    multiples_of,
    operation,
)
from netgraph.proof.standardised import standardise

RESIDUAL = 1e-4
"""Largest fraction of a sum by which it may differ from a known sum that takes its place, with an error."""


class Recognition(Decision):
    """Decisions that also compare the vertices with known values, and with each other."""

    def recognise(self) -> None:
        """Decide vertices with the operation and form of a known vertex: they have its value, or a multiple of it."""
        if self.norm.couples_vertices:
            standardise(self)
        if self.norm.couples_vertices or not self.open.any():
            return
        # Where the twin itself is close, no search for another close value is needed.
        low, high = (bound[self.sums.rows] for bound in self.walk.new_bounds(self.layer.id))
        reach = np.maximum(np.abs(low), np.abs(high))
        near = self.shift.comparable & np.isfinite(reach) & (self.shift.size <= RESIDUAL * reach)
        asked = self.open & ~near & self._influential()
        if not asked.any():
            return
        if (which := np.flatnonzero(asked & self._acceptable())).size:
            self.walk.index.extend(self.layer, self.form.take(which))
        self._match(asked, exactly=True)
        # New vertices may be exact multiples of each other, but multiples of old vertices only up to rounding.
        special = np.isfinite(self.shift.size) | ~np.isnan(self.linear_factor)
        self._name_alike(asked & ~special, at_least=2)
        # A vertex that is its twin up to rounding is left to `lean_on_twins`: other values are merely close to it.
        rounded = self.shift.soft & np.isfinite(self.shift.size)
        self._match(asked & ~rounded & np.isnan(self.linear_factor))

    def _influential(self) -> Array:
        """Mask of the vertices on which an output depends; the values of the others need no search, `(k,)`."""
        return np.asarray(self.walk.influential[self.walk.new.vertices.offset(self.layer.id) + self.sums.rows])

    def _acceptable(self) -> Array:
        """Mask of the vertices whose error is small enough for a known value: see `_accept`; `(k,)`.

        The error of the sum is part of the difference from any known sum.
        """
        certain = (self.sum_low == 0) & (self.sum_high == 0)
        if not self.sums_up:
            return np.asarray(certain)
        reach = np.maximum(np.abs(self.sums.z_low), np.abs(self.sums.z_high))
        size = (self.sum_high - self.sum_low) / 2 * (1 - 1e-9)
        with np.errstate(invalid="ignore"):
            small = np.isfinite(size) & ((size <= RESIDUAL * reach) | self.sum_soft) & (size < self.shift.size)
        return np.asarray(certain | small)

    def _match(self, chosen: Array, exactly: bool = False) -> None:
        """Compare the forms of the `chosen` vertices with those of known values, as they are, then in normal form."""
        walk = self.walk
        for known, normal in ((walk.index.known, None), (walk.index.known_normal, walk.normal)):
            which = np.flatnonzero(self.open & chosen & self._acceptable())
            if (normal is not None and not normal) or not len(which):
                return
            asked = self.form.take(which)
            asked = asked if normal is None else walk.in_normal_form(operation(self.layer), asked, normal)
            for found in known.candidates(operation(self.layer), self.layer, asked, self.parameters[which]):
                still = self.open[which[found.asked]]
                if still.any():
                    picked = Candidates(*(getattr(found, n)[still] for n in ("asked", "block", "row", "factor")))
                    self._compare(which, asked, picked, known, exactly)

    def _compare(self, which: Array, asked: Rows, found: Candidates, among: KnownValues, exactly: bool) -> None:
        blocks = among.blocks(operation(self.layer))
        for number in np.unique(found.block):
            block = blocks[number]
            at = np.flatnonzero(found.block == number)
            fits = (self.parameters[which[found.asked[at]]] == block.parameters[found.row[at]]).all(axis=1)
            fits &= (found.factor[at] > 0) | (mirrors(self.layer) and self.passes)
            at = at[fits]
            if not len(at):
                continue
            ask, known, factor = found.asked[at], found.row[at], found.factor[at]
            factor = exact_factor(asked.take(ask), block.forms.take(known), factor)
            terms = [asked.take(ask).terms(), block.forms.take(known).terms(-factor)]
            left = collect(len(at), Terms.join(terms), self.walk.epsilon, self.walk.space.columns)
            kept = left.empty if exactly else np.ones(len(at), dtype=bool)
            self._accept(which[ask][kept], factor[kept], block.symbol[known][kept], left.take(np.flatnonzero(kept)))

    def _accept(self, which: Array, factor: Array, symbol: Array, left: Rows) -> None:
        """Decide vertices as multiples of known values, where the remainder `left` is small or rounding.

        Args:
            which: the vertices.
            factor, symbol: factor and symbol of the known value of each.
            left: form of each vertex minus `factor` times the form of the known value.
        """
        sums, walk = self.sums, self.walk
        left_low, left_high = walk.space.bounds(left)
        low, high = widen(left_low + self.sum_low[which], left_high + self.sum_high[which])
        size = np.maximum(np.abs(low), np.abs(high))
        with np.errstate(invalid="ignore"):
            reach = np.maximum(np.abs(sums.z_low[which]), np.abs(sums.z_high[which]))
            soft = self.sum_soft[which] & left.only_rounding()
            good = np.isfinite(size) & ((size <= RESIDUAL * reach) | soft) & (size < self.shift.size[which])
            good |= size == 0
        exact = left.empty & (low == 0) & (high == 0)
        if not self.sums_up:
            good = exact
        counts = np.zeros(len(self.open), dtype=np.int64)
        counts[which] = np.where(good & (factor < 0), self.form.counts[which], 0)
        if self._expansion(counts) > EXPANSION:
            good &= factor > 0
        at = np.flatnonzero(good)
        if not len(at):
            return
        which, factor, symbol, left = which[at], factor[at], symbol[at], left.take(at)
        low, high = low[at], high[at]
        e_low, e_high = self._carried(which, low, high)
        soft = soft[at]
        same = factor == 1
        self.symbol[which[same]] = symbol[same]
        other, turned = np.flatnonzero(~same), np.flatnonzero(factor < 0)
        form = self.form.take(which[other])
        own = {name: values[which[other]] for name, values in self.columns.items()}
        self.terms.append(
            multiples_of(self.layer, own, symbol[other], factor[other], form, which[other], walk.space.one)
        )
        if len(turned):
            # `multiples_of` uses t = form for b t, but factor * u = form - left: f(t) has the further error b * left.
            rest = left.take(turned)
            ends = walk.space.bounds(rest)
            mirrored = {name: values[which[turned]] for name, values in self.columns.items()}
            t_low, t_high = times(*mirror_slope(self.layer, mirrored, len(turned)), *ends)
            e_low[turned], e_high[turned] = widen(e_low[turned] + t_low, e_high[turned] + t_high)
        self.add_error(which, e_low, e_high, soft)
        self.close(which, "known")

    def _carried(self, which: Array, low: Array, high: Array) -> tuple[Array, Array]:
        """Bounds of `f(sum) - f(sum - d)` for every d in [low, high]; for layers without a norm."""
        own = {name: values[which] for name, values in self.columns.items()}
        room = np.abs(low) + np.abs(high)
        z_low, z_high = widen(self.sums.z_low[which] - room, self.sums.z_high[which] + room)
        change = times(*self.activation.slopes(z_low, z_high, own, self.layer.slope), low, high)
        return pool_interval(self.layer, *change)

    def name_the_rest(self) -> None:
        """Decide all open vertices: they have new values. Equal values get one symbol."""
        if not self.open.any():
            return
        asked = self.open & self._influential()
        if self.sums_up and asked.any():
            # Equal forms first; then forms that are equal once their small terms are errors.
            self._name_alike(asked, at_least=2)
            before = self.form
            self._fold(np.flatnonzero(self.open & asked))
            if self.form is not before:
                self._match(asked)
        if not self.norm.couples_vertices:
            self._name_alike(asked, at_least=1)
        which = np.flatnonzero(self.open)
        self.symbol[which] = self._own()[which]
        self.close(which, "new")

    def _own(self) -> Array:
        """Symbols of the values of the new vertices, `(k,)`."""
        return np.asarray(self.walk.space.own + self.walk.new.vertices.offset(self.layer.id) + self.sums.rows)

    def _name_alike(self, chosen: Array, at_least: int) -> None:
        """Give a symbol to the first vertex of every group of equal forms or multiples, and match the others with it.

        `at_least` is the smallest size of a group.
        """
        for with_multiples in (False, True):  # equal or opposite forms first, since other factors may be rounded
            self._name_firsts(chosen, at_least if with_multiples else 2, with_multiples)

    def _name_firsts(self, chosen: Array, at_least: int, with_multiples: bool) -> None:
        certain = (self.sum_low == 0) & (self.sum_high == 0)
        bounded = np.isfinite(self.sum_low) & np.isfinite(self.sum_high) & self.sums_up
        which = np.flatnonzero(self.open & chosen & (certain | bounded))
        if not len(which):
            return
        forms = self.walk.in_normal_form(
            operation(self.layer), self.form.take(which)
        )  # equal forms may differ in notation
        sets = alike(self.layer, forms, self.parameters[which], multiples=with_multiples)
        first, size = np.unique(sets, return_counts=True)
        firsts = which[first[size >= at_least]]
        if not len(firsts):
            return
        space, rows = self.walk.space, self.sums.rows[firsts]
        name = self._own()[firsts] + (space.pure - space.own)
        form = self.form.take(firsts)
        bounds = space.bounds(form)
        if self.layer.merge is not None:  # a form is no sum there, and has no errors
            bounds = self.sums.z_low[firsts], self.sums.z_high[firsts]
        space.low[name], space.high[name] = operate_interval(self.layer, *bounds, self.walk.mode, rows)
        block = KnownVertices.of(form, self.parameters[firsts], name, np.full(len(name), self.layer.id))
        self.walk.index.add(operation(self.layer), block)
        low, high = self.sum_low[firsts], self.sum_high[firsts]
        if self.sums_up:
            low, high = self._carried(firsts, low, high)
        self.symbol[firsts] = name
        self.add_error(firsts, low, high, self.sum_soft[firsts])
        self.close(firsts, "new")
        self._match(self.open & chosen, exactly=True)
        self._match(self.open & chosen)
