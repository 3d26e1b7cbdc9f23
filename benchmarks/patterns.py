"""Seconds of patterns of several edges, and of pairs of vertices that are alike, beside other ways to find the same.

python -m benchmarks.patterns

Paths are searched in layered graphs of a million edges, a dense and a sparse one; the peer is NetworkX, which walks its
successors from edge to edge, on a network that it has built before. Pairs are those of 10,000 vertices with 785 weights
each; the peers are the radius neighbours of scikit-learn, and one product of all weights of NumPy.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

import networkx as nx
import numpy as np
import torch
from sklearn.neighbors import NearestNeighbors

import netgraph as ng
from benchmarks.common import Column, Report, arguments_of
from netgraph.columns import Array
from netgraph.errors import RewriteError

COLUMNS = (
    Column("pattern", "pattern"),
    Column("way", "way"),
    Column("found", "found", ","),
    Column("s", "seconds", ".2f"),
    Column("ratio", "ratio", ".2f"),
)

FIRST = 100_000
"""Number of paths that are asked for."""

AT_LEAST = 0.99
"""Smallest cosine of pairs."""


def twins(size: int = 10_000, inputs: int = 784, copies: int = 50) -> ng.Graph:
    """Graph of one hidden layer, of whose vertices some are copies of others with a little noise."""
    graph = ng.mlp([inputs, size, 1], seed=0)
    rng = np.random.default_rng(0)
    weight = graph.edges.weight.copy()
    rows = np.flatnonzero(graph.edges.target_row < inputs + size).reshape(size, inputs)
    chosen = rng.choice(size, (2, copies), replace=False)
    noise = rng.normal(0, 0.001, (copies, inputs))
    weight[rows[chosen[0]]] = weight[rows[chosen[1]]] + noise.astype(weight.dtype)
    return graph.with_weights(weight)


def walked(network: nx.DiGraph) -> Iterator[tuple[int, int, int, int]]:
    """Yield the paths of three edges, edge by edge."""
    for a, b in network.edges:
        for c in network.successors(b):
            for d in network.successors(c):
                yield a, b, c, d


def network_of(graph: ng.Graph) -> nx.DiGraph:
    """The vertices and edges of a graph, in NetworkX."""
    return nx.DiGraph(zip(graph.edges.source_row.tolist(), graph.edges.target_row.tolist(), strict=True))


def paths(rounds: int) -> list[dict[str, Any]]:
    """Measure the first paths of three edges and their number in a dense graph, and all of two in a sparse one."""
    dense = ng.mlp([10, *[500] * 5, 10], seed=0)
    network, three = network_of(dense), ng.path("a", "b", "c", "d")

    def count() -> int:
        try:
            return len(three.match(dense)[0])
        except RewriteError as error:
            return int(str(error).split(" has ")[1].split(" matches")[0].replace(",", ""))

    first = {
        "path(...).first": lambda: len(three.first(FIRST).match(dense)[0]),
        "NetworkX, walked": lambda: sum(1 for _ in islice(walked(network), FIRST)),
    }
    edges = f"{dense.num_edges:,} edges"
    records = _measured(f"the first {FIRST:,} paths of 3 of {edges}", first, rounds)
    records += _measured(f"paths of 3 of {edges}, counted and refused", {"path(...)": count}, rounds)
    sparse = ng.mlp([20_000] * 5, density=12 / 20_000, seed=0)
    wide, two = network_of(sparse), ng.path("a", "b", "c")
    whole = {
        "path(...)": lambda: len(two.match(sparse)[0]),
        "NetworkX, walked": lambda: sum(1 for a, b in wide.edges for c in wide.successors(b)),
    }
    return records + _measured(f"all paths of 2 of {sparse.num_edges:,} edges", whole, rounds)


def pairs(rounds: int) -> list[dict[str, Any]]:
    """Measure the pairs of vertices of one layer whose weights have a cosine above the threshold."""
    graph = twins()
    hidden, edges = graph.layer("hidden1"), graph.edges
    inside = graph.vertices.layer[edges.target_row] == hidden.id
    weights = edges.weight[inside].reshape(len(hidden.vertex_ids), -1).astype(np.float64)
    weights = np.c_[weights, hidden.values["bias"]]
    vertex = ng.vertex("a", role="hidden"), ng.vertex("b", role="hidden")
    pattern = ng.pair(*vertex, alike=ng.cosine("incoming", at_least=AT_LEAST))

    def neighbours() -> int:
        near = NearestNeighbors(radius=1 - AT_LEAST, metric="cosine", algorithm="brute").fit(weights)
        return int(near.radius_neighbors_graph(mode="connectivity").nnz) // 2

    def product() -> int:
        unit = weights / np.linalg.norm(weights, axis=1, keepdims=True)
        near: Array = unit @ unit.T >= AT_LEAST
        return (int(near.sum()) - len(unit)) // 2

    ways = {
        "pair(..., alike=cosine)": lambda: len(pattern.match(graph)[0]),
        "scikit-learn, radius neighbours": neighbours,
        "NumPy, one product in float64": product,
    }
    return _measured(
        f"pairs of cosine {AT_LEAST} among {len(weights):,} vertices of {weights.shape[1]} weights", ways, rounds
    )


def _measured(pattern: str, ways: dict[str, Callable[[], int]], rounds: int) -> list[dict[str, Any]]:
    """Measure the fastest of some rounds of each way, in turns, and check that all find as many."""
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    found: dict[str, int] = {}
    for _ in range(rounds):
        for way, action in ways.items():
            started = time.perf_counter()
            found[way] = action()
            seconds[way].append(time.perf_counter() - started)
    if len(set(found.values())) > 1:
        raise AssertionError(f"{pattern}: found {found}, expected equal numbers.")
    ours = next(iter(ways))
    return [
        {
            "pattern": pattern,
            "way": way,
            "found": found[way],
            "seconds": min(seconds[way]),
            "ratio": None if way == ours else min(seconds[ours]) / min(seconds[way]),
        }
        for way in ways
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    options = arguments_of("patterns", __doc__, rounds=3).parse_args(arguments)
    torch.set_num_threads(options.threads)
    report = Report("patterns")
    report.add(
        "Patterns of several edges; the ratio is our time to that of the other way", COLUMNS, paths(options.rounds)
    )
    report.add("Pairs that are alike", COLUMNS, pairs(options.rounds))
    report.finish(options.json)


if __name__ == "__main__":
    main()
