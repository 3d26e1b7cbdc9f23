"""Derivations: the outcome of a driver, several rewrites as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np

from netgraph.columns import FrozenDict
from netgraph.graph import Graph
from netgraph.proof import Certificate, Level
from netgraph.rewriting.commit import apply_delta
from netgraph.rewriting.delta import Delta
from netgraph.rewriting.drivers.driver import Driver
from netgraph.rewriting.outcomes import Draft, Rewrite
from netgraph.rewriting.search import Explanation


@dataclass(frozen=True, eq=False, repr=False)
class Derivation(Rewrite):
    """Several rewrites as one, made by a driver.

    Attributes:
        graph: the last graph, or the first graph itself (the same object) when the steps together changed nothing. It
            counts as one rewrite: everything new has the birth `first.rewrites + 1`.
        delta: the changes of all steps together, from the first graph to the last.
        certificate: proved statement on the first graph against the last; from `draft` "unknown".
        steps: drafts of the steps that changed the graph, in order; each begins at the graph of the one before it.
        reason: why no further step followed.
        explanation: number of matches after each condition, for every step that was tried.
        rule: the driver.
        first: the first graph.
    """

    graph: Graph
    delta: Delta
    certificate: Certificate
    steps: tuple[Draft, ...]
    reason: str
    explanation: Explanation
    rule: Driver
    first: Graph

    @classmethod
    def of(
        cls, driver: Driver, first: Graph, drafts: Sequence[Draft], reason: str, explanation: Explanation
    ) -> Derivation:
        """Join drafts, of which each begins at the graph of the one before it."""
        last, delta = as_one(first, [draft.delta for draft in drafts])
        unknown = Certificate("unknown", "no proof was asked for")
        made = cls(last, delta, unknown, tuple(drafts), reason, explanation, driver, first)
        return replace(made, certificate=made.unproved())

    @property
    def before(self) -> Graph:
        """The first graph."""
        return self.first

    @property
    def count(self) -> int:
        """Number of matches that were rewritten, over all steps."""
        return sum(step.count for step in self.steps)

    @property
    def parameters(self) -> FrozenDict[str, Any]:
        """Parameters of the driver, with the rewrites that it carried out and the reason why it stopped."""
        groups = [(name, list(steps)) for name, steps in groupby(self.steps, key=lambda step: step.rule.name)]
        rewrites = tuple(
            f"{name}{f' x {len(steps):,}' if len(steps) > 1 else ''}: {sum(s.count for s in steps):,} matches"
            for name, steps in groups
        )
        return FrozenDict({**self.rule.parameters, "rewrites": rewrites, "reason": self.reason})

    def prove(self, require: Level | float | None = None, probe: Any = "auto") -> Derivation:
        """Prove a statement on the first graph against the last, and measure the change. Arguments as for `apply`.

        Raises:
            RewriteError: when the certificate is weaker than `require`.
        """
        return replace(self, certificate=self.proof(require, probe))

    def __repr__(self) -> str:
        n = len(self.steps)
        return (
            f"Derivation({self.rule.name}: {n:,} {'step' if n == 1 else 'steps'}, {self.count:,} matches; "
            f"{self.delta.summary()}; {self.reason})"
        )


def as_one(first: Graph, deltas: Sequence[Delta]) -> tuple[Graph, Delta]:
    """Make one rewrite of successive ones; return its graph and delta, or the first graph when nothing changed.

    It counts as one rewrite of the history: everything that it makes has the birth `first.rewrites + 1`. Topology, ids
    and values are those after the last delta.
    """
    if not deltas:
        return first, Delta.nothing(first)
    delta = composed(deltas)
    if delta.is_empty:  # later steps have taken back the earlier ones
        return first, Delta.nothing(first)
    if len(deltas) == 1 and delta.graphs is not None:
        return delta.graphs[1], delta
    number = first.rewrites + 1
    vertices, edges = delta.vertices_added, delta.edges_added
    return apply_delta(
        first,
        replace(
            delta,
            after=delta.after._replace(rewrites=number, lineage=""),
            vertices_added=replace(vertices, birth=np.minimum(vertices.birth, number)),
            edges_added=replace(edges, birth=np.minimum(edges.birth, number)),
        ),
    )


def composed(deltas: Sequence[Delta]) -> Delta:
    """Compose successive deltas to one, in pairs, so that n deltas of equal size cost O(n log n)."""
    parts = list(deltas)
    while len(parts) > 1:
        pairs = [a.then(b) for a, b in zip(parts[::2], parts[1::2], strict=False)]
        parts = pairs + parts[len(parts) - len(parts) % 2 :]
    return parts[0]
