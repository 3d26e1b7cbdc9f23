"""SENN on images: width of a grown layer against the number of training samples, beside a network of fixed width.

Every run takes the same number of steps, but at least 15 epochs; the fixed network takes as many. With `--depth` images
are cropped to 24 x 24, layers are added as well, and all data are used.

    python -m benchmarks.senn_mnist mnist.npz
    python -m benchmarks.senn_mnist mnist.npz --depth
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.common import machine
from benchmarks.senn_runs import NATURAL, Run, add_choices, chosen, figure, grow, save, spread
from compilers import lower
from compilers.training import TrainingData, TrainSettings, evaluate
from netgraph.app.data import Dataset, load_dataset
from netgraph.columns import Array
from netgraph.graph import Graph
from netgraph.methods import SennOptions, Start, senn, senn_start

OPTIONS = SennOptions(
    widths="10",
    tau=3e-3,
    alpha=2.5e-4,
    significance=1.0,
    depth=False,
    tangent="none",
    work=3e9,
)
LOOKS = 15
HELD_OUT = 2_000
FIXED = "128"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="data set of images, as for `netgraph grow`")
    parser.add_argument("--sizes", type=int, nargs="+", default=[600, 2_400, 9_600, 48_000])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--steps", type=int, default=6_000)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--optimizer", choices=("adam", "natural"), default="adam")
    parser.add_argument("--tau", type=float, default=OPTIONS.tau)
    parser.add_argument("--alpha", type=float, default=OPTIONS.alpha)
    add_choices(parser, OPTIONS)
    parser.add_argument("--temperature", type=float, default=OPTIONS.temperature)
    parser.add_argument("--samples", type=int, default=16_384, help="over which scores are taken, at most")
    parser.add_argument("--work", type=float, default=OPTIONS.work, help="of one search")
    parser.add_argument("--depth", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("runs"))
    arguments = parser.parse_args()
    console = Console()
    dataset = load_dataset(arguments.data, seed=0)
    if arguments.depth:
        deep(arguments, dataset, console)
    else:
        wide(arguments, dataset, console)
    console.print(machine())


def options_of(arguments: argparse.Namespace) -> SennOptions:
    """Make the options of SENN from the arguments."""
    return replace(
        chosen(arguments, OPTIONS), tau=arguments.tau, alpha=arguments.alpha, temperature=arguments.temperature,
        work=arguments.work,
    )  # fmt: skip


def wide(arguments: argparse.Namespace, dataset: Dataset, console: Console) -> None:
    """Measure width and accuracy for several numbers of samples."""
    options = options_of(arguments)
    table = Table(title=f"{arguments.data}: one layer, {arguments.steps:,} steps, {arguments.seeds} seeds")
    for column in ("samples", "width", "test accuracy", f"width {FIXED}", "s (looking)"):
        table.add_column(column, justify="right", no_wrap=True)
    grown: dict[int, list[tuple[Run, float]]] = {}
    fixed: dict[int, list[tuple[Run, float]]] = {}
    for size in arguments.sizes:
        grown[size] = [one_run(arguments, dataset, options, size, s, console) for s in range(arguments.seeds)]
        still = replace(options, widths=FIXED)
        fixed[size] = [
            one_run(arguments, dataset, still, size, s, console, grows=False) for s in range(arguments.seeds)
        ]
        runs = [r for r, _ in grown[size]]
        found = (
            ([sum(r.hidden) for r in runs], ".3g"), ([a for _, a in grown[size]], ".4f"),
            ([a for _, a in fixed[size]], ".4f"),
        )  # fmt: skip
        table.add_row(
            f"{size:,}", *(spread(values, form).replace(" (", "\n(") for values, form in found),
            f"{np.median([r.seconds for r in runs]):.0f} ({np.median([r.looking for r in runs]):.0f})",
        )  # fmt: skip
        console.print(table)
    path = arguments.out / "senn_mnist.svg"
    draw(
        f"SENN, {Path(arguments.data).stem}, one layer",
        {n: [float(sum(r.hidden)) for r, _ in grown[n]] for n in grown},
        {"grown": {n: [a for _, a in grown[n]] for n in grown},
         f"width {FIXED}": {n: [a for _, a in fixed[n]] for n in fixed}},
        path,
    )  # fmt: skip
    moved = max(run.moved for pairs in grown.values() for run, _ in pairs)
    console.print(f"outputs moved by at most {moved:.1e} of their range\nplot in {path}")


def draw(
    title: str,
    widths: Mapping[int, Sequence[float]],
    accuracies: Mapping[str, Mapping[int, Sequence[float]]],
    path: Path,
) -> None:
    """Plot widths and accuracies over the number of samples: a line through the medians, a dot for every seed."""
    made, (left, right) = figure(2, title)
    for axes, label, found in ((left, "grown", widths), *((right, *item) for item in accuracies.items())):
        (line,) = axes.semilogx(list(found), [np.median(values) for values in found.values()], "-", label=label)
        dots = [(n, value) for n, values in found.items() for value in values]
        axes.semilogx(*zip(*dots, strict=True), "o", color=line.get_color(), markersize=4)
    left.set(xlabel="samples", ylabel="width at the end")
    right.set(xlabel="samples", ylabel="test accuracy")
    right.legend()
    save(made, path)


def deep(arguments: argparse.Namespace, dataset: Dataset, console: Console) -> None:
    """Measure depth and width on cropped images."""
    options = replace(options_of(arguments), depth=True, layer_cost=10.0, layer_cooldown=1, max_layers=3, max_width=64)
    size = max(arguments.sizes)
    run, accuracy = one_run(arguments, reduced(dataset), options, size, 0, console)
    console.print(
        f"{size:,} samples of 24 x 24: hidden {run.hidden}, test accuracy {accuracy:.4f}, {run.seconds:.0f} s"
    )
    for epoch, kind, ratio, share, most in run.additions:
        bound = f", bound {most:g}" if math.isfinite(most) else ""
        console.print(f"  epoch {epoch}: {kind}, {ratio:.3g} of eta_c, {share:.3g} of |dL/dy|^2{bound}")


def reduced(dataset: Dataset) -> Dataset:
    """Remove the two outer rows and columns of images on each side, which are empty: 28 x 28 becomes 24 x 24."""
    side = int(np.sqrt(dataset.features))

    def inner(x: Array) -> Array:
        return x.reshape(-1, side, side)[:, 2:-2, 2:-2].reshape(len(x), -1)

    return replace(dataset, x_train=inner(dataset.x_train), x_test=inner(dataset.x_test))


def one_run(
    arguments: argparse.Namespace,
    dataset: Dataset,
    options: SennOptions,
    size: int,
    seed: int,
    console: Console,
    *,
    grows: bool = True,
) -> tuple[Run, float]:
    """Run SENN on the first samples of a data set; return the run and its accuracy on the test set."""
    x, y = dataset.x_train, dataset.y_train
    data = TrainingData.from_arrays(x[:size], y[:size], x[-HELD_OUT:], y[-HELD_OUT:], task="classification")
    epochs = max(LOOKS, arguments.steps * arguments.batch // size)
    made = replace(options, cooldown=max(1, epochs // LOOKS), until=0.8, score_samples=min(size, arguments.samples))
    recipe = NATURAL if arguments.optimizer == "natural" else {
        "optimizer": "adam", "learning_rate": 1e-3, "curve": "cosine", "weight_decay": 0.0, "label_smoothing": 0.0,
    }  # fmt: skip
    settings = TrainSettings(epochs=epochs, batch_size=arguments.batch, seed=seed, **recipe)
    first = senn_start(made, Start(shape=(x.shape[1],), outputs=dataset.outputs, domain=(0.0, 1.0), seed=seed))
    run = grow(first, data, settings, senn(first, made) if grows else None)
    console.print(f"{size:,} samples, seed {seed}: {run.hidden}, {run.final['val_accuracy']:.4f}; {run.last}")
    return run, accuracy(run.graph, dataset)


def accuracy(graph: Graph, dataset: Dataset) -> float:
    """Accuracy of a graph on the test set."""
    x, y = torch.from_numpy(dataset.x_test.astype(np.float32)), torch.from_numpy(dataset.y_test)
    return evaluate(lower(graph), x, y, "classification")["accuracy"]


if __name__ == "__main__":
    main()
