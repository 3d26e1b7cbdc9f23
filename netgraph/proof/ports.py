"""Forms of vertices that merge their ports: terms over their reads, each under the tag of its port and slot.

Two vertices with the same merge and equal forms have equal values. A form is not a sum: only the merge can compute a
value from it. The canonical form leaves out terms that have no effect on the value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netgraph.columns import Array
from netgraph.proof.forms import Rows, Terms, collect
from netgraph.proof.known import hashes

if TYPE_CHECKING:
    from netgraph.graph import Merge
    from netgraph.proof.readings import Space


Reads = tuple[Array, Array]
"""Some reads: the row of the form, and the number of the tag of each."""


class PortTags:
    """Tags of the entries of some forms, as columns of one row per entry.

    Attributes:
        tag: number of the tag, -1 for terms that are added to `z`.
        port, frequency: fields of the tag; 0 for such terms.
        group: number of the slots that vanish together: a slot, or a pair of slots that turns.
        plain: number of the same column without the tag.
    """

    def __init__(self, rows: Rows, space: Space) -> None:
        operator, symbol = np.divmod(rows.column, space.size)
        self.tag = space.operators.tag_of[operator]
        self.port, self.group, self.frequency = fields(self.tag, space)
        self.plain = space.operators.inner[operator] * space.size + symbol


def fields(tag: Array, space: Space) -> tuple[Array, Array, Array]:
    """Port, group and frequency of tags, given by their numbers; see `PortTags`."""
    known = np.array([*space.operators.tags, (0, 0, 0.0)], dtype=np.float64)[tag]
    slot, frequency = known[:, 1].astype(np.int64), known[:, 2]
    return known[:, 0].astype(np.int64), np.where(frequency == 0, 2 * slot, 2 * (slot // 2) + 1), frequency


def canonical(merge: Merge, rows: Rows, space: Space) -> Rows:
    """Return forms of values without errors in canonical form.

    Terms that have no effect are left out, and slots, and ports that may change places, are in the order of the hashes
    of their reads. So the slots of two canonical forms need not be the slots of their vertices.
    """
    rows, _ = without_zeros(without_constants(merge, rows, space), space)
    rows = _slots_in_order(rows, space) if merge.slotted else rows
    return _in_order(rows, space) if merge.commutes else rows


def without_constants(merge: Merge, rows: Rows, space: Space) -> Rows:
    """Return forms in which no constant is read where it vanishes, or adds itself to `z`; differences of forms too."""
    if not merge.constant or not (rows.column % space.size == space.one).any():
        return rows
    tags = PortTags(rows, space)
    moves = (tags.tag >= 0) & (tags.port == 1) & (tags.frequency == 0) & (tags.plain == space.one)
    if not moves.any():
        return rows
    if merge.constant == "vanishes":
        return rows.filter(~moves)
    return _with_columns(rows, np.where(moves, space.one, rows.column), space)


def without_zeros(rows: Rows, space: Space, uncertain: Reads | None = None) -> tuple[Rows, Array]:
    """Return forms without the slots that are 0 at one port, since they multiply both reads.

    Args:
        rows: the forms.
        space: symbols and columns of the proof.
        uncertain: reads with an error, which may differ from 0 without a term; None for none.

    Returns:
        The forms; and a mask of the uncertain reads in slots that are 0.
    """
    tags, row = PortTags(rows, space), rows.row
    tagged = np.flatnonzero(tags.tag >= 0)
    more, more_tag = (np.zeros(0, dtype=np.int64),) * 2 if uncertain is None else uncertain
    port, group, _ = fields(more_tag, space)
    port = np.concatenate([tags.port[tagged], port])
    group = np.concatenate([tags.group[tagged], group])
    place = np.concatenate([row[tagged], more]) * (int(group.max(initial=0)) + 1) + group
    slots, which = np.unique(place, return_inverse=True)
    both = np.ones(len(slots), dtype=bool)
    for side in (0, 1):
        both &= np.bincount(which[port == side], minlength=len(slots)) > 0
    gone = np.zeros(len(row), dtype=bool)
    gone[tagged] = ~both[which[: len(tagged)]]
    return rows.filter(~gone) if gone.any() else rows, ~both[which[len(tagged) :]]


def _in_order(rows: Rows, space: Space) -> Rows:
    """Return forms of reads at two ports with the ports in the order of the hashes of their reads."""
    tags, row = PortTags(rows, space), rows.row
    tagged = tags.tag >= 0
    read = Terms.of(2 * row[tagged] + tags.port[tagged], tags.plain[tagged], rows.value[tagged], rows.error[tagged])
    first, second = hashes(collect(2 * len(rows), read, 0.0, space.columns))[0].reshape(-1, 2).T
    swaps = tagged & (first > second)[row]
    if not swaps.any():
        return rows
    operator, symbol = np.divmod(rows.column, space.size)
    numbers, which = np.unique(operator[swaps], return_inverse=True)
    operator[swaps] = np.array([space.operators.swapped(n) for n in numbers.tolist()])[which]
    return _with_columns(rows, operator * space.size + symbol, space)


def _slots_in_order(rows: Rows, space: Space) -> Rows:
    """Return forms with the slots, or pairs of slots that turn, of each vertex numbered in the order of their hashes.

    A sum over slots does not depend on their order. A pair keeps its frequency, which is part of its tag.
    """
    tags, row = PortTags(rows, space), rows.row
    at = np.flatnonzero(tags.tag >= 0)
    if not len(at):
        return rows
    tag, count = tags.tag[at], len(space.operators.tags)
    known = np.array(space.operators.tags, dtype=np.float64)
    odd = (known[:, 1] % 2) * (known[:, 2] != 0)  # the second slot of a pair
    reads, which = np.unique(row[at] * count + tag, return_inverse=True)
    terms = Terms.of(which, tags.plain[at], rows.value[at], rows.error[at])
    read = hashes(collect(len(reads), terms, 0.0, space.columns))[0]
    read_row, read_tag = np.divmod(reads, count)
    _, group, frequency = fields(read_tag, space)
    share = (
        read
        * np.array([1.0, 1.61803398875, 2.41421356237, 3.30277563773])[
            (2 * known[read_tag, 0] + odd[read_tag]).astype(np.int64)
        ]
    )
    width = int(group.max()) + 1
    groups, first, of_read = np.unique(read_row * width + group, return_index=True, return_inverse=True)
    total = np.bincount(of_read, weights=share) + 0.70710678118 * frequency[first]
    order = np.lexsort((total, groups // width))
    rank = np.empty(len(groups), dtype=np.int64)
    rank[order] = np.arange(len(groups)) - np.searchsorted(groups // width, groups // width)[order]
    slot = (np.where(frequency == 0, 1, 2) * rank[of_read] + odd[read_tag].astype(np.int64))[which]
    operator, symbol = np.divmod(rows.column, space.size)
    most = int(slot.max()) + 1
    numbers, place = np.unique(operator[at] * most + slot, return_inverse=True)
    operator[at] = np.array([space.operators.moved(*divmod(n, most)) for n in numbers.tolist()])[place]
    return _with_columns(rows, operator * space.size + symbol, space)


def _with_columns(rows: Rows, column: Array, space: Space) -> Rows:
    """Return forms with other columns, in canonical order."""
    terms = Terms(rows.row, column, rows.value, rows.error, rows.rounding)
    return collect(len(rows), terms, 0.0, space.columns)
