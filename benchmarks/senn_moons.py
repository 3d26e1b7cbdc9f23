"""SENN on two moons: a linear start that gains layers and vertices.

There are 200 training and 500 validation points, with noise .3. Over 30 seeds of a public fork of the paper's code the
validation loss is .248 +- .015 and the accuracy .899 +- .012; one run of it takes 796 seconds. Sampler and judge are
those of the paper; the second command uses those of `SennOptions`.

    python -m benchmarks.senn_moons --seeds 10
    python -m benchmarks.senn_moons --sampler ascent --judge fresh --significance 2
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table
from sklearn.datasets import make_moons

from benchmarks.common import machine
from benchmarks.senn_runs import (
    NATURAL,
    PAPER,
    Run,
    add_choices,
    chosen,
    figure,
    grow,
    mean_and_deviation,
    save,
    spread,
)
from compilers.training import TrainingData, TrainSettings
from netgraph import interpret
from netgraph.methods import SennOptions, Start, senn, senn_start

OPTIONS = SennOptions(
    widths="", tau=1.0, alpha=2.5e-3, layer_cost=2.0, cooldown=30, layer_cooldown=3, steps=100, **PAPER
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=400)
    add_choices(parser, OPTIONS)
    parser.add_argument("--out", type=Path, default=Path("runs"))
    arguments = parser.parse_args()
    console = Console()
    runs = [
        one_run(arguments.epochs, chosen(arguments, OPTIONS), seed)
        for seed in track(range(arguments.seeds), description="runs", console=console)
    ]
    table = Table(title=f"Two moons, 200 points, {arguments.epochs} epochs")
    for column in ("seed", "val loss", "accuracy", "hidden", "additions (at most)", "s", "looking"):
        table.add_column(column, justify="right", no_wrap=column != "additions (at most)")
    for seed, run in enumerate(runs):
        when = " ".join(
            f"{kind[0]}{epoch}" + (f" ({most:g})" if kind == "vertex" else "")
            for epoch, kind, _r, _s, most in run.additions
        )
        table.add_row(str(seed), f"{run.final['val_loss']:.3f}", f"{run.final['val_accuracy']:.3f}",
                      str(run.hidden), when, f"{run.seconds:.1f}", f"{run.looking:.1f}")  # fmt: skip
    console.print(table)
    console.print(
        f"val loss {mean_and_deviation([r.final['val_loss'] for r in runs])}, accuracy "
        f"{mean_and_deviation([r.final['val_accuracy'] for r in runs])}, additions "
        f"{mean_and_deviation([float(len(r.additions)) for r in runs], '.1f')}, vertices "
        f"{spread([sum(r.hidden) for r in runs])}, seconds {spread([r.seconds for r in runs])}, of the processor "
        f"{spread([r.busy for r in runs])}; outputs moved by at most {max(r.moved for r in runs):.1e} of their range"
    )
    path = arguments.out / "senn_moons.svg"
    draw(runs[0], path)
    console.print(f"plot in {path}")
    console.print(machine())


def one_run(epochs: int, options: SennOptions, seed: int) -> Run:
    """Grow a network from one seed; the points are the same for all seeds."""
    x, y = make_moons(200, noise=0.3, random_state=0)
    x_valid, y_valid = make_moons(500, noise=0.3, random_state=1)
    data = TrainingData.from_arrays(x, y, x_valid, y_valid, task="classification")
    settings = TrainSettings(epochs=epochs, batch_size=200, seed=seed, **NATURAL)
    first = senn_start(options, Start(shape=(2,), outputs=2, domain=(-3.0, 4.0), seed=seed))
    return grow(first, data, settings, senn(first, options))


def draw(run: Run, path: Path) -> None:
    """Plot losses over epochs with the additions, and the decision boundary."""
    made, (losses, plane) = figure(2, "SENN, two moons")
    epochs = range(1, len(run.history) + 1)
    for name in ("train_loss", "val_loss"):
        losses.plot(epochs, [m[name] for m in run.history], label=name.replace("_", " "))
    for epoch, kind, *_ in run.additions:
        losses.axvline(epoch, color="grey", linestyle="-" if kind == "layer" else ":", linewidth=0.8)
    losses.set(xlabel="epoch (lines: layers; dots: vertices)", ylabel="cross entropy")
    losses.legend()
    x, y = make_moons(200, noise=0.3, random_state=0)
    across, up = np.meshgrid(np.linspace(-2, 3, 120), np.linspace(-1.5, 2, 90))
    outputs = interpret(run.graph, np.column_stack([across.ravel(), up.ravel()]))
    plane.contourf(across, up, (outputs[:, 1] - outputs[:, 0]).reshape(across.shape), levels=[-1e9, 0, 1e9], alpha=0.25)
    plane.scatter(x[:, 0], x[:, 1], c=y, s=8)
    plane.set(xlim=(-2, 3), ylim=(-1.5, 2))
    save(made, path)


if __name__ == "__main__":
    main()
