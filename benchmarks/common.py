"""Common parts of the benchmarks: machine, interleaved timing, tables with records, and a plain network as peer."""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from rich.console import Console
from torch import Tensor, nn

from compilers.training import TrainingData, TrainSettings, training_loss
from netgraph.app.data import Dataset, load_dataset, split_validation
from netgraph.app.hardware import hardware
from netgraph.columns import Array
from netgraph.tables import Table


def machine() -> str:
    """Describe processor, cores in use, and versions, in one line."""
    return (
        f"{hardware(torch.device('cpu'))}, {torch.get_num_threads()} torch threads, torch {torch.__version__}, "
        f"numpy {np.__version__}, Python {platform.python_version()}"
    )


# -- timing -------------------------------------------------------------------------------------------


SECONDS_OF_A_TURN = 0.1
"""Seconds per round in which one competitor is called again and again, if a call takes less."""


def compare(actions: Sequence[Callable[[], object]], rounds: int) -> Array:
    """Time competitors in turns, so that other load on the machine affects all of them alike.

    Every competitor is called twice first. In a round each is called for about a tenth of a second, at least once and
    at most 50 times; every round begins with another one.

    Returns:
        (actions, rounds) milliseconds of one call.
    """
    calls = []
    for action in actions:
        action()
        calls.append(int(np.clip(SECONDS_OF_A_TURN / max(stopwatch(action), 1e-6), 1, 50)))
    times = np.empty((len(actions), rounds))
    for r in range(rounds):
        for turn in range(len(actions)):
            k = (r + turn) % len(actions)
            started = time.perf_counter()
            for _ in range(calls[k]):
                actions[k]()
            times[k, r] = 1000 * (time.perf_counter() - started) / calls[k]
    return times


def stopwatch(action: Callable[[], object]) -> float:
    """Measure the seconds of one call."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def median(times: Array) -> float:
    """Median over rounds."""
    return float(np.median(times))


def ratio(ours: Array, peer: Array) -> float:
    """Median over rounds of the ratio of our time to the time of the peer in the same round; below 1 we are faster."""
    return float(np.median(ours / peer))


def training_step(
    net: nn.Module, x: Tensor, y: Tensor, optimizer: torch.optim.Optimizer | None = None
) -> Callable[[], None]:
    """Make a function that runs one training step: forward, cross entropy, backward, and optimizer (fused Adam).

    The learning rate is so small that a thousand steps on one batch hardly change the network. So the cost of a step
    does not depend on the number of steps before: gradients and moments never become denormal numbers, which are slow.
    """
    optimizer = optimizer or torch.optim.Adam(net.parameters(), lr=1e-6, fused=True)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(net(x), y).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def forward_backward(net: nn.Module, x: Tensor, gradient: Tensor) -> Callable[[], None]:
    """Make a function that runs forward and backward, to the parameters, and to `x` if it requires a gradient."""

    def step() -> None:
        net.zero_grad(set_to_none=True)
        x.grad = None
        net(x).backward(gradient)

    return step


# -- reports ------------------------------------------------------------------------------------------


class Column(NamedTuple):
    """A column of a table: heading, key of its values in the records, and number format."""

    heading: str
    key: str
    form: str = ""


class Report:
    """Report of a benchmark: tables on the console, and the same records in a file.

    Args:
        name: name of the benchmark.
        width: width of the console in characters.
    """

    def __init__(self, name: str, width: int = 140) -> None:
        self.name = name
        self.console = Console(width=width)
        self.tables: dict[str, list[dict[str, Any]]] = {}

    def add(self, title: str, columns: Sequence[Column], records: Sequence[Mapping[str, Any]]) -> None:
        """Print a table with one row per record; a value that is None or absent is a dash."""
        words = [at for at, column in enumerate(columns) if any(isinstance(r.get(column.key), str) for r in records)]
        rows = [[_written(record.get(column.key), column.form) for column in columns] for record in records]
        self.console.print(Table(title, [column.heading for column in columns], rows, left=words).rich())
        self.tables[title] = [dict(record) for record in records]

    def note(self, text: str) -> None:
        """Print a line."""
        self.console.print(text, highlight=False)

    def finish(self, path: Path) -> None:
        """Print the machine, and write benchmark, date, machine and tables to a JSON file."""
        self.note(machine())
        path.parent.mkdir(parents=True, exist_ok=True)
        date = datetime.now(UTC).isoformat(timespec="seconds")
        content = {"benchmark": self.name, "date": date, "machine": machine(), "tables": self.tables}
        path.write_text(json.dumps(content, indent=2) + "\n")
        self.note(f"records in {path}")


def _written(value: Any, form: str) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else format(value, form)


def arguments_of(name: str, doc: str | None, *, rounds: int | None = None) -> argparse.ArgumentParser:
    """Make the parser of the common arguments: `--threads`, `--json`, and `--rounds` where there are rounds."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2, help="threads of torch, 2 by default")
    parser.add_argument("--json", type=Path, default=Path("runs/benchmarks") / f"{name}.json", help="where records go")
    if rounds is not None:
        parser.add_argument("--rounds", type=int, default=rounds, help=f"of all competitors, {rounds} by default")
    return parser


# -- training -----------------------------------------------------------------------------------------


def mean_and_error(values: list[float]) -> tuple[float, float]:
    """Mean and standard error of the mean."""
    return float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0


def grey_images(data: str, samples: int, seed: int) -> tuple[Dataset, TrainingData]:
    """Load a data set of grey images, with training and validation samples as maps, `(samples, 1, height, width)`."""
    dataset = load_dataset(data, seed=seed, limit=samples)
    rows, held_out = split_validation(dataset, fraction=1 / 12, seed=seed)
    x, y = as_maps(dataset, dataset.x_train), dataset.y_train
    return dataset, TrainingData.from_arrays(x[rows], y[rows], x[held_out], y[held_out], task="classification")


def as_maps(dataset: Dataset, x: Array) -> Array:
    """Reshape grey images `(samples, features)` to `(samples, 1, height, width)`."""
    return x.reshape(-1, 1, *dataset.input_shape)


def plain_network(dataset: Dataset, edges: int) -> nn.Sequential:
    """Make a dense network with one hidden ReLU layer and about `edges` weights."""
    hidden = max(1, round(edges / (dataset.features + dataset.outputs)))
    return nn.Sequential(nn.Linear(dataset.features, hidden), nn.ReLU(), nn.Linear(hidden, dataset.outputs))


def train_plain(
    dataset: Dataset, data: TrainingData, settings: TrainSettings, edges: int, seconds: float
) -> tuple[float, int, int, float]:
    """Train a plain network by the same recipe for at most `seconds`; the cosine learning rate ends with them.

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
            # Progress is measured by time, so that the rate reaches 0 at the end of `seconds`.
            progress = min(1.0, (time.perf_counter() - started) / seconds)
            if progress >= 1.0:
                break
        epochs += 1
    with torch.no_grad():
        x, y = torch.from_numpy(dataset.x_test), torch.from_numpy(dataset.y_test)
        accuracy = float((net(x).argmax(1) == y).float().mean())
    return accuracy, sum(p.numel() for p in decayed), epochs, time.perf_counter() - started
