"""Table of proofs: the certificate of each variant of a rule on each kind of graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from netgraph.graph import ACTIVATIONS, NORMS, Graph, GraphBuilder, Pool
from netgraph.proof import Level
from netgraph.rewriting import Rule, Variant, apply
from netgraph.rules import RULES, variants
from netgraph.tables import Table


def dense(domain: tuple[float, float], activation: str = "relu") -> Graph:
    """Build a graph of dense layers with a skip link; some edges are missing."""
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
    """Build a graph of padded and strided convolutions with missing taps, a pool, and a layer on the whole grid."""
    b = GraphBuilder(seed=1)
    b.input("x", 2, grid=(6, 6), domain=(0, 1))
    b.layer("a", 3, grid=(6, 6), activation="relu", norm=norm)
    b.layer("b", 3, grid=(3, 3), activation="relu", norm=norm, pool=Pool("max", (2, 2), (1, 1)))
    b.output("y", 3)
    b.conv2d("x", "a", kernel=3, padding=1, density=0.8)
    b.conv2d("a", "b", kernel=3, padding=1, stride=2, density=0.8)
    b.conv2d("b", "y", kernel=2)
    return _with_statistics(b.build())


def _with_statistics(graph: Graph) -> Graph:
    """Give norms statistics and scales like those after training, so that no proof holds by accident."""
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
"""Graphs of the columns of the table, by heading."""


@dataclass(frozen=True)
class Cell:
    """Levels of one variant on one kind of graph, promised and proved; None where nothing matched.

    `failure` is the kind of error where the rule could not be applied, else ''.
    """

    promised: Level | None
    proved: Level | None
    assumptions: tuple[str, ...] = ()
    failure: str = ""

    def __str__(self) -> str:
        if self.failure:
            return self.failure
        if self.proved is None:
            return "-"
        text: str = self.proved
        if self.assumptions:
            text += " (" + ", ".join(self.assumptions) + ")"
        return text if self.proved == self.promised else f"{text}, but promised {self.promised}"


def rows() -> tuple[tuple[str, dict[str, Cell]], ...]:
    """Titles of the variants of rules, each with its proofs by kind of graph; worked out once for each set of rules."""
    return _rows((RULES.state, ACTIVATIONS.state, NORMS.state))


@cache
def _rows(known: object) -> tuple[tuple[str, dict[str, Cell]], ...]:
    return tuple((variant.title, _cells(variant, rule)) for variant, rule in variants() if variant.title)


def _cells(variant: Variant, rule: Rule) -> dict[str, Cell]:
    cells = {}
    for kind, make in GRAPHS.items():
        try:
            cells[kind] = _cell(variant, rule, make())
        except Exception as error:  # of a rule from elsewhere: one that fails hides none of the others
            cells[kind] = Cell(None, None, failure=type(error).__name__)
    return cells


def _cell(variant: Variant, rule: Rule, graph: Graph) -> Cell:
    result = apply(rule, variant.prepare(graph), limit=variant.limit, rng=0, probe=None)
    if not result.changed:
        return Cell(None, None)
    proof = result.certificate
    return Cell(rule.claim(result.matches), proof.level, proof.assumptions)


def table() -> Table:
    """Make the table: a row for each variant, a column for each kind of graph."""
    cells = [(title, *row.values()) for title, row in rows()]
    return Table.of_words("what the shipped rules are proved to do", ("rule", *GRAPHS), cells)
