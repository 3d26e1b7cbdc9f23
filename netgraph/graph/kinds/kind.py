"""The questions that a kind of links answers, so that no caller asks which kind it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np

from netgraph.columns import Array
from netgraph.graph.layer import Grid

Pair = tuple[int, int]


class LinkKind(ABC):
    """Base of the kinds of links. A kind is a frozen dataclass whose fields, if any, are (height, width) pairs.

    Position `p` of the target reads its source, for each tap `t = row * kernel_width + column`, at
    `stride * p + (row, column) - padding`, and 0 where that lies outside. A kind that takes other grids than maps
    reads the same position there.

    Attributes:
        name: name of the kind in files.
        wires: whether its edges are frozen wires of weight 1.
        kernel, stride, padding: sizes of the window that a position of the target reads; a single position, every
            position, and none, unless a kind sets them.
        tap_axes: sizes of the axes along which taps are numbered: the kernel of a convolution, `()` for kinds with
            one tap.
    """

    name: ClassVar[str]
    wires: ClassVar[bool] = False
    kernel: Pair = (1, 1)
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)

    @abstractmethod
    def output_grid(self, grid: Grid) -> Grid:
        """Grid of the target for a grid of the source; raises `GraphError` where the kind does not fit on it."""

    @property
    def tap_axes(self) -> tuple[int, ...]:
        """See the class."""
        return ()

    @property
    def taps(self) -> int:
        """Number of edges that may join two vertices."""
        return self.kernel[0] * self.kernel[1]

    @property
    def padded(self) -> bool:
        """Whether zeros stand around the source."""
        return self.padding != (0, 0)

    @property
    def pointwise(self) -> bool:
        """Whether every position reads itself alone."""
        return self.taps == 1 and self.stride == (1, 1) and not self.padded

    @property
    def words(self) -> tuple[str, ...]:
        """Short texts for a picture, such as `3x3 convolution` and `stride 2x2`; none for the plainest kind."""
        return () if self.stride == (1, 1) else (f"stride {self.stride[0]}x{self.stride[1]}",)

    def fits(self, source: Grid, target: Grid) -> bool:
        """Whether a link may join layers with these grids. Raises `GraphError` where the source is refused.

        A single position, `(1, 1)`, may feed a layer without a grid.
        """
        grid = self.output_grid(source)
        return grid == target or (grid == (1, 1) and target == ())

    def admissible_edges(self, sources: int, targets: int) -> int:
        """Largest number of edges between layers of these widths: `sources * targets * taps`; 0 for wires."""
        return 0 if self.wires else sources * targets * self.taps

    def simpler(self) -> tuple[LinkKind, ...]:
        """Kinds of the same sort with a smaller window, each simpler in one respect; none for the simplest kinds."""
        return ()

    def shifts(self, tap: int, grid: Grid) -> tuple[Pair, ...]:
        """(stride, offset) of what a tap reads, `stride * position + offset`, for every axis of a source's grid."""
        if len(grid) != 2:
            return ((1, 0),) * len(grid)
        at = divmod(tap, self.kernel[1])
        (sh, sw), (ph, pw) = self.stride, self.padding
        return (sh, at[0] - ph), (sw, at[1] - pw)

    def padding_states(self, grid: Grid) -> Array:
        """(taps,) how each tap meets the padding around a map: 0 at no position of the target, 1 at some, 2 at all."""
        inside = []
        for size, k, s, p, n in zip(grid, self.kernel, self.stride, self.padding, self.output_grid(grid), strict=True):
            at = np.arange(n) * s - p + np.arange(k)[:, None]
            inside.append((at >= 0) & (at < size))
        always = np.logical_and.outer(*(axis.all(axis=1) for axis in inside)).ravel()
        ever = np.logical_and.outer(*(axis.any(axis=1) for axis in inside)).ravel()
        return np.where(always, 0, np.where(ever, 1, 2))

    def pad(self, values: Array) -> Array:
        """(..., *grid) values with the zeros of the padding around them; the values themselves where it is 0."""
        if not self.padded:
            return values
        return np.pad(values, [(0, 0)] * (values.ndim - 2) + [(p, p) for p in self.padding])

    def read(self, values: Array) -> Iterator[Array]:
        """Yield, tap by tap, what every position of the target reads: (..., *output grid) of (..., *grid) values.

        Views of the values, or of one padded copy.
        """
        if self.pointwise:
            yield values
        else:
            yield from windows(self.pad(values), self.kernel, self.stride, self.output_grid(values.shape[-2:]))

    def spread(self, parts: Array, grid: Grid) -> Array:
        """Add up (taps, ..., *output grid) values where they were read, (..., *grid): the transpose of `read`."""
        if self.pointwise:
            return np.asarray(parts[0])
        (ph, pw), (h, w) = self.padding, grid
        padded = np.zeros((*parts.shape[1:-2], h + 2 * ph, w + 2 * pw), parts.dtype)
        for part, window in zip(parts, windows(padded, self.kernel, self.stride, parts.shape[-2:]), strict=True):
            window += part
        return padded[..., ph : ph + h, pw : pw + w]


def windows(values: Array, kernel: Sequence[int], stride: Sequence[int], grid: Sequence[int]) -> Iterator[Array]:
    """Yield, for every position of a kernel, row by row, a view of the (..., height, width) values that it reads."""
    (sh, sw), (h, w) = stride, grid
    for y in range(kernel[0]):
        for x in range(kernel[1]):
            yield values[..., y : y + sh * (h - 1) + 1 : sh, x : x + sw * (w - 1) + 1 : sw]
