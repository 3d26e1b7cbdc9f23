"""One example that the checks of a rule look at, and a failure there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from netgraph.columns import Array
from netgraph.graph import Graph
from netgraph.proof import Level
from netgraph.rewriting import Matches, Result, Rule, apply, find
from netgraph.statistics import Statistics
from netgraph.testing.code import described

Claimed = Level | None


class Irrelevant(Exception):
    """A check has nothing to say about an example."""


@dataclass(frozen=True, eq=False)
class Case:
    """A graph on which a rule has a match, a batch of inputs, and how the rule is to be applied.

    Attributes:
        rule: the rule.
        graph: the graph.
        x: a batch within the domains, by the name of the input layer.
        limit: largest number of matches to rewrite, or None.
        rng: seed of random initial values.
        claim: what is claimed of the rule instead of what it claims itself.
        tolerance: relative difference that passes as none, instead of the usual one.
        stats: statistics of the graph, or None.
    """

    rule: Rule
    graph: Graph
    x: Mapping[str, Array]
    limit: int | None = None
    rng: int = 0
    claim: Claimed = None
    tolerance: float | None = None
    stats: Statistics | None = None

    @cached_property
    def snapshot(self) -> tuple[bytes, ...]:
        """The bytes of all columns of the graph, before anything was done with it."""
        return columns_of(self.graph)

    @cached_property
    def found(self) -> Matches:
        """All matches."""
        return find(self.rule, self.graph, self.stats)

    @cached_property
    def result(self) -> Result:
        """The rule applied to the graph."""
        return apply(self.rule, self.graph, self.stats, limit=self.limit, rng=self.rng, probe=None)

    def again(self) -> Graph:
        """The graph that the rule gives when it is applied once more."""
        return apply(self.rule, self.graph, self.stats, limit=self.limit, rng=self.rng, prove=False).graph

    @cached_property
    def claimed(self) -> Claimed:
        """What is claimed of this rewrite."""
        return self.claim if self.claim is not None else self.rule.claim(self.result.matches)


@dataclass(frozen=True)
class Failure:
    """A check that failed, with the smallest example found.

    Attributes:
        check: name of the check.
        message: what is wrong.
        graph: the graph before the rewrite; None when none could be drawn.
        result: of the rewrite; None when it raised.
        limit, rng: how the rule was applied.
        kind: class of the error.
    """

    check: str
    message: str
    graph: Graph | None = None
    result: Result | None = None
    limit: int | None = None
    rng: int = 0
    kind: str = "AssertionError"

    def __str__(self) -> str:
        lines = [f"{self.check}: {self.message}"]
        if self.graph is not None:
            lines.append("On the graph:\n\n" + _indented(described(self.graph)))
            lines.append(f"Applied with limit={self.limit}, rng={self.rng}.")
        if self.result is not None:
            lines.append(f"After it:\n\n{_indented(described(self.result.graph))}")
        return "\n".join(lines)


def columns_of(graph: Graph) -> tuple[bytes, ...]:
    """The bytes of every column of a graph."""
    parts = [v.tobytes() for k in graph.links_by_key.values() for v in k.columns.values()]
    for layer in graph.layers_by_id.values():
        parts += [layer.vertex_ids.tobytes(), layer.birth.tobytes(), *(v.tobytes() for v in layer.values.values())]
    return tuple(parts)


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" if line else "" for line in text.splitlines())
