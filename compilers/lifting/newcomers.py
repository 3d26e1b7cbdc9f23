"""New entries of an optimizer that has taken steps: a step count of their own for their first steps."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch.utils.hooks import RemovableHandle

Newcomers = Literal["eased", "zero"]
"""Step count of new entries, whose moments start at 0: "eased", one of their own at first; "zero", the shared one."""

BORN = "born"
"""Key of the state with the step count at which each new entry came, -1 for entries that are not new."""

OWN_STEPS = 100
"""Number of steps for which new entries have a step count of their own; `ScaledSteps` has the measurements."""

FIRST = frozenset({"exp_avg"})
SECOND = frozenset({"exp_avg_sq", "max_exp_avg_sq", "square_avg", "grad_avg"})

SCALED = (torch.optim.Adam, torch.optim.AdamW, torch.optim.SparseAdam, torch.optim.RMSprop)
"""Optimizers whose step with the shared step count equals the step with a count of its own, times a number."""


class _Decays(NamedTuple):
    """Decay rates of the running averages of an optimizer; `corrected` when it corrects their bias at the start."""

    first: float
    second: float
    corrected: bool

    def corrections(self, own: float, shared: float) -> tuple[float, float]:
        """Factors that make averages over `own` steps unbiased at the `shared` step count."""
        shared = shared if self.corrected else math.inf
        first, second = ((1 - b**shared) / (1 - b**own) for b in (self.first, self.second))
        return first, second


class _StepCohort(NamedTuple):
    """Entries that came at the same step count: 1 in `mask`, where others have 0."""

    born: float
    mask: Tensor


def takes_step_of(optimizer: torch.optim.Optimizer, *classes: type[torch.optim.Optimizer]) -> bool:
    """Whether an optimizer is of one of the classes and takes its step as they do, not by a `step` of its own."""
    mine = inspect.unwrap(type(optimizer).step)
    return any(isinstance(optimizer, cls) and mine is inspect.unwrap(cls.step) for cls in classes)


def decays(optimizer: torch.optim.Optimizer, group: dict[str, Any], state: dict[str, Any]) -> _Decays | None:
    """Return the decays of the averages of Adam, AdamW and RMSprop; None for optimizers whose steps are not scaled."""
    if "step" not in state or not takes_step_of(optimizer, *SCALED):
        return None
    if "exp_avg_sq" in state:
        return corrected_decays(group)
    return _Decays(0.0, float(group["alpha"]), corrected=False)


def corrected_decays(group: dict[str, Any]) -> _Decays:
    """Return the decays of averages whose bias is corrected."""
    first, second = map(float, group["betas"])
    return _Decays(first, second, corrected=True)


class Easing:
    """Hooks of an optimizer that has new entries. They must not hold the optimizer, which holds them."""


def step_hooks(
    optimizer: torch.optim.Optimizer, before: Callable[..., Any], after: Callable[..., Any]
) -> list[RemovableHandle]:
    """Register hooks around the step, inside of the present ones: others see the whole step."""
    handles = [optimizer.register_step_pre_hook(before), optimizer.register_step_post_hook(after)]
    hooks: Any = optimizer._optimizer_step_post_hooks  # torch keeps them in the order of an OrderedDict
    hooks.move_to_end(handles[1].id, last=False)
    return handles


class ScaledSteps(Easing):
    """Let the entries that are new by their state `born` move as if they alone had just started.

    Moments that start at 0 under a step count t that is large make Adam move by up to 6.6 learning rates: it takes
    averages over k steps for averages over t. In exact arithmetic, and but for eps, the step of an entry of age k
    with a step count of its own is the one with the shared count times

        (1 - b1**t) / (1 - b1**k) * sqrt((1 - b2**k) / (1 - b2**t)),

    so that the stock fused step is taken, and hooks shorten the movement of new entries, decoupled decay included. At
    age `steps` the averages of an entry are corrected for the shared count, once, and it is like all others.

    Measured on digits (one hidden layer of 32, widened by 64 after 800 steps of AdamW, 6 seeds): the validation loss
    500 steps later is 0.101 so, 0.105 with a step count of every element for ever, and 0.136 with second moments
    seeded at the mean of the layer, whose new entries hardly learn, since a seed above their own gradients outlasts a
    thousand steps. A step costs 1.7 to 2.6 times the fused one while entries are new, and 1.0 afterwards: 1.09 in all
    at 590,000 elements and a rewrite every 1,000 steps. Step counts of every element cost 2.2 to 5.5 times, at every
    step.

    The hooks go with the last new entry.

    Source: bias correction of Kingma and Ba, Adam (2015), section 3.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, parameters: Iterable[Tensor], steps: int) -> None:
        self._steps = steps
        self._cohorts: dict[Tensor, list[_StepCohort]] = {}
        self._before: dict[Tensor, Tensor] = {}
        for parameter in parameters:
            self._cohorts[parameter] = _cohorts(optimizer.state[parameter][BORN])
            self._before[parameter] = torch.empty_like(parameter, requires_grad=False)
        self._handles = step_hooks(optimizer, self._remember, self._shorten)

    @torch.no_grad()
    def _remember(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        for parameter, before in self._before.items():
            before.copy_(parameter)

    @torch.no_grad()
    def _shorten(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        groups = {parameter: group for group in optimizer.param_groups for parameter in group["params"]}
        for parameter in list(self._cohorts):
            state = optimizer.state[parameter]
            forgetting = decays(optimizer, groups[parameter], state) if BORN in state else None
            if forgetting is not None:
                self._shorten_one(parameter, state, forgetting)
            if forgetting is None or not self._cohorts[parameter]:
                del self._cohorts[parameter], self._before[parameter]
                state.pop(BORN, None)
        if not self._cohorts:
            for handle in self._handles:
                handle.remove()

    def _shorten_one(self, parameter: Tensor, state: dict[str, Any], forgetting: _Decays) -> None:
        step, back = float(state["step"]), self._before[parameter]
        back.sub_(parameter)
        young = []
        for cohort in self._cohorts[parameter]:
            age = step - cohort.born
            if age > 0:  # else there was no gradient
                first, second = forgetting.corrections(age, step)
                parameter.addcmul_(back, cohort.mask, value=1 - first / math.sqrt(second))
                if age >= self._steps:
                    correct_averages(state, cohort.mask, first, second)
                    state[BORN].masked_fill_(cohort.mask > 0, -1.0)
                    continue
            young.append(cohort)
        self._cohorts[parameter] = young


def _cohorts(born: Tensor) -> list[_StepCohort]:
    """Group the entries by birth, the latest first; there are few groups, and sorting would take longer."""
    cohorts = []
    while born.numel() and (latest := float(born.max())) >= 0:
        mask = born == latest
        cohorts.append(_StepCohort(latest, mask.to(born.dtype)))
        born = born.masked_fill(mask, -1.0)
    return cohorts


def correct_averages(state: dict[str, Any], mask: Tensor, first: float, second: float) -> None:
    """Multiply the averages of the entries where a mask is 1, so that they are unbiased at the shared step count."""
    for key, value in state.items():
        if key in FIRST or key in SECOND:
            value.addcmul_(value, mask, value=(first if key in FIRST else second) - 1)
