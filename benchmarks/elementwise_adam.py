"""Adam and AdamW with a step count of every element: what the first steps of new entries are measured against.

A step takes 2 to 6 times that of the fused kernel, which knows one step count per tensor; see `benchmarks.optimizers`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class ElementwiseAdam(torch.optim.Optimizer):
    """Adam, or AdamW, in which every element has its own step count: new elements are as in their first step.

    The averages are kept with their bias corrected. Then step k of an element moves them to the gradient by the weight
    w = (1 - b) / (1 - b**k), which is kept instead of k: the next one is w / (w + b), and 1 - b is its fixed point.
    Equal to Adam of the same step counts in exact arithmetic; nothing is allocated after the first step.

    Args:
        params: parameters, or groups of them.
        lr: learning rate.
        betas: of the averages of gradients and of their squares.
        eps: added to the root of the second moment.
        weight_decay: decoupled (AdamW) or, if not, added to the gradient.
        decoupled: whether it is.
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        decoupled: bool = False,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "decoupled": decoupled}
        super().__init__(params, defaults)

    @classmethod
    def taking_over(cls, optimizer: torch.optim.Optimizer, fresh: dict[Tensor, Tensor]) -> ElementwiseAdam:
        """Go on from `torch.optim.Adam` or `AdamW`, with elements that are `fresh` (a mask) at step 0."""
        own = cls(optimizer.param_groups, decoupled=isinstance(optimizer, torch.optim.AdamW))
        for group in own.param_groups:
            for parameter in group["params"]:
                old, state = optimizer.state[parameter], own.state[parameter]
                new = fresh[parameter]
                for key, beta in zip(("exp_avg", "exp_avg_sq"), group["betas"], strict=True):
                    step = float(old["step"])
                    state[key] = (old[key] / (1 - beta**step)).masked_fill(new, 0.0)
                    start = torch.full_like(parameter, (1 - beta) / (1 - beta ** (step + 1)))
                    state[f"{key}_weight"] = start.masked_fill(new, 1.0)
                state["scratch"] = torch.empty_like(parameter)
        return own

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, parameter.grad, group)
        return loss

    def _update(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            for key in ("exp_avg", "exp_avg_sq"):
                state[key] = torch.zeros_like(parameter)
                state[f"{key}_weight"] = torch.ones_like(parameter)
            state["scratch"] = torch.empty_like(parameter)
        first, second, scratch = state["exp_avg"], state["exp_avg_sq"], state["scratch"]
        if group["weight_decay"] and group["decoupled"]:
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
        elif group["weight_decay"]:
            gradient = gradient.add_(parameter, alpha=group["weight_decay"])
        first.lerp_(gradient, state["exp_avg_weight"])
        torch.mul(gradient, gradient, out=scratch)
        second.lerp_(scratch, state["exp_avg_sq_weight"])
        torch.sqrt(second, out=scratch).add_(group["eps"])
        parameter.addcdiv_(first, scratch, value=-group["lr"])
        for key, beta in zip(("exp_avg_weight", "exp_avg_sq_weight"), group["betas"], strict=True):
            torch.add(state[key], beta, out=scratch)
            state[key].div_(scratch)
