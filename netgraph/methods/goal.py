"""`Goal`: the size that a method is asked to end with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from netgraph.analysis import admissible_edges, sparse_links
from netgraph.graph import Graph

SLACK = 0.05
"""Share of a goal by which a graph may be smaller: vertices that nothing reads any more go with the last edges."""

EXCESS = 0.01
"""Share of a goal by which a graph may be larger: densities are rounded link by link."""


@dataclass(frozen=True, kw_only=True)
class Goal:
    """Number of edges that a method is asked to end with.

    Attributes:
        edges: trainable edges.
        asked: option and value that ask for it, such as "final_edges=5000".
        limit: whether `edges` is a most only, so that every smaller graph meets the goal as well.
    """

    edges: int
    asked: str
    limit: bool = False

    @classmethod
    def of_density(cls, start: Graph, density: float, asked: str, *, head: bool, limit: bool = False) -> Goal:
        """The goal of a density of the links that may be sparse, for a graph with the layers of `start`."""
        links = sparse_links(start, head=head)
        others = start.num_edges - sum(len(start.links_by_key[key]) for key in links)
        return cls(edges=others + round(density * admissible_edges(start, links)), asked=asked, limit=limit)

    def outlook(self, start: Graph, epochs: int) -> list[str]:
        """A sentence when a start that only grows has too many edges already: the outlook of most methods."""
        if start.num_edges <= (1 + EXCESS) * self.edges:
            return []
        return [
            f"{self.asked} cannot be met: the start has {start.num_edges:,} edges already, more than {self.edges:,}. "
            "Ask for more, or start with fewer vertices."
        ]

    def missed_by(self, graph: Graph) -> str:
        """A sentence about a final graph that misses the goal by more than `EXCESS` or `SLACK`, or ''."""
        edges = graph.num_edges
        if edges > (1 + EXCESS) * self.edges:
            return f"{self.asked} was missed: the network ends with {edges:,} edges, more than {self.edges:,}."
        if not self.limit and edges < (1 - SLACK) * self.edges:
            return f"{self.asked} was missed: the network ends with {edges:,} edges, fewer than {self.edges:,}."
        return ""


Outlook = Callable[[Graph, int], Sequence[str]]
"""Sentences about a goal that a run from a graph, over a number of epochs, may miss."""


def outlook_of(goal: Goal | None) -> Outlook:
    """The outlook of a goal; without a goal there is nothing to say."""
    return goal.outlook if goal else lambda start, epochs: ()
