"""Damaged files given to all readers: each file must be refused with a `NetgraphError`, or be usable.

python -m benchmarks.hostile --number 4000 --seed 0

Deltas and checkpoints are damaged with right checksums; JSON files at every path and in every way of
`benchmarks.damage`. Each file is read as commands read it, and accepted files are used: deltas are applied, training
continues from a checkpoint, a configuration is prepared, and a report is made of results and journals. The exit code is
1 when any other exception occurs.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import os
import random
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

import netgraph as ng
from benchmarks.damage import damaged_containers, damages
from compilers.running import costs_file, tuned_costs
from compilers.training import CHECKPOINT_KIND, CHECKPOINT_VERSION, load_checkpoint, train
from netgraph.app.console import Terminal
from netgraph.app.grow import grow
from netgraph.app.prepare import prepare, prepare_again
from netgraph.app.report import Reporter, RunFacts, grow_command
from netgraph.app.requests import GrowRequest, StudyRequest
from netgraph.app.run_directory import RunDirectory
from netgraph.app.study import (
    RUNS,
    GrowthStep,
    Job,
    Outcome,
    Point,
    StudyDirectory,
    StudyReport,
    make_study,
)
from netgraph.app.summary import RunSummary, render_summary
from netgraph.app.tables import print_table
from netgraph.errors import NetgraphError
from netgraph.rewriting import DELTA_KIND, DELTA_VERSION, apply_delta, load_delta, save_delta
from netgraph.storage import read_container

Cases = Iterator[tuple[str, bytes]]
Sort = Callable[["Place", int, random.Random], tuple[Cases, Callable[[bytes], object]]]
"""Function that makes damaged contents of a file, each with a description, and the function that reads one."""

DRAWN = 12
"""Number of readable runs per report page; a page takes long."""

SHOWN = 3
"""Largest number of printed tracebacks per sort of file."""


@dataclass
class Tally:
    """Outcome for the files of one sort.

    Attributes:
        refused: number of files that ended in a `NetgraphError`.
        valid: number of files that were used.
        faults: damage and traceback of all other files.
    """

    refused: int = 0
    valid: int = 0
    faults: list[tuple[str, str]] = field(default_factory=list)


class Place:
    """A folder with a small finished run, whose files are damaged.

    Args:
        folder: an empty folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder, folder / "data.csv"
        rng = np.random.default_rng(0)
        rows = rng.normal(size=(120, 3)).round(3)
        lines = [",".join(map(str, row)) + f",{'abc'[int(row[0] > 0) + int(row[1] > 0)]}" for row in rows]
        self.data.write_text("u,v,w,label\n" + "\n".join(lines) + "\n")
        self.request = GrowRequest(
            data=str(self.data), out=folder / "run", epochs=6, target="label",
            assignments={"plateau": "10", "window": "1", "spacing": "1", "start_by": ".3", "final_edges": "12",
                         "peak_edges": "60", "prune_start": ".5", "prune_end": "1", "score_batches": "1"},
        )  # fmt: skip
        self.console = Terminal(file=io.StringIO())
        grow(self.request, self.console)
        self.run = RunDirectory(folder / "run")
        self.reporter, self.pages = Reporter(), itertools.count()

    def report(self) -> None:
        """Read all of the run; for one run in `DRAWN` also make the report page, whose curves take long."""
        facts = RunFacts.read(self.run)
        grow_command(facts.config, "run")
        if next(self.pages) % DRAWN == 0:
            self.reporter.sections(facts)


def deltas(place: Place, number: int, rng: random.Random) -> tuple[Cases, Callable[[bytes], object]]:
    """Make damaged deltas of several rules, and a reader that applies them forwards and backwards."""
    dense, maps = ng.mlp([3, 4, 2], norm="batch"), ng.convnet([[2, 3]], classes=2, input_size=(1, 6, 6))
    rules: list[tuple[ng.Graph, ng.Rule, int]] = [
        (dense, ng.rules.SplitEdges(), 3), (dense, ng.rules.PruneEdges(), 4), (dense, ng.rules.AddSkip(), 1),
        (maps, ng.rules.WidenLayer(count=2), 1), (maps, ng.rules.InsertLayer(), 1),
        (dense, ng.rules.MergeVertices(), 1),
    ]  # fmt: skip
    results = [(graph, ng.apply(rule, graph, limit=limit)) for graph, rule, limit in rules]
    file = place.folder / "delta"

    def cases() -> Cases:
        for before, result in results:
            save_delta(result.delta, file)
            content = read_container(file, DELTA_KIND, DELTA_VERSION)
            share = -(-number // len(results))
            for words, data in damaged_containers(DELTA_KIND, DELTA_VERSION, *content, share, rng):
                now[:] = [before, result.graph]
                yield words, data

    now: list[ng.Graph] = []

    def read(data: bytes) -> None:
        file.write_bytes(data)
        delta = load_delta(file)
        apply_delta(now[0], delta)
        apply_delta(now[1], delta.inverse())

    return cases(), read


def checkpoints(place: Place, number: int, rng: random.Random) -> tuple[Cases, Callable[[bytes], object]]:
    """Make damaged checkpoints, and a reader that trains one more epoch from them."""
    prepared = prepare(place.request)
    file, cpu = place.folder / "checkpoint.safetensors", torch.device("cpu")
    content = read_container(place.run.checkpoint, CHECKPOINT_KIND, CHECKPOINT_VERSION)

    def read(data: bytes) -> None:
        file.write_bytes(data)
        state = load_checkpoint(file, prepared.settings, cpu)
        train(state, prepared.data, replace(prepared.settings, epochs=min(state.epoch, 10) + 1))

    return damaged_containers(CHECKPOINT_KIND, CHECKPOINT_VERSION, *content, number, rng), read


def _of_run(name: str, read: Callable[[Place], object]) -> Sort:
    """Make the sort for a JSON file of the run; in files of several lines the first line is damaged."""

    def sort(place: Place, number: int, rng: random.Random) -> tuple[Cases, Callable[[bytes], object]]:
        file = place.run.path / name
        whole = file.read_bytes()
        first, _, rest = (whole, b"", b"") if name.endswith(".json") else whole.partition(b"\n")

        def use(data: bytes) -> None:
            file.write_bytes(data + b"\n" + rest)
            try:
                read(place)
            finally:
                file.write_bytes(whole)

        return damages(json.loads(first), number, rng), use

    return sort


def _config(place: Place) -> None:
    place.report()
    prepare_again(place.run.whole_config)
    prepare(replace(place.request, resume=True), place.run.config)


def _summary(place: Place) -> None:
    place.report()
    values = place.run.read_summary()
    assert values is not None
    summary = RunSummary.from_json(values, place.run.path / "summary.json")
    print_table(place.console, summary.table())
    render_summary(place.run, summary)
    summary.to_json()


def _journal(place: Place) -> None:
    place.report()
    for _ in place.run.journal.replay():
        pass


def _study(place: Place) -> tuple[StudyRequest, Outcome]:
    request = StudyRequest(
        data=str(place.data), methods=("pwmpr", "erk"), model="mlp", seeds=1, budget=2, densities=(0.4, 0.7),
        epochs_per_step=1, target="label", assignments={"widths": "8,4"},
    )  # fmt: skip
    point = Point(
        method="pwmpr", seed=0, target=0.4, density=0.4, density_all=0.4, edges=20, isolated=1, test=0.5, val=0.5,
        epochs=2, costs={"training": 1e6}, cost=1.0, cost_before=0.1, flops=100, seconds=1.0, seconds_rewriting=0.1,
        memory=10**6,
    )  # fmt: skip
    steps = tuple(
        GrowthStep(density=k / 5, val=0.5 + k / 20, epochs=k, cost=k / 10, topology={"mean_path": 2.0})
        for k in range(1, 4)
    )
    points = (point, replace(point, target=0.7, density=0.7, test=0.6))
    return request, Outcome(job=Job(method="pwmpr", seed=0), points=points, trajectory=steps, failures=("none",))


def _of_study(name: str) -> Sort:
    def sort(place: Place, number: int, rng: random.Random) -> tuple[Cases, Callable[[bytes], object]]:
        request, outcome = _study(place)
        study, path = make_study(request), place.folder / name
        StudyDirectory(path, study).append(outcome)
        kept = {file: file.read_bytes() for file in path.iterdir()}

        def use(data: bytes) -> None:
            for file, content in kept.items():
                file.write_bytes(data + b"\n" if file.name == name else content)
            report = StudyReport(study, StudyDirectory(path, study).outcomes())
            report.to_markdown()
            report.to_json()
            for table in report.tables():
                print_table(place.console, table)

        return damages(json.loads(kept[path / name]), number, rng), use

    return sort


def _tuned(place: Place, number: int, rng: random.Random) -> tuple[Cases, Callable[[bytes], object]]:
    os.environ["XDG_CACHE_HOME"] = str(place.folder)
    from compilers import CostTable, lower, save_costs

    save_costs(CostTable(), "cpu")
    file, graph = costs_file("cpu"), ng.convnet([[2, 3]], classes=2, input_size=(1, 6, 6))

    def use(data: bytes) -> None:
        file.write_bytes(data)
        lower(graph, costs=tuned_costs("cpu"))

    return damages(json.loads(file.read_bytes()), number, rng), use


SORTS: dict[str, Sort] = {
    "deltas": deltas,
    "checkpoints": checkpoints,
    "config.json of runs": _of_run("config.json", _config),
    "summary.json": _of_run("summary.json", _summary),
    "metrics.jsonl": _of_run("metrics.jsonl", Place.report),
    "journal.jsonl": _of_run("journal.jsonl", _journal),
    "config.json of studies": _of_study("config.json"),
    "runs.jsonl of studies": _of_study(RUNS),
    "tuned costs": _tuned,
}
"""Sorts of damaged files, by name."""


def attack(name: str, place: Place, number: int, seed: int) -> Tally:
    """Read `number` damaged files of one sort and count the outcomes. Warnings count as faults, too."""
    tally = Tally()
    cases, read = SORTS[name](place, number, random.Random(seed))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for words, data in cases:
            try:
                read(data)
            except NetgraphError:
                tally.refused += 1
            except Exception:
                tally.faults.append((words, traceback.format_exc()))
            else:
                tally.valid += 1
    return tally


def main() -> None:
    """Read damaged files of all sorts, print the outcomes, and exit with 1 when there are faults."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--number", type=int, default=4000, help="damaged files of each sort (default 4000)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the damage (default 0)")
    parser.add_argument("--only", choices=tuple(SORTS), action="append", help="a sort; can be given many times")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    console = Console()
    table = Table("file", "damaged", "refused", "used", "tracebacks", "seconds")
    faults = 0
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder))
        for name in arguments.only or SORTS:
            began = time.perf_counter()
            tally = attack(name, place, arguments.number, arguments.seed)
            faults += len(tally.faults)
            for words, trace in tally.faults[:SHOWN]:
                console.print(f"{name}: {words[:200]}\n{trace[-3000:]}", markup=False, highlight=False)
            total = tally.refused + tally.valid + len(tally.faults)
            numbers = (total, tally.refused, tally.valid, len(tally.faults))
            table.add_row(name, *(f"{one:,}" for one in numbers), f"{time.perf_counter() - began:.1f}")
    console.print(table)
    raise SystemExit(1 if faults else 0)


if __name__ == "__main__":
    main()
