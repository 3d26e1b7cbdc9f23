"""Dense links."""

from __future__ import annotations

from dataclasses import dataclass

from netgraph.graph.grid import Grid
from netgraph.graph.kinds.kind import LinkKind


@dataclass(frozen=True)
class Dense(LinkKind):
    """Links whose edges may join any source vertex to any target vertex, at each position of their common grid."""

    name = "dense"

    def output_grid(self, grid: Grid) -> Grid:
        """Grid of the target, equal to the grid of the source."""
        return grid
