"""New entries of an optimizer that cannot be scaled: for their first steps an optimizer of their own trains them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from compilers.lifting.newcomers import (
    BORN,
    OWN_STEPS,
    Easing,
    ScaledSteps,
    correct_averages,
    corrected_decays,
    decays,
    step_hooks,
    takes_step_of,
)
from compilers.lifting.rebuild import counters_of, fresh_optimizer
from netgraph.checks import Count, checked

APART = tuple(getattr(torch.optim, name) for name in ("Adagrad", "Adamax", "ASGD", "NAdam", "RAdam", "SGD"))
"""Optimizers that step each entry by its own gradient and state alone."""

AGE = "age"
AMP = ("grad_scale", "found_inf")


@checked
def ease_in(optimizer: torch.optim.Optimizer, *, steps: Count = OWN_STEPS) -> None:
    """Let the entries that are new by their state `born` move as if they alone had just started.

    Under Adam, AdamW and RMSprop steps are taken together, and scaled (`ScaledSteps`); under others whose step
    depends on how many were taken, new entries are stepped by an optimizer of their own (`OwnSteps`).

    The hooks that do so go with the last new entry. They are not part of `optimizer.state_dict()`, nor of copies and
    pickles, as torch makes them; `load_optimizer_state` makes them again, and this function.

    Args:
        optimizer: any.
        steps: for how many steps new entries count on their own.
    """
    for hooks in (optimizer._optimizer_step_pre_hooks, optimizer._optimizer_step_post_hooks):
        for key in [key for key, hook in hooks.items() if isinstance(getattr(hook, "__self__", None), Easing)]:
            del hooks[key]
    groups = {parameter: group for group in optimizer.param_groups for parameter in group["params"]}
    young = [parameter for parameter, state in optimizer.state.items() if parameter in groups and BORN in state]
    scaled = [p for p in young if decays(optimizer, groups[p], optimizer.state[p]) is not None]
    own = [p for p in young if not any(p is q for q in scaled)]
    if scaled:
        ScaledSteps(optimizer, scaled, steps)
    if own:
        OwnSteps(optimizer, own, steps)


def counts_steps(optimizer: torch.optim.Optimizer, group: dict[str, Any], state: dict[str, Any]) -> bool:
    """Whether a step of an entry depends on how many steps the optimizer took before, or on whether it took one."""
    if takes_step_of(optimizer, torch.optim.Adadelta, torch.optim.Rprop):
        return False
    if takes_step_of(optimizer, torch.optim.Adagrad):
        return bool(group["lr_decay"])
    if takes_step_of(optimizer, torch.optim.SGD):
        return bool(group["momentum"] and group["dampening"])
    counted = [k for k, v in state.items() if not k.startswith(BORN) and _is_number(v)]
    return bool(counted or counters_of(optimizer, group))


def born_now(optimizer: torch.optim.Optimizer, group: dict[str, Any], state: dict[str, Any]) -> float | None:
    """Return the mark that entries new in this rewrite get in the state `born`; None where they need none.

    It is the step count where steps are scaled, else one more than the largest mark. Entries need none where a step
    does not depend on how many were taken before.
    """
    if decays(optimizer, group, state) is not None:
        return float(state["step"])
    if not counts_steps(optimizer, group, state):
        return None
    return float(state[BORN].max()) + 1 if BORN in state and state[BORN].numel() else 0.0


class _Cohort:
    """Entries that came together, and the optimizer that they have for themselves.

    Its state is kept in the state of the large optimizer, so that it is saved and carried: values of entries in their
    slots, and numbers under names that begin with `prefix`.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, parameter: Tensor, mark: float) -> None:
        state = optimizer.state[parameter]
        self.mark, self.prefix = mark, f"{BORN}.{mark:g}."
        self.slots = (state[BORN] == mark).nonzero().squeeze(1)
        self.parameter = torch.nn.Parameter(parameter.detach()[self.slots])
        self.optimizer = fresh_optimizer(optimizer, parameter, self.parameter)
        self.age = int(state.get(self.prefix + AGE, 0))
        self.gradient: Tensor | None = None
        if not self.age:
            return
        mine = self.optimizer.state[self.parameter]
        for key, value in state.items():
            if key.startswith(self.prefix):
                name = key.removeprefix(self.prefix)
                if name.startswith("group."):
                    self._group[name.removeprefix("group.")] = type(self._group[name.removeprefix("group.")])(value)
                elif name != AGE:
                    mine[name] = value
            elif isinstance(value, Tensor) and value.shape == parameter.shape and key != BORN:
                mine[key] = value[self.slots]

    @property
    def _group(self) -> dict[str, Any]:
        return self.optimizer.param_groups[0]

    def remember(self, parameter: Tensor) -> None:
        """Note the values of the entries before the step of the large optimizer."""
        if self.gradient is None:
            self.parameter.data.copy_(parameter.detach()[self.slots])

    def hide(self, parameter: Tensor) -> None:
        """Keep the gradients of the entries from the large step, which may share something between all entries."""
        if parameter.grad is None or parameter.grad.is_sparse:
            return
        gradient = parameter.grad[self.slots]
        if self.gradient is None or bool(gradient.any()):
            self.gradient = gradient
            parameter.grad.index_fill_(0, self.slots, 0.0)

    def see(self, parameter: Tensor) -> None:
        """Note the gradients of the entries after a step of the large optimizer from which they were not hidden."""
        if parameter.grad is not None and not parameter.grad.is_sparse:
            self.gradient = parameter.grad[self.slots]

    def step(self, large: torch.optim.Optimizer, group: dict[str, Any], parameter: Tensor) -> None:
        """Take the step of the entries; write their new values and state into the large parameter and optimizer."""
        if self.gradient is None or parameter.grad is None:
            return
        counters = counters_of(large, group)
        self._group.update({k: v for k, v in group.items() if k != "params" and k not in counters})
        for name in AMP:
            if hasattr(large, name):
                setattr(self.optimizer, name, getattr(large, name))
        parameter.grad.index_copy_(0, self.slots, self.gradient)
        self.parameter.grad, self.gradient = self.gradient, None
        self.optimizer.step()
        self.age += 1
        parameter.index_copy_(0, self.slots, self.parameter.detach())
        state = large.state[parameter]
        for key, value in self.optimizer.state[self.parameter].items():
            if isinstance(value, Tensor) and value.shape == self.parameter.shape and key in state:
                state[key].index_copy_(0, self.slots, value)
            elif _is_number(value):
                state[self.prefix + key] = value
        numbers = {AGE: self.age, **{f"group.{name}": self._group[name] for name in counters}}
        state |= {self.prefix + name: torch.tensor(float(value)) for name, value in numbers.items()}

    def end(self, group: dict[str, Any], state: dict[str, Any]) -> None:
        """Leave the entries to the large optimizer, with averages that are right under its step count."""
        if "betas" in group and "step" in state and self.age:
            mask = torch.zeros_like(state[BORN]).index_fill_(0, self.slots, 1.0)
            first, second = corrected_decays(group).corrections(self.age, max(float(state["step"]), 1.0))
            correct_averages(state, mask, first, second)
        state[BORN].index_fill_(0, self.slots, -1.0)
        for key in [key for key in state if key.startswith(self.prefix)]:
            del state[key]


class OwnSteps(Easing):
    """Hooks that let a fresh optimizer of the same class and options train new entries for their first steps.

    Whatever the class computes, new entries then move as under an optimizer that was just made. If a step of the class
    depends on the whole vector, such as on its norm, the large optimizer sees gradients of 0 for new entries.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, parameters: list[Tensor], steps: int) -> None:
        self._steps, self._hides = steps, not takes_step_of(optimizer, *APART)
        self._cohorts: dict[Tensor, list[_Cohort]] = {}
        for parameter in parameters:
            state = optimizer.state[parameter]
            marks = [float(mark) for mark in state[BORN].unique() if mark >= 0]
            self._cohorts[parameter] = [_Cohort(optimizer, parameter, mark) for mark in marks]
            _forget_all_but(self._cohorts[parameter], state)
        self._handles = step_hooks(optimizer, self._before, self._after)

    @torch.no_grad()
    def _before(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> Any:
        for parameter, cohorts in self._cohorts.items():
            for cohort in cohorts:
                cohort.remember(parameter)
        if not self._hides:
            return None
        closure = args[1] if len(args) > 1 else kwargs.get("closure")
        if closure is None:
            self._hide()
            return None
        return (optimizer, *args[2:]), {**kwargs, "closure": self._hiding(closure)}

    def _hiding(self, closure: Callable[[], Any]) -> Callable[[], Any]:
        def evaluate() -> Any:
            loss = closure()
            with torch.no_grad():
                self._hide()
            return loss

        return evaluate

    def _hide(self) -> None:
        for parameter, cohorts in self._cohorts.items():
            for cohort in cohorts:
                cohort.hide(parameter)

    @torch.no_grad()
    def _after(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        groups = {parameter: group for group in optimizer.param_groups for parameter in group["params"]}
        for parameter in list(self._cohorts):
            state = optimizer.state[parameter]
            if BORN not in state:  # it was cleared, or another was loaded
                del self._cohorts[parameter]
                continue
            young = []
            for cohort in self._cohorts[parameter]:
                if not self._hides:
                    cohort.see(parameter)
                cohort.step(optimizer, groups[parameter], parameter)
                if cohort.age >= self._steps:
                    cohort.end(groups[parameter], state)
                else:
                    young.append(cohort)
            self._cohorts[parameter] = young
            if not young:
                del self._cohorts[parameter], state[BORN]
        if not self._cohorts:
            for handle in self._handles:
                handle.remove()


def _forget_all_but(cohorts: list[_Cohort], state: dict[str, Any]) -> None:
    """Drop the numbers of cohorts of which no entry is left."""
    prefixes = tuple(cohort.prefix for cohort in cohorts)
    for key in [key for key in state if key.startswith(f"{BORN}.") and not key.startswith(prefixes)]:
        del state[key]


def _is_number(value: Any) -> bool:
    if isinstance(value, Tensor):
        return value.dim() == 0
    return isinstance(value, int | float) and not isinstance(value, bool)
