"""Rule that removes edges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netgraph.analysis import influential
from netgraph.columns import FrozenDict
from netgraph.errors import OptionError
from netgraph.graph import Graph
from netgraph.proof import Level
from netgraph.rewriting import Condition, Matches, Rewriter, Rule, Variant, at_most, edge, vertex
from netgraph.rules.registry import register_rule
from netgraph.statistics import Statistics


def _with_zeros(graph: Graph) -> Graph:
    """Return the graph with weight 0 at every third edge."""
    return graph.with_weights(np.where(np.arange(len(graph.edges)) % 3, graph.edges.weight, 0.0))


@register_rule("prune-edges")
@dataclass(frozen=True, kw_only=True)
class PruneEdges(Rule):
    """Remove every matched edge.

    Removing an edge of weight 0, or one on which no output depends, is **exact**. Removing any other edge changes the
    function by a **bounded** amount.

    Attributes:
        below: largest |weight| of an edge that is removed; None removes all edges, or all that are given by `on`.
    """

    below: float | None = 0.0

    pattern = edge("e", src=vertex("p"), dst=vertex("c"))
    promise = "exact at weight 0; else bounded"
    variants = (
        Variant("prune edges of weight 0", prepare=_with_zeros, bitwise=True),
        Variant("prune edges", {"below": 0.2}),
    )
    choices = FrozenDict({"below": (0.0, 0.5, 1.0, None)})

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.below is not None and self.below < 0:
            raise OptionError(f"below={self.below} is negative; magnitudes are not.")

    def where(self, m: Matches, stats: Statistics | None) -> dict[str, Condition]:
        """Condition: |weight| is at most `below`."""
        if self.below is None:
            return {}
        return {f"|weight| <= {self.below:g}": at_most(np.abs(m.e.weight), self.below)}

    def rewrite(self, m: Matches, rw: Rewriter) -> None:
        """Remove the edges. Vertices that lose their last edge stay until `PruneVertices` removes them."""
        rw.remove(m.e)

    def claim(self, m: Matches) -> Level | None:
        """Exact when every edge on which an output depends has weight 0; else bounded."""
        matter = (m.e.weight != 0) & influential(m.graph)[m.c.rows]
        return "bounded" if matter.any() else "exact"
