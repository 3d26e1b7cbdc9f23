"""SSONN's ablation (figure 2): accuracy after one expansion, by the criterion that chose the edges.

python -m benchmarks.ssonn_ablation digits --edges 40
python -m benchmarks.ssonn_ablation mnist.npz
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.common import machine, mean_and_error
from compilers.training import EpochEnded, TrainingData, TrainSettings, begin, evaluate, train
from netgraph.app.data import load_dataset, split_validation
from netgraph.criteria import CRITERIA, TopK
from netgraph.graph import mlp
from netgraph.methods import Method, Split
from netgraph.rules import SplitEdges
from netgraph.schedules import EveryEpochs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", default="digits", help="data set, as for `netgraph grow`")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=36)
    parser.add_argument("--expand-at", type=int, default=8, help="epochs before the expansion")
    parser.add_argument("--edges", type=int, default=400, help="edges to split")
    parser.add_argument("--cross", default="selected", choices=("selected", "none"))
    parser.add_argument("--samples", type=int, default=20_000, help="at most so many training samples")
    parser.add_argument("--out", type=Path, default=Path("ssonn_ablation.svg"), help="where to draw the curves")
    arguments = parser.parse_args()
    console = Console()
    jobs = [(name, seed) for name in CRITERIA for seed in range(arguments.seeds)]
    runs: dict[str, list[tuple[float, list[float], int]]] = {name: [] for name in CRITERIA}
    for name, seed in track(jobs, description="runs", console=console):
        runs[name].append(one_run(arguments, name, seed))
    table = Table(title=f"{arguments.data}: after one expansion of {arguments.edges} edges, {arguments.seeds} seeds")
    for column in ("criterion", "test accuracy", "standard error", "edges"):
        table.add_column(column, justify="left" if column == "criterion" else "right")
    for name, results in sorted(runs.items(), key=lambda item: -mean_and_error([r[0] for r in item[1]])[0]):
        mean, error = mean_and_error([r[0] for r in results])
        table.add_row(name, f"{mean:.4f}", f"{error:.4f}", f"{mean_and_error([float(r[2]) for r in results])[0]:,.0f}")
    console.print(table)
    draw(arguments, {name: [curve for _, curve, _ in results] for name, results in runs.items()})
    console.print(f"curves in {arguments.out}")
    console.print(machine())


def one_run(arguments: argparse.Namespace, criterion: str, seed: int) -> tuple[float, list[float], int]:
    """Run one expansion; return test accuracy, validation accuracy of every epoch, and number of edges."""
    dataset = load_dataset(arguments.data, seed=seed, limit=_limit(arguments))
    rows, held_out = split_validation(dataset, fraction=1 / 6, seed=seed)
    x, y = dataset.x_train, dataset.y_train
    data = TrainingData.from_arrays(x[rows], y[rows], x[held_out], y[held_out], task="classification")
    # The paper's recipe: plain Adam, no smoothing, no decay.
    settings = TrainSettings(
        epochs=arguments.epochs, batch_size=min(256, max(32, len(rows) // 40)), optimizer="adam", learning_rate=1e-3,
        curve="constant", weight_decay=0.0, label_smoothing=0.0, seed=seed,
    )  # fmt: skip
    part = Split(
        criterion=criterion, selection=TopK(arguments.edges), trigger=EveryEpochs(arguments.expand_at),
        rule=SplitEdges(cross=arguments.cross), expansions=1,
    )  # fmt: skip
    curve: list[float] = []

    def note(event: object) -> None:
        if isinstance(event, EpochEnded):
            curve.append(event.metrics["val_accuracy"])

    start = mlp([dataset.features, dataset.outputs], domain=dataset.domain, seed=seed)
    state = train(begin(start, settings, data.device), data, settings, Method("ablation", (part,)), [note])
    x_test, y_test = torch.from_numpy(dataset.x_test), torch.from_numpy(dataset.y_test)
    return evaluate(state.net, x_test, y_test, data.task)["accuracy"], curve, state.net.graph.num_edges


def _limit(arguments: argparse.Namespace) -> int | None:
    """Number of samples to load, or None for a smaller set, for which the loader refuses a limit."""
    available = len(load_dataset(arguments.data).x_train)
    return arguments.samples if arguments.samples < available else None


def draw(arguments: argparse.Namespace, curves: dict[str, list[list[float]]]) -> None:
    """Plot mean validation accuracy over epochs, one line per criterion."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    epochs = range(1, arguments.epochs + 1)
    for name, lines in curves.items():
        axes.plot(epochs, [sum(v) / len(v) for v in zip(*lines, strict=True)], label=name)
    axes.axvline(arguments.expand_at, color="grey", linestyle=":", label="expansion")
    axes.set(xlabel="epoch", ylabel="validation accuracy", title=f"One expansion of {arguments.edges} edges")
    axes.legend()
    figure.savefig(arguments.out)


if __name__ == "__main__":
    main()
