"""Drawn graphs for several rules, the smallest first."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Literal

from hypothesis import strategies as st

from netgraph.checks import choice, whole
from netgraph.graph import Graph
from netgraph.rewriting import Rule
from netgraph.testing.cases import columns_of
from netgraph.testing.planting import Stats, graphs_matching_several, has_match, some_graphs, with_plant_in_turn

FIRST = 25
"""Number of graphs that are drawn first."""
Compare = Literal["graph", "function"]
"""Comparison of two results: by structure and values, or by function."""


def check_options(compare: str, max_examples: int) -> None:
    """Raise `OptionError` for an unknown comparison, or less than one example."""
    choice("compare", compare, ("graph", "function"))
    whole("max_examples", max_examples, least=1)


def drawn_graphs(
    rules: Sequence[Rule],
    graphs: st.SearchStrategy[Graph] | None,
    stats: Stats | None,
    max_examples: int,
    seed: int,
) -> Iterator[list[Graph]]:
    """Draw different graphs on which some of the rules have matches, always the same for a seed.

    They come in two batches, each sorted by size, since most searches end in the first one. Every graph has one more
    plant, in turn, where some rule still has a match after it.
    """
    strategy = graphs_matching_several(rules, graphs=graphs, stats=stats)
    known: set[Hashable] = set()
    for batch, count in enumerate((min(FIRST, max_examples), max_examples - FIRST)):
        if count <= 0:
            continue
        found: list[Graph] = []
        drawn = some_graphs(strategy, count, number=2 * seed + batch, key=columns_of)
        for number, graph in enumerate(drawn, start=batch * FIRST):
            planted = with_plant_in_turn(graph, number) if graphs is None else None
            if planted is not None and any(has_match(rule, planted, stats) for rule in rules):
                graph = planted
            key = graph.topology_hash, columns_of(graph)
            if key not in known:
                known.add(key)
                found.append(graph)
        yield sorted(found, key=size_of)


def size_of(graph: Graph) -> tuple[int, int]:
    """Vertices and edges of a graph, by which examples are ordered."""
    return graph.num_vertices, len(graph.edges)


def plural(count: int, one: str, several: str | None = None) -> str:
    """Text of a count and a noun: `3 graphs`."""
    return f"{count:,} {one if count == 1 else several or one + 's'}"


def indented(text: str) -> str:
    """Text with four spaces before every line that is not empty."""
    return "\n".join(f"    {line}" if line else "" for line in text.splitlines())
