"""Examples on which rules are checked, and failures of checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from netgraph.columns import Array
from netgraph.graph import Graph
from netgraph.proof import Level
from netgraph.rewriting import Matches, Result, Rule, apply, draft, find
from netgraph.statistics import Statistics
from netgraph.testing.code import describe

Claimed = Level | None


class Irrelevant(Exception):
    """Exception by which a check reports that it does not apply to an example."""


@dataclass(frozen=True, eq=False)
class Case:
    """An example of a check: a graph on which a rule has a match, a batch of inputs, and options of `apply`.

    Attributes:
        rule: the rule.
        graph: the graph.
        x: a batch within the domains, by name of the input layer.
        limit: largest number of matches to rewrite, or None for all.
        rng: seed of random initial values.
        claim: claim to check in place of the rule's own one, or None.
        tolerance: relative tolerance of outputs in place of the usual one, or None.
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
        """Bytes of all columns of the graph at the first access, to detect later changes."""
        return columns_of(self.graph)

    @cached_property
    def found(self) -> Matches:
        """All matches of the rule on the graph."""
        return find(self.rule, self.graph, self.stats)

    @cached_property
    def result(self) -> Result:
        """Result of the rule on the graph, computed once."""
        return apply(self.rule, self.graph, self.stats, limit=self.limit, rng=self.rng, probe=None)

    def again(self) -> Graph:
        """Apply the rule to the graph once more, without a proof, and return the new graph."""
        return draft(self.rule, self.graph, self.stats, limit=self.limit, rng=self.rng).graph

    @cached_property
    def claimed(self) -> Claimed:
        """Claim to check: `claim`, or the claim of the rule for the applied matches."""
        return self.claim if self.claim is not None else self.rule.claim(self.result.matches)


@dataclass(frozen=True)
class Failure:
    """The failure of a check, with the smallest example that was found.

    Attributes:
        check: name of the check.
        message: description of the failure.
        graph: the graph before the rewrite, or None when no graph could be drawn.
        result: result of the rewrite, or None when it raised an error.
        limit, rng: options with which the rule was applied.
        kind: name of the class of the error.
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
            lines.append("On the graph:\n\n" + _indented(describe(self.graph)))
            lines.append(f"Applied with limit={self.limit}, rng={self.rng}.")
        if self.result is not None:
            lines.append(f"After it:\n\n{_indented(describe(self.result.graph))}")
        return "\n".join(lines)


def columns_of(graph: Graph) -> tuple[bytes, ...]:
    """Return the bytes of all columns of a graph."""
    parts = [v.tobytes() for k in graph.links_by_key.values() for v in k.columns.values()]
    for layer in graph.layers_by_id.values():
        parts += [layer.vertex_ids.tobytes(), layer.birth.tobytes(), *(v.tobytes() for v in layer.values.values())]
    return tuple(parts)


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" if line else "" for line in text.splitlines())
