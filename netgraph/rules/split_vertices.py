"""Rule that splits vertices into parts that share the outgoing weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netgraph.columns import Array, FrozenDict
from netgraph.errors import OptionError, RewriteError
from netgraph.proof import Level
from netgraph.rewriting import Matches, Rewriter, Rule, Variant, at_wires, vertex
from netgraph.rules.influence import under_coupling_norm
from netgraph.rules.registry import register_rule
from netgraph.statistics import Statistics

MAX_COPIED = 50_000_000


@register_rule("split-vertices")
@dataclass(frozen=True, kw_only=True)
class SplitVertices(Rule):
    """Split every matched hidden vertex into `parts`, itself and copies (Net2WiderNet, Chen et al. 2016, section 3.1).

    A copy has the same incoming edges, bias, norm and activation parameters. Every outgoing weight is divided into
    shares whose sum is exactly the weight: halves for two parts. The function stays the same, in train and in eval
    mode: **exact**. Vertices whose norm couples them, as layer norm does, are refused, because a copy changes the
    values by which the others are normalised. Vertices at identity wires are refused, because the weight 1 of a wire
    cannot be divided.

    Attributes:
        parts: number of vertices that each vertex becomes.
        noise: largest fraction, from 0 to 1, of its equal share that a copy may lose to the vertex itself; the fraction
            is drawn at random. Without noise, training changes vertex and copy alike.
        max_edges: largest number of edges at the split vertices after the rewrite; above it the rewrite is refused.
    """

    parts: int = 2
    noise: float = 0.0
    max_edges: int = MAX_COPIED

    pattern = vertex("v", role="hidden")
    promise = "exact"
    variants = (
        Variant("split vertices in two", bitwise=True),
        Variant("split vertices in three", {"parts": 3, "noise": 0.5}),
    )
    choices = FrozenDict({"parts": (2, 3, 4), "noise": (0.0, 0.5)})

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.parts < 2:
            raise OptionError(f"parts={self.parts} is below 2; a vertex is split into two or more.")
        if not 0 <= self.noise <= 1:
            raise OptionError(f"noise={self.noise} is not in [0, 1]; it is the part of its share that a copy may lose.")
        if self.max_edges < 0:
            raise OptionError(f"max_edges={self.max_edges} is negative.")

    def where(self, m: Matches, stats: Statistics | None) -> dict[str, Array]:
        """Conditions: a norm that acts vertex by vertex, and no identity wires."""
        return {
            "norm acts vertex by vertex": ~under_coupling_norm(m.graph, m.v.layer),
            "vertex has no identity wires": ~at_wires(m.v),
        }

    def rewrite(self, m: Matches, rw: Rewriter) -> None:
        """Split all matches at once; an edge between two of them is copied for every pair of copies."""
        count = np.ones(len(m.graph.vertices), dtype=np.int64)
        count[m.v.rows] = self.parts
        copies = count[m.graph.edges.source_row] * count[m.graph.edges.target_row]
        if (edges := int(copies[copies > 1].sum())) > self.max_edges:
            raise RewriteError(
                f"Splitting {len(m):,} vertices would leave {edges:,} edges at them, more than max_edges="
                f"{self.max_edges:,}; select fewer vertices or raise the cap."
            )
        rw.split_vertices(m.v, self.parts, noise=self.noise)

    def claim(self, m: Matches) -> Level | None:
        """Exact, because the shares add up to the weight without rounding."""
        return "exact"
