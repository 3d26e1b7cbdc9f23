"""Small journals for tests of timelines, each rewrite with trained weights before it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from netgraph.graph import Graph, mlp, thinned
from netgraph.rewriting import Journal, Rule, apply
from netgraph.rules import AddEdges, PruneEdges, PruneVertices, SplitEdges


def trained(graph: Graph, seed: int) -> Graph:
    """The same topology with other weights."""
    return graph.with_weights(np.random.default_rng(seed).normal(0, 0.5, len(graph.edges)))


def record(directory: Path, graph: Graph, plan: Iterable[tuple[Rule, int | None]]) -> Journal:
    """Apply rules one after the other, two in each epoch."""
    journal = Journal.create(directory, graph)
    for k, (rule, limit) in enumerate(plan):
        before = trained(graph, k)
        result = apply(rule, before, limit=limit, rng=np.random.default_rng(k))
        if result.changed:
            journal.append(result, before=before, epoch=k // 2, metrics={"val_accuracy": 0.5 + k / 100, "edges": 1.0})
            graph = result.graph
    return journal


def ladder(directory: Path) -> Journal:
    """Splits, prunings and splits again: 16 inputs, 3 outputs."""
    prune = [(PruneEdges(below=0.15), None), (PruneVertices(only_dead=False), 2)]
    return record(
        directory, mlp([16, 3], domain=(0, 1)), [(SplitEdges(), 4), (SplitEdges(), 4), *prune, (SplitEdges(), 3)]
    )


def long_run(directory: Path) -> Journal:
    """30 rewrites in 15 epochs: edges are put in one at a time."""
    sparse = thinned(mlp([8, 8]), np.arange(64) % 3 == 0)
    return record(directory, sparse, [(AddEdges(), 1)] * 30)
