"""Arguments of the bounds of merges: the change of the reads of a layer, and the errors of computed reads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netgraph.columns import Array
from netgraph.graph.outward import Pair, add, times

Ports = tuple[Pair, Pair]
"""Intervals of the reads at ports 0 and 1."""


@dataclass(frozen=True, eq=False)
class MergeChange:
    """Change of the reads of `width` vertices of a merging layer, slot by slot.

    A read that a vertex has only before or only after the change counts as 0 on the other side. Reads include the
    factor of their port, see `Merge.factor`.

    Attributes:
        width: number of vertices.
        row: vertex of each slot, `(slots,)`.
        slot: number of each slot; 0 where the merge has no slots, `(slots,)`.
        frequency: frequency of each slot, see `Merge.frequency`, `(slots,)`. A slot whose frequency changes stands
            twice, once with the reads before the change, once with those after it.
        old, new: intervals of the reads before and after the change, `(slots,)` each.
        moved: intervals of new read minus old read, `(slots,)` each.
        shifted: bound of the weight that moves to other positions in the head that each slot reads at port 0: the sum
            of all increases of its numbers, at most 1; `(slots,)`. Only for ports that read heads.
    """

    width: int
    row: Array
    slot: Array
    frequency: Array
    old: Ports
    new: Ports
    moved: Ports
    shifted: Array

    def of_products(self) -> Pair:
        """Bounds of the change of the product of both reads of each slot, `(slots,)` each."""
        (a, b), (a_new, b_new), (da, db) = self.old, self.new, self.moved
        one = add(*times(*b_new, *da), *times(*a, *db))  # a second factor of 0 gives exactly 0
        two = add(*times(*b, *da), *times(*a_new, *db))
        return np.maximum(one[0], two[0]), np.minimum(one[1], two[1])


@dataclass(frozen=True, eq=False)
class ComputedRead:
    """Reads of a merging layer at one port, as `interpret` computes them, sorted by vertex and slot.

    Attributes:
        dst: row of the vertex that each wire enters, `(wires,)`.
        slot: slot of each wire, `(wires,)`.
        low, high: interval of the exact value, `(wires,)`.
        error: bound of the distance between the computed and the exact value, `(wires,)`.
        spread: for heads, bound of the sum of these distances over the last axis of the grid, `(wires,)`.
        positions: number of positions along the last axis of the grid; 1 for the grid `()`.
    """

    dst: Array
    slot: Array
    low: Array
    high: Array
    error: Array
    spread: Array
    positions: int

    @property
    def size(self) -> Array:
        """Largest magnitude of the computed values, `(wires,)`."""
        return np.asarray(np.maximum(np.abs(self.low), np.abs(self.high)) + self.error)


def magnitude(pair: Pair) -> Array:
    """Largest magnitude of the numbers of each interval."""
    return np.asarray(np.maximum(np.abs(pair[0]), np.abs(pair[1])))
