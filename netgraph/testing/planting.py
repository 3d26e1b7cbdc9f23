"""Graphs on which a rule has a match."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache, cached_property

from hypothesis import HealthCheck, Phase, given, reject, seed, settings
from hypothesis import strategies as st

from netgraph.graph import Graph
from netgraph.rewriting import Rule, explain, find, require_rule
from netgraph.statistics import Statistics
from netgraph.testing.draft import DrawFunction
from netgraph.testing.plants import PLANTS, Plant, operation_plants
from netgraph.testing.strategies import graphs as any_graphs

SCOUTED = 60
"""Graphs on which it is found out what leads to a match."""
ENOUGH = 8
"""Graphs with a match after which no more ways to one are looked for."""
MAX_TRIALS = 2_500
"""Changed graphs that are looked at until one has a match."""


Stats = Callable[[Graph], Statistics]


class NoMatchError(AssertionError):
    """No graph could be found on which a rule has a match; the text has the funnel of its conditions."""


def graphs_matching(
    rule: Rule, *, graphs: st.SearchStrategy[Graph] | None = None, stats: Stats | None = None
) -> st.SearchStrategy[Graph]:
    """Graphs on which the rule has at least one match.

    A match is planted where a drawn graph has none: an edge is left out or set to 0, a vertex is copied, cut off from
    its readers, and so on, one or two such changes. In graphs that are drawn by default also domains, activations and
    norms are changed. Draws in which nothing helps are rejected.

    Args:
        rule: the rule.
        graphs: strategy of the graphs to start from; by default `graphs()` and `graphs(exact=False)`.
        stats: makes the statistics of a graph, for a rule that reads them.

    Raises:
        NoMatchError: on drawing, when nothing leads to a match on 60 graphs.
    """
    require_rule(rule)
    start = graphs if graphs is not None else default_graphs(rule)
    return _matching(_Scout(rule, start, stats, operations=graphs is None))


def default_graphs(rule: Rule) -> st.SearchStrategy[Graph]:
    """Graphs to start from for a rule: with a hidden layer where its pattern asks for one."""
    return _graphs_to_start_from(int(_needs_hidden(rule)))


@cache
def _graphs_to_start_from(min_layers: int) -> st.SearchStrategy[Graph]:
    return st.one_of(any_graphs(min_layers=min_layers), any_graphs(min_layers=min_layers, exact=False))


def has_match(rule: Rule, graph: Graph, stats: Stats | None = None) -> bool:
    """Whether the rule would rewrite something; not where its conditions fail with an error."""
    try:
        return len(find(rule, graph, None if stats is None else stats(graph))) > 0
    except Exception:
        return False


def _explained(rule: Rule, graph: Graph, stats: Stats | None) -> str:
    try:
        return str(explain(rule, graph, None if stats is None else stats(graph)))
    except Exception as error:
        return f"{rule.name} cannot be matched there: {type(error).__name__}: {error}"


class _Scout:
    """Which changes, or pairs of changes, lead to matches of a rule: looked for once, on a fixed set of graphs."""

    def __init__(self, rule: Rule, start: st.SearchStrategy[Graph], stats: Stats | None, operations: bool) -> None:
        self.rule = rule
        self.stats = stats
        self.start = start
        self.kinds = list(operation_plants().values()) if operations else []
        self.trials = 0

    @cached_property
    def steps(self) -> list[tuple[Plant, ...]]:
        """What to try on a graph, the simplest first; empty when nothing leads to a match."""
        useful: list[tuple[Plant, ...]] = []
        found = 0
        for size in (SCOUTED // 4, SCOUTED):
            if found >= ENOUGH:
                break  # most rules have matches almost anywhere
            for number, graph in enumerate(self._graphs(size)):
                known = next((steps for steps in [(), *useful] if self.leads(steps, graph, number)), None)
                if known is None and found < ENOUGH and self.trials < MAX_TRIALS:
                    known = next((steps for steps in self._all() if self.leads(steps, graph, number)), None)
                    useful += [] if known is None else [known]
                found += known is not None
        if not found:
            raise NoMatchError(
                f"No graph was found on which {self.rule!r} has a match, although edges were left out or set to 0, "
                f"vertices copied or cut off, and so on, on {SCOUTED} graphs. Give a strategy of graphs on which it "
                f"has one. On the last of them:\n{_explained(self.rule, graph, self.stats)}\n{graph!r}"
            )
        return [(), *useful, *((plant,) for plant in PLANTS.values() if (plant,) not in useful)]

    def _graphs(self, n: int) -> list[Graph]:
        default = self.start is default_graphs(self.rule)
        return _default_scouted(self.start, n) if default else some_graphs(self.start, n)

    def _all(self) -> Iterator[tuple[Plant, ...]]:
        plants = list(PLANTS.values())
        yield from ((plant,) for plant in (*plants, *self.kinds))
        yield from ((kind, plant) for kind in self.kinds for plant in plants)
        yield from ((one, two) for one in plants for two in plants)

    def leads(self, steps: tuple[Plant, ...], graph: Graph, at: int) -> bool:
        """Whether the rule has a match after the changes."""
        self.trials += 1
        planted = after(steps, graph, at)
        return planted is not None and has_match(self.rule, planted, self.stats)


def after(steps: tuple[Plant, ...], graph: Graph, at: int) -> Graph | None:
    """The graph after some changes; None where one does not apply."""
    planted: Graph | None = graph
    for step in steps:
        planted = None if planted is None else step(planted, at)
    return planted


def with_plant_in_turn(graph: Graph, number: int) -> Graph | None:
    """The graph after the plant whose turn it is; None after all of them, once, and where the plant does not apply."""
    rounds, turn = divmod(number, len(PLANTS) + 1)
    return None if turn == len(PLANTS) else list(PLANTS.values())[turn](graph, rounds)


def some_graphs(start: st.SearchStrategy[Graph], n: int) -> list[Graph]:
    """Some graphs of a strategy, always the same ones."""
    # In a thread of its own, since a test of Hypothesis may be running in this one, and nested tests are refused.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(_collected, start, n).result()


@cache
def _default_scouted(start: st.SearchStrategy[Graph], n: int) -> list[Graph]:
    """Drawn once for all rules: there are two strategies to start from when none is given."""
    return some_graphs(start, n)


def _collected(start: st.SearchStrategy[Graph], n: int) -> list[Graph]:
    found: dict[str, Graph] = {}

    @seed(0)
    @settings(
        max_examples=n,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(start)
    def collect(graph: Graph) -> None:
        found[graph.topology_hash] = graph

    collect()
    return list(found.values())


@st.composite
def _matching(draw: DrawFunction, scout: _Scout) -> Graph:
    steps = scout.steps
    graph = draw(scout.start)
    first = draw(st.integers(0, len(PLANTS)))
    at = draw(st.integers(0, 15))
    if first:
        steps = [(list(PLANTS.values())[first - 1],), *steps]
    for step in steps:
        planted = after(step, graph, at)
        if planted is not None and has_match(scout.rule, planted, scout.stats):
            return planted
    reject()


def _needs_hidden(rule: Rule) -> bool:
    """Whether any part of the pattern is to lie in a hidden layer."""
    parts = [rule.pattern, *(getattr(rule.pattern, end, None) for end in ("src", "dst"))]
    return any(getattr(part, "role", None) == "hidden" for part in parts)
