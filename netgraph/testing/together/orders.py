"""Two rules in both orders: a search for a smallest graph on which the order matters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from netgraph.errors import NetgraphError, OptionError
from netgraph.graph import Graph
from netgraph.proof import aligned
from netgraph.rewriting import Conflicts, Draft, Rule, conflicts, draft, rule_labels
from netgraph.testing.code import describe
from netgraph.testing.planting import Stats
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

SEARCH = "This is a search, not a proof."


@dataclass(frozen=True, eq=False)
class Order:
    """Two rules applied one after the other, each to all of its matches.

    Attributes:
        rules: names of the rules in their order.
        steps: drafts of the rewrites, the second one missing when it was refused.
        refused: message of the error of the rule after the steps, or None.
    """

    rules: tuple[str, ...]
    steps: tuple[Draft, ...]
    refused: str | None = None

    @property
    def graph(self) -> Graph | None:
        """The graph after both rules, or None when one was refused."""
        return self.steps[-1].graph if self.refused is None else None

    def __str__(self) -> str:
        return f"{self.rules[0]}, then {self.rules[1]}"


def in_order(rules: Sequence[Rule], graph: Graph, stats: Stats | None, rng: int = 0) -> Order:
    """Apply two rules one after the other, each to all of its matches, with the same seed."""
    steps: list[Draft] = []
    names = tuple(rule_labels(*rules))
    for rule in rules:
        try:
            steps.append(draft(rule, graph, None if stats is None else stats(graph), rng=rng))
        except NetgraphError as error:
            return Order(names, tuple(steps), str(error))
        graph = steps[-1].graph
    return Order(names, tuple(steps))


@dataclass(frozen=True, eq=False)
class Interference:
    """Result of `interference`; it is true when a graph was found on which the order of the rules matters.

    Attributes:
        rules: names of the two rules, A and B.
        compare: comparison by which the orders were to differ, "graph" or "function".
        tried: number of graphs on which both orders were compared.
        left_out: number of drawn graphs on which one of the rules alone is refused.
        graph: the smallest graph that was found, reduced; None when there is none.
        orders: A then B, and B then A, on this graph; None without a graph.
        differences: the parts in which the two results differ, by name.
        function: comparison of the functions of both results, or None when there are not two.
        conflicts: conflicts and dependencies of the matches of both rules on this graph, with their kinds and the bound
            names; None without a graph.
        other: when no difference of the functions was measured on `graph`, a smallest graph on which one is, or None
            when there is none among the `further` graphs; compare="function" searches longer.
        further: number of graphs among which `other` was searched.
    """

    rules: tuple[str, ...]
    compare: Compare
    tried: int
    left_out: int = 0
    graph: Graph | None = None
    orders: tuple[Order, Order] | None = None
    differences: tuple[Differing, ...] = ()
    function: FunctionComparison | None = None
    conflicts: Conflicts | None = None
    other: Graph | None = None
    further: int = 0

    def __bool__(self) -> bool:
        return self.graph is not None

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of the conflicts and dependencies, each once; kinds that prevent a match come first."""
        return tuple(dict.fromkeys(c.kind for c in self.conflicts or ()))

    def draw(self, **options: Any) -> Any:
        """Draw the change from the result of A then B to that of B then A.

        Args:
            options: options of `netgraph.viz.draw_delta`.

        Raises:
            OptionError: no graph was found on which the order matters.
        """
        from netgraph import viz

        if self.graph is None:
            a, b = self.rules
            raise OptionError(f"The order of {a} and {b} mattered on no graph that was tried: nothing to draw.")

        results = [order.graph for order in self.orders or ()]
        found = [graph for graph in results if graph is not None]
        if len(found) < 2:
            return viz.draw(self.graph)
        return viz.draw_delta(found[0], aligned(found[0], found[1]), **options)

    def __str__(self) -> str:
        a, b = self.rules
        what = "results" if self.compare == "graph" else "functions of the results"
        left = f" {plural(self.left_out, 'graph')} left out: a rule alone is refused there." if self.left_out else ""
        if self.graph is None or self.orders is None:
            return (
                f"No interference of {a} and {b} was found on {plural(self.tried, 'graph')}: the {what} are the same "
                f"in both orders. {SEARCH}{left}"
            )
        lines = [
            f"The order of {a} and {b} matters: the {what} differ on the graph",
            "",
            indented(describe(self.graph)),
        ]
        for order in self.orders:
            if order.refused is not None:
                lines.append(f"{order}: refused: {order.refused}")
        if self.differences:
            lines.append(f"Parts, after {self.orders[0]} | after {self.orders[1]}:")
            lines += [f"    {part}" for part in self.differences[:SHOWN]]
            lines += [f"    and {len(self.differences) - SHOWN:,} more"] if len(self.differences) > SHOWN else []
        if self.function is not None:
            lines.append(f"Functions of the results: {self.function}.")
        if self.other is not None:
            lines += ["On another graph the functions of the results differ:", "", indented(describe(self.other))]
        elif self.further:
            lines.append(f"No difference of functions was measured on {plural(self.further, 'further graph')} either.")
        if self.conflicts:
            lines.append("Matches, of which one is rewritten at a time:")
            lines += [f"    {item}" for item in self.conflicts]
        return "\n".join(lines) + left


def interference(
    a: Rule,
    b: Rule,
    *,
    graphs: st.SearchStrategy[Graph] | None = None,
    stats: Stats | None = None,
    compare: Compare = "graph",
    max_examples: int = 100,
    seed: int = 0,
) -> Interference:
    """Search for a smallest graph on which A then B and B then A have different results.

    Each rule is applied to all of its matches, with the same seed in both orders. Results are the same when they are
    equal up to ids, births, names of new layers and the order of rows, see `isomorphic`. They also differ when a rule
    is refused in one order only. Whether the functions of different results differ is measured on the corners of the
    domain and on random inputs, and equality is proved by `certify`.

    Args:
        a, b: the rules.
        graphs: strategy of graphs; by default those of `graphs_matching`, on which both rules have a match where a
            plant leads there, and at least one rule has one.
        stats: function that makes the statistics of a graph, for rules that read them.
        compare: "graph", or "function" for results whose functions differ as measured, whatever their structure.
        max_examples: largest number of graphs.
        seed: seed of the search. The same seed gives the same graphs.

    Returns:
        An `Interference`: the graph, reduced as far as the results still differ in the same way, with the two results,
        their differences by name, and the kinds of conflicts of the matches. Without such a graph it is false, and
        says on how many graphs the orders were compared.

    Raises:
        NoMatchError: none of the rules has a match on any drawn graph.

    Example:
        >>> import netgraph as ng
        >>> found = interference(ng.rules.AddEdges(), ng.rules.PruneEdges(), max_examples=20)
        >>> bool(found), found.kinds, found.graph.num_vertices, found.function.verdict
        (True, ('produce-use',), 2, 'same')
    """
    check_options(compare, max_examples)
    look = _Look(a, b, stats)
    tried = left_out = 0
    names = tuple(rule_labels(a, b))
    for batch in drawn_graphs((a, b), graphs, stats, max_examples, seed):
        for at, graph in enumerate(batch):
            verdict = look(graph, compare)
            tried, left_out = tried + (verdict is not None), left_out + (verdict is None)
            if verdict:
                return look.found(graph, batch[at + 1 :], Interference(names, compare, tried, left_out), graphs is None)
    return Interference(names, compare, tried, left_out)


class _Look:
    """Both orders of two rules on a graph, and whether their results differ."""

    def __init__(self, a: Rule, b: Rule, stats: Stats | None) -> None:
        self.a, self.b, self.stats = a, b, stats

    def orders(self, graph: Graph) -> tuple[Order, Order]:
        return in_order((self.a, self.b), graph, self.stats), in_order((self.b, self.a), graph, self.stats)

    def __call__(self, graph: Graph, compare: Compare) -> bool | None:
        """Whether the results differ, or None when one of the rules alone is refused."""
        one, two = self.orders(graph)
        if not one.steps or not two.steps:
            return None
        x, y = one.graph, two.graph
        if x is None or y is None:
            return x is not y and compare == "graph"
        if x is y or isomorphic(x, y):
            return False
        return compare == "graph" or measured_difference(x, y) is not None

    def differs(self, graph: Graph, compare: Compare) -> bool:
        """Whether the results differ; False where they cannot be had, as for statistics of a reduced graph."""
        try:
            return bool(self(graph, compare))
        except (NetgraphError, ValueError, AssertionError):
            return False

    def found(self, graph: Graph, rest: Sequence[Graph], bare: Interference, operations: bool) -> Interference:
        """Reduce a graph on which the results differ, and describe it; `rest` has graphs that were not looked at."""
        small = reduce_graph(self.a, graph, lambda g: self.differs(g, bare.compare), operations=operations)
        one, two = self.orders(small)
        parts: tuple[Differing, ...] = ()
        function, other, further = None, None, 0
        if one.graph is not None and two.graph is not None:
            parts, function = differing(one.graph, two.graph), compare_functions(one.graph, two.graph)
            if bare.compare == "graph" and function.verdict != "different":
                other = next((g for g in (graph, *rest) if self.differs(g, "function")), None)
                further = 1 + len(rest)
        if other is not None:
            other = reduce_graph(self.a, other, lambda g: self.differs(g, "function"), operations=operations)
        related = conflicts(self.a, self.b, small, self.stats, dependencies=True)
        return replace(
            bare, graph=small, orders=(one, two), differences=parts, function=function, conflicts=related,
            other=other, further=further,
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Commutation:
    """Result of `commutes`; it is true when no graph was found on which the order matters.

    Attributes:
        reason: text of the reason.
        interference: the search on which it rests.
    """

    reason: str
    interference: Interference

    def __bool__(self) -> bool:
        return not self.interference

    def __str__(self) -> str:
        return self.reason


def commutes(
    a: Rule,
    b: Rule,
    *,
    graphs: st.SearchStrategy[Graph] | None = None,
    stats: Stats | None = None,
    compare: Compare = "graph",
    max_examples: int = 100,
    seed: int = 0,
) -> Commutation:
    """Whether A then B and B then A have the same results on all drawn graphs. Arguments as for `interference`.

    Example:
        >>> import netgraph as ng
        >>> print(commutes(ng.rules.PruneEdges(below=0.5), ng.rules.PruneEdges(below=1.0), max_examples=10))
        No interference of PruneEdges and PruneEdges was found on 10 graphs: the results are the same in both orders. \
This is a search, not a proof.
    """
    found = interference(a, b, graphs=graphs, stats=stats, compare=compare, max_examples=max_examples, seed=seed)
    return Commutation(str(found), found)


def assert_commutes(
    a: Rule,
    b: Rule,
    *,
    graphs: st.SearchStrategy[Graph] | None = None,
    stats: Stats | None = None,
    compare: Compare = "graph",
    max_examples: int = 100,
    seed: int = 0,
) -> None:
    """Assert that the order of two rules does not matter on drawn graphs. Arguments as for `interference`.

    Raises:
        AssertionError: it matters; the message has the smallest graph that was found, as code.
    """
    found = commutes(a, b, graphs=graphs, stats=stats, compare=compare, max_examples=max_examples, seed=seed)
    if not found:
        raise AssertionError(found.reason)
