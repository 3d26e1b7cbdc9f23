"""`Goal`: the size at which a method should end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from netgraph.analysis import admissible_edges, sparse_links
from netgraph.graph import Graph

SLACK = 0.05
"""Fraction of a goal by which a graph may be smaller: the last edges take vertices that nothing reads along."""

EXCESS = 0.01
"""Fraction of a goal by which a graph may be larger: densities are rounded link by link."""


@dataclass(frozen=True, kw_only=True)
class Goal:
    """Number of edges with which a method should end.

    Attributes:
        edges: number of trainable edges.
        asked: option and value that set it, such as "final_edges=5000".
        limit: whether `edges` is an upper bound only, so that every smaller graph meets the goal as well.
    """

    edges: int
    asked: str
    limit: bool = False

    @classmethod
    def of_density(cls, start: Graph, density: float, asked: str, *, head: bool, limit: bool = False) -> Goal:
        """Return the goal for a density of the sparse links, in a graph with the layers of `start`."""
        links = sparse_links(start, head=head)
        others = start.num_edges - sum(len(start.links_by_key[key]) for key in links)
        return cls(edges=others + round(density * admissible_edges(start, links)), asked=asked, limit=limit)

    def outlook(self, start: Graph, epochs: int) -> list[str]:
        """Return a warning when a start has more edges than the goal and the method only grows, else an empty list."""
        if start.num_edges <= (1 + EXCESS) * self.edges:
            return []
        return [
            f"{self.asked} cannot be met: the start has {start.num_edges:,} edges already, more than {self.edges:,}. "
            "Ask for more, or start with fewer vertices."
        ]

    def missed_by(self, graph: Graph) -> str:
        """Return a sentence about a final graph that misses the goal by more than `EXCESS` or `SLACK`, else ''."""
        edges = graph.num_edges
        if edges > (1 + EXCESS) * self.edges:
            return f"{self.asked} was missed: the network ends with {edges:,} edges, more than {self.edges:,}."
        if not self.limit and edges < (1 - SLACK) * self.edges:
            return f"{self.asked} was missed: the network ends with {edges:,} edges, fewer than {self.edges:,}."
        return ""


Outlook = Callable[[Graph, int], Sequence[str]]
"""Function of a start and a number of epochs that returns warnings about a goal out of reach."""


def outlook_of(goal: Goal | None) -> Outlook:
    """Return the outlook of a goal; without a goal it never warns."""
    return goal.outlook if goal else lambda start, epochs: ()
