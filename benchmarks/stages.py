"""Seconds of each stage of a transformer graph: built, saved, loaded, lowered, trained, lifted, drawn, rewritten.

python -m benchmarks.stages

The graphs are a vision transformer for CIFAR and a causal language model of characters, of about ten million edges.
The rewrite widens the MLP of the first block by 16 vertices; its journal is replayed forwards and undone backwards, and
the network and the state of Adam are carried across it.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

import netgraph as ng
from benchmarks.common import Column, Report, arguments_of, training_step
from compilers import lift, lower, migrate
from netgraph.rewriting import Result

COLUMNS = (
    Column("graph", "graph"),
    Column("edges", "edges", ","),
    Column("stage", "stage"),
    Column("s", "seconds", ".2f"),
)

WIDENED = 16
"""Number of vertices that the rewrite adds."""


class Model(NamedTuple):
    """A graph to build, and one batch of its inputs and targets."""

    name: str
    build: Callable[[], ng.Graph]
    batch: Callable[[], tuple[Tensor, Tensor]]
    widened: str


MODELS = (
    Model("vit", ng.vit, lambda: (torch.rand(32, 3, 32, 32), torch.randint(10, (32,))), "block1.mlp"),
    Model(
        "gpt",
        lambda: ng.gpt(96, tokens=128),
        lambda: (torch.randint(96, (8, 128)), torch.randint(96, (8, 128))),
        "block1.mlp",
    ),
)


def measure(model: Model) -> list[dict[str, Any]]:
    """Go through all stages of one model and return one record for each."""
    x, y = model.batch()
    records: list[dict[str, Any]] = []

    def timed(stage: str, action: Callable[[], Any]) -> Any:
        started = time.perf_counter()
        result = action()
        records.append({"graph": model.name, "stage": stage, "seconds": time.perf_counter() - started})
        return result

    graph: ng.Graph = timed("build", model.build)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.safetensors"
        timed("save", lambda: ng.save(graph, path))
        assert timed("load", lambda: ng.load(path)).same_topology(graph)
        net = timed("lower", lambda: lower(graph))
        optimizer = torch.optim.Adam(net.parameters(), lr=1e-6, fused=True)
        step = training_step(net, x, y, optimizer)
        timed("first step, Adam", step)
        timed("second step", step)
        lifted = timed("lift", lambda: lift(net))
        timed("draw", lambda: ng.viz.draw(lifted).svg)
        rule = ng.rules.WidenLayer(count=WIDENED)
        result: Result = timed("rewrite and proof", lambda: ng.apply(rule, lifted, on=model.widened, require="bounded"))
        timed("migrate", lambda: migrate(net, optimizer, result))
        _journal(timed, Path(folder) / "journal", lifted, result)
    return [{**record, "edges": graph.num_edges} for record in records]


def _journal(timed: Callable[[str, Callable[[], Any]], Any], path: Path, before: ng.Graph, result: Result) -> None:
    """Write a journal of one rewrite, replay it and undo it; the graphs are the same as those in memory."""
    journal = timed("create a journal", lambda: ng.Journal.create(path, before))
    timed("append to it", lambda: journal.append(result, before=before))
    ((_entry, last),) = timed("replay", lambda: list(journal.replay()))
    assert last.same_topology(result.graph)
    ((_entry, first),) = timed("replay backwards", lambda: list(journal.replay_backwards(last)))
    assert first.same_topology(before)
    assert timed("undo", journal.undo).equals(before)


def main(arguments: Sequence[str] | None = None) -> None:
    options = arguments_of("stages", __doc__).parse_args(arguments)
    torch.set_num_threads(options.threads)
    report = Report("stages")
    report.add("Life of a transformer graph", COLUMNS, [record for model in MODELS for record in measure(model)])
    report.finish(options.json)


if __name__ == "__main__":
    main()
