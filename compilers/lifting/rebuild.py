"""Another optimizer like one that is there, of other parameters: class, options, attributes and hooks stay."""

from __future__ import annotations

import inspect
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from types import MethodType
from typing import Any

import torch
from torch import Tensor

from compilers.lifting.newcomers import Easing
from netgraph.errors import OptionError

Groups = list[dict[str, Any]]
State = dict[Any, Any]


class Rebuilding:
    """One walk over an optimizer and all that it holds; parts shared in the old one are shared in the new one.

    Containers are copied, parameters and networks replaced, methods bound to what is replaced are bound to the new
    one, and optimizers inside an optimizer rebuilt as well. Everything else is shared with the old optimizer.

    Args:
        replaced: pairs of an object and what takes its place.
        groups: makes the parameter groups of an optimizer.
        state: makes its state.
        hooks: whether hooks of the user go along.
    """

    def __init__(
        self,
        replaced: list[tuple[Any, Any]],
        groups: Callable[[torch.optim.Optimizer], Groups],
        state: Callable[[torch.optim.Optimizer], State],
        *,
        hooks: bool = True,
    ) -> None:
        # Visited objects stay referenced, so that no id comes twice.
        self._memo: dict[int, tuple[Any, Any]] = {id(before): (before, after) for before, after in replaced}
        self._shapes = {before.shape for before, _ in replaced if isinstance(before, Tensor)}
        self._groups, self._state, self._hooks = groups, state, hooks

    def optimizer(self, optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
        """Build the new optimizer.

        Raises:
            OptionError: naming an attribute that cannot go along.
        """
        if id(optimizer) in self._memo:
            found: torch.optim.Optimizer = self._memo[id(optimizer)][1]
            return found
        new = object.__new__(type(optimizer))
        self._keep(optimizer, new)
        for container, make in ((optimizer.param_groups, self._groups), (optimizer.state, self._state)):
            if id(container) not in self._memo:
                self._keep(container, make(optimizer))
        for name, value in vars(optimizer).items():
            if not self._hooks and name.startswith("_optimizer_") and name.endswith("_hooks"):
                new.__dict__[name] = OrderedDict()
            elif not self._is_of_scheduler(name, value):
                self._check(optimizer, name, value)
                new.__dict__[name] = self._copy(value, f"attribute {name!r} of {type(optimizer).__name__}")
        if isinstance(optimizer, torch.optim.LBFGS):
            new.__dict__["_numel_cache"] = None
        return new

    def _keep(self, before: Any, after: Any) -> Any:
        self._memo[id(before)] = (before, after)
        return after

    @staticmethod
    def _is_of_scheduler(name: str, value: Any) -> bool:
        """Learning rate schedulers put a `step` on their optimizer by which they notice its steps."""
        return (name == "step" and hasattr(value, "_wrapped_by_lr_sched")) or name == "_opt_called"

    def _check(self, optimizer: torch.optim.Optimizer, name: str, value: Any) -> None:
        replaces = callable(value) and inspect.isroutine(getattr(type(optimizer), name, None))
        if replaces and id(getattr(value, "__self__", None)) not in self._memo:
            raise OptionError(
                f"{type(optimizer).__name__}.{name} was replaced on this one optimizer, by {value!r}, which may hold "
                "on to it and cannot be carried. Register a step hook, or override the method in a subclass."
            )

    def _copy(self, value: Any, where: str) -> Any:
        if id(value) in self._memo:
            return self._memo[id(value)][1]
        if isinstance(value, Tensor):
            if value.shape in self._shapes and value.dim():
                raise OptionError(
                    f"The {where} is or holds a tensor of {tuple(value.shape)} values, one for each entry of a vector "
                    "of the network, which migrate carries in `optimizer.state` only. Keep it there, or take it out "
                    "before, and put it back with `carry_values`."
                )
            return value
        if isinstance(value, torch.optim.Optimizer):
            return self.optimizer(value)
        if isinstance(value, MethodType) and id(value.__self__) in self._memo:
            return MethodType(value.__func__, self._memo[id(value.__self__)][1])
        return self._container(value, where)

    def _container(self, value: Any, where: str) -> Any:
        kind = type(value)
        if kind in (dict, OrderedDict, defaultdict):
            new = self._keep(value, defaultdict(value.default_factory) if kind is defaultdict else kind())
            for key, item in value.items():
                if not isinstance(getattr(item, "__self__", None), Easing):
                    new[self._copy(key, where)] = self._copy(item, where)
            return new
        if kind is list:
            new = self._keep(value, [])
            new.extend(self._copy(item, where) for item in value)
            return new
        if kind in (set, frozenset, deque):
            items = [self._copy(item, where) for item in value]
            return self._keep(value, deque(items, value.maxlen) if kind is deque else kind(items))
        if isinstance(value, tuple):
            items = [self._copy(item, where) for item in value]
            return self._keep(value, kind(*items) if hasattr(value, "_fields") else kind(items))
        return value


def fresh_optimizer(optimizer: torch.optim.Optimizer, old: Tensor, parameter: Tensor) -> torch.optim.Optimizer:
    """Make an optimizer of one parameter that has taken no step, with the options that `optimizer` has for `old`.

    Options are the arguments of the constructor. Other numbers in a group are counters and start at their default;
    switches are copied.
    """

    def groups(one: torch.optim.Optimizer) -> Groups:
        return [_fresh_group(one, g, parameter) for g in one.param_groups if any(p is old for p in g["params"])]

    return Rebuilding([(old, parameter)], groups, lambda _: defaultdict(dict), hooks=False).optimizer(optimizer)


def _fresh_group(optimizer: torch.optim.Optimizer, group: dict[str, Any], parameter: Tensor) -> dict[str, Any]:
    counters = {name: optimizer.defaults[name] for name in counters_of(optimizer, group)}
    return {**group, **counters, "params": [parameter]}


def counters_of(optimizer: torch.optim.Optimizer, group: dict[str, Any]) -> list[str]:
    """Find the names of the numbers in a group that the optimizer itself changes."""
    accepted = inspect.signature(type(optimizer)).parameters
    if any(p.kind is p.VAR_KEYWORD for p in accepted.values()):
        return []
    return [
        name
        for name, value in group.items()
        if name not in accepted and name in optimizer.defaults and isinstance(value, int | float) and value is not True
        and value is not False
    ]  # fmt: skip
