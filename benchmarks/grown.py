"""Grown networks against the linear start and against a plain network of as many weights in the same time.

python -m benchmarks.grown digits --seeds 10
python -m benchmarks.grown mnist.npz --seeds 3 --set final_edges=40000 --set peak_edges=200000
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.common import machine, mean_and_error, train_plain
from compilers.training import TrainingData, TrainSettings
from netgraph.app.data import load_dataset, split_validation
from netgraph.app.grow import GrowRequest, grow
from netgraph.app.options import parse_assignments
from netgraph.app.run_directory import RunDirectory
from netgraph.app.summary import RunSummary


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="data set, as for `netgraph grow`")
    parser.add_argument("--seeds", type=int, default=3, help="seeds 0 to SEEDS - 1")
    parser.add_argument("--set", action="append", default=[], dest="assignments", metavar="KEY=VALUE")
    parser.add_argument("--keep", type=Path, help="keep the run directories here")
    parser.add_argument("--quiet", action="store_true", help="no line per epoch")
    arguments = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory() as temporary:
        rows = [
            one_seed(arguments, seed, (arguments.keep or Path(temporary)) / f"seed{seed}", console)
            for seed in range(arguments.seeds)
        ]
    console.print(table(arguments.data, rows))
    gains = [grown.test - grown.test_start for grown, _ in rows]
    mean, error = mean_and_error(gains)
    console.print(f"gain over the linear start at its plateau: {mean:+.4f}, standard error {error:.4f}")
    console.print(f"largest output change of an exact rewrite: {max(r.largest_exact_change for r, _ in rows):.1e}")
    console.print(machine())


def one_seed(
    arguments: argparse.Namespace, seed: int, directory: Path, console: Console
) -> tuple[RunSummary, tuple[float, int, int, float]]:
    """Grow a network, then give a plain one of as many weights the same time."""
    request = GrowRequest(
        data=arguments.data, seed=seed, out=directory, assignments=parse_assignments(arguments.assignments),
        overwrite=True,
    )  # fmt: skip
    started = time.perf_counter()
    grown = grow(request, Console(quiet=True) if arguments.quiet else console)
    seconds = time.perf_counter() - started
    config = RunDirectory(directory).config
    dataset = load_dataset(arguments.data, seed=seed, limit=config["data_settings"]["samples"] or None)
    train, valid = split_validation(dataset, fraction=config["data_settings"]["validation"], seed=seed)
    x, y = dataset.x_train, dataset.y_train
    data = TrainingData.from_arrays(x[train], y[train], x[valid], y[valid], task="classification")
    plain = train_plain(dataset, data, TrainSettings(**config["training"]), grown.edges, seconds)
    console.print(f"seed {seed}: start {grown.test_start:.4f}, grown {grown.test:.4f} with {grown.edges:,} edges "
                  f"in {seconds:.1f} s, plain {plain[0]:.4f} with {plain[1]:,}", highlight=False)  # fmt: skip
    return grown, plain


def table(data: str, rows: list[tuple[RunSummary, tuple[float, int, int, float]]]) -> Table:
    """One row per seed and one for the means."""
    result = Table(title=f"{data}: test accuracy")
    for name in ("seed", "linear start", "grown", "edges", "peak", "seconds", "plain MLP", "weights", "seconds "):
        result.add_column(name, justify="right")
    for grown, plain in rows:
        result.add_row(
            str(grown.seed), f"{grown.test_start:.4f}", f"{grown.test:.4f}", f"{grown.edges:,}",
            f"{grown.edges_peak:,}", f"{grown.seconds:.1f}", f"{plain[0]:.4f}", f"{plain[1]:,}", f"{plain[3]:.1f}",
        )  # fmt: skip
    columns = [
        [g.test_start for g, _ in rows], [g.test for g, _ in rows], [g.edges for g, _ in rows],
        [g.edges_peak for g, _ in rows], [g.seconds for g, _ in rows], [p[0] for _, p in rows],
        [p[1] for _, p in rows], [p[3] for _, p in rows],
    ]  # fmt: skip
    forms = ("{:.4f}", "{:.4f}", "{:,.0f}", "{:,.0f}", "{:.1f}", "{:.4f}", "{:,.0f}", "{:.1f}")
    means = [form.format(mean_and_error(list(map(float, c)))[0]) for form, c in zip(forms, columns, strict=True)]
    result.add_section()
    result.add_row("mean", *means)
    return result


if __name__ == "__main__":
    main()
