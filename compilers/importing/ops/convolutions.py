"""Convolutions: groups are missing edges, and uneven padding is a larger kernel with missing taps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from compilers.importing.codes import Coded
from compilers.importing.reading import Reading, pieces, reading, restored, sampled
from compilers.importing.sums import Weights, link, on_grid, set_column, summed
from compilers.importing.walk import ModuleWalk, operation
from netgraph.columns import Array
from netgraph.graph import Conv2d


@operation("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def transposed_convolution(walk: ModuleWalk, *args: Any, **kwargs: Any) -> Coded:
    """Refuse a transposed convolution."""
    walk.refuse("no link makes maps larger", "import the part of the module before it, or use Conv2d with padding")


@operation("conv1d", "conv3d")
def other_convolution(walk: ModuleWalk, *args: Any, **kwargs: Any) -> Coded:
    """Refuse a convolution that is not over maps."""
    walk.refuse("links convolve maps of height and width", "use Conv2d, for tokens with maps of height 1")


@operation("conv2d")
def conv2d(
    walk: ModuleWalk,
    value: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = (1, 1),
    padding: Any = (0, 0),
    dilation: Any = (1, 1),
    groups: int = 1,
) -> Coded:
    """Convolution over maps, `(batch, channels, height, width)`."""
    if _pair(dilation) != (1, 1):
        walk.refuse(
            f"it has the dilation {_pair(dilation)}, and kernels have no holes",
            "use a larger kernel without dilation, or a stride",
        )
    weights = Weights(walk, weight)
    kernel = weights.values.shape[2:]
    if isinstance(padding, str):
        padding = _same(walk, padding, kernel, _pair(stride))
    read, before, after = _without_padding(walk, value)
    (top, bottom), (left, right) = ((b + p, a + p) for b, a, p in zip(before, after, _pair(padding), strict=True))
    found = pieces(walk, read)
    if found is None:
        summed(walk, read)
        found = pieces(walk, reading(walk, read.value, (-3,)))
        assert found is not None
    found = on_grid(walk, found, read, read.shape, "maps")
    (kh, ph, th), (kw, pw, tw) = _window(kernel[0], top, bottom), _window(kernel[1], left, right)
    kind = Conv2d((kh, kw), _pair(stride), (ph, pw))
    walk.count_edges(int(weights.exists.sum()))
    source_grid = found[0].draft.output_grid
    target = walk.draft(len(weights.values), kind.output_grid(source_grid))
    per_target, per_source = len(weights.values) // groups, weights.values.shape[1]
    for piece in found:
        at = np.full(read.width, -1)
        at[piece.at] = piece.rows
        dst, inside, i, j = np.nonzero(weights.exists)
        src = at[dst // per_target * per_source + inside]
        kept = src >= 0
        dst, inside, i, j, src = (part[kept] for part in (dst, inside, i, j, src))
        link(
            target, piece.draft, kind, src, dst, weights.values[dst, inside, i, j],
            tap=(i + th) * kw + j + tw, parameter=weights.codes[dst, inside, i, j],
            frozen=weights.frozen[dst, inside, i, j],
        )  # fmt: skip
    if bias is not None:
        set_column(walk, target, "bias", bias)
    codes = walk.codes_of(target).reshape(target.width, *target.output_grid)
    return restored(walk, read.sampled, codes)


def _pair(value: Any) -> tuple[int, int]:
    values = [value] if isinstance(value, int) else list(value)
    return (int(values[0]), int(values[-1]))


def _same(walk: ModuleWalk, padding: str, kernel: Sequence[int], stride: tuple[int, int]) -> tuple[int, int]:
    """Padding for a name of it."""
    if padding == "valid":
        return 0, 0
    if any(size % 2 == 0 for size in kernel):
        walk.refuse("padding='same' is uneven for an even kernel", "pad with torch.nn.functional.pad first")
    return (kernel[0] - 1) // 2, (kernel[1] - 1) // 2


def _window(kernel: int, before: int, after: int) -> tuple[int, int, int]:
    """Kernel, padding and first tap along one axis with an even padding, for one that is uneven."""
    if after >= before:
        return kernel + after - before, after, after - before
    return kernel + before - after, before, 0


def _without_padding(walk: ModuleWalk, value: Coded) -> tuple[Reading, tuple[int, int], tuple[int, int]]:
    """Read maps without the rows and columns of zeros around them, whose numbers before and behind are returned."""
    found = sampled(walk, value)
    if len(found.shape) != 3:
        walk.refuse(f"it reads {len(found.shape)} axes behind the batch", "give it (batch, channels, height, width)")
    exists: Array = np.any([factors != 0 for factors in found.factors], axis=0)
    (top, bottom), (left, right) = (_margins(np.asarray(exists.any(axis=axes))) for axes in ((0, 2), (0, 1)))
    if not exists.any() or top + bottom + left + right == 0:
        return reading(walk, value, (-3,)), (0, 0), (0, 0)
    height, width = found.shape[1:]
    inner = value.map(lambda part: part[..., top : height - bottom, left : width - right])
    return reading(walk, inner, (-3,)), (top, left), (bottom, right)


def _margins(exists: Array) -> tuple[int, int]:
    known = np.flatnonzero(exists)
    return (int(known[0]), int(len(exists) - 1 - known[-1])) if len(known) else (0, 0)
