"""Check of all values from which a run resumes: they must be finite."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from compilers.running import CompiledNetwork


def not_finite(net: CompiledNetwork, optimizer: torch.optim.Optimizer) -> list[str]:
    """Names of the vectors of a network, and of the state of its optimizer, that have NaN or infinite values.

    One gradient of 1e25 is enough: its square overflows in the second moments, and its entry never moves again.

    Cost: one pass over each vector, and one wait for the device.
    """
    named: dict[str, Tensor] = {
        "weights": net.weights, "vertex parameters": net.vertex_parameters, "running statistics": net.running,
        "frozen weights": net.frozen_weights,
    }  # fmt: skip
    places = {id(net.weights): "weights", id(net.vertex_parameters): "vertex parameters"}
    for parameter, state in optimizer.state.items():
        for key, value in state.items():
            if isinstance(value, Tensor):
                place = places.get(id(parameter), "other parameters")
                named[f"{key} of {type(optimizer).__name__} ({place})"] = value
    return not_finite_of(named)


def not_finite_of(named: Mapping[str, Tensor]) -> list[str]:
    """The names of those tensors that have NaN or infinite values."""
    full = {name: t.detach() for name, t in named.items() if t.numel() and t.is_floating_point()}
    if not full:
        return []
    # Extremes are NaN where any value is; sums of finite values may overflow.
    extremes = [torch.stack(torch.aminmax(t)).double() for t in full.values()]
    device = extremes[0].device
    finite = torch.isfinite(torch.stack([e.to(device) for e in extremes])).all(1).tolist()
    return [name for name, good in zip(full, finite, strict=True) if not good]
