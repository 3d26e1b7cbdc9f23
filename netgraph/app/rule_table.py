"""What the shipped rules are proved to do, rule by rule and kind of graph by kind of graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from rich.table import Table

from netgraph.graph import Graph, GraphBuilder, Pool
from netgraph.proof import Level
from netgraph.rewriting import Rule, apply
from netgraph.rules import (
    AddEdges,
    AddSkip,
    InsertLayer,
    MergeVertices,
    PruneEdges,
    PruneVertices,
    SplitEdges,
    SplitVertices,
    WidenLayer,
)

Prepare = Callable[[Graph], Graph]


def dense(domain: tuple[float, float], activation: str = "relu") -> Graph:
    """Dense layers with a skip link, some edges missing."""
    b = GraphBuilder(seed=2)
    b.input("x", 4, domain=domain)
    b.layer("a", 5, activation=activation)
    b.layer("b", 3, activation=activation)
    b.output("y", 3)
    b.dense("x", "a", density=0.8)
    b.dense("a", "b", density=0.8)
    b.dense("b", "y")
    b.dense("x", "y", density=0.6)
    return b.build()


def convolution(norm: str) -> Graph:
    """Padded and strided convolutions, a pool and a dense layer over the whole grid; missing taps."""
    b = GraphBuilder(seed=1)
    b.input("x", 2, grid=(6, 6), domain=(0, 1))
    b.layer("a", 3, grid=(6, 6), activation="relu", norm=norm)  # type: ignore[arg-type]
    b.layer("b", 3, grid=(3, 3), activation="relu", norm=norm, pool=Pool("max", (2, 2), (1, 1)))  # type: ignore[arg-type]
    b.output("y", 3)
    b.conv2d("x", "a", kernel=3, padding=1, density=0.8)
    b.conv2d("a", "b", kernel=3, padding=1, stride=2, density=0.8)
    b.conv2d("b", "y", kernel=2)
    return _with_statistics(b.build())


def _with_statistics(graph: Graph) -> Graph:
    """Batch statistics as training leaves them, so that nothing holds by accident."""
    rng = np.random.default_rng(0)
    n = graph.num_vertices
    values = {"mean": rng.normal(size=n), "var": rng.uniform(0.5, 2, n), "scale": rng.normal(size=n)}
    present = {name for layer in graph.layers for name in layer.values}
    return graph.with_weights(vertices={name: v for name, v in values.items() if name in present})


GRAPHS: dict[str, Callable[[], Graph]] = {
    "dense": lambda: dense((0, 1)),
    "dense, signed": lambda: dense((-1, 1), "tanh"),
    "convolution": lambda: convolution("none"),
    "convolution, batch norm": lambda: convolution("batch"),
}
"""The kinds of graphs on which the table is made."""


def _as_is(graph: Graph) -> Graph:
    return graph


def _with_zeros(graph: Graph) -> Graph:
    return graph.with_weights(np.where(np.arange(len(graph.edges)) % 3, graph.edges.weight, 0.0))


def _with_dead(graph: Graph) -> Graph:
    """One vertex of each hidden layer is no longer read."""
    edges, hidden = graph.edges, [layer for layer in graph.layers if layer.role == "hidden"]
    gone = edges.id[np.isin(edges.source, [layer.vertex_ids[0] for layer in hidden])]
    return apply(PruneEdges(below=None), graph, on=gone, probe=None).graph


def _with_copies(graph: Graph) -> Graph:
    return apply(SplitVertices(), graph, probe=None).graph


def _with_thirds(graph: Graph) -> Graph:
    return apply(SplitVertices(parts=3, noise=0.5), graph, probe=None).graph


_K = np.array([[0.5, -1.0, 0.25], [1.0, 0.75, 0.0], [-0.25, 0.5, 1.0]])
_S = np.array([0.25, -0.5, 1.0])

CASES: tuple[tuple[str, Rule, Prepare], ...] = (
    ("split edges", SplitEdges(), _as_is),
    ("split edges, without crossing edges", SplitEdges(cross="none"), _as_is),
    ("split edges by GELU", SplitEdges(activation="gelu"), _as_is),
    ("split edges by SiLU", SplitEdges(activation="silu"), _as_is),
    ("split edges by softplus", SplitEdges(activation="softplus"), _as_is),
    ("split edges by leaky ReLU", SplitEdges(activation="leaky_relu"), _as_is),
    ("split edges by PReLU", SplitEdges(activation="prelu"), _as_is),
    ("split edges, crossing weights U(0, 1e-8)", SplitEdges(epsilon=1e-8), _as_is),
    ("add edges of weight 0", AddEdges(), _as_is),
    ("add edges of weight U(-0.1, 0.1)", AddEdges(spread=0.1), _as_is),
    ("add skip links", AddSkip(), _as_is),
    ("widen layers, outgoing weights 0", WidenLayer(count=2), _as_is),
    ("widen layers, given biases", WidenLayer(count=2, values={"bias": _S[:2]}), _as_is),
    ("widen layers, incoming weights 0", WidenLayer(count=2, init="incoming zero"), _as_is),
    ("widen layers by copies", WidenLayer(count=2, init="duplicate"), _as_is),
    ("split vertices in two", SplitVertices(), _as_is),
    ("split vertices in three", SplitVertices(parts=3, noise=0.5), _as_is),
    ("insert identity layers", InsertLayer(), _as_is),
    ("insert ReLU layers", InsertLayer(activation="relu"), _as_is),
    ("insert PReLU layers", InsertLayer(activation="prelu"), _as_is),
    ("insert rational layers", InsertLayer(activation="rational"), _as_is),
    ("insert layers of K and its inverse", InsertLayer(mix="orthogonal"), _as_is),
    ("insert layers of a given K, with a shift", InsertLayer(matrix=_K, shift=_S), _as_is),
    ("prune edges of weight 0", PruneEdges(), _with_zeros),
    ("prune edges", PruneEdges(below=0.2), _as_is),
    ("remove dead vertices", PruneVertices(), _with_dead),
    ("prune vertices", PruneVertices(only_dead=False), _as_is),
    ("merge halves", MergeVertices(), _with_copies),
    ("merge unequal thirds", MergeVertices(), _with_thirds),
)
"""What stands in each row: a name, the rule, and what is done to the graph before."""

LIMITS = {"prune vertices": 2}
"""Cases with so many matches only, so that something is left."""


@dataclass(frozen=True)
class Cell:
    """What is proved in one case: the level promised and the level proved, None where nothing matched."""

    promised: Level | None
    proved: Level | None
    assumptions: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.proved is None:
            return "-"
        text: str = self.proved
        if self.assumptions:
            text += " (" + ", ".join(self.assumptions) + ")"
        return text if self.proved == self.promised else f"{text}, but promised {self.promised}"


@cache
def rows() -> tuple[tuple[str, dict[str, Cell]], ...]:
    """The name of each case, and what is proved of it on every kind of graph; worked out once."""
    return tuple((name, _cells(name, rule, prepare)) for name, rule, prepare in CASES)


def _cells(name: str, rule: Rule, prepare: Prepare) -> dict[str, Cell]:
    cells = {}
    for kind, make in GRAPHS.items():
        graph = prepare(make())
        result = apply(rule, graph, limit=LIMITS.get(name), rng=0, probe=None)
        if not result.changed:
            cells[kind] = Cell(None, None)
            continue
        proof = result.certificate
        cells[kind] = Cell(rule.claim(result.matches), proof.level, proof.assumptions)
    return cells


def table() -> Table:
    """The table for a terminal."""
    result = Table(title="what the shipped rules are proved to do")
    for name in ("rule", *GRAPHS):
        result.add_column(name)
    for name, cells in rows():
        result.add_row(name, *map(str, cells.values()))
    return result


def markdown() -> str:
    """The table for the documentation."""
    lines = ["| rule | " + " | ".join(GRAPHS) + " |", "| --- " * (len(GRAPHS) + 1) + "|"]
    lines += [f"| {name} | " + " | ".join(map(str, cells.values())) + " |" for name, cells in rows()]
    return "\n".join(lines) + "\n"
