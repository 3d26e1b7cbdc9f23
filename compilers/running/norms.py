"""Norms on tensors: a table of forward formulas, which autograd differentiates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from compilers.plan import LayerPlan, Plan
from netgraph.errors import CompileError, InputError, OptionError
from netgraph.graph import NORMS, Norm, get_norm
from netgraph.registry import Registry

Columns = Mapping[str, Tensor]


class Normalise(Protocol):
    """The norm of one layer, with its running statistics."""

    def __call__(self, z: Tensor, columns: Columns, training: bool, momentum: float) -> Tensor:
        """Normalise the sums of a layer, by operations that autograd knows.

        Args:
            z: sums, `(vertices, batch)` or maps `(batch, vertices, height, width)`; see `LayerPlan.vertex_axis`. They
                stay as they are.
            columns: trained columns of the norm, which broadcast against `z`.
            training: whether statistics of the batch are taken, and the running ones moved.
            momentum: by which they move; 1 makes them those of the batch.
        """


Bind = Callable[[LayerPlan, Columns], Normalise]
"""Make the norm of a layer, given its plan and its buffers: `(vertices,)` columns that are written in training."""


class BatchNorm:
    """Every vertex over samples and positions."""

    def __init__(self, layer: LayerPlan, buffers: Columns) -> None:
        self._layer, self._statistics = layer, (buffers["mean"], buffers["var"])

    def __call__(self, z: Tensor, columns: Columns, training: bool, momentum: float) -> Tensor:
        """By torch's own operation."""
        layer = self._layer
        # (1, vertices, batch) is (N, C, L): statistics per vertex without a transposed copy.
        maps = z if layer.grid else z.unsqueeze(0)
        if training and maps.numel() < 2 * layer.width:
            raise InputError(
                f"Layer {layer.name!r} normalises over the batch, which has {maps.numel() // layer.width} samples in "
                "training; give at least 2, or call .eval()."
            )
        scale, shift = columns["scale"], columns["shift"]
        if scale.numel() == layer.width:
            result = functional.batch_norm(
                maps, *self._statistics, scale.reshape(-1), shift.reshape(-1), training, momentum, layer.norm_epsilon
            )
            return result if layer.grid else result.squeeze(0)
        # Columns with a value for every sample.
        result = functional.batch_norm(maps, *self._statistics, None, None, training, momentum, layer.norm_epsilon)
        return (result if layer.grid else result.squeeze(0)) * scale + shift


class LayerNorm:
    """Every sample over the vertices of the layer, at each position by itself."""

    def __init__(self, layer: LayerPlan, _buffers: Columns) -> None:
        self._axis, self._epsilon = layer.vertex_axis, layer.norm_epsilon

    def __call__(self, z: Tensor, columns: Columns, training: bool, momentum: float) -> Tensor:
        """By torch's own operation over the last axis; `training` and `momentum` change nothing."""
        last, width = z.movedim(self._axis, -1), z.shape[self._axis]
        scale, shift = columns["scale"], columns["shift"]
        if scale.numel() == width:
            result = functional.layer_norm(last, (width,), scale.reshape(-1), shift.reshape(-1), self._epsilon)
            return result.movedim(-1, self._axis)
        # Columns with a value for every sample.
        return functional.layer_norm(last, (width,), eps=self._epsilon).movedim(-1, self._axis) * scale + shift


class RmsNorm:
    """Every sample over the root mean square of the vertices of the layer, at each position by itself."""

    def __init__(self, layer: LayerPlan, _buffers: Columns) -> None:
        self._axis, self._epsilon = layer.vertex_axis, layer.norm_epsilon

    def __call__(self, z: Tensor, columns: Columns, training: bool, momentum: float) -> Tensor:
        """By torch's own operation over the last axis; `training` and `momentum` change nothing."""
        last, width = z.movedim(self._axis, -1), z.shape[self._axis]
        scale = columns["scale"]
        if scale.numel() == width:
            result = functional.rms_norm(last, (width,), scale.reshape(-1), self._epsilon)
            return result.movedim(-1, self._axis)
        # Columns with a value for every sample.
        return functional.rms_norm(last, (width,), eps=self._epsilon).movedim(-1, self._axis) * scale


FORMULAS: Registry[Bind] = Registry(
    "formula of the norm", {"batch": BatchNorm, "layer": LayerNorm, "rms": RmsNorm}, of=NORMS
)
"""Tensor versions of the norms in `netgraph.graph.NORMS`, by name, without the identity."""


def register_norm(name: str, bind: Bind, *, replace: bool = False) -> None:
    """Give the compiler the formula of a norm that `netgraph.graph.register_norm` added.

    Args:
        name: of the norm.
        bind: `bind(layer, buffers)` makes a function `(z, columns, training, momentum) -> values` for one layer, see
            `Normalise`; gradients and tangents follow from its operations.
        replace: whether it takes the place of a formula that was given before. A formula goes with its norm: when that
            one is replaced or removed, give the new one its own.

    Raises:
        OptionError: when the name has a formula already, or this one disagrees with the norm on a few numbers.
        GraphError: when there is no norm of that name.

    Example:
        >>> from compilers import register_norm
        >>> def gain(layer, buffers):
        ...     return lambda z, columns, training, momentum: z * columns["gain"]
        >>> register_norm("gain", gain)  # doctest: +SKIP
    """
    norm = get_norm(name)
    if norm.identity:
        raise OptionError(f"Norm {name!r} needs no formula: it is the identity. Give the name of another norm.")
    FORMULAS.check(name, replace=replace)
    for grid in ((), (2, 3)):
        for train in (False, True):
            if not _agrees(norm, bind, grid, train):
                raise OptionError(
                    f"Norm {name!r}: in {'train' if train else 'eval'} mode the formula gives other values than the "
                    f"function of the norm on {'maps' if grid else 'rows'}; make them agree."
                )
    FORMULAS.add(name, bind, replace=replace)


def _agrees(norm: Norm, bind: Bind, grid: tuple[int, ...], train: bool) -> bool:
    """Whether formula and function give the same on a few numbers."""
    rng, n = np.random.default_rng(0), 3
    layer = LayerPlan(
        id=0, name="trial", role="hidden", width=n, start=0, stop=0 if grid else n, activation="identity", slope=0.01,
        norm=norm.name, norm_epsilon=1e-5, norm_momentum=0.1, grid=grid, output_grid=grid,
    )  # fmt: skip
    z = rng.normal(size=(4, n, *grid))
    columns = {name: start + rng.uniform(0.1, 0.9, n) for name, start in norm.columns.items()}
    shape = (-1, *(1,) * len(grid))
    wanted = norm.function(z.copy(), {k: v.reshape(shape) for k, v in columns.items()}, layer.norm_epsilon, train)
    tensors = {name: torch.from_numpy(values) for name, values in columns.items()}
    broadcast = (1, -1, 1, 1) if grid else (-1, 1)
    trained = {name: v.view(broadcast) for name, v in tensors.items() if name not in norm.buffers}
    normalise = bind(layer, {name: v for name, v in tensors.items() if name in norm.buffers})
    found = normalise(torch.from_numpy(z if grid else z.T), trained, train, layer.norm_momentum)
    return np.allclose(found.numpy() if grid else found.numpy().T, wanted, rtol=1e-6, atol=1e-6)


def check_norms(plan: Plan) -> None:
    """Raise `CompileError` for the first layer with a norm that has no formula here."""
    missing = {n for n in {layer.norm for layer in plan.layers} - FORMULAS.keys() if not get_norm(n).identity}
    for layer in plan.layers if missing else ():
        if layer.norm in missing:
            raise CompileError(
                f"Layer {layer.name!r} has the norm {layer.norm!r}, which the compiler has no formula for; give it one "
                f"with compilers.register_norm({layer.norm!r}, ...)."
            )


def bind_norm(layer: LayerPlan, buffers: Columns) -> Normalise | None:
    """Bind the norm of a layer to its columns; None for the identity."""
    return None if get_norm(layer.norm).identity else FORMULAS[layer.norm](layer, buffers)
