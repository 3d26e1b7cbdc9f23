"""Losses and metrics."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from compilers import CompiledNetwork

EVALUATION_BATCH = 4096

Loss = Callable[[Tensor, Tensor], Tensor]


def training_loss(task: str, label_smoothing: float = 0.0) -> Loss:
    """The mean loss that is trained: cross-entropy for classification, mean squared error for regression."""
    if task == "classification":
        return lambda output, target: F.cross_entropy(output, target, label_smoothing=label_smoothing)
    return F.mse_loss


@torch.no_grad()
def evaluate(net: CompiledNetwork, x: Tensor, y: Tensor, task: str) -> dict[str, float]:
    """Metrics over a data set, in eval mode; the mode of the network is restored.

    Returns:
        `loss` (mean cross-entropy or mean squared error), and `accuracy` or `rmse`.
    """
    mode = net.training
    net.eval()
    loss = torch.zeros((), dtype=torch.float64)
    hits = 0
    try:
        for start in range(0, len(x), EVALUATION_BATCH):
            output, target = net(x[start : start + EVALUATION_BATCH]), y[start : start + EVALUATION_BATCH]
            if task == "classification":
                loss += F.cross_entropy(output, target, reduction="sum").double().cpu()
                hits += int((output.argmax(dim=1) == target).sum())
            else:
                loss += F.mse_loss(output, target, reduction="sum").double().cpu()
    finally:
        net.train(mode)
    if task == "classification":
        return {"loss": float(loss) / len(x), "accuracy": hits / len(x)}
    mean = float(loss) / y.numel()
    return {"loss": mean, "rmse": mean**0.5}
