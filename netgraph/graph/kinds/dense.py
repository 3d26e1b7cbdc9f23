"""Dense links."""

from __future__ import annotations

from dataclasses import dataclass

from netgraph.graph.kinds.kind import LinkKind
from netgraph.graph.layer import Grid


@dataclass(frozen=True)
class Dense(LinkKind):
    """Every source vertex may feed every target vertex, at each position of their common grid."""

    name = "dense"

    def output_grid(self, grid: Grid) -> Grid:
        """The grid of the target: that of the source."""
        return grid
