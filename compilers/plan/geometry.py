"""Links between maps as two-dimensional convolutions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netgraph.columns import Array
from netgraph.graph import Grid, LinkKind

Pair = tuple[int, int]


@dataclass(frozen=True)
class Geometry:
    """Sizes of one link, (height, width) each; tokens are maps of height 1, a scalar is a map of one position.

    Attributes:
        source: grid that is read.
        target: grid that is written.
        kernel, stride, padding: of the convolution; `Dense` links between maps and wires have a kernel of (1, 1).
        run: positions that wires move as a whole, numbered in reading order: the first of the target, the first of the
            source, and their number; None for windows.
    """

    source: Pair
    target: Pair
    kernel: Pair = (1, 1)
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    run: tuple[int, int, int] | None = None

    @classmethod
    def of(cls, kind: LinkKind, source: Grid, target: Grid) -> Geometry:
        """Return the geometry of a link of this kind between layers with these grids."""
        if not kind.places:
            return cls(as_maps(source), as_maps(target), kind.kernel, kind.stride, kind.padding)
        read = kind.positions(source, target)[0]
        moved = np.flatnonzero(read >= 0)
        run = int(moved[0]), int(read[moved[0]]), len(moved)
        return cls(as_maps(source), as_maps(target), run=run)

    @property
    def taps(self) -> int:
        """Positions of the kernel."""
        return self.kernel[0] * self.kernel[1]

    @property
    def positions(self) -> int:
        """Positions of the target."""
        return self.target[0] * self.target[1]

    @property
    def reads(self) -> int:
        """Pairs of tap and position of the target that do not lie in the padding."""
        height, width = (
            int((reach(*sizes) >= 0).sum())
            for sizes in zip(self.target, self.source, self.kernel, self.stride, self.padding, strict=True)
        )
        return height * width

    @property
    def whole(self) -> bool:
        """Whether the kernel covers the whole source exactly: a matrix product of the flattened maps."""
        return self.kernel == self.source and self.padding == (0, 0)

    @property
    def pointwise(self) -> bool:
        """Whether each position of the target reads the same position of the source, and no other."""
        return self.taps == 1 and self.stride == (1, 1) and self.padding == (0, 0) and self.run is None


def as_maps(grid: Grid) -> Pair:
    """Return the size of the maps of a grid, `(height, width)`; tokens are maps of height 1."""
    if len(grid) == 2:
        return grid[0], grid[1]
    return (1, grid[0]) if grid else (1, 1)


def as_pair(sizes: tuple[int, ...], height: int) -> Pair:
    """Return sizes along the axes of a grid for its maps; tokens get this one along the height."""
    return (sizes[0], sizes[1]) if len(sizes) == 2 else (height, sizes[0])


def reach(size: int, source: int, taps: int, stride: int, padding: int) -> Array:
    """Find the coordinate that each tap reads for each coordinate of the target, -1 in the padding, `(size, taps)`."""
    at = np.arange(size)[:, None] * stride + np.arange(taps) - padding
    return np.where((at >= 0) & (at < source), at, -1)
