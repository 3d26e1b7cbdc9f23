"""Optimizers carried from a network to the one after a rewrite, by edge id and by vertex id and column."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, get_args

import torch
from torch import Tensor

from compilers.lifting.newcomers import BORN, Newcomers, decays
from compilers.lifting.nursery import born_now, ease_in
from compilers.lifting.rebuild import Groups, Rebuilding, State
from compilers.lifting.slots import SlotMoves, edge_moves, vertex_moves
from compilers.lifting.starts import StateCarrier, first_state
from compilers.running import CompiledNetwork
from netgraph.checks import choice
from netgraph.errors import OptionError


def carry_optimizer(
    optimizer: torch.optim.Optimizer, old: CompiledNetwork, new: CompiledNetwork, newcomers: Newcomers = "eased"
) -> torch.optim.Optimizer:
    """The optimizer of a rewritten network: survivors keep their state bit for bit, new entries start anew.

    `migrate` does so for one optimizer; where a network has several, carry each of the others with it.

    Eased, new entries have a step count of their own for their first steps, see `ease_in`: they move like those of an
    optimizer that was just made. Parameters of other modules keep their state. Options, attributes and hooks go along;
    what an attribute holds is shared with the old optimizer, but for parameters and containers. Handles of hooks
    remove them from the old optimizer only.

    Args:
        optimizer: of `old`, perhaps of other modules as well; of any class whose state is tensors of the parameters'
            shape, and numbers, or what `register_state` says. It stays valid.
        old: the network before the rewrite.
        new: the network after it.
        newcomers: "eased", or "zero" for the step count that all share; earlier newcomers stay what they are.

    Returns:
        An optimizer of the same class and options, with the parameters of `new` in place of those of `old`.

    Raises:
        OptionError: when `newcomers` is neither, or the optimizer holds no parameter of `old`, or something that cannot
            be carried.
    """
    check_newcomers(newcomers)
    check_held(optimizer, old)
    carrying = _Carrying(old, new, newcomers)
    carried = carrying.rebuilding.optimizer(optimizer)
    for one in carrying.made:
        ease_in(one)
    return carried


def check_newcomers(newcomers: object) -> None:
    """Raise `OptionError` for a start of new entries that is not known."""
    choice("newcomers", newcomers, get_args(Newcomers))


def check_held(optimizer: torch.optim.Optimizer, net: CompiledNetwork) -> None:
    """Raise `OptionError` when an optimizer trains nothing of a network."""
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise OptionError(
            f"optimizer is {type(optimizer).__name__}; give one torch.optim.Optimizer, and carry others of the same "
            "network with carry_optimizer."
        )
    held = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    if not any(parameter is mine for parameter in held for mine in (net.weights, net.vertex_parameters)):
        raise OptionError(
            f"This {type(optimizer).__name__} holds no parameter of the network, which it would not train: it may be "
            "the one from before the last migrate. Give the optimizer that migrate returned with this network, or "
            "make one of net.parameters()."
        )


class _Carrying:
    """Parameters and state of the optimizers of one network, in the layout of the next."""

    def __init__(self, old: CompiledNetwork, new: CompiledNetwork, newcomers: Newcomers) -> None:
        self._old, self._newcomers = old, newcomers
        self._replaced: dict[Tensor, Tensor] = {
            old.weights: new.weights, old.vertex_parameters: new.vertex_parameters
        }  # fmt: skip
        self._moves: dict[Tensor, SlotMoves] = {}
        self._new = new
        self.made: list[torch.optim.Optimizer] = []
        self.rebuilding = Rebuilding([*self._replaced.items(), (old, new)], self._groups, self._state)

    def _groups(self, optimizer: torch.optim.Optimizer) -> Groups:
        return [{**g, "params": [self._replaced.get(p, p) for p in g["params"]]} for g in optimizer.param_groups]

    def _state(self, optimizer: torch.optim.Optimizer) -> State:
        groups = {parameter: group for group in optimizer.param_groups for parameter in group["params"]}
        carried: State = defaultdict(dict)
        self.made.append(self.rebuilding.optimizer(optimizer))
        for parameter, state in optimizer.state.items():
            if isinstance(parameter, Tensor) and parameter in self._replaced and parameter in groups:
                carried[self._replaced[parameter]] = self._carried(optimizer, groups[parameter], parameter, state)
            else:
                carried[parameter] = dict(state) if isinstance(state, dict) else state
        return carried

    def _carried(
        self, optimizer: torch.optim.Optimizer, group: dict[str, Any], old: Tensor, state: dict[str, Any]
    ) -> dict[str, Any]:
        new, moves = self._replaced[old], self._moves_of(old)
        born = state.get(BORN)
        others = {key: value for key, value in state.items() if key != BORN}
        result = StateCarrier(optimizer, old, new, moves).carry(others)
        if born is not None:
            result[BORN] = moves.take(born, rest=-1.0)
        if state and self._newcomers == "eased" and len(moves.fresh):
            mark = born_now(optimizer, group, state)
            if mark is not None:
                if decays(optimizer, group, state) is None:
                    # An error now, before anything changes, not in the first step.
                    first_state(optimizer, old, new.detach()[moves.fresh])
                if born is None:
                    result[BORN] = old.new_full((moves.size,), -1.0, requires_grad=False)
                result[BORN].index_fill_(0, moves.fresh, mark)
        return result

    def _moves_of(self, old: Tensor) -> SlotMoves:
        if old not in self._moves:
            find = edge_moves if old is self._old.weights else vertex_moves
            self._moves[old] = find(self._old, self._new).to(old.device)
        return self._moves[old]
