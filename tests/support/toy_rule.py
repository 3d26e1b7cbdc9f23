"""A rule of one's own: defined in one file outside of the package, and entered by one line."""

from dataclasses import dataclass
from typing import ClassVar

import netgraph as ng


@dataclass(frozen=True, kw_only=True)
class FreezeSmall(ng.Rule):
    """Set small weights to 0, and freeze their edges: **exact** for edges of weight 0, else **bounded**.

    Attributes:
        below: largest magnitude that is small.
    """

    below: float = 0.0

    pattern = ng.edge("e")
    promise = "exact at weight 0; else bounded"
    variants = (
        ng.rewriting.Variant(
            "freeze edges of weight 0",
            prepare=lambda graph: graph.with_weights(graph.edges.weight * (graph.edges.id % 2)),
            bitwise=True,
        ),
        ng.rewriting.Variant("freeze small edges", {"below": 0.25}),
    )
    choices: ClassVar = {"below": (0.0, 0.25)}

    def where(self, m, stats):
        return {"small": abs(m.e.weight) <= self.below}

    def rewrite(self, m, rw):
        rw.set_weight(m.e, 0.0)
        rw.freeze(m.e)

    def claim(self, m):
        return "exact" if not m.e.weight.any() else "bounded"
