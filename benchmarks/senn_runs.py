"""Common parts of the experiments on SENN: a run, its record, tables and plots."""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from compilers import lift
from compilers.training import EpochEnded, NothingSelected, Rewritten, TrainingData, TrainSettings, begin, train
from netgraph.graph import Graph
from netgraph.methods import Method, SennOptions

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NATURAL: Mapping[str, Any] = {
    "optimizer": "natural", "learning_rate": 0.1, "damping": 0.1, "curve": "constant", "weight_decay": 0.0,
    "label_smoothing": 0.0,
}  # fmt: skip
"""Training settings of the paper."""

PAPER: Mapping[str, Any] = {"sampler": "mala", "judge": "pooled", "significance": 0.0}
"""Sampler and judge of the paper."""


@dataclass
class Run:
    """Record of a run.

    Attributes:
        graph: graph at the end.
        seconds: wall time of the whole run.
        looking: wall time of the search for additions and of the additions.
        busy: processor time over all threads, which is independent of other load on the machine.
        history: metrics of every epoch.
        widths: number of hidden vertices after every epoch.
        additions: `(epoch, kind, score by eta_c, score by |dL/dy|^2, limit)` of every addition; `limit` is an upper
            bound of the number of vertices there at these weights, NaN for layers.
        moved: largest change of an output by an addition, relative to its range.
        last: reason why the last search added nothing.
    """

    graph: Graph
    seconds: float = 0.0
    looking: float = 0.0
    busy: float = 0.0
    history: list[Mapping[str, float]] = field(default_factory=list)
    widths: list[int] = field(default_factory=list)
    additions: list[tuple[int, str, float, float, float]] = field(default_factory=list)
    moved: float = 0.0
    last: str = ""

    @property
    def final(self) -> Mapping[str, float]:
        """Metrics of the last epoch of the run."""
        return self.history[-1]

    @property
    def hidden(self) -> list[int]:
        """Vertices of the hidden layers, first to last."""
        return hidden_of(self.graph)


def hidden_of(graph: Graph) -> list[int]:
    """Vertices of the hidden layers, first to last."""
    return [len(graph.layer(i)) for i in graph.topological_order if graph.layer(i).role == "hidden"]


def grow(
    start: Graph,
    data: TrainingData,
    settings: TrainSettings,
    method: Method | None,
    report: Callable[[str], None] | None = None,
) -> Run:
    """Train a network that grows by a method; `report` gets a line for each event of interest."""
    run = Run(start)

    def note(event: object) -> None:
        if isinstance(event, Rewritten):
            numbers, certificate = event.proposal.numbers, event.result.certificate
            kind = "layer" if event.result.delta.layers_added else "vertex"
            ratio, share, most = (numbers.get(k, math.nan) for k in ("ratio", "share", "most_additions"))
            run.additions.append((event.epoch, kind, ratio, share, most))
            run.graph = event.result.graph
            run.moved = max(run.moved, certificate.measured.relative if certificate.measured else 0.0)
            if report:
                report(f"epoch {event.epoch}: {event.proposal.reason}")
        elif isinstance(event, NothingSelected):
            run.last = event.proposal.reason
        elif isinstance(event, EpochEnded):
            run.widths.append(sum(run.hidden))

    began, busy = time.perf_counter(), time.process_time()
    state = train(begin(start, settings, data.device), data, settings, method, [note])
    run.seconds, run.looking = time.perf_counter() - began, state.rewriting
    run.busy = time.process_time() - busy
    run.graph, run.history = lift(state.net), list(state.history)
    return run


def add_choices(parser: argparse.ArgumentParser, options: SennOptions) -> None:
    """Add the arguments for sampler and judge, with the defaults of the options."""
    parser.add_argument("--sampler", choices=("ascent", "mala"), default=options.sampler)
    parser.add_argument("--judge", choices=("fresh", "pooled"), default=options.judge)
    parser.add_argument("--significance", type=float, default=options.significance)


def chosen(arguments: argparse.Namespace, options: SennOptions) -> SennOptions:
    """Return the options with the values of the arguments of `add_choices`."""
    return replace(options, sampler=arguments.sampler, judge=arguments.judge, significance=arguments.significance)


def spread(values: Sequence[float], form: str = ".3g") -> str:
    """Text with median, smallest and largest value."""
    return f"{np.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def mean_and_deviation(values: Sequence[float], form: str = ".3f") -> str:
    """Text with mean and standard deviation."""
    return f"{np.mean(values):{form}} +- {np.std(values):{form}}"


def figure(columns: int, title: str) -> tuple[Figure, list[Axes]]:
    """Make a figure with `columns` axes side by side."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot as plt

    made, axes = plt.subplots(1, columns, figsize=(4.2 * columns, 3.6), layout="constrained", squeeze=False)
    made.suptitle(title)
    return made, list(axes[0])


def save(made: Figure, path: Path) -> None:
    """Write a figure, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made.savefig(path)
