"""Rule that adds missing edges."""

from __future__ import annotations

from dataclasses import dataclass

from netgraph.analysis import influential
from netgraph.columns import FrozenDict
from netgraph.errors import OptionError
from netgraph.proof import Level
from netgraph.rewriting import Matches, Rewriter, Rule, Variant, missing_edge, vertex
from netgraph.rules.registry import register_rule


@register_rule("add-edges")
@dataclass(frozen=True, kw_only=True)
class AddEdges(Rule):
    """Add every matched missing edge.

    At weight 0, the default, the function of the graph stays the same: **exact**. The edge learns nevertheless, because
    its gradient is not 0. Other weights change the function by a **bounded** amount. Choose the edges with
    `apply(..., on=pairs)`, or with `limit` and `order_by`.

    Every edge is added to the link that lacks it, at that link's port; links of wires (`Identity`) take no edges. A
    pair given by `on` is added to the link at the lowest port between its layers. If there is no link between them, a
    `Dense` link at port 0 is opened; if there are only links of wires, or the target layer merges its ports and has no
    weights, the pair is left out.

    Attributes:
        spread: new weights are drawn from U(-spread, spread); with 0 they are 0.
    """

    spread: float = 0.0

    pattern = missing_edge("e", src=vertex("p"), dst=vertex("c"))
    promise = "exact at weight 0; `spread` bounded"
    variants = (
        Variant("add edges of weight 0", bitwise=True),
        Variant("add edges of weight U(-0.1, 0.1)", {"spread": 0.1}),
    )
    choices = FrozenDict({"spread": (0.0, 0.5, 1.0)})

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.spread < 0:
            raise OptionError(f"spread={self.spread} is negative; new weights are drawn from U(-spread, spread).")

    def rewrite(self, m: Matches, rw: Rewriter) -> None:
        """Add the edges of all matches, port by port."""
        for g in m.by("port"):
            weight = rw.uniform(-self.spread, self.spread)
            rw.connect(g.p, g.c, weight=weight, tap=g.e.tap, port=int(g.e.port[0]))

    def claim(self, m: Matches) -> Level | None:
        """Exact at weight 0, and where no output depends on a target; else bounded."""
        return "bounded" if self.spread and influential(m.graph)[m.c.rows].any() else "exact"
