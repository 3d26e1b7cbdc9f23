"""Wires that read or write certain positions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from netgraph.checks import whole
from netgraph.columns import Array
from netgraph.errors import GraphError
from netgraph.graph.grid import Grid
from netgraph.graph.kinds.kind import LinkKind

_LARGEST_OFFSET = 2**31 - 1
"""Largest offset, forwards and backwards; positions fit in 32 bits."""


@dataclass(frozen=True)
class Place(LinkKind):
    """Links of frozen wires of weight 1 that move positions: patches to tokens, a class token out of them.

    Positions of both grids are numbered in reading order; the grid `()` has one position, number 0. Position `p` of the
    target reads position `p - offset` of the source, and 0 where the source has no such position. So `Place(1)` writes
    patches behind a class token, `Place(0)` to the grid `()` reads the first token, and `Place(1 - tokens)` the last.

    Attributes:
        offset: position of the target to which position 0 of the source goes; it may be negative.
    """

    name = "place"
    wires: ClassVar[bool] = True
    places: ClassVar[bool] = True

    offset: int = 0

    def __post_init__(self) -> None:
        limits = {"least": -_LARGEST_OFFSET, "most": _LARGEST_OFFSET}
        object.__setattr__(self, "offset", whole("Place: offset", self.offset, **limits, error=GraphError))

    @property
    def words(self) -> tuple[str, ...]:
        """Text for the offset."""
        return (f"place {self.offset:+d}",)

    def simpler(self) -> tuple[LinkKind, ...]:
        """The kind without an offset."""
        return (Place(0),) if self.offset else ()

    def output_grid(self, grid: Grid) -> Grid:
        """Raise `GraphError`: the grid of the source does not decide that of the target."""
        raise GraphError(f"{self} fits any grid that shares a position with {grid}; declare the grid of the target.")

    def fits(self, source: Grid, target: Grid) -> bool:
        """Return whether some position of the target reads a position of the source.

        Raises:
            GraphError: when it reads none.
        """
        start, stop = self.overlap(source, target)
        if start >= stop:
            raise GraphError(
                f"{self} moves the {math.prod(source)} positions of the source outside the {math.prod(target)} of the "
                "target; choose another offset."
            )
        return True

    def overlap(self, source: Grid, target: Grid) -> tuple[int, int]:
        """First position of the target that reads the source, and the position after the last one."""
        return max(self.offset, 0), min(math.prod(source) + self.offset, math.prod(target))

    def positions(self, source: Grid, target: Grid) -> Array:
        """Position of the source that each position of the target reads, -1 for none: `(1, positions)` int64."""
        at = np.arange(math.prod(target), dtype=np.int64) - self.offset
        return np.where((at >= 0) & (at < math.prod(source)), at, -1)[None]

    @property
    def padded(self) -> bool:
        """Whether positions of the target may read zeros outside of the source; `padding_states` says which."""
        return True

    def padding_states(self, source: Grid, target: Grid) -> Array:
        """State of the only tap, `(1,)`: no position of the target reads outside of the source (0), or some (1)."""
        start, stop = self.overlap(source, target)
        return np.array([int(stop - start < math.prod(target))])

    def read(self, values: Array, source: Grid, target: Grid) -> Iterator[Array]:
        """Yield the values that all positions of the target read, `(..., *target)`, in a new array."""
        yield self._moved(values, source, target, self.offset)

    def spread(self, parts: Array, source: Grid, target: Grid) -> Array:
        """Move the values of the target back, `(..., *source)`: the transpose of `read`."""
        return self._moved(parts[0], target, source, -self.offset)

    def _moved(self, values: Array, source: Grid, target: Grid, offset: int) -> Array:
        """Move positions of values, `(..., *source)`, by an offset: `(..., *target)`, 0 where nothing arrives."""
        start, stop = Place(offset).overlap(source, target)
        lead = values.shape[: values.ndim - len(source)]
        moved = np.zeros((*lead, math.prod(target)), values.dtype)
        if start < stop:
            moved[..., start:stop] = values.reshape(*lead, -1)[..., start - offset : stop - offset]
        return moved.reshape(*lead, *target)
