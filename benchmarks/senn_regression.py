"""SENN on a regression in one dimension: places and numbers of added vertices, and the error.

The teacher is a random rational network 1-16-16-16-16-1, with 50 training and 1,000 validation points. The start has
one vertex. The paper's code reached a validation loss of 1.9e-4 with 10 vertices on a teacher of its own, in 268
seconds. Sampler and judge are those of the paper; the second command uses those of `SennOptions`.

    python -m benchmarks.senn_regression --seeds 10 --teachers 5
    python -m benchmarks.senn_regression --sampler ascent --judge fresh --significance 2
    python -m benchmarks.senn_regression --sensitivity --seeds 3
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.common import machine
from benchmarks.senn_runs import NATURAL, PAPER, Run, add_choices, chosen, figure, grow, save, spread
from compilers.training import TrainingData, TrainSettings
from netgraph import interpret
from netgraph.graph import Graph
from netgraph.methods import SennOptions, Start, senn, senn_start

TEACHER, DOMAIN = "16,16,16,16", (-6.0, 6.0)
OPTIONS = SennOptions(widths="1", tau=1.0, alpha=2.5e-3, cooldown=30, depth=False, steps=100, **PAPER)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10, help="learners on the first teacher")
    parser.add_argument("--teachers", type=int, default=5, help="other teachers, one learner each")
    parser.add_argument("--epochs", type=int, default=2000)
    parser.add_argument("--sensitivity", action="store_true", help="vary tau and alpha instead")
    add_choices(parser, OPTIONS)
    parser.add_argument("--out", type=Path, default=Path("runs"))
    arguments = parser.parse_args()
    console = Console()
    if arguments.sensitivity:
        sensitivity(arguments, console)
    else:
        compare(arguments, console)
    console.print(machine())


def compare(arguments: argparse.Namespace, console: Console) -> None:
    """Run several seeds on one teacher, and one seed on other teachers."""
    jobs = [(0, seed) for seed in range(arguments.seeds)] + [(t, 0) for t in range(1, 1 + arguments.teachers)]
    options = chosen(arguments, OPTIONS)
    runs = {job: one_run(arguments.epochs, options, *job) for job in track(jobs, description="runs", console=console)}
    table = Table(title=f"1-16-16-16-16-1 rational teachers, 50 points, {arguments.epochs:,} epochs")
    for column in ("teacher", "seed", "val loss", "of variance", "train loss", "vertices", "s", "looking"):
        table.add_column(column, justify="right", no_wrap=True)
    for (teacher, seed), run in runs.items():
        variance = float(np.var(points(teacher)[1][50:]))
        table.add_row(str(teacher), str(seed), f"{run.final['val_loss']:.2e}",
                      f"{run.final['val_loss'] / variance:.1e}",
                      f"{run.final['train_loss']:.1e}", str(sum(run.hidden)), f"{run.seconds:.1f}",
                      f"{run.looking:.1f}")  # fmt: skip
    console.print(table)
    for name, group in (("first teacher", [r for (t, _), r in runs.items() if t == 0]),
                        ("others", [r for (t, _), r in runs.items() if t])):  # fmt: skip
        if group:
            console.print(
                f"{name}: val loss {spread([r.final['val_loss'] for r in group], '.2e')}, vertices "
                f"{spread([sum(r.hidden) for r in group])}, seconds {spread([r.seconds for r in group])}, of the "
                f"processor {spread([r.busy for r in group])}; "
                f"outputs moved by at most {max(r.moved for r in group):.1e} of their range"
            )
    path = arguments.out / "senn_regression.svg"
    draw(runs[0, 0], path)
    console.print(f"plot in {path}")


def points(teacher: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw 1,050 points of a teacher."""
    rng = np.random.default_rng([teacher, 1])
    x = rng.standard_normal((1050, 1))
    return x, interpret(senn_start(SennOptions(widths=TEACHER), start(1000 + teacher)), x)


def start(seed: int) -> Start:
    return Start(shape=(1,), outputs=1, domain=DOMAIN, seed=seed, task="regression")


def one_run(epochs: int, options: SennOptions, teacher: int, seed: int) -> Run:
    """Grow a network from one seed on one teacher."""
    x, y = points(teacher)
    data = TrainingData.from_arrays(x[:50], y[:50], x[50:], y[50:], task="regression")
    settings = TrainSettings(epochs=epochs, batch_size=50, seed=seed, **NATURAL)
    first = senn_start(options, start(seed))
    return grow(first, data, settings, senn(first, options))


def draw(run: Run, path: Path) -> None:
    """Plot losses and vertices over epochs, and the function with the contributions of the vertices."""
    made, (losses, sizes, shape) = figure(3, "SENN, one-dimensional regression")
    epochs = range(1, len(run.history) + 1)
    for name in ("train_loss", "val_loss"):
        losses.semilogy(epochs, [m[name] for m in run.history], label=name.replace("_", " "))
    losses.set(xlabel="epoch", ylabel="mean squared error")
    losses.legend()
    sizes.step(epochs, run.widths, where="post")
    sizes.set(xlabel="epoch", ylabel="vertices")
    x, y = points(0)
    order = np.argsort(x[:, 0])
    shape.plot(x[order, 0], y[order, 0], color="grey", label="teacher")
    shape.plot(x[order, 0], interpret(run.graph, x[order])[:, 0], "--", label="learner")
    shape.plot(x[:50, 0], y[:50, 0], "k.", label="points")
    where = centres(run.graph)
    shape.plot(
        where, np.full(len(where), float(y.min())), "|", color="tab:red", markersize=12, label="bends of vertices"
    )
    shape.set(xlabel="x", xlim=(float(x.min()), float(x.max())))
    shape.legend()
    save(made, path)


def centres(graph: Graph) -> list[float]:
    """Inputs at which sums of hidden vertices are 0; around them the rational activation is curved."""
    (link,) = (k for k in graph.links if graph.layer(k.target).role == "hidden")
    bias = graph.layer(link.target).values["bias"][link.dst]
    return [float(-b / w) for b, w in zip(bias, link.weight, strict=True) if abs(b) < 4 * abs(w)]


def sensitivity(arguments: argparse.Namespace, console: Console) -> None:
    """Measure vertices and validation loss for several tau, and for several alpha."""
    made, axes = figure(2, "SENN, one-dimensional regression: thresholds")
    options = chosen(arguments, OPTIONS)
    grids: Sequence[tuple[str, list[float], Callable[[float], SennOptions]]] = (
        ("tau", [0.1, 0.3, 1.0, 3.0, 10.0], lambda value: replace(options, tau=value)),
        ("alpha", [2.5e-5, 2.5e-4, 2.5e-3, 2.5e-2, 2.5e-1], lambda value: replace(options, alpha=value)),
    )
    for (name, values, changed), left in zip(grids, axes, strict=True):
        table = Table(title=f"{name}, {arguments.seeds} learners each, {arguments.epochs:,} epochs")
        for column in (name, "vertices", "val loss", "seconds"):
            table.add_column(column, justify="right")
        found = [
            [one_run(arguments.epochs, changed(v), 0, s) for s in range(arguments.seeds)]
            for v in track(values, description=name, console=console)
        ]
        sizes = [[sum(r.hidden) for r in runs] for runs in found]
        losses = [[r.final["val_loss"] for r in runs] for runs in found]
        for value, size, loss, runs in zip(values, sizes, losses, found, strict=True):
            table.add_row(f"{value:g}", spread(size), spread(loss, ".2e"), spread([r.seconds for r in runs]))
        console.print(table)
        right = left.twinx()
        left.semilogx(values, [np.median(s) for s in sizes], "o-", color="tab:blue")
        left.set(xlabel=name, ylabel="vertices")
        left.yaxis.label.set_color("tab:blue")
        right.loglog(values, [np.median(v) for v in losses], "s--", color="tab:orange")
        right.set_ylabel("validation loss", color="tab:orange")
    path = arguments.out / "senn_thresholds.svg"
    save(made, path)
    console.print(f"plot in {path}")


if __name__ == "__main__":
    main()
