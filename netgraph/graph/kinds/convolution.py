"""Convolutions over maps."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from netgraph.errors import GraphError
from netgraph.graph.grid import Grid, int_pair
from netgraph.graph.kinds.kind import LinkKind


@dataclass(frozen=True)
class Conv2d(LinkKind):
    """A two-dimensional convolution (cross-correlation, as in PyTorch) over maps.

    The tap of an edge is its kernel position, `row * kernel_width + column`. A convolution with the output grid
    `(1, 1)` may end at a layer with grid `()`: this is a dense layer after maps.

    Attributes:
        kernel: height and width of the kernel.
        stride: distance of neighbouring windows along height and width.
        padding: number of zeros above and below, and left and right of the maps.
    """

    name = "conv2d"

    kernel: tuple[int, int] = field()  # `field()`, else the class attribute of the base would be its default
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        for name in ("kernel", "stride", "padding"):
            object.__setattr__(self, name, int_pair(name, getattr(self, name)))

    @property
    def tap_axes(self) -> tuple[int, ...]:
        """Height and width of the kernel."""
        return self.kernel

    @property
    def words(self) -> tuple[str, ...]:
        """Texts for the kernel, and for a stride other than 1."""
        return (f"{self.kernel[0]}x{self.kernel[1]} convolution", *super().words)

    def simpler(self) -> tuple[LinkKind, ...]:
        """Convolutions with a kernel smaller by 1 along one axis, without stride, or without padding."""
        height, width = self.kernel
        plain = [replace(self, kernel=(height - 1, width))] if height > 1 else []
        plain += [replace(self, kernel=(height, width - 1))] if width > 1 else []
        plain += [replace(self, stride=(1, 1))] if self.stride != (1, 1) else []
        plain += [replace(self, padding=(0, 0))] if self.padded else []
        return tuple(plain)

    def output_grid(self, grid: Grid) -> Grid:
        """Grid of the target for the grid of a source. Raises `GraphError` when the kernel does not fit."""
        if len(grid) != 2:
            raise GraphError(f"A convolution reads maps (height, width), not a grid {grid}.")
        if min(*self.kernel, *self.stride) < 1 or min(self.padding) < 0:
            raise GraphError(f"{self} needs a kernel and a stride of at least 1 and a padding of at least 0.")
        out = tuple(
            (g + 2 * p - k) // s + 1 for g, k, s, p in zip(grid, self.kernel, self.stride, self.padding, strict=True)
        )
        if min(out) < 1:
            raise GraphError(f"{self} does not fit on the grid {grid}; use a smaller kernel or more padding.")
        return out
