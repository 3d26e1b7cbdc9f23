"""State of optimizers: which of it belongs to entries, and where new entries start."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor

from compilers.lifting.newcomers import BORN
from compilers.lifting.rebuild import fresh_optimizer
from compilers.lifting.slots import SlotMoves
from netgraph.checks import choice
from netgraph.errors import OptionError

How = float | Literal["entries", "shared", "forget"] | Callable[[Any, SlotMoves], Any]
"""The way in which a state is carried: see `register_state`."""

WORDS = ("entries", "shared", "forget")

ZEROS = frozenset(
    {"momentum_buffer", "exp_avg", "exp_avg_sq", "max_exp_avg_sq", "exp_inf", "square_avg", "grad_avg", "acc_delta",
     "prev"}
)  # fmt: skip
"""Names of states that start at 0 in all optimizers of `torch.optim`."""

_RULES: dict[type[torch.optim.Optimizer], dict[str, How]] = {}


def register_state(optimizer_class: type[torch.optim.Optimizer], key: str, how: How) -> None:
    """Say how `migrate` carries a state of an optimizer, for that class and its subclasses.

    Unless something else is registered, it carries tensors of the parameter's shape entry by entry, and numbers as they
    are. New entries start as in an optimizer of the same class that takes its first step with gradients 0.

    Args:
        optimizer_class: any optimizer.
        key: of `optimizer.state[parameter]`.
        how: a number carries tensors of the parameter's shape and starts new entries at it; "entries" the same, with
            the start of an optimizer that was just made; "shared" carries the value as it is; "forget" leaves it out,
            for optimizers that make it anew; a function takes the value and the `SlotMoves`, and gives the new value:
            `lambda value, moves: moves.take(value, rest=1.0)`.

    Raises:
        OptionError: when `optimizer_class` is no optimizer, or `how` nothing of that.
    """
    if not (inspect.isclass(optimizer_class) and issubclass(optimizer_class, torch.optim.Optimizer)):
        raise OptionError(f"optimizer_class={optimizer_class!r} is no class of optimizers.")
    if isinstance(how, str):
        choice("how", how, WORDS)
    elif isinstance(how, bool) or not (isinstance(how, int | float) or callable(how)):
        raise OptionError(f"how={how!r} is no number, no function, and none of {', '.join(map(repr, WORDS))}.")
    _RULES.setdefault(optimizer_class, {})[key] = how


class StateCarrier:
    """Carries the state that an optimizer keeps of one parameter.

    Args:
        optimizer: the optimizer before the rewrite.
        old: the parameter before the rewrite.
        new: the parameter after it.
        moves: which entry comes from where.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, old: Tensor, new: Tensor, moves: SlotMoves) -> None:
        self._optimizer, self._old, self._new, self._moves = optimizer, old, new, moves.to(old.device)
        self._first: dict[str, Any] | None = None

    def carry(self, state: dict[str, Any]) -> dict[str, Any]:
        """Make the state of the new parameter.

        Raises:
            OptionError: for what neither belongs to entries nor is a number, naming the key.
        """
        result: dict[str, Any] = {}
        for key, value in state.items():
            how = self._how(key, value)
            if how == "shared":
                result[key] = value.clone() if isinstance(value, Tensor) else value
            elif callable(how):
                result[key] = how(value, self._moves)
            elif how != "forget":
                self._check_shape(key, value)
                result[key] = self._moves.take(value)
                if not isinstance(how, str):
                    result[key].index_fill_(0, self._moves.fresh, how)
                elif len(self._moves.fresh):
                    result[key].index_copy_(0, self._moves.fresh, self._start(key).to(value))
        return result

    def _how(self, key: str, value: Any) -> How:
        for cls in type(self._optimizer).__mro__:
            if key in (rules := _RULES.get(cls, {})):
                return rules[key]
        if not isinstance(value, Tensor):
            if value is None or isinstance(value, int | float | str):
                return "shared"
            raise self._refusal(key, f"a {type(value).__name__}")
        if value.shape == self._old.shape:
            return 0.0 if key in ZEROS else "entries"
        if value.numel() == 1:
            return "shared"
        raise self._refusal(key, f"a tensor of shape {tuple(value.shape)}")

    def _check_shape(self, key: str, value: Any) -> None:
        if not (isinstance(value, Tensor) and value.shape == self._old.shape):
            shape = f"of shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
            raise OptionError(
                f"The state {key!r} of {type(self._optimizer).__name__} is {shape}, but was registered as a value for "
                f"each of the {len(self._old)} entries of a parameter; register it as 'shared', 'forget' or a function."
            )

    def _refusal(self, key: str, what: str) -> OptionError:
        name = type(self._optimizer).__name__
        return OptionError(
            f"{name} keeps {key!r} as {what}, which belongs to no entry of a vector of {len(self._old)} values and "
            "cannot be carried across a rewrite. Start anew with optimizer.state.clear() before migrating, or say how "
            f"to carry it with compilers.register_state({name}, {key!r}, ...)."
        )

    def _start(self, key: str) -> Tensor:
        """Find the values at which new entries start in an optimizer that was just made."""
        if self._first is None:
            self._first = first_state(self._optimizer, self._old, self._new.detach()[self._moves.fresh])
        found = self._first.get(key)
        shape = self._moves.fresh.shape
        if not (isinstance(found, Tensor) and found.shape == shape and bool(torch.isfinite(found).all())):
            name = type(self._optimizer).__name__
            raise OptionError(
                f"A {name} that was just made has no finite {key!r} for each entry after a step with gradients 0, so "
                f"that new entries have no start. Say it with compilers.register_state({name}, {key!r}, 0.0), or what "
                "else they start at."
            )
        return found


def first_state(optimizer: torch.optim.Optimizer, old: Tensor, values: Tensor) -> dict[str, Any]:
    """Return the state of an optimizer with these options after a first step at gradients 0 and decay 0."""
    probe = torch.nn.Parameter(values.clone())
    probe.grad = torch.zeros_like(probe)
    name = type(optimizer).__name__
    try:
        fresh = fresh_optimizer(optimizer, old, probe)
        for group in fresh.param_groups:
            group.update({key: 0.0 for key in ("weight_decay",) if isinstance(group.get(key), int | float)})
        fresh.step()
        return dict(fresh.state[probe])
    except Exception as error:
        raise OptionError(
            f"A {name} of new entries cannot take a step ({type(error).__name__}: {error}), so that it is not known "
            f"where their state starts. Say it with compilers.register_state({name}, key, 0.0) for each of "
            f"{sorted(key for key in optimizer.state[old] if not key.startswith(BORN))}, and migrate with "
            "newcomers='zero'."
        ) from error
