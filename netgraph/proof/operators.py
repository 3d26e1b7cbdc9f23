"""Operators: numbered maps of positions by which a vertex reads another vertex, with zeros outside of its grid.

Each tap of a convolution, and each wire, takes the value of its source at `stride * position + offset`, and 0 where
that lies outside the source's grid. Such a map is an operator, called a shift. Its number allows forms to be compared
tap by tap, also between kernels of different sizes. Wires between grids of different shapes, and what reads through
them, are operators too: lists of the positions that are read, numbered along the grid.

A vertex that merges its ports reads every source under a tag: its port, and its slot there. The operator of such a
read is an operator with a tag. Only the merge can use what it reads, so nothing reads a tagged operator in turn.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from netgraph.columns import Array
from netgraph.graph import Grid, LinkKind, Merge

POINTWISE = 0
"""Number of the operator that reads the same position."""

ZERO = -2
"""Result in place of a number, where an operator reads nothing but zeros."""

UNKNOWN = -1
"""Result in place of a number, where a composition is no single shift."""

Axis = tuple[int, int, int, int]
"""Stride, offset, source size and target size of one axis."""


class Tag(NamedTuple):
    """Place of a read in a vertex that merges its ports.

    Attributes:
        port: the port.
        slot: the slot; 0 for merges without slots.
        frequency: the frequency by which positions turn the pair of the slot; 0 where nothing turns.
    """

    port: int
    slot: int = 0
    frequency: float = 0.0


class Operators:
    """Numbers of all operators that occur in a proof; `POINTWISE` reads the same position.

    Attributes:
        tags: the tags in use; their numbers are indices of this list.
    """

    def __init__(self) -> None:
        self._axes: list[tuple[Axis, ...]] = [()]
        self._numbers: dict[tuple[Axis, ...], int] = {(): POINTWISE}
        self._outside = [False]
        self.tags: list[Tag] = []
        self._tag_numbers: dict[Tag, int] = {}
        self._tag_of, self._inner = [-1], [POINTWISE]
        self._tagged: dict[tuple[int, int], int] = {}
        self._links: dict[tuple[LinkKind, Grid, Grid], Array] = {}
        self._composed: dict[tuple[int, int], int] = {}
        self._lists: dict[int, tuple[Array, int]] = {}
        self._listed: dict[tuple[bytes, int], int] = {}

    def __len__(self) -> int:
        return len(self._axes)

    @property
    def reads_outside(self) -> Array:
        """Whether some position reads a zero outside of the source's grid, for each operator, `(operators,)`."""
        return np.array(self._outside)

    @property
    def tag_of(self) -> Array:
        """Number of the tag of each operator, -1 without a tag, `(operators,)`."""
        return np.array(self._tag_of)

    @property
    def inner(self) -> Array:
        """Number of each operator without its tag, `(operators,)`."""
        return np.array(self._inner)

    @property
    def bare(self) -> Array:
        """Number of the operator with the same tag that reads the same position, `(operators,)`."""
        found = [POINTWISE if tag < 0 else self._tagged[tag, POINTWISE] for tag in self._tag_of]
        return np.array(found, dtype=np.int64)

    def tagged(self, tag: Tag, inner: int = POINTWISE) -> int:
        """Number of the operator that reads by `inner`, an operator without a tag, under a tag."""
        if tag not in self._tag_numbers:
            self._tag_numbers[tag] = len(self.tags)
            self.tags.append(tag)
            self._add_tagged(self._tag_numbers[tag], POINTWISE)
        return self._add_tagged(self._tag_numbers[tag], inner)

    def swapped(self, number: int) -> int:
        """Number of the operator with a tag that reads the same at the other port."""
        tag = self.tags[self._tag_of[number]]
        return self.tagged(tag._replace(port=1 - tag.port), self._inner[number])

    def moved(self, number: int, slot: int) -> int:
        """Number of the operator with a tag that reads the same in another slot, with the same frequency."""
        return self.tagged(self.tags[self._tag_of[number]]._replace(slot=slot), self._inner[number])

    def _add_tagged(self, tag: int, inner: int) -> int:
        if (tag, inner) not in self._tagged:
            self._tagged[tag, inner] = self._add((), self._outside[inner], tag, inner)
        return self._tagged[tag, inner]

    def _add(self, axes: tuple[Axis, ...], outside: bool, tag: int = -1, inner: int | None = None) -> int:
        number = len(self._axes)
        self._axes.append(axes)
        self._outside.append(outside)
        self._tag_of.append(tag)
        self._inner.append(number if inner is None else inner)
        return number

    def of_link(self, kind: LinkKind, source: Grid, target: Grid) -> Array:
        """Number of the operator of each tap, `(taps,)`; `ZERO` where a tap reads nothing but zeros."""
        key = (kind, source, target)
        if key not in self._links:
            if kind.places:
                numbers = [self._of_list(read, math.prod(source)) for read in kind.positions(source, target)]
            else:
                numbers = [self._of_tap(kind, tap, source) for tap in range(kind.taps)]
            self._links[key] = np.array(numbers, dtype=np.int64)
        return self._links[key]

    def of_merge(self, merge: Merge, port: int, slots: Array) -> Array:
        """Number of the operator of each slot, up to the largest one of `slots`; `ZERO` for slots not among them."""
        used = np.unique(slots)
        numbers = np.full(int(used.max(initial=-1)) + 1, ZERO, dtype=np.int64)
        numbers[used] = [self.tagged(Tag(port, slot, merge.frequency(slot))) for slot in used.tolist()]
        return numbers

    def _of_tap(self, kind: LinkKind, tap: int, source: Grid) -> int:
        axes = zip(kind.shifts(tap, source), source, kind.output_grid(source), strict=True)
        return self._number(tuple((*shift, size, target) for shift, size, target in axes))

    def _number(self, axes: tuple[Axis, ...]) -> int:
        canonical = []
        outside = False
        for stride, offset, source, target in axes:
            if target == 1:
                stride = 1  # the stride of a single position has no effect, so it gets one canonical value
            read = stride * np.arange(target) + offset
            inside = (read >= 0) & (read < source)
            if not inside.any():
                return ZERO
            outside = outside or not inside.all()
            canonical.append((stride, offset, source, target))
        if all(s == 1 and o == 0 and g == t for s, o, g, t in canonical):
            return POINTWISE
        key = tuple(canonical)
        if key not in self._numbers:
            self._numbers[key] = self._add(key, outside)
            if self._listed:
                read, positions = self._list(self._numbers[key])
                self._numbers[key] = self._listed.setdefault((read.tobytes(), positions), self._numbers[key])
        return self._numbers[key]

    def _of_list(self, read: Array, positions: int) -> int:
        """Number of the operator by which each position of the target reads the position `read`, -1 for a zero.

        `positions` is the number of positions of the source. A list that is a shift has the number of the shift.
        """
        if (read < 0).all():
            return ZERO
        if len(read) == positions and (read == np.arange(positions)).all():
            return POINTWISE
        if not self._listed:
            for number in [n for n, axes in enumerate(self._axes) if axes]:
                shift, size = self._list(number)
                self._listed[shift.tobytes(), size] = number
        key = (read.tobytes(), positions)
        if key not in self._listed:
            self._listed[key] = self._add((), bool((read < 0).any()))
            self._lists[self._listed[key]] = (read, positions)
        return self._listed[key]

    def _list(self, number: int) -> tuple[Array, int]:
        """Positions that are read by an operator other than `POINTWISE`, -1 for zeros; and the size of the source."""
        if number not in self._lists:
            axes = self._axes[number]
            self._lists[number] = (_positions(axes), math.prod(axis[2] for axis in axes))
        return self._lists[number]

    def compose(self, outer: int, inner: int) -> int:
        """Number of the operator that reads by `inner`, then by `outer`; or `ZERO`, or `UNKNOWN` where none does.

        It is `UNKNOWN` where some position reads a zero outside of the grid in between, but the single shift with the
        same stride and offset would read a value inside of the source's grid, and where `inner` has a tag. Operators
        that are lists always have a composition.
        """
        if self._tag_of[inner] >= 0:
            return UNKNOWN
        if self._tag_of[outer] >= 0:
            number = self.compose(self._inner[outer], inner)
            return number if number < 0 else self._add_tagged(self._tag_of[outer], number)
        if outer == POINTWISE or inner == POINTWISE:
            return outer if inner == POINTWISE else inner
        key = (outer, inner)
        if key not in self._composed:
            self._composed[key] = self._compose(outer, inner)
        return self._composed[key]

    def _compose(self, outer: int, inner: int) -> int:
        """Compose two operators other than `POINTWISE`: shifts along each axis, where their grids are the same."""
        follow, first = self._axes[outer], self._axes[inner]
        if not follow or [axis[2] for axis in follow] != [axis[3] for axis in first]:
            (middle, _), (read, positions) = self._list(outer), self._list(inner)
            return self._of_list(np.where(middle < 0, -1, read[middle]), positions)
        axes = []
        for (s2, o2, between, target), (s1, o1, source, _) in zip(follow, first, strict=True):
            middle = s2 * np.arange(target) + o2
            read = s1 * middle + o1
            if not (((middle >= 0) & (middle < between)) | (read < 0) | (read >= source)).all():
                return UNKNOWN
            axes.append((s1 * s2, s1 * o2 + o1, source, target))
        return self._number(tuple(axes))

    def compose_all(self, outer: Array, inner: Array) -> Array:
        """Apply `compose` element by element; each distinct pair is computed once."""
        if not len(outer):
            return np.zeros(0, dtype=np.int64)
        if not inner.any():
            return np.asarray(outer)
        if not outer.any() and not self.tags:
            return np.asarray(inner)
        count = int(max(outer.max(), inner.max())) + 1
        pairs, which = np.unique(outer * count + inner, return_inverse=True)
        numbers = [self.compose(*divmod(int(pair), count)) for pair in pairs]
        return np.array(numbers, dtype=np.int64)[which]


def _positions(axes: tuple[Axis, ...]) -> Array:
    """Position of the source that each position of the target reads by a shift, along the grids, -1 for a zero."""
    read, inside = np.zeros((), dtype=np.int64), np.ones((), dtype=bool)
    for stride, offset, source, target in axes:
        at = stride * np.arange(target) + offset
        read = np.add.outer(read * source, at)
        inside = np.logical_and.outer(inside, (at >= 0) & (at < source))
    return np.where(inside, read, -1).reshape(-1)
