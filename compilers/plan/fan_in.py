"""Numbers of edges, rows and targets of one site, from which the cost of its kernels follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from compilers.plan.geometry import Geometry
from netgraph.columns import Array


class RowFanIn:
    """Edges into one layer that read rows of the buffer, as a matrix of targets by rows that are read.

    Lowering makes some of these for every layer, so sizes are found once and shared by all ways to read.

    Args:
        targets: width of the layer.
        parents: sorted buffer rows that have an edge, `(parents,)`.
        counts: number of edges of each parent, `(parents,)`.
        first_trained: buffer rows below it are inputs, which need no gradient.

    Attributes:
        hull: whether every row from the first parent to the last is read, as one view, or the parents alone.
        edges: number of edges.
        columns: number of rows that are read.
        trained: number of these that need gradients, since they are not inputs.
    """

    reads = "rows"
    __slots__ = ("_inputs", "columns", "counts", "edges", "first_trained", "hull", "parents", "targets", "trained")

    def __init__(self, targets: int, parents: Array, counts: Array, first_trained: int) -> None:
        self.targets, self.parents, self.counts, self.first_trained = targets, parents, counts, first_trained
        self.hull, self.edges, self.columns = False, int(counts.sum()), len(parents)
        self._inputs = int(np.searchsorted(parents, first_trained))
        self.trained = self.columns - self._inputs

    @property
    def ways(self) -> tuple[RowFanIn, ...]:
        """The ways to read: as one view where the parents are contiguous, else the parents alone, or all between."""
        whole = self.with_hull(True)
        return (whole,) if whole.columns == len(self.parents) else (self.with_hull(False), whole)

    def with_hull(self, hull: bool) -> RowFanIn:
        """Return the same edges, read with or without the rows between the parents."""
        if hull == self.hull:
            return self
        other = RowFanIn.__new__(RowFanIn)
        other.targets, other.parents, other.counts = self.targets, self.parents, self.counts
        other.first_trained, other.edges, other._inputs = self.first_trained, self.edges, self._inputs
        other.hull, other.columns, other.trained = hull, len(self.parents), len(self.parents) - self._inputs
        if hull:
            low, high = int(self.parents[0]), int(self.parents[-1]) + 1
            other.columns, other.trained = high - low, max(0, high - max(low, self.first_trained))
        return other

    def split(self, core: int) -> tuple[RowFanIn, RowFanIn] | None:
        """Separate the parents with at least `core` edges from the others; None when one of the parts is empty."""
        dense = self.counts >= core
        if not dense.any() or dense.all():
            return None
        return self._part(dense).ways[0], self._part(~dense)

    def _part(self, chosen: Array) -> RowFanIn:
        return RowFanIn(self.targets, self.parents[chosen], self.counts[chosen], self.first_trained)

    @property
    def cells(self) -> int:
        """Number of pairs of a row that is read and a target."""
        return self.targets * self.columns

    @property
    def full(self) -> bool:
        """Whether every cell has an edge."""
        return self.edges == self.targets * self.columns

    @property
    def gathered(self) -> bool:
        """Whether the rows that are read must be copied together, because they are not contiguous."""
        return not self.hull and int(self.parents[-1]) - int(self.parents[0]) + 1 > len(self.parents)

    @property
    def trained_edges(self) -> int:
        """Number of edges from rows that need gradients."""
        return int(self.counts[self._inputs :].sum()) if self._inputs else self.edges

    @property
    def scattered(self) -> bool:
        """Whether gradients must be scattered, because the parents that need them are not contiguous."""
        trained = len(self.parents) - self._inputs
        return trained > 0 and int(self.parents[-1]) - int(self.parents[self._inputs]) + 1 > trained


@dataclass(frozen=True, eq=False)
class MapFanIn:
    """Edges of one link that read maps.

    Attributes:
        targets: width of the layer.
        sources: width of the layer that is read.
        edges: number of edges.
        geometry: of the link.
        trained: whether the maps that are read need gradients.
    """

    reads: ClassVar[str] = "maps"
    hull: ClassVar[bool] = False

    targets: int
    sources: int
    edges: int
    geometry: Geometry
    trained: bool

    @property
    def ways(self) -> tuple[MapFanIn, ...]:
        """The one way to read maps."""
        return (self,)

    @property
    def cells(self) -> int:
        """Number of entries of the full kernel."""
        return self.targets * self.sources * self.geometry.taps

    @property
    def full(self) -> bool:
        """Whether every cell has an edge."""
        return self.edges == self.cells

    @property
    def source_values(self) -> int:
        """Number of values of the maps that are read, for one sample."""
        return self.sources * self.geometry.source[0] * self.geometry.source[1]

    @property
    def target_values(self) -> int:
        """Values of the sums, of one sample."""
        return self.targets * self.geometry.positions


@dataclass(frozen=True, eq=False)
class TableFanIn:
    """Edges from a layer with one vertex that is 1 at each position: a table, with a row for each vertex.

    Attributes:
        reads: "index" where data pick the rows, "positions" where each position picks its own.
        targets: width of the layer.
        sources: width of the layer that is read.
        edges: number of edges.
        positions: number of positions of both layers.
    """

    hull: ClassVar[bool] = False

    reads: Literal["index", "positions"]
    targets: int
    sources: int
    edges: int
    positions: int

    @property
    def ways(self) -> tuple[TableFanIn, ...]:
        """The one way to read a table."""
        return (self,)

    @property
    def cells(self) -> int:
        """Number of entries of the table."""
        return self.targets * self.sources

    @property
    def full(self) -> bool:
        """Whether every cell has an edge."""
        return self.edges == self.cells


FanIn = RowFanIn | MapFanIn | TableFanIn
