"""Optimizers of compiled networks: parameter groups, and their state as named arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from compilers.lifting.newcomers import BORN
from compilers.lifting.nursery import ease_in
from netgraph.checks import number
from netgraph.errors import OptionError, TrainingError

if TYPE_CHECKING:
    from compilers.running import CompiledNetwork

MOST_MARKS = 1_000
"""Groups of entries that came together and are new; one ends after 100 steps."""


def parameter_groups(net: CompiledNetwork, *, weight_decay: float) -> list[dict[str, Any]]:
    """Groups for an optimizer: edge weights decay, biases, norm and activation parameters do not.

    An optimizer of `net.parameters()` decays everything, as PyTorch does; to spare what should not decay, make it of
    these groups: `torch.optim.AdamW(parameter_groups(net, weight_decay=0.1), lr=1e-3, fused=True)`.

    Raises:
        OptionError: when `weight_decay` is negative, or no finite number.
    """
    weight_decay = number("weight_decay", weight_decay)
    if weight_decay < 0:
        raise OptionError(f"weight_decay {weight_decay} is negative.")
    return [
        {"params": [net.weights], "weight_decay": weight_decay},
        {"params": [net.vertex_parameters], "weight_decay": 0.0},
    ]


def optimizer_state_arrays(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Copies of all state of an optimizer under flat names such as "0.exp_avg"; the number counts parameters.

    Options such as the learning rate are not state. Entries that are None are left out.

    Raises:
        OptionError: when the optimizer keeps something that is not a tensor.
    """
    arrays = {}
    for i, parameter in enumerate(_parameters(optimizer)):
        for key, value in optimizer.state.get(parameter, {}).items():
            if isinstance(value, Tensor):
                arrays[f"{i}.{key}"] = value.detach().clone()
            elif value is not None:
                raise OptionError(
                    f"{type(optimizer).__name__} keeps {key!r} as {type(value).__name__}; only optimizers whose "
                    "state is tensors can be saved, such as Adam, AdamW and SGD."
                )
    return arrays


def load_optimizer_state(optimizer: torch.optim.Optimizer, arrays: Mapping[str, Tensor]) -> None:
    """Put back what `optimizer_state_arrays` gave, bit for bit, into an optimizer of the same class and parameters.

    Raises:
        TrainingError: when a name or a shape does not fit the optimizer, a value is not finite, or marks of new
            entries are not valid. The optimizer is then unchanged.
    """
    parameters = _parameters(optimizer)
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in arrays.items():
        index, _, key = name.partition(".")
        if not index.isdecimal() or int(index) >= len(parameters) or not key:
            raise TrainingError(f"Optimizer state {name!r} does not fit an optimizer of {len(parameters)} parameters.")
        shape = parameters[int(index)].shape
        if (value.dim() or key == BORN) and value.shape != shape:
            raise TrainingError(
                f"Optimizer state {name!r} has shape {tuple(value.shape)}, its parameter {tuple(shape)}; "
                "it belongs to another network."
            )
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise TrainingError(
                f"Optimizer state {name!r} has values that are not finite, with which training cannot go on; load one "
                "that was saved earlier."
            )
        if key == BORN:
            _check_marks(name, value)
        state.setdefault(int(index), {})[key] = value.detach().clone()
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    ease_in(optimizer)


def _check_marks(name: str, born: Tensor) -> None:
    """Raise `TrainingError` for marks of new entries that no run leaves: each would cost time in every step."""
    marks: Tensor = torch.unique(born)
    if len(marks) > MOST_MARKS or bool(((marks < 0) & (marks != -1)).any()) or not bool((marks == marks.floor()).all()):
        raise TrainingError(
            f"Optimizer state {name!r} has {len(marks):,} different marks of new entries, from {float(marks.min()):g} "
            f"to {float(marks.max()):g}; there are at most {MOST_MARKS:,}, whole numbers from -1. It is damaged; load "
            "one that was saved earlier."
        )


def _parameters(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]
