"""Visit one layer of the new graph: compare it with the old one and record the values of its vertices."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from netgraph.columns import Array
from netgraph.graph import get_norm
from netgraph.graph.bounds import operate_interval, widen
from netgraph.proof.known import operation, parameters
from netgraph.proof.merges import MergedLayer
from netgraph.proof.readings import Values
from netgraph.proof.recognise import Recognition
from netgraph.proof.shift import Shift, shift_of
from netgraph.proof.sums import Sums
from netgraph.proof.walk import Walk

if TYPE_CHECKING:
    from netgraph.graph import Layer

PLACES = 3
"""Largest number of places of change that a certificate names."""


def visit(walk: Walk, layer: Layer) -> None:
    """Decide and record the value of every vertex of a layer. All layers that it reads must have been visited."""
    twin = walk.own_twins(layer.id)
    if layer.is_source:
        walk.settle(layer.id, _of_source(walk, layer, twin))
        return
    if walk.untouched(layer):
        return
    old = walk.old.layers_by_id.get(layer.id)
    known = twin if old is not None else np.full(len(layer), -1, dtype=np.int64)
    if old is not None:  # a vertex that was in another layer of the old graph has no twin here
        start = walk.old.vertices.offset(old.id)
        known = np.where((known >= start) & (known < start + len(old)), known, -1)
    reading = Summed(walk, layer, known) if layer.merge is None else MergedLayer(walk, layer, known)
    equal = _same_operation(walk, layer, known) & reading.change.empty & ~reading.uncertain
    if get_norm(layer.norm).couples_vertices and not (equal.all() and old is not None and len(old) == len(layer)):
        equal[:] = False
    if not equal.all():
        sums = _narrow(walk, reading.sums(np.flatnonzero(~equal)))
        _decide(walk, layer, sums, equal, known)
    else:
        walk.settle(layer.id, Values.known(known))
        if layer.role == "output":
            _note_outputs(walk, layer, None, None)


class Summed:
    """A layer of sums of the new graph beside its twins; attributes and arguments as for `MergedLayer`."""

    def __init__(self, walk: Walk, layer: Layer, twin: Array) -> None:
        self._walk, self._layer, self._twin = walk, layer, twin
        self.change, self._low, self._high = walk.changes(layer, twin)
        if len(self.change.column):
            self.change = walk.reduced(self.change)
        self.uncertain = (self._low != 0) | (self._high != 0)

    def sums(self, rows: Array) -> Sums:
        """Form, change and bounds of some vertices."""
        low, high = self._walk.moved_by(self._layer, self._twin, self.change, self._low, self._high)
        return self._walk.sums(self._layer, rows, self._twin[rows], self.change.take(rows), (low[rows], high[rows]))


def _of_source(walk: Walk, layer: Layer, twin: Array) -> Values:
    """Values of a source: of an input those of its twins, of positions those of a layer of positions on this grid."""
    if layer.role == "input":
        return Values.known(twin)
    same = walk.positions.get(layer.grid, [])
    if same:
        old = next((old for old in same if old.id == layer.id), same[0])
        first = walk.old.vertices.offset(old.id)
    else:
        first = walk.new_positions.setdefault(layer.grid, walk.space.own + walk.new.vertices.offset(layer.id))
        low, high = walk.new_bounds(layer.id)
        low[:], high[:] = float(len(layer) == 1), 1.0
    return Values.known(first + np.arange(len(layer)))


def _same_operation(walk: Walk, layer: Layer, twin: Array) -> Array:
    """Whether each vertex computes its value from its sum by the function of its twin, `(vertices,)`."""
    same = twin >= 0
    old = walk.old.layers_by_id.get(layer.id)
    if old is None or old is layer or not same.any():
        return np.asarray(same)
    if operation(old) != operation(layer):
        return np.zeros(len(same), dtype=bool)
    rows = np.flatnonzero(same)
    theirs = parameters(old)[twin[rows] - walk.old.vertices.offset(layer.id)]
    same[rows] = (parameters(layer)[rows] == theirs).all(axis=1)
    return np.asarray(same)


def _narrow(walk: Walk, sums: Sums) -> Sums:
    """Narrow the bounds of the sums: each sum also lies in the bounds of its twin's sum plus those of the change."""
    at = np.flatnonzero(sums.twin >= 0)
    if not len(at):
        return sums
    with np.errstate(invalid="ignore"):
        least = walk.bounds.z_low[sums.twin[at]] + sums.moved_low[at]
        most = walk.bounds.z_high[sums.twin[at]] + sums.moved_high[at]
    least, most = widen(least, most)
    z_low, z_high = sums.z_low.copy(), sums.z_high.copy()
    z_low[at], z_high[at] = np.fmax(z_low[at], least), np.fmin(z_high[at], most)
    return replace(sums, z_low=z_low, z_high=z_high)


def _decide(walk: Walk, layer: Layer, sums: Sums, equal: Array, twin: Array) -> None:
    bounds = operate_interval(layer, sums.z_low, sums.z_high, walk.mode, sums.rows)
    own_low, own_high = walk.new_bounds(layer.id)
    own_low[sums.rows], own_high[sums.rows] = bounds
    shift = shift_of(walk, layer, sums, bounds)
    _note_stops(walk, layer, sums)
    if shift.comparable.any():
        walk.moved[layer.name] = float(shift.size[shift.comparable].max())
    decision = Recognition(walk, layer, sums, shift)
    for first in (True, False):  # short and exact values first; then known values; only then values with errors
        decision.pass_on(short=first)
        decision.hold_constants(exactly=first)
        if first:
            decision.recognise()
    decision.lean_on_twins()
    decision.name_the_rest()
    values = decision.values(equal, twin)
    walk.settle(layer.id, values, decision.tied(values))
    if layer.role == "output":
        _note_outputs(walk, layer, shift, sums)


def _note_stops(walk: Walk, layer: Layer, sums: Sums) -> None:
    """Record where a change enters: vertices that differ from their twins although their sums have no error."""
    if len(walk.stopped) >= PLACES:
        return
    enters = np.flatnonzero((sums.twin >= 0) & (sums.low == 0) & (sums.high == 0))
    if not len(enters):
        return
    first = int(layer.vertex_ids[sums.rows[enters[0]]])
    others = f" and {len(enters) - 1:,} others" if len(enters) > 1 else ""
    walk.stopped.append(f"vertex {first}{others} of layer {layer.name!r}")


def _note_outputs(walk: Walk, layer: Layer, shift: Shift | None, sums: Sums | None) -> None:
    low, high, soft = np.zeros(len(layer)), np.zeros(len(layer)), np.ones(len(layer), dtype=bool)
    if shift is not None and sums is not None:
        low[sums.rows], high[sums.rows], soft[sums.rows] = shift.low, shift.high, shift.soft
    walk.output_change[layer.id] = (low, high, soft)
