"""Strategies of statistics and of journals, and statistics for rules that declare a need of them."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Callable, Sequence

import numpy as np
from hypothesis import strategies as st

from netgraph.graph import Graph
from netgraph.rewriting import Driver, Journal, Rule
from netgraph.statistics import Statistics
from netgraph.testing.draft import DrawFunction
from netgraph.testing.rewrites import rewrites
from netgraph.testing.strategies import graphs as any_graphs

Stats = Callable[[Graph], Statistics]
LEVELS = 8
"""Number of different values of drawn statistics above 0, so that equal values come up."""


def statistics(
    graph: Graph, *, edges: Sequence[str] = ("mean_abs_gradient",), vertices: Sequence[str] = ()
) -> st.SearchStrategy[Statistics]:
    """Make a strategy of statistics of a graph: multiples of 1/4 from 0 to 2, often equal.

    Args:
        graph: the graph.
        edges: names of edge statistics.
        vertices: names of vertex statistics.
    """
    return st.integers(0, 2**16 - 1).map(lambda seed: _statistics(graph, edges, vertices, seed))


def _statistics(graph: Graph, edges: Sequence[str], vertices: Sequence[str], seed: int) -> Statistics:
    rng = np.random.default_rng([seed, int(graph.topology_hash[:8], 16)])
    of_edges = {name: rng.integers(0, LEVELS + 1, len(graph.edges)) / 4 for name in edges}
    of_vertices = {name: rng.integers(0, LEVELS + 1, graph.num_vertices) / 4 for name in vertices}
    return Statistics(graph.topology_hash, of_edges, of_vertices)


def statistics_for(*steps: Rule | Driver, seed: int = 0) -> Stats | None:
    """Make a function that draws the statistics which rules declare to need; None for rules that need none.

    Args:
        steps: the rules; those of drivers count too, and a driver gets the edge statistic "mean_abs_gradient" at least,
            so that one that hands statistics of an earlier graph on is found.
        seed: seed of the values. A graph always gets the same ones.
    """
    rules = [rule for step in steps for rule in rules_of(step)]
    edges = tuple(dict.fromkeys(name for rule in rules for name in rule.needs.edges))
    vertices = tuple(dict.fromkeys(name for rule in rules for name in rule.needs.vertices))
    if any(isinstance(step, Driver) for step in steps):
        edges = edges or ("mean_abs_gradient",)
    if not edges and not vertices:
        return None
    return lambda graph: _statistics(graph, edges, vertices, seed)


def rules_of(step: Rule | Driver) -> list[Rule]:
    """Return the rules of a step: itself, or those of a driver and of its drivers."""
    if not isinstance(step, Driver):
        return [step]
    return [rule for part in step.steps() for rule in rules_of(part)]


def journals(*, graphs: st.SearchStrategy[Graph] | None = None, max_rewrites: int = 4) -> st.SearchStrategy[Journal]:
    """Make a strategy of journals, each with the rewrites of a drawn graph, and other weights before each.

    Rules may be right or wrong, as those of `rewrites`. The files lie in a temporary folder that is removed with the
    journal.

    Args:
        graphs: strategy of the first graph; by default `graphs(exact=False)`.
        max_rewrites: largest number of rewrites.
    """
    return _journals(any_graphs(exact=False) if graphs is None else graphs, max_rewrites)


@st.composite
def _journals(draw: DrawFunction, graphs: st.SearchStrategy[Graph], most: int) -> Journal:
    graph = draw(graphs)
    folder = tempfile.TemporaryDirectory()
    journal = Journal.create(folder.name, graph)
    weakref.finalize(journal, folder.cleanup)
    for epoch in range(draw(st.integers(0, most))):
        result = draw(rewrites(graph))
        if result.changed:
            journal.append(result, before=graph, epoch=epoch)
            graph = result.graph
    return journal
