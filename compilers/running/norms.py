"""Norms on tensors, one table: forward formulas, whose backward and tangents are those of autograd."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from compilers.plan import LayerPlan, Plan
from netgraph.errors import CompileError, InputError
from netgraph.graph import get_norm

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
        """In both modes alike."""
        if z.numel():  # torch warns of the variance of nothing
            var, mean = torch.var_mean(z, dim=self._axis, correction=0, keepdim=True)
            z = (z - mean) * torch.rsqrt(var + self._epsilon)
        return z * columns["scale"] + columns["shift"]


_NORMS: dict[str, Bind] = {"batch": BatchNorm, "layer": LayerNorm}
"""Tensor versions of `netgraph.graph.NORMS`, but for the identity."""


def register_norm(name: str, bind: Bind) -> None:
    """Give the compiler the formula of a norm that `netgraph.graph.register_norm` added.

    Args:
        name: of the norm.
        bind: `bind(layer, buffers)` makes a function `(z, columns, training, momentum) -> values` for one layer, see
            `Normalise`; gradients and tangents follow from its operations.

    Raises:
        CompileError: when the name has a formula already, or the norm is the identity.
        GraphError: when there is no norm of that name.

    Example:
        >>> from compilers import register_norm
        >>> def gain(layer, buffers):
        ...     return lambda z, columns, training, momentum: z * columns["gain"]
        >>> register_norm("gain", gain)  # doctest: +SKIP
    """
    if get_norm(name).identity or name in _NORMS:
        raise CompileError(f"The norm {name!r} has a formula already; register yours under another name.")
    _NORMS[name] = bind


def check_norms(plan: Plan) -> None:
    """Raise `CompileError` for the first layer with a norm that has no formula here."""
    missing = {n for n in {layer.norm for layer in plan.layers} - _NORMS.keys() if not get_norm(n).identity}
    for layer in plan.layers if missing else ():
        if layer.norm in missing:
            raise CompileError(
                f"Layer {layer.name!r} has the norm {layer.norm!r}, which the compiler has no formula for; give it one "
                f"with compilers.register_norm({layer.norm!r}, ...)."
            )


def bind_norm(layer: LayerPlan, buffers: Columns) -> Normalise | None:
    """The norm of a layer, None for the identity."""
    return None if get_norm(layer.norm).identity else _NORMS[layer.norm](layer, buffers)
