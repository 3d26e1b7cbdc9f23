"""The edges of one site, as far as the cost of running them depends on them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np

from compilers.plan.geometry import Geometry
from netgraph.columns import Array


@dataclass(frozen=True, eq=False)
class RowFanIn:
    """Edges into one layer that read rows of the buffer, as a matrix of targets by rows that are read.

    Attributes:
        targets: width of the layer.
        parents: (parents,) sorted buffer rows that have an edge.
        counts: (parents,) edges of each.
        first_trained: buffer rows below it are inputs, which need no gradient.
        hull: whether every row from the first parent to the last is read, as one view, or the parents alone.
    """

    reads: ClassVar[str] = "rows"

    targets: int
    parents: Array
    counts: Array
    first_trained: int
    hull: bool = False

    @property
    def ways(self) -> tuple[RowFanIn, ...]:
        """The ways to read: as one view where the parents are contiguous, else the parents alone, or all between."""
        if self._span == len(self.parents):
            return (self.with_hull(True),)
        return self.with_hull(False), self.with_hull(True)

    def with_hull(self, hull: bool) -> RowFanIn:
        """The same edges, with or without the rows between the parents."""
        return self if hull == self.hull else replace(self, hull=hull)

    def split(self, core: int) -> tuple[RowFanIn, RowFanIn] | None:
        """The edges of parents with at least `core` edges, and the others; None where either has none."""
        dense = self.counts >= core
        if not dense.any() or dense.all():
            return None
        return self._part(dense).ways[0], self._part(~dense)

    def _part(self, chosen: Array) -> RowFanIn:
        return RowFanIn(self.targets, self.parents[chosen], self.counts[chosen], self.first_trained)

    @cached_property
    def edges(self) -> int:
        """Number of edges."""
        return int(self.counts.sum())

    @property
    def columns(self) -> int:
        """Rows that are read."""
        return self._span if self.hull else len(self.parents)

    @property
    def cells(self) -> int:
        """Pairs of a row that is read and a target."""
        return self.targets * self.columns

    @property
    def full(self) -> bool:
        """Whether every cell has an edge."""
        return self.edges == self.cells

    @property
    def trained(self) -> int:
        """Rows that are read and need gradients, since they are not inputs."""
        if self.hull:
            return max(0, int(self.parents[-1]) + 1 - max(int(self.parents[0]), self.first_trained))
        return len(self.parents) - self._inputs

    @property
    def trained_edges(self) -> int:
        """Edges from rows that need gradients."""
        return int(self.counts[self._inputs :].sum())

    @property
    def gathered(self) -> bool:
        """Whether the rows are gathered, since they are not contiguous."""
        return not self.hull and self._span > len(self.parents)

    @property
    def scattered(self) -> bool:
        """Whether the rows that need gradients are not contiguous."""
        trained = len(self.parents) - self._inputs
        return trained > 0 and int(self.parents[-1]) - int(self.parents[self._inputs]) + 1 > trained

    @cached_property
    def _inputs(self) -> int:
        return int(np.searchsorted(self.parents, self.first_trained))

    @property
    def _span(self) -> int:
        return int(self.parents[-1]) - int(self.parents[0]) + 1


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
        """Entries of the full kernel."""
        return self.targets * self.sources * self.geometry.taps

    @property
    def full(self) -> bool:
        """Whether every cell has an edge."""
        return self.edges == self.cells

    @property
    def source_values(self) -> int:
        """Values of the maps that are read, of one sample."""
        return self.sources * self.geometry.source[0] * self.geometry.source[1]

    @property
    def target_values(self) -> int:
        """Values of the sums, of one sample."""
        return self.targets * self.geometry.positions


FanIn = RowFanIn | MapFanIn
