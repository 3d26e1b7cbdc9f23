"""Strategy of graphs on which a rule has a match."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, cached_property

from hypothesis import HealthCheck, Phase, given, reject, seed, settings
from hypothesis import strategies as st

from netgraph.graph import ACTIVATIONS, NORMS, Graph
from netgraph.rewriting import Rule, explain, find, require_rule
from netgraph.statistics import Statistics
from netgraph.testing.draft import DrawFunction
from netgraph.testing.plants import PLANTS, Plant, operation_plants
from netgraph.testing.strategies import graphs as any_graphs

SEARCHED_GRAPHS = 60
"""Number of graphs on which changes that lead to a match are searched for."""
ENOUGH_MATCHES = 8
"""Number of graphs with a match at which the search for further changes ends."""
MAX_TRIALS = 2_500
"""Largest number of changed graphs that the search tries."""


Stats = Callable[[Graph], Statistics]


class NoMatchError(AssertionError):
    """No graph was found on which a rule has a match. The message has the matches left after each condition."""


def graphs_matching(
    rule: Rule, *, graphs: st.SearchStrategy[Graph] | None = None, stats: Stats | None = None
) -> st.SearchStrategy[Graph]:
    """Make a strategy of graphs on which the rule has at least one match.

    A drawn graph without a match is changed by one or two plants: an edge is left out or set to 0, a vertex is copied
    or cut off from its targets, and so on. Graphs of the default strategy may get other domains, activations and norms
    as well. A draw is rejected when no such change leads to a match.

    Args:
        rule: the rule.
        graphs: strategy of graphs before the changes; by default `graphs()` and `graphs(exact=False)`.
        stats: function that makes the statistics of a graph, for a rule that reads them.

    Raises:
        NoMatchError: on drawing, when no change leads to a match on 60 graphs.
    """
    require_rule(rule)
    start = graphs if graphs is not None else default_graphs(rule)
    return _matching(_PlantSearch(rule, start, stats, operations=graphs is None))


def graphs_matching_several(
    rules: Sequence[Rule], *, graphs: st.SearchStrategy[Graph] | None = None, stats: Stats | None = None
) -> st.SearchStrategy[Graph]:
    """Make a strategy of graphs on which one of the rules has a match, and all of them where a plant leads there.

    Any of the rules may be the first one. Rules that match no drawn graph are left out, since they may need another
    rule to be applied before.

    Raises:
        NoMatchError: on drawing, when none of the rules matches a drawn graph.
    """
    for rule in rules:
        require_rule(rule)
    starts = [graphs if graphs is not None else default_graphs(rule) for rule in rules]
    return _matching_several(
        [_PlantSearch(rule, start, stats, operations=graphs is None) for rule, start in zip(rules, starts, strict=True)]
    )


@st.composite
def _matching_several(draw: DrawFunction, searches: Sequence[_PlantSearch]) -> Graph:
    usable = [search for search in searches if search.leads_anywhere]
    if not usable:
        searches[0].steps  # noqa: B018 (raises the error)
    first = draw(st.sampled_from(usable))
    graph = draw(_matching(first))
    at = draw(st.integers(0, 15))
    for other in usable:
        if other is first or has_match(other.rule, graph, other.stats):
            continue
        planted = (apply_plants(steps, graph, at) for steps in other.steps)
        fitting = (g for g in planted if g is not None and has_match(other.rule, g, other.stats))
        graph = next((g for g in fitting if has_match(first.rule, g, first.stats)), graph)
    return graph


def default_graphs(rule: Rule) -> st.SearchStrategy[Graph]:
    """Return the default strategy for a rule, with a hidden layer in each graph if its pattern needs one."""
    return _graphs_to_start_from(int(_needs_hidden(rule)), (ACTIVATIONS.state, NORMS.state))


@cache
def _graphs_to_start_from(min_layers: int, known: object) -> st.SearchStrategy[Graph]:
    """Strategy for the activations and norms that are registered at `known`."""
    return st.one_of(any_graphs(min_layers=min_layers), any_graphs(min_layers=min_layers, exact=False))


def has_match(rule: Rule, graph: Graph, stats: Stats | None = None) -> bool:
    """Whether the rule has a match on the graph; False when its conditions raise an error."""
    try:
        return len(find(rule, graph, None if stats is None else stats(graph))) > 0
    except Exception:
        return False


def _explain(rule: Rule, graph: Graph, stats: Stats | None) -> str:
    try:
        return str(explain(rule, graph, None if stats is None else stats(graph)))
    except Exception as error:
        return f"{rule.name} cannot be matched there: {type(error).__name__}: {error}"


class _PlantSearch:
    """Search for the plants, or pairs of plants, that lead to matches of a rule, done once on a fixed set of graphs."""

    def __init__(self, rule: Rule, start: st.SearchStrategy[Graph], stats: Stats | None, operations: bool) -> None:
        self.rule = rule
        self.stats = stats
        self.start = start
        self.kinds = list(operation_plants().values()) if operations else []
        self.trials = 0

    @cached_property
    def steps(self) -> list[tuple[Plant, ...]]:
        """Sequences of plants to try on a graph, the simplest first. The first one is empty.

        Raises:
            NoMatchError: when none leads to a match on any of the graphs.
        """
        useful: list[tuple[Plant, ...]] = []
        found = 0
        for size in (SEARCHED_GRAPHS // 4, SEARCHED_GRAPHS):
            if found >= ENOUGH_MATCHES:
                break  # most rules have matches on most graphs
            for number, graph in enumerate(self._graphs(size)):
                known = next((steps for steps in [(), *useful] if self.leads(steps, graph, number)), None)
                if known is None and found < ENOUGH_MATCHES and self.trials < MAX_TRIALS:
                    known = next((steps for steps in self._all() if self.leads(steps, graph, number)), None)
                    useful += [] if known is None else [known]
                found += known is not None
        if not found:
            raise NoMatchError(
                f"No graph was found on which {self.rule!r} has a match, although edges were left out or set to 0, "
                f"vertices copied or cut off, and so on, on {SEARCHED_GRAPHS} graphs. Give a strategy of graphs on "
                f"which it has one. On the last of them:\n{_explain(self.rule, graph, self.stats)}\n{graph!r}"
            )
        return [(), *useful, *((plant,) for plant in PLANTS.values() if (plant,) not in useful)]

    @cached_property
    def leads_anywhere(self) -> bool:
        """Whether the rule matches a drawn graph, after plants or without them."""
        try:
            return bool(self.steps)
        except NoMatchError:
            return False

    def _graphs(self, n: int) -> list[Graph]:
        default = self.start is default_graphs(self.rule)
        return _default_graphs(self.start, n) if default else some_graphs(self.start, n)

    def _all(self) -> Iterator[tuple[Plant, ...]]:
        plants = list(PLANTS.values())
        yield from ((plant,) for plant in (*plants, *self.kinds))
        yield from ((kind, plant) for kind in self.kinds for plant in plants)
        yield from ((one, two) for one in plants for two in plants)

    def leads(self, steps: tuple[Plant, ...], graph: Graph, at: int) -> bool:
        """Whether the rule has a match on the graph after a sequence of plants."""
        self.trials += 1
        planted = apply_plants(steps, graph, at)
        return planted is not None and has_match(self.rule, planted, self.stats)


def apply_plants(steps: tuple[Plant, ...], graph: Graph, at: int) -> Graph | None:
    """Apply plants to a graph one after another; return None when one of them does not apply."""
    planted: Graph | None = graph
    for step in steps:
        planted = None if planted is None else step(planted, at)
    return planted


def with_plant_in_turn(graph: Graph, number: int) -> Graph | None:
    """Apply a plant to a graph: rising numbers go through all plants in turn, with a pause after the last one.

    Returns:
        The changed graph, or None in the pause and when the plant does not apply.
    """
    rounds, turn = divmod(number, len(PLANTS) + 1)
    return None if turn == len(PLANTS) else list(PLANTS.values())[turn](graph, rounds)


def _topology(graph: Graph) -> Hashable:
    return graph.topology_hash


def some_graphs(
    start: st.SearchStrategy[Graph], n: int, *, number: int = 0, key: Callable[[Graph], Hashable] = _topology
) -> list[Graph]:
    """Draw at most `n` graphs of different keys of a strategy, always the same ones for the seed `number`."""
    # Hypothesis refuses nested tests, and this thread may be running one. Another thread may run a further test.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(_collect, start, n, number, key).result()


@cache
def _default_graphs(start: st.SearchStrategy[Graph], n: int) -> list[Graph]:
    """Graphs of one of the two default strategies, drawn once for all rules."""
    return some_graphs(start, n)


def _collect(start: st.SearchStrategy[Graph], n: int, number: int, key: Callable[[Graph], Hashable]) -> list[Graph]:
    found: dict[Hashable, Graph] = {}

    @seed(number)
    @settings(
        max_examples=n,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(start)
    def collect(graph: Graph) -> None:
        found[key(graph)] = graph

    collect()
    return list(found.values())


@st.composite
def _matching(draw: DrawFunction, search: _PlantSearch) -> Graph:
    steps = search.steps
    graph = draw(search.start)
    first = draw(st.integers(0, len(PLANTS)))
    at = draw(st.integers(0, 15))
    if first:
        steps = [(list(PLANTS.values())[first - 1],), *steps]
    for step in steps:
        planted = apply_plants(step, graph, at)
        if planted is not None and has_match(search.rule, planted, search.stats):
            return planted
    reject()


def _needs_hidden(rule: Rule) -> bool:
    """Whether the pattern has a part that must be in a hidden layer."""
    return "hidden" in rule.pattern.roles
