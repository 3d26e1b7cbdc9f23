"""Pools over maps and tokens."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from compilers.importing.codes import Coded
from compilers.importing.ops.moments import Mean
from compilers.importing.ops.norms import wired
from compilers.importing.reading import Reading, reading, restored
from compilers.importing.walk import ModuleWalk, operation
from netgraph.graph import Pool


def _axes(value: Any, count: int) -> tuple[int, ...]:
    values = [value] if isinstance(value, int) else list(value)
    return tuple(int(v) for v in (values if len(values) == count else values * count))


def pooled(
    walk: ModuleWalk, value: Coded, kind: Literal["max", "average"], size: Any, stride: Any, padding: Any, ceil: bool
) -> Coded:
    """Pool over the axes behind the features, `(batch, features, *grid)`."""
    read = reading(walk, value, (1,))
    axes = len(read.shape)
    size, padding = _axes(size, axes), _axes(padding, axes)
    stride = size if stride is None or (not isinstance(stride, int) and not list(stride)) else _axes(stride, axes)
    window = list(zip(read.shape, size, stride, padding, strict=True))
    if ceil and any((n + 2 * p - k) % s for n, k, s, p in window):
        walk.refuse("ceil_mode=True adds windows that hang over the edge", "use ceil_mode=False, or padding")
    made = wired(walk, read, read.shape, pool=Pool(kind, size, stride, padding))
    shape = tuple((n + 2 * p - k) // s + 1 for n, k, s, p in window)
    return restored(walk, read.sampled, walk.codes_of(made).reshape(made.width, *shape))


@operation("max_pool2d", "max_pool1d")
def max_pool(
    walk: ModuleWalk,
    value: Coded,
    size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil: bool = False,
    **_: Any,
) -> Coded:
    """Maximum of windows."""
    if set(_axes(dilation, 1)) != {1}:
        walk.refuse(f"it has the dilation {dilation}, and windows have no holes", "use dilation=1")
    return pooled(walk, value, "max", size, stride, padding, ceil)


@operation("avg_pool2d", "avg_pool1d")
def average_pool(
    walk: ModuleWalk, value: Coded, size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Coded:  # fmt: skip
    """Mean of windows."""
    if not count_include_pad and any(_axes(padding, 1)):
        walk.refuse("count_include_pad=False divides by fewer numbers at the edge", "use count_include_pad=True")
    if divisor_override is not None:
        walk.refuse(f"it divides by {divisor_override}", "leave out divisor_override")
    return pooled(walk, value, "average", size, stride, padding, ceil_mode)


@operation("adaptive_avg_pool2d", "adaptive_avg_pool1d", "adaptive_max_pool2d", "adaptive_max_pool1d")
def adaptive_pool(walk: ModuleWalk, value: Coded, out: Any) -> Coded:
    """Pool to a given size, where it divides the size of the maps."""
    read = reading(walk, value, (1,))
    wanted = _axes(out, len(read.shape))
    if any(n % w for n, w in zip(read.shape, wanted, strict=True)):
        walk.refuse(f"{read.shape} does not divide into {wanted} equal windows", "choose a size that divides the maps")
    size = tuple(n // w for n, w in zip(read.shape, wanted, strict=True))
    return pooled(walk, value, "max" if "max" in walk.op_name else "average", size, size, 0, False)


@operation("mean", "amax")
def over_positions(walk: ModuleWalk, value: Coded, dim: Any = None, keepdim: bool = False, **_: Any) -> Coded | Mean:
    """Mean or maximum over all positions, or the mean over the features."""
    if dim is None or dim == []:
        walk.refuse("it reduces all numbers of the batch at once", "give the axes of the positions")
    ndim = len(value.shape)
    dims = tuple(d % ndim for d in ([dim] if isinstance(dim, int) else dim))
    read = reading(walk, value)
    axes = tuple(read.sampled.axis_of(d) for d in dims)
    places = [axis for axis in range(len(read.sampled.shape)) if axis not in read.features]
    if walk.op_name != "amax" and dims == (ndim - 1,) and axes[0] in read.features:
        return Mean(value, keepdim, walk.node)
    if sorted(axes) != places:
        walk.refuse(
            "it reduces over some of the features, over samples, or over some of the positions",
            "reduce over all positions: the height and width of maps, or all tokens",
        )
    kind: Literal["max", "average"] = "max" if walk.op_name == "amax" else "average"
    made = _over_all(walk, read, kind)
    shape = [1 if axis in places else size for axis, size in enumerate(read.sampled.shape)]
    back = restored(walk, read.sampled, walk.codes_of(made).reshape(shape))
    return (
        back if keepdim else back.map(lambda part: part.reshape([s for i, s in enumerate(part.shape) if i not in dims]))
    )


@operation("sum")
def total(walk: ModuleWalk, value: Coded, dim: Any = None, keepdim: bool = False, **_: Any) -> Coded:
    """Sum over all positions, or over the features."""
    mean = over_positions(walk, value, dim, keepdim)
    if isinstance(mean, Mean):
        return mean.total(walk)
    dims = [dim] if isinstance(dim, int) else dim
    summed: Coded = mean.scaled(math.prod(value.shape[d] for d in dims))
    return summed


def _over_all(walk: ModuleWalk, read: Reading, kind: Literal["max", "average"]) -> Any:
    made = wired(walk, read)
    size: Sequence[int] = made.grid
    made.pool = Pool(kind, tuple(size)) if size else None
    return made


__all__ = ["adaptive_pool", "average_pool", "max_pool", "over_positions", "np"]
