"""Seconds of whole-graph operations on a very deep and on a very wide graph.

python -m benchmarks.scale
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import netgraph as ng
from benchmarks.common import machine
from netgraph.rules import SplitEdges


def chain(layers: int) -> ng.Graph:
    """Build a chain of layers of width 1."""
    b = ng.GraphBuilder()
    previous = b.input("input", 1, domain=(0, 1))
    for k in range(1, layers - 1):
        current = b.layer(f"hidden{k}", 1)
        b.edges(previous, current, [0], [0], weight=1.0)
        previous = current
    b.output("output", 1)
    b.edges(previous, "output", [0], [0], weight=1.0)
    return b.build()


def timed(action: Callable[[], Any]) -> tuple[Any, float]:
    """Run an action; return its result and the seconds."""
    started = time.perf_counter()
    return action(), time.perf_counter() - started


def measure(make: Callable[[], ng.Graph], rule: SplitEdges, on: slice) -> list[float]:
    """Measure the seconds to build, validate, split, save and load a graph."""
    graph, build = timed(make)
    _, validate = timed(lambda: ng.Graph(graph.layers_by_id.values(), graph.links_by_key.values()))
    edges = graph.edges.id[on]
    result, split = timed(lambda: ng.apply(rule, graph, on=edges))
    assert result.certificate.kind == "exact"
    assert len(result.matches) == len(edges)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.safetensors"
        _, save = timed(lambda: ng.save(result.graph, path))
        loaded, load = timed(lambda: ng.load(path))
    assert loaded.equals(result.graph)
    return [build, validate, split, save, load]


def main() -> None:
    table = Table(title="seconds")
    for name in ("graph", "build", "validate", "split", "save", "load"):
        table.add_column(name, justify="left" if name == "graph" else "right")
    rows = [
        ("100,000 layers of width 1, one edge split in the middle",
         measure(lambda: chain(100_000), SplitEdges(), slice(50_000, 50_001))),
        ("1,000,000 edges in one layer, 10,000 split, no crossing pairs",
         measure(lambda: ng.mlp([1000, 1000], domain=(0, 1)), SplitEdges(cross="none"), slice(0, 1_000_000, 100))),
    ]  # fmt: skip
    for name, seconds in rows:
        table.add_row(name, *(f"{s:.2f}" for s in seconds))
    console = Console(width=120)
    console.print(table)
    console.print(machine())


if __name__ == "__main__":
    main()
