"""A rule that undoes another: a search for a smallest graph on which it does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from hypothesis import strategies as st

from netgraph.checks import choice
from netgraph.errors import NetgraphError
from netgraph.graph import Graph
from netgraph.rewriting import Delta, Draft, Matches, Pattern, Rewriter, Rule, draft, rule_labels, touched
from netgraph.testing.code import describe
from netgraph.testing.planting import NoMatchError, Stats
from netgraph.testing.reduce import reduce_graph
from netgraph.testing.together.differing import (
    SHOWN,
    Differing,
    FunctionComparison,
    compare_functions,
    differing,
    measured_difference,
)
from netgraph.testing.together.drawing import Compare, check_options, drawn_graphs, indented, plural
from netgraph.testing.together.isomorphism import isomorphic
from netgraph.testing.together.orders import SEARCH

Matched = Literal["touched", "all"]
"""Matches of the undoing rule: the ones that bind a part which the first rule touched, or all."""


@dataclass(frozen=True)
class OnTouched(Rule):
    """A rule on those of its matches that bind a part which an earlier rewrite added or changed, see `touched`.

    Attributes:
        rule: the rule.
        delta: delta of the earlier rewrite, which ends at the graph.
    """

    rule: Rule
    delta: Delta

    pattern: ClassVar[Pattern]

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("pattern", "exclusive", "needs"):
            object.__setattr__(self, name, getattr(self.rule, name))

    @property
    def name(self) -> str:
        """Name of the rule."""
        return self.rule.name

    def where(self, m: Matches, stats: Any) -> Any:
        """Conditions of the rule, and that a match binds a touched part."""
        own = self.rule.where(m, stats)
        named = own if isinstance(own, Mapping) else {"where": own}
        return {**named, "binds a part that was touched": touched(m, self.delta)}

    def rewrite(self, m: Matches, rw: Rewriter) -> None:
        """Rewrite the matches as the rule does."""
        self.rule.rewrite(m, rw)


@dataclass(frozen=True, eq=False)
class Inversion:
    """Result of `inverse_of`; it is true when the second rule undid the first one on every drawn graph.

    Attributes:
        rules: names of the rule and of the one that undoes it.
        compare: comparison of the last graph with the first one, "graph" or "function".
        tried: number of graphs that the first rule changed.
        graph: a smallest graph, reduced, on which the rule is not undone, or None.
        steps: drafts of both rules on this graph, the second one missing when it was refused.
        refused: message of the error of the second rule there, or None.
        differences: the parts in which the first and the last graph differ, by name.
        function: comparison of their functions, or None.
    """

    rules: tuple[str, ...]
    compare: Compare
    tried: int
    graph: Graph | None = None
    steps: tuple[Draft, ...] = ()
    refused: str | None = None
    differences: tuple[Differing, ...] = ()
    function: FunctionComparison | None = None

    def __bool__(self) -> bool:
        return self.graph is None

    @property
    def last(self) -> Graph | None:
        """The graph after both rules, or None."""
        return self.steps[1].graph if len(self.steps) == 2 else None

    def __str__(self) -> str:
        a, b = self.rules
        what = "the graph" if self.compare == "graph" else "the function"
        if self.graph is None:
            return f"{b} gave back {what} before {a} on all {plural(self.tried, 'graph')}. {SEARCH}"
        lines = [f"{b} does not give back {what} before {a} on the graph", "", indented(describe(self.graph))]
        if self.refused is not None:
            return "\n".join([*lines, f"{b} is refused: {self.refused}"])
        done = self.steps[1].count
        lines.append(f"{a} rewrites {plural(self.steps[0].count, 'match', 'matches')}, {b} then {done}.")
        if self.differences:
            lines.append(f"Parts, before | after {a}, then {b}:")
            lines += [f"    {part}" for part in self.differences[:SHOWN]]
            lines += [f"    and {len(self.differences) - SHOWN:,} more"] if len(self.differences) > SHOWN else []
        lines += [f"Functions: {self.function}."] if self.function is not None else []
        return "\n".join(lines)


def inverse_of(
    a: Rule,
    b: Rule,
    *,
    graphs: st.SearchStrategy[Graph] | None = None,
    stats: Stats | None = None,
    compare: Compare = "graph",
    on: Matched = "touched",
    max_examples: int = 100,
    seed: int = 0,
) -> Inversion:
    """Search for a smallest graph on which B does not undo A: A is applied to all of its matches, and then B.

    Args:
        a: the rule that is to be undone.
        b: the rule that is to undo it.
        graphs, stats, max_examples, seed: as for `interference`.
        compare: "graph", for a graph that is the old one up to ids and the order of rows, see `isomorphic`; or
            "function", for one whose outputs are those of the old one, as measured.
        on: matches of B that are rewritten: "touched" for those that bind a part which A added or changed, or a missing
            edge or link in the place of one that A removed; "all" for all.

    Returns:
        An `Inversion`: true when there is no such graph, else with the graph, the two steps and the differences.

    Raises:
        NoMatchError: A changes no drawn graph.

    Example:
        >>> import netgraph as ng
        >>> bool(inverse_of(ng.rules.PruneEdges(), ng.rules.AddEdges(), compare="function", max_examples=10))
        True
    """
    check_options(compare, max_examples)
    choice("on", on, ("touched", "all"))
    look = _Undoing(a, b, stats, on)
    tried, names = 0, tuple(rule_labels(a, b))
    for batch in drawn_graphs((a,), graphs, stats, max_examples, seed):
        for graph in batch:
            fails = look.fails(graph, compare)
            tried += fails is not None
            if fails:
                small = reduce_graph(a, graph, lambda g: bool(look.fails(g, compare)), operations=graphs is None)
                return look.found(small, Inversion(names, compare, tried))
    if not tried:
        raise NoMatchError(f"{a.name} changes no drawn graph, so there is nothing to undo; give a strategy of graphs.")
    return Inversion(names, compare, tried)


class _Undoing:
    """A rule and then the one that undoes it, on a graph."""

    def __init__(self, a: Rule, b: Rule, stats: Stats | None, on: Matched) -> None:
        self.a, self.b, self.stats, self.on = a, b, stats, on

    def steps(self, graph: Graph) -> tuple[Draft, Draft | str]:
        """Drafts of both rules, or the message of the error of the second one."""
        first = draft(self.a, graph, None if self.stats is None else self.stats(graph))
        rule = OnTouched(self.b, first.delta) if self.on == "touched" else self.b
        try:
            return first, draft(rule, first.graph, None if self.stats is None else self.stats(first.graph))
        except NetgraphError as error:
            return first, str(error)

    def fails(self, graph: Graph, compare: Compare) -> bool | None:
        """Whether the old graph is not given back; None when the first rule changes nothing or is refused."""
        try:
            first, second = self.steps(graph)
        except (NetgraphError, ValueError):
            return None
        if not first.changed:
            return None
        if isinstance(second, str):
            return True
        if isomorphic(graph, second.graph):
            return False
        return compare == "graph" or measured_difference(graph, second.graph) is not None

    def found(self, small: Graph, bare: Inversion) -> Inversion:
        """Describe a graph that is not given back."""
        first, second = self.steps(small)
        if isinstance(second, str):
            return replace(bare, graph=small, steps=(first,), refused=second)
        parts, function = differing(small, second.graph), compare_functions(small, second.graph)
        return replace(bare, graph=small, steps=(first, second), differences=parts, function=function)
