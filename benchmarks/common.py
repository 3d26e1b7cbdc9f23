"""What the benchmarks share: the machine, tables, and a plain network as peer."""

from __future__ import annotations

import json
import os
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from compilers.training import TrainingData, TrainSettings, training_loss
from netgraph.app.data import Dataset


def machine() -> str:
    """Processor, cores in use, and versions, in one line."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        models = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        name = models[0] if models else name
    return (
        f"{name}, {os.cpu_count()} cores, {torch.get_num_threads()} torch threads, torch {torch.__version__}, "
        f"numpy {np.__version__}, Python {platform.python_version()}"
    )


def write_json(path: Path, results: dict[str, Any]) -> None:
    """Write results to a file, with the machine that they were measured on, completely or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(json.dumps({"machine": machine(), **results}, indent=1) + "\n")
    temporary.replace(path)


def mean_and_error(values: list[float]) -> tuple[float, float]:
    """Mean and standard error of the mean."""
    return float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0


def plain_network(dataset: Dataset, edges: int) -> nn.Sequential:
    """A dense network with one hidden ReLU layer and about `edges` weights."""
    hidden = max(1, round(edges / (dataset.features + dataset.outputs)))
    return nn.Sequential(nn.Linear(dataset.features, hidden), nn.ReLU(), nn.Linear(hidden, dataset.outputs))


def train_plain(
    dataset: Dataset, data: TrainingData, settings: TrainSettings, edges: int, seconds: float
) -> tuple[float, int, int, float]:
    """Train a plain network for at most `seconds` with the same recipe; a cosine over as many epochs as fit.

    Returns:
        Test accuracy, number of weights, epochs, and seconds.
    """
    torch.manual_seed(settings.seed)
    net = plain_network(dataset, edges)
    loss_of = training_loss(data.task, settings.label_smoothing)
    decayed = [p for p in net.parameters() if p.ndim > 1]
    others = [p for p in net.parameters() if p.ndim == 1]
    groups = [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=settings.learning_rate, fused=True)
    started = time.perf_counter()
    epochs, progress = 0, 0.0
    while progress < 1.0:
        for rows in torch.split(torch.randperm(len(data.x_train)), settings.batch_size):
            rate = settings.learning_rate * 0.5 * (1 + np.cos(np.pi * progress))
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.zero_grad(set_to_none=True)
            loss_of(net(data.x_train[rows]), data.y_train[rows]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            # Progress by the clock: the rate reaches 0 when the time is up, whatever the speed of an epoch.
            progress = min(1.0, (time.perf_counter() - started) / seconds)
            if progress >= 1.0:
                break
        epochs += 1
    with torch.no_grad():
        x, y = torch.from_numpy(dataset.x_test), torch.from_numpy(dataset.y_test)
        accuracy = float((net(x).argmax(1) == y).float().mean())
    return accuracy, sum(p.numel() for p in decayed), epochs, time.perf_counter() - started
