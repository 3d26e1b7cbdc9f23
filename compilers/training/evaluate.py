"""Evaluation of a network: loss, metrics, predicted classes and errors."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing

import torch
from torch import Tensor
from torch.nn import functional as F

from compilers.running import CompiledNetwork
from netgraph.checks import Share, checked, choice

EVALUATION_BATCH = 4096
"""Samples at a time at most."""

EVALUATION_BYTES = 256 << 20
"""Bytes that a forward may keep; maps of large networks take them for much fewer samples."""

Loss = Callable[[Tensor, Tensor], Tensor]
TASKS = ("classification", "regression")


@checked
def training_loss(task: str, label_smoothing: Share = 0.0) -> Loss:
    """The mean loss that is trained: cross-entropy for classification, mean squared error for regression."""
    choice("task", task, TASKS)
    if task == "classification":
        return lambda output, target: F.cross_entropy(output, target, label_smoothing=label_smoothing)
    return F.mse_loss


def evaluation_batch(net: CompiledNetwork) -> int:
    """Samples at a time when nothing is trained: at most 4096, and as few as keep a forward near 256 MB."""
    per_sample = net.weights.element_size() * max(1, net.plan.floats_per_sample)
    return max(1, min(EVALUATION_BATCH, EVALUATION_BYTES // per_sample))


@torch.no_grad()
def evaluate(net: CompiledNetwork, x: Tensor, y: Tensor, task: str) -> dict[str, float]:
    """Metrics over a data set, in eval mode; the mode of the network is restored.

    Runs `evaluation_batch(net)` samples at a time.

    Returns:
        `loss` (mean cross-entropy or mean squared error), and `accuracy` or `rmse`.
    """
    choice("task", task, TASKS)
    loss, hits = torch.zeros((), dtype=torch.float64), 0
    with closing(_outputs(net, x, y)) as pairs:
        for output, target in pairs:
            if task == "classification":
                loss += F.cross_entropy(output, target, reduction="sum").double().cpu()
                hits += int((output.argmax(dim=1) == target).sum())
            else:
                loss += F.mse_loss(output, target, reduction="sum").double().cpu()
    if task == "classification":
        return {"loss": float(loss) / y.numel(), "accuracy": hits / y.numel()}
    mean = float(loss) / y.numel()
    return {"loss": mean, "rmse": mean**0.5}


@torch.no_grad()
def predicted_classes(net: CompiledNetwork, x: Tensor, y: Tensor) -> tuple[Tensor, float]:
    """Predict classes in eval mode; return them on the CPU, in the shape of `y`, and the mean cross-entropy."""
    loss, given = torch.zeros((), dtype=torch.float64), []
    with closing(_outputs(net, x, y)) as pairs:
        for output, target in pairs:
            loss += F.cross_entropy(output, target, reduction="sum").double().cpu()
            given.append(output.argmax(dim=1).cpu())
    return torch.cat(given), float(loss) / y.numel()


@torch.no_grad()
def squared_errors(net: CompiledNetwork, x: Tensor, y: Tensor) -> Tensor:
    """Compute squared errors in eval mode, as float64 on the CPU, `(samples, outputs, *grid)`."""
    with closing(_outputs(net, x, y)) as pairs:
        return torch.cat([(output - target).double().square().cpu() for output, target in pairs])


def _outputs(net: CompiledNetwork, x: Tensor, y: Tensor) -> Generator[tuple[Tensor, Tensor], None, None]:
    """Yield outputs in eval mode, and targets, some samples at a time; restore the mode of the network."""
    mode, batch = net.training, evaluation_batch(net)
    net.eval()
    try:
        for start in range(0, len(x), batch):
            yield net(x[start : start + batch]), y[start : start + batch]
    finally:
        net.train(mode)
