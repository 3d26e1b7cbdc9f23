"""Grown networks against the linear start, and against a plain network with as many weights and the same time.

python -m benchmarks.grown digits --seeds 10
python -m benchmarks.grown mnist.npz --seeds 3 --set final_edges=40000 --set peak_edges=200000
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.common import machine, mean_and_error, train_plain
from compilers.training import TrainingData, TrainSettings
from netgraph.app.data import load_dataset, split_validation
from netgraph.app.grow import grow
from netgraph.app.options import parse_assignments
from netgraph.app.requests import GrowRequest
from netgraph.app.run_directory import RunDirectory
from netgraph.app.summary import RunSummary


class Row(NamedTuple):
    """Results of one seed: the grown network, the linear start, and a plain network."""

    grown: RunSummary
    plain: float
    weights: int
    epochs: int
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="data set, as for `netgraph grow`")
    parser.add_argument("--seeds", type=int, default=3, help="seeds 0 to SEEDS - 1")
    parser.add_argument("--set", action="append", default=[], dest="assignments", metavar="KEY=VALUE")
    parser.add_argument("--keep", type=Path, help="keep the run directories here")
    parser.add_argument("--quiet", action="store_true", help="no line per epoch")
    arguments = parser.parse_args()
    console = Console(width=140)
    with tempfile.TemporaryDirectory() as temporary:
        rows = [
            one_seed(arguments, seed, (arguments.keep or Path(temporary)) / f"seed{seed}", console)
            for seed in range(arguments.seeds)
        ]
    console.print(table(arguments.data, rows))
    for name, gains in (
        ("the linear start, trained alone as long", [r.grown.test - r.grown.test_start for r in rows]),
        ("a plain network in the same time", [r.grown.test - r.plain for r in rows]),
    ):
        mean, error = mean_and_error(gains)
        console.print(f"gain over {name}: {mean:+.4f}, standard error {error:.4f}", highlight=False)
    change = max(r.grown.growth_change for r in rows)
    console.print(f"largest output change by growth: {change:.1e} of its range", highlight=False)
    console.print(machine())


def one_seed(arguments: argparse.Namespace, seed: int, directory: Path, console: Console) -> Row:
    """Grow a network, and train a plain network with as many weights for the same time."""
    request = GrowRequest(
        data=arguments.data, seed=seed, out=directory, assignments=parse_assignments(arguments.assignments),
        overwrite=True,
    )  # fmt: skip
    grown = grow(request, Console(quiet=True) if arguments.quiet else console)
    config = RunDirectory(directory).config
    dataset = load_dataset(arguments.data, seed=seed, limit=config["run"]["samples"] or None)
    rows, held_out = split_validation(dataset, fraction=config["run"]["validation"], seed=seed)
    x, y = dataset.x_train, dataset.y_train
    data = TrainingData.from_arrays(x[rows], y[rows], x[held_out], y[held_out], task="classification")
    settings = TrainSettings(**config["training"])
    plain = train_plain(dataset, data, settings, grown.edges, grown.seconds)
    console.print(
        f"seed {seed}: start {grown.test_start:.4f}, grown {grown.test:.4f} with {grown.edges:,} edges in "
        f"{grown.seconds:.1f} s, plain {plain[0]:.4f} with {plain[1]:,}",
        highlight=False,
    )
    return Row(grown, *plain)


def table(data: str, rows: list[Row]) -> Table:
    """Make a table with one row per seed and one row of means."""
    result = Table(title=f"{data}: test accuracy")
    columns: list[tuple[str, str, list[float]]] = [
        ("seed", "{:.0f}", [r.grown.seed for r in rows]),
        ("linear start", "{:.4f}", [r.grown.test_start for r in rows]),
        ("grown", "{:.4f}", [r.grown.test for r in rows]),
        ("edges", "{:,.0f}", [r.grown.edges for r in rows]),
        ("peak", "{:,.0f}", [r.grown.edges_peak for r in rows]),
        ("seconds", "{:.1f}", [r.grown.seconds for r in rows]),
        ("plain MLP", "{:.4f}", [r.plain for r in rows]),
        ("weights", "{:,.0f}", [r.weights for r in rows]),
        ("seconds ", "{:.1f}", [r.seconds for r in rows]),
    ]
    for name, _, _ in columns:
        result.add_column(name, justify="right")
    for k in range(len(rows)):
        result.add_row(*(form.format(values[k]) for _, form, values in columns))
    result.add_section()
    result.add_row("mean", *(form.format(mean_and_error(values)[0]) for _, form, values in columns[1:]))
    return result


if __name__ == "__main__":
    main()
