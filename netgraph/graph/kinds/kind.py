"""Base class of the kinds of links. Callers use its methods and never test for a certain kind."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np

from netgraph.columns import Array
from netgraph.graph.grid import Grid

Pair = tuple[int, int]


class LinkKind(ABC):
    """Kind of a link. Subclasses are frozen dataclasses whose fields, if any, are `(height, width)` pairs or numbers.

    Through tap `t = row * kernel_width + column`, position `p` of the target reads position
    `stride * p + (row, column) - padding` of the source, and 0 outside of the source. On grids that are not maps,
    position `p` reads position `p`.

    Attributes:
        name: name of the kind in files.
        wires: whether its edges are frozen wires of weight 1.
        places: whether it moves positions as a whole and has no windows: `positions` describes it, and not `kernel`,
            `stride` and `padding`.
        kernel: size of the window that one position of the target reads, by default `(1, 1)`.
        stride: distance of the windows of neighbouring positions, by default `(1, 1)`.
        padding: number of zeros on each side of the source, by default `(0, 0)`.
        tap_axes: sizes of the axes that number the taps: the kernel of a convolution, `()` for kinds with one tap.
    """

    name: ClassVar[str]
    wires: ClassVar[bool] = False
    places: ClassVar[bool] = False
    kernel: Pair = (1, 1)
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)

    @abstractmethod
    def output_grid(self, grid: Grid) -> Grid:
        """Grid of the target for the grid of a source. Raises `GraphError` when the kind does not fit on it."""

    @property
    def tap_axes(self) -> tuple[int, ...]:
        """Sizes of the axes that number the taps."""
        return ()

    @property
    def taps(self) -> int:
        """Largest number of edges between one source vertex and one target vertex."""
        return self.kernel[0] * self.kernel[1]

    @property
    def padded(self) -> bool:
        """Whether positions of the target may read zeros outside of the source."""
        return self.padding != (0, 0)

    @property
    def pointwise(self) -> bool:
        """Whether position `p` of the target reads only position `p` of the source."""
        return self.taps == 1 and self.stride == (1, 1) and not self.padded and not self.places

    @property
    def words(self) -> tuple[str, ...]:
        """Short texts for pictures, such as `3x3 convolution` and `stride 2x2`; `()` for the simplest kind."""
        return () if self.stride == (1, 1) else (f"stride {self.stride[0]}x{self.stride[1]}",)

    def fits(self, source: Grid, target: Grid) -> bool:
        """Return whether a link may join layers with these grids.

        An output grid `(1, 1)` also fits a target with grid `()`.

        Raises:
            GraphError: when the kind does not fit on the grid of the source.
        """
        grid = self.output_grid(source)
        return grid == target or (grid == (1, 1) and target == ())

    def admissible_edges(self, sources: int, targets: int) -> int:
        """Largest number of edges between layers of these widths: `sources * targets * taps`; 0 for wires."""
        return 0 if self.wires else sources * targets * self.taps

    def simpler(self) -> tuple[LinkKind, ...]:
        """Kinds with one smaller or removed setting each, to shrink failing examples; `()` for the simplest kinds."""
        return ()

    def shifts(self, tap: int, grid: Grid) -> tuple[Pair, ...]:
        """Pairs `(stride, offset)` for every axis of the grid: the tap reads position `stride * p + offset`."""
        if len(grid) != 2:
            return ((1, 0),) * len(grid)
        at = divmod(tap, self.kernel[1])
        (sh, sw), (ph, pw) = self.stride, self.padding
        return (sh, at[0] - ph), (sw, at[1] - pw)

    def padding_states(self, source: Grid, target: Grid) -> Array:
        """State of each tap, `(taps,)`: it reads padding at no position of the target (0), at some (1), at all (2)."""
        inside = []
        axes = zip(source, self.kernel, self.stride, self.padding, self.output_grid(source), strict=True)
        for size, k, s, p, n in axes:
            at = np.arange(n) * s - p + np.arange(k)[:, None]
            inside.append((at >= 0) & (at < size))
        always = np.logical_and.outer(*(axis.all(axis=1) for axis in inside)).ravel()
        ever = np.logical_and.outer(*(axis.any(axis=1) for axis in inside)).ravel()
        return np.where(always, 0, np.where(ever, 1, 2))

    def pad(self, values: Array) -> Array:
        """Pad values of shape `(..., *grid)` with zeros; return the same array when there is no padding."""
        if not self.padded:
            return values
        return np.pad(values, [(0, 0)] * (values.ndim - 2) + [(p, p) for p in self.padding])

    def positions(self, source: Grid, target: Grid) -> Array:
        """Position of the source that each position of the target reads, -1 for none: `(taps, positions)` int64.

        Positions are numbered in reading order. A target with the grid `()` has one position.
        """
        at = np.arange(math.prod(source), dtype=np.int64).reshape(1, *source)
        read = [values.reshape(-1) for values in self.read(at + 1, source, target)]  # 0 is padding
        return np.stack(read) - 1

    def read(self, values: Array, source: Grid, target: Grid) -> Iterator[Array]:
        """Yield, for each tap, the values that all positions of the target read.

        `values` has the shape `(..., *source)`. The results have `(..., *target)`, but `(..., 1, 1)` where a window as
        large as the maps ends at the grid `()`. They are views of `values`, or of one padded copy.
        """
        if self.pointwise:
            yield values
        else:
            yield from windows(self.pad(values), self.kernel, self.stride, self.output_grid(source))

    def spread(self, parts: Array, source: Grid, target: Grid) -> Array:
        """Add the values of each tap to the positions that it reads: the transpose of `read`.

        `parts` has the shape `(taps, ..., *target)` of the results of `read`, the result `(..., *source)`.
        """
        if self.pointwise:
            return np.asarray(parts[0])
        (ph, pw), (h, w) = self.padding, source
        padded = np.zeros((*parts.shape[1:-2], h + 2 * ph, w + 2 * pw), parts.dtype)
        for part, window in zip(parts, windows(padded, self.kernel, self.stride, parts.shape[-2:]), strict=True):
            window += part
        return padded[..., ph : ph + h, pw : pw + w]


def windows(values: Array, kernel: Sequence[int], stride: Sequence[int], grid: Sequence[int]) -> Iterator[Array]:
    """Yield, for each kernel position in reading order, a view of the values that it reads, `(..., *grid)`.

    `values` has the shape `(..., *axes)`, padding included, with one axis or two; `grid` is the output grid.
    """
    for at in np.ndindex(*kernel):
        axes = tuple(slice(k, k + s * (g - 1) + 1, s) for k, s, g in zip(at, stride, grid, strict=True))
        yield values[(slice(None),) * (values.ndim - len(axes)) + axes]
