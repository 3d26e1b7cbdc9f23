"""Inputs and outputs of a network: one tensor, or a dict of tensors by layer name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from compilers.plan import LayerPlan, Plan
from netgraph.errors import InputError

SHORT = {torch.float32: "x.float()", torch.float64: "x.double()"}
"""Source texts that convert an input to a dtype on its device."""


INTEGERS = (torch.int64, torch.int32)
"""Dtypes of indices."""


def checked_inputs(plan: Plan, x: Tensor | Mapping[str, Tensor], weights: Tensor) -> list[Tensor]:
    """Inputs in the order of the plan; raises `InputError` unless they fit it, and dtype and device of the weights."""
    layers = plan.inputs
    given = x if isinstance(x, Mapping) else {layers[0].name: x}
    if len(given) != len(layers) or any(layer.name not in given for layer in layers):
        names = sorted(layer.name for layer in layers)
        raise InputError(f"Inputs are given for {sorted(given)}, the network has the input layers {names}.")
    inputs = [given[layer.name] for layer in layers]
    for layer, value in zip(layers, inputs, strict=True):
        if not isinstance(value, Tensor):
            raise InputError(f"Input {layer.name!r} is {type(value).__name__}; make a torch.Tensor of it.")
        if value.shape[1:] != layer.given_shape:
            expected = ", ".join(map(str, ("batch", *layer.given_shape)))
            raise InputError(f"Input {layer.name!r} has shape {tuple(value.shape)}, expected ({expected}).")
        if layer.encoding == "index":
            _check_indices(layer, value, weights.device)
        else:
            _check_values(layer, value, weights)
        if len(value) != len(inputs[0]):
            raise InputError(f"Input {layer.name!r} has {len(value)} samples, others {len(inputs[0])}.")
    return inputs


def checked_tangents(
    plan: Plan, tangents: Tensor | Mapping[str, Tensor] | None, inputs: Sequence[Tensor], weights: Tensor
) -> list[Tensor]:
    """Tangents of the inputs, zeros where none are given; raises `InputError` unless they fit the inputs."""
    indices = {layer.name: torch.zeros_like(x) for layer, x in zip(plan.inputs, inputs, strict=True) if layer.picks}
    if tangents is None:
        return [torch.zeros_like(x) for x in inputs]
    if len(indices) == len(inputs):
        raise InputError(f"The inputs {sorted(indices)} are indices, which have no tangents; leave the tangent out.")
    given = tangents if isinstance(tangents, Mapping) else {next(p.name for p in plan.inputs if not p.picks): tangents}
    found = checked_inputs(plan, {**indices, **given}, weights)
    if len(found[0]) != len(inputs[0]) or any(len(x) != len(inputs[0]) for x in found):
        raise InputError(f"The tangent of the inputs has {len(found[0])} samples, the inputs have {len(inputs[0])}.")
    return found


def _check_values(layer: LayerPlan, value: Tensor, weights: Tensor) -> None:
    if value.dtype != weights.dtype or value.device != weights.device:
        same = value.device == weights.device
        remedy = SHORT.get(weights.dtype) if same else None
        raise InputError(
            f"Input {layer.name!r} is {value.dtype} on {value.device}, the network is {weights.dtype} "
            f"on {weights.device}; convert the input, by "
            f"{remedy or f'x.to({str(weights.device)!r}, {weights.dtype})'}, or the network, by .to()."
        )


def _check_indices(layer: LayerPlan, value: Tensor, device: torch.device) -> None:
    """Check dtype, device and range. Cost: one pass over the indices."""
    if value.dtype not in INTEGERS or value.device != device:
        raise InputError(
            f"Input {layer.name!r} takes whole numbers, torch.int64 or torch.int32, on {device}, and not {value.dtype} "
            f"on {value.device}; convert it, by x.to({str(device)!r}, torch.int64)."
        )
    if not value.numel():
        return
    low, high = (int(bound) for bound in torch.aminmax(value))
    if low < 0 or high >= layer.width:
        raise InputError(
            f"Input {layer.name!r} has indices from {low} to {high}, but its vertices are the rows 0 to "
            f"{layer.width - 1}; give indices of this vocabulary, or make the input wider."
        )


def named_outputs(plan: Plan, outputs: Sequence[Tensor]) -> Any:
    """Outputs as `forward` returns them."""
    if len(outputs) == 1:
        return outputs[0]
    return {layer.name: value for layer, value in zip(plan.outputs, outputs, strict=True)}


def listed_outputs(plan: Plan, values: Tensor | Mapping[str, Tensor]) -> list[Tensor]:
    """The inverse of `named_outputs`; raises `InputError` when the form or a shape is wrong."""
    layers = plan.outputs
    given = values if isinstance(values, Mapping) else {layers[0].name: values}
    if given.keys() != {layer.name for layer in layers}:
        names = sorted(layer.name for layer in layers)
        raise InputError(f"Cotangents are given for {sorted(given)}, the network has the output layers {names}.")
    for layer in layers:
        if given[layer.name].shape[1:] != layer.shape:
            expected = ", ".join(map(str, layer.shape))
            shape = tuple(given[layer.name].shape)
            raise InputError(f"The cotangent of {layer.name!r} has shape {shape}, expected (batch, {expected}).")
    return [given[layer.name] for layer in layers]
