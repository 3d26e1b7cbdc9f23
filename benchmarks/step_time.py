"""Milliseconds of one training step (forward, backward, fused Adam) against a dense network of as many weights.

python -m benchmarks.step_time
"""

from __future__ import annotations

import time

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import nn

import netgraph as ng
from benchmarks.common import machine
from compilers import lower
from netgraph.rules import PruneEdges, SplitEdges

STEPS, ROUNDS = 40, 5


def ladder(sublayers: int, edges: int) -> ng.Graph:
    """A linear start of 784 inputs and 10 classes after `sublayers` expansions, with about `edges` edges."""
    graph = ng.mlp([784, 10], domain=(0, 1))
    rng = np.random.default_rng(0)
    share = (edges - graph.num_edges) // sublayers
    per_expansion = int(np.sqrt(share))
    for _ in range(sublayers):
        into = graph.edges.link == list(graph.links_by_key).index((0, 1, 0))
        chosen = rng.choice(graph.edges.id[into], size=per_expansion, replace=False)
        graph = ng.apply(SplitEdges(), graph, on=chosen, probe=None).graph
    return graph


def pruned(graph: ng.Graph, edges: int) -> ng.Graph:
    """The graph with a random choice of `edges` edges left."""
    rng = np.random.default_rng(0)
    gone = rng.choice(graph.edges.id, size=len(graph.edges) - edges, replace=False)
    return ng.apply(PruneEdges(below=None), graph, on=gone, probe=None).graph


def step_milliseconds(net: nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    """Milliseconds per step, the best of several rounds."""
    optimizer = torch.optim.Adam(net.parameters(), fused=True)
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for _ in range(STEPS):
            optimizer.zero_grad(set_to_none=True)
            nn.functional.cross_entropy(net(x), y).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        best = min(best, time.perf_counter() - started)
    return 1000 * best / STEPS


def dense(edges: int) -> nn.Sequential:
    """A dense network of about as many weights."""
    hidden = round(edges / 794)
    return nn.Sequential(nn.Linear(784, hidden), nn.ReLU(), nn.Linear(hidden, 10))


def main() -> None:
    torch.set_num_threads(1)  # as `netgraph grow` runs; steps of this size gain nothing from more
    full = ladder(8, 80_000)
    wide = ladder(4, 200_000)
    cases = [
        ("linear start", ng.mlp([784, 10], domain=(0, 1))),
        ("8 sublayers, grown", full),
        ("8 sublayers, pruned to 16,000", pruned(full, 16_000)),
        ("4 sublayers, grown", wide),
        ("4 sublayers, pruned to 40,000", pruned(wide, 40_000)),
    ]
    table = Table(title="one step: forward, backward, fused Adam, batch 128")
    for name in ("graph", "edges", "ms", "dense of as many weights, ms", "ratio"):
        table.add_column(name, justify="left" if name == "graph" else "right")
    x, y = torch.rand(128, 784), torch.randint(10, (128,))
    for name, graph in cases:
        ours = step_milliseconds(lower(graph), x, y)
        peer = step_milliseconds(dense(graph.num_edges), x, y)
        table.add_row(name, f"{graph.num_edges:,}", f"{ours:.2f}", f"{peer:.2f}", f"{ours / peer:.2f}")
    console = Console(width=120)
    console.print(table)
    console.print(machine())


if __name__ == "__main__":
    main()
