"""Optimizers of a module for its network, and back: options by vector, state by element."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from compilers.lifting import BORN, Rebuilding
from compilers.running import CompiledNetwork
from netgraph.errors import OptionError

Slots = dict[Tensor, tuple[str, Tensor]]
"""Name and slots of each parameter of a module in one vector."""

Vectors = dict[Tensor, Slots]
"""Slots of the parameters by the vector of the network, `net.weights` or `net.vertex_parameters`."""


def network_optimizer(
    net: CompiledNetwork, optimizer: torch.optim.Optimizer, vectors: Vectors
) -> torch.optim.Optimizer:
    """Optimizer of the vectors of a network in place of the parameters of a module."""
    group_of = {parameter: group for group in optimizer.param_groups for parameter in group["params"]}
    used = {vector: slots for vector, slots in vectors.items() if any(parameter in group_of for parameter in slots)}
    if not used:
        raise OptionError(
            "The optimizer trains no parameter of the module that has edges or vertices in the network; give the "
            "optimizer of the module of this map, or make one of net.parameters()."
        )
    for vector, slots in used.items():
        _check_options(optimizer, slots, group_of, edges=vector is net.weights)
    vector_of = {parameter: vector for vector, slots in used.items() for parameter in slots}
    # Vectors without parameters of the module are trained with the others: growth may add biases where it has none.
    free = [vector for vector, slots in vectors.items() if not slots]
    names = {parameter: name for name, parameter in net.named_parameters()}

    def groups(one: torch.optim.Optimizer) -> list[dict[str, Any]]:
        made, placed = [], set[Tensor]()
        for group in one.param_groups:
            found: dict[Tensor, str] = {}
            for parameter, name in _named(group):
                vector = vector_of.get(parameter)
                if vector is None:
                    found[parameter] = name
                elif vector not in placed:
                    for place in (vector, *(free if not placed else ())):
                        found[place] = names[place]
                        placed.add(place)
            if found:
                made.append(_group_of(group, found))
        return made

    def state(one: torch.optim.Optimizer) -> dict[Any, Any]:
        joined: dict[Any, Any] = defaultdict(dict)
        for vector, slots in used.items():
            joined[vector] = _joined(one, vector, slots)
        joined.update({p: dict(s) for p, s in one.state.items() if p not in vector_of})
        return joined

    return _rebuilt(optimizer, groups, state)


def parameter_optimizer(module: nn.Module, optimizer: torch.optim.Optimizer, vectors: Vectors) -> torch.optim.Optimizer:
    """Optimizer of the parameters of a module in place of the vectors of its network, in the order of the module."""
    held = {parameter for group in optimizer.param_groups for parameter in group["params"]}
    if not any(slots and vector in held for vector, slots in vectors.items()):
        raise OptionError(
            "The optimizer trains no vector of the network that has parameters of the module; make it of "
            "net.parameters(), or by optimizer_for."
        )
    order: dict[Tensor, int] = {parameter: number for number, parameter in enumerate(module.parameters())}

    def groups(one: torch.optim.Optimizer) -> list[dict[str, Any]]:
        made = []
        for group in one.param_groups:
            found: dict[Tensor, str] = {}
            for parameter, name in _named(group):
                slots = vectors.get(parameter)
                found.update({parameter: name} if slots is None else {p: own for p, (own, _) in slots.items()})
            own = sorted((p for p in found if p in order), key=order.__getitem__)
            others = {p: name for p, name in found.items() if p not in order}
            if found:
                made.append(_group_of(group, {p: found[p] for p in own} | others))
        return made

    def state(one: torch.optim.Optimizer) -> dict[Any, Any]:
        found: dict[Any, Any] = defaultdict(dict)
        for parameter, own in one.state.items():
            if parameter not in vectors:
                found[parameter] = dict(own)
                continue
            for target, (_, slots) in vectors[parameter].items():
                found[target] = {key: _split(parameter, value, slots) for key, value in own.items() if key != BORN}
        return found

    return _rebuilt(optimizer, groups, state)


def _named(group: Mapping[str, Any]) -> list[tuple[Tensor, str]]:
    """Parameters of a group with their names, '' where the optimizer has none."""
    return list(zip(group["params"], group.get("param_names", [""] * len(group["params"])), strict=True))


def _group_of(group: Mapping[str, Any], named: Mapping[Tensor, str]) -> dict[str, Any]:
    """Group with other parameters, and with their names where it has names."""
    names = {"param_names": list(named.values())} if "param_names" in group else {}
    return {**group, "params": list(named), **names}


def _rebuilt(optimizer: torch.optim.Optimizer, groups: Any, state: Any) -> torch.optim.Optimizer:
    return Rebuilding([], groups, state).optimizer(optimizer)


def _check_options(
    optimizer: torch.optim.Optimizer, slots: Slots, group_of: Mapping[Tensor, dict[str, Any]], *, edges: bool
) -> None:
    """Refuse parameters of one vector that are not trained alike."""
    first, first_name = next((p, name) for p, (name, _) in slots.items() if p in group_of)
    for parameter, (name, _) in slots.items():
        if parameter not in group_of:
            remedy = (
                "give it all of them, or call requires_grad_(False) on this one before the import: its edges are frozen"
                if edges
                else "graphs have no frozen biases, norms and slopes: give it all of them, or none"
            )
            raise OptionError(
                f"The optimizer trains {first_name!r} but not {name!r}, and both lie in one vector of the network; "
                f"{remedy}."
            )
        for option, value in group_of[first].items():
            if option not in {"params", "param_names"} and group_of[parameter].get(option) != value:
                raise OptionError(
                    f"{first_name!r} has {option}={value} and {name!r} {option}={group_of[parameter].get(option)}, but "
                    "both lie in one vector of the network; give all weights one group, and all biases and norms "
                    "another."
                )
    with_state = [name for parameter, (name, _) in slots.items() if optimizer.state.get(parameter)]
    if with_state and len(with_state) < len(slots):
        without = next(name for parameter, (name, _) in slots.items() if not optimizer.state.get(parameter))
        raise OptionError(
            f"{with_state[0]!r} was trained and {without!r} never got a gradient, but both lie in one vector of the "
            "network; take one step with both, or start a new optimizer."
        )


def _joined(optimizer: torch.optim.Optimizer, vector: Tensor, slots: Slots) -> dict[str, Any]:
    """State of a vector from the states of its parameters."""
    states = [(name, optimizer.state.get(parameter) or {}, at) for parameter, (name, at) in slots.items()]
    joined: dict[str, Any] = {}
    for key, value in states[0][1].items():
        if isinstance(value, Tensor) and value.dim():
            joined[key] = torch.zeros_like(vector, requires_grad=False, dtype=value.dtype)
            for name, state, at in states:
                if state[key].shape != at.shape:
                    raise OptionError(
                        f"{type(optimizer).__name__} keeps {key!r} of {name!r} in the shape {tuple(state[key].shape)}, "
                        "not one number per element, and so not per edge; start a new optimizer of the network."
                    )
                joined[key][at[at >= 0]] = state[key].detach()[at >= 0].to(joined[key])
            continue
        for name, state, _ in states:
            if _number(state[key]) != _number(value):
                raise OptionError(
                    f"{states[0][0]!r} has {key}={_number(value)} and {name!r} {key}={_number(state[key])}, but both "
                    "lie in one vector of the network; start a new optimizer of the network."
                )
        joined[key] = value.clone() if isinstance(value, Tensor) else value
    return joined


def _number(value: Any) -> Any:
    return value.item() if isinstance(value, Tensor) else value


def _split(vector: Tensor, value: Any, slots: Tensor) -> Any:
    """State of a parameter out of that of its vector; 0 where an edge is gone."""
    if not isinstance(value, Tensor):
        return value
    if not value.dim():
        return value.clone()
    if value.shape != vector.shape:
        raise OptionError(
            f"State of the shape {tuple(value.shape)} is not one number per entry; start a new optimizer."
        )
    return torch.where(slots >= 0, value[slots.clamp(min=0)], torch.zeros((), dtype=value.dtype, device=value.device))
