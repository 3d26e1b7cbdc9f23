"""Sets of rules that end: a search for a smallest graph from which they can be applied again and again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np
from hypothesis import strategies as st

from netgraph.checks import whole
from netgraph.errors import NetgraphError, OptionError
from netgraph.graph import Graph
from netgraph.rewriting import Rule, draft, rule_labels
from netgraph.testing.code import describe
from netgraph.testing.planting import Stats
from netgraph.testing.reduce import reduce_graph
from netgraph.testing.together.drawing import drawn_graphs, indented, plural, size_of
from netgraph.testing.together.isomorphism import isomorphic
from netgraph.testing.together.orders import SEARCH

Outcome = Literal["ends", "cycle", "growth", "undecided"]

LARGEST = 1_000
"""Number of vertices and edges above which a derivation counts as growing and is stopped."""
REDUCING = 10
"""Largest number of steps by which growth is checked while a graph is reduced."""


@dataclass(frozen=True, eq=False)
class Ending:
    """Result of `ends`; it is true when the rules ended on every drawn graph.

    Attributes:
        outcome: "ends"; "cycle" (a graph comes back); "growth" (the sizes still rise after the last step); or
            "undecided" (neither within `most` steps, such as weights that change forever).
        rules: names of the rules.
        most: largest number of steps of a derivation.
        tried: number of graphs.
        longest: largest number of steps after which the rules ended.
        graph: a smallest graph, reduced, from which they did not end, or None.
        steps: names of the rules applied from this graph on, in their order.
        sizes: vertices and edges of this graph and of the graph after each step.
        start: number of the step after which the graph is the same as after the last one, for a cycle.
    """

    outcome: Outcome
    rules: tuple[str, ...]
    most: int
    tried: int
    longest: int = 0
    graph: Graph | None = None
    steps: tuple[str, ...] = ()
    sizes: tuple[tuple[int, int], ...] = ()
    start: int | None = None

    def __bool__(self) -> bool:
        return self.outcome == "ends"

    @property
    def cycle(self) -> tuple[str, ...]:
        """Names of the rules that lead from a graph back to it, or () without a cycle."""
        return () if self.start is None else self.steps[self.start :]

    def __str__(self) -> str:
        names = ", ".join(self.rules)
        if self.graph is None:
            return (
                f"{names} ended on all {plural(self.tried, 'graph')}, after at most {plural(self.longest, 'step')}. "
                f"{SEARCH}"
            )
        how = {
            "cycle": f"the graph comes back by {', then '.join(self.cycle)}",
            "growth": f"it still grows after {plural(len(self.steps), 'step')}",
            "undecided": f"after {plural(len(self.steps), 'step')} no graph came back, and the sizes do not rise",
        }[self.outcome]
        sizes = " -> ".join(f"{v}/{e}" for v, e in self.sizes[:12]) + (" ..." if len(self.sizes) > 12 else "")
        lines = [f"{names}: no end was found ({how}) on the graph", "", indented(describe(self.graph))]
        lines += [f"Steps: {_shortened(self.steps)}", f"Vertices/edges: {sizes}"]
        if self.start:
            lines.append(f"The cycle begins after {plural(self.start, 'step')}.")
        if self.outcome == "undecided":
            lines.append("A larger `most` looks further.")
        return "\n".join(lines)


def ends(
    *rules: Rule,
    graphs: st.SearchStrategy[Graph] | None = None,
    stats: Stats | None = None,
    most: int = 30,
    limit: int | None = None,
    max_examples: int = 50,
    seed: int = 0,
) -> Ending:
    """Search for a smallest graph from which a set of rules can be applied again and again without an end.

    From every drawn graph the rules are applied in turn, each to all of its matches, until none of them changes
    anything, a graph comes back (equal up to ids and the order of rows, bit for bit in its values), or `most` steps are
    done. Other orders are not tried. A rule that is refused changes nothing.

    Args:
        rules: the rules, in the order of their turns.
        graphs, stats, max_examples, seed: as for `interference`.
        most: largest number of steps of a derivation.
        limit: largest number of matches that a step rewrites, or None for all.

    Returns:
        An `Ending`, with the graph, the steps and the sizes when an end was not found. Growth and "undecided" mean that
        no end was found within `most` steps; a cycle goes on forever.

    Raises:
        OptionError: no rule is given.
        NoMatchError: none of the rules has a match on any drawn graph.

    Example:
        >>> import netgraph as ng
        >>> found = ends(ng.rules.AddEdges(), ng.rules.PruneEdges(), max_examples=10)
        >>> found.outcome, found.cycle, found.graph.num_edges
        ('cycle', ('AddEdges', 'PruneEdges'), 1)
    """
    if not rules:
        raise OptionError("ends() needs at least one rule, such as ends(PruneEdges(), PruneVertices()).")
    whole("most", most, least=1)
    whole("max_examples", max_examples, least=1)
    names = tuple(rule_labels(*rules))
    run = _Sequence(rules, stats, limit)
    tried = longest = 0
    open_: Graph | None = None
    for batch in drawn_graphs(rules, graphs, stats, max_examples, seed):
        for graph in batch:
            tried += 1
            outcome = run(graph, most)
            if outcome.outcome in ("cycle", "growth"):
                return run.found(graph, most, outcome.outcome, tried, longest, graphs is None)
            if outcome.outcome == "ends":
                longest = max(longest, len(outcome.steps))
            elif open_ is None:
                open_ = graph
    if open_ is not None:
        return run.found(open_, most, "undecided", tried, longest, graphs is None)
    return Ending("ends", names, most, tried, longest)


class _Sequence:
    """Derivations by a set of rules in turn."""

    def __init__(self, rules: Sequence[Rule], stats: Stats | None, limit: int | None) -> None:
        self.rules, self.stats, self.limit = rules, stats, limit
        self.names = tuple(rule_labels(*rules))

    def __call__(self, graph: Graph, most: int) -> Ending:
        """Apply the rules in turn, and describe how that goes on."""
        seen, steps = [graph], list[str]()
        known = {_traits(graph): [0]}
        idle = turn = 0
        outcome: Outcome = "ends"
        start = None
        while idle < len(self.rules):
            at = turn % len(self.rules)
            turn += 1
            new = self._step(self.rules[at], seen[-1])
            if new is None:
                idle += 1
                continue
            idle = 0
            seen.append(new)
            steps.append(self.names[at])
            alike = known.setdefault(_traits(new), [])
            start = next((k for k in alike if isomorphic(seen[k], new, tolerance=0.0)), None)
            alike.append(len(seen) - 1)
            if start is not None:
                outcome = "cycle"
                break
            if sum(size_of(new)) > LARGEST or len(steps) >= most:
                outcome = self._unfinished(seen)
                break
        sizes = tuple(map(size_of, seen))
        return Ending(outcome, self.names, most, 1, len(steps), graph, tuple(steps), sizes, start)

    def _step(self, rule: Rule, graph: Graph) -> Graph | None:
        """The graph after a rule, or None when it changes nothing or is refused."""
        try:
            done = draft(rule, graph, None if self.stats is None else self.stats(graph), limit=self.limit)
        except NetgraphError:
            return None
        return done.graph if done.changed else None

    def _unfinished(self, seen: Sequence[Graph]) -> Outcome:
        """Growth where the sizes at the ends of the last rounds rise, or the derivation has become too large."""
        sizes = [sum(size_of(graph)) for graph in seen]
        if sizes[-1] > LARGEST:
            return "growth"
        rounds = sizes[:: -len(self.rules)][::-1]
        late = rounds[len(rounds) // 2 :] if len(rounds) > 2 else rounds
        rising = len(late) > 1 and all(b >= a for a, b in pairwise(late)) and late[-1] > late[0]
        return "growth" if rising else "undecided"

    def found(self, graph: Graph, most: int, outcome: Outcome, tried: int, longest: int, operations: bool) -> Ending:
        """Reduce a graph without an end, and describe its derivation."""
        steps = most if outcome == "cycle" else min(most, REDUCING)

        def keeps(smaller: Graph) -> bool:
            try:
                return self(smaller, steps).outcome == outcome
            except (NetgraphError, ValueError):
                return False

        small = reduce_graph(self.rules[0], graph, keeps, operations=operations)
        last = self(small, most)
        if last.outcome != outcome:  # fewer steps looked the same
            small, last = graph, self(graph, most)
        return replace(last, tried=tried, longest=longest)


def _traits(graph: Graph) -> tuple[object, ...]:
    """Sizes and sorted values of a graph, which are equal for equal graphs whatever the order of their rows."""
    columns = [np.sort(graph.vertices.column(name)) for layer in graph.layers_by_id.values() for name in layer.values]
    values = [np.sort(graph.edges.weight.astype(np.float64)), *columns]
    return *size_of(graph), b"".join(sorted((v + 0.0).tobytes() for v in values))


def _shortened(steps: Sequence[str]) -> str:
    return ", ".join(steps[:8]) + (f", ... ({len(steps)} steps)" if len(steps) > 8 else "")
