"""Identity links: wires."""

from __future__ import annotations

from dataclasses import dataclass

from netgraph.errors import GraphError
from netgraph.graph.grid import Grid, int_pair
from netgraph.graph.kinds.kind import LinkKind


@dataclass(frozen=True)
class Identity(LinkKind):
    """Links of frozen wires of weight 1, for residual shortcuts.

    With a stride, wires read every `stride`-th position. Target vertices without a wire get 0 from the link.
    """

    name = "identity"
    wires = True

    stride: tuple[int, int] = (1, 1)

    def __post_init__(self) -> None:
        object.__setattr__(self, "stride", int_pair("stride", self.stride))

    def output_grid(self, grid: Grid) -> Grid:
        """Grid of the target: every `stride`-th position of the source."""
        if self.stride == (1, 1):
            return grid
        if len(grid) != 2 or min(self.stride) < 1:
            raise GraphError(f"{self} needs maps (height, width) and a stride of at least 1, not a grid {grid}.")
        return tuple(-(-g // s) for g, s in zip(grid, self.stride, strict=True))
