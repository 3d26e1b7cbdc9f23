"""Rule that adds skip links between layers without a link."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netgraph.analysis import influential
from netgraph.columns import Array, FrozenDict
from netgraph.errors import OptionError, RewriteError
from netgraph.graph import Conv2d, Dense, Grid, LinkKind
from netgraph.proof import Level
from netgraph.rewriting import Matches, Rewriter, Rule, Variant, layer, missing_link
from netgraph.rules.merges import merges
from netgraph.rules.registry import register_rule
from netgraph.rules.split_edges import MAX_CROSSING
from netgraph.statistics import Statistics


@register_rule("add-skip")
@dataclass(frozen=True, kw_only=True)
class AddSkip(Rule):
    """Open a link from every matched layer to a later one, with all edges between them.

    At weight 0, the default, the function of the graph stays the same: **exact**. The edges learn nevertheless, because
    their gradient is not 0. Other weights change the function by a **bounded** amount. Choose the links with
    `apply(..., on=[("a", "c")])`, or with `limit` and `order_by`. Targets come after their sources in
    `graph.topological_order`, so links close no cycle.

    Heads of attention are no sources, and merging layers, which have no weights, no targets.

    The link is `Dense` between layers with the same grid; on maps and tokens it acts at each position separately. From
    larger maps to smaller ones it is a `Conv2d` with kernel 1x1 and a stride, from maps to a layer without a grid a
    `Conv2d` over the whole grid.

    Attributes:
        spread: new weights are drawn from U(-spread, spread); with 0 they are 0.
        max_edges: largest number of edges that a rewrite may add; above it the rewrite is refused.
    """

    spread: float = 0.0
    max_edges: int = MAX_CROSSING

    pattern = missing_link("k", src=layer("p"), dst=layer("c"))
    promise = "exact at weight 0; `spread` bounded"
    variants = (Variant("add skip links", bitwise=True),)
    choices = FrozenDict({"spread": (0.0, 0.5)})

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.spread < 0:
            raise OptionError(f"spread={self.spread} is not a number from 0; weights come from U(-spread, spread).")
        if self.max_edges < 0:
            raise OptionError(f"max_edges={self.max_edges} is negative.")

    def where(self, m: Matches, stats: Statistics | None) -> dict[str, Array]:
        """Conditions on the source, on the target, and on a kind of link that leads from grid to grid."""
        outputs = [x.id for x in m.graph.outputs]
        named = {"source is no output": ~np.isin(m.p.id, outputs)}
        if merges(m.graph):
            makes = [x.merge is not None and x.merge.gives_heads for x in m.p]
            named["source makes no heads"] = ~np.array(makes, dtype=bool)
            named["target sums what arrives"] = np.array([x.merge is None for x in m.c], dtype=bool)
        return named | {
            "a link leads from grid to grid": np.array([kind is not None for kind in _kinds(m)], dtype=bool),
        }

    def rewrite(self, m: Matches, rw: Rewriter) -> None:
        """Add all edges between the two layers of each match."""
        kinds = _kinds(m)
        taps = np.array([kind.taps if kind else 0 for kind in kinds], dtype=np.int64)
        if (edges := int((m.p.size * m.c.size * taps).sum())) > self.max_edges:
            raise RewriteError(
                f"{len(m):,} skip links would have {edges:,} edges, more than max_edges={self.max_edges:,}; "
                "select fewer links or raise the cap."
            )
        for source, target, kind in zip(m.p, m.c, kinds, strict=True):
            ends = (rw.vertices(source), rw.vertices(target))
            rw.connect_all(*ends, weight=rw.uniform(-self.spread, self.spread), kind=kind)

    def claim(self, m: Matches) -> Level | None:
        """Exact at weight 0, and where no output depends on a target; else bounded."""
        if not self.spread:
            return "exact"
        alive = np.unique(m.graph.vertices.layer[influential(m.graph)])
        return "bounded" if np.isin(m.c.id, alive).any() else "exact"


def _kinds(m: Matches) -> list[LinkKind | None]:
    return [_kind(source.output_grid, target.grid) for source, target in zip(m.p, m.c, strict=True)]


def _kind(source: Grid, target: Grid) -> LinkKind | None:
    """Kind of the link that leads from one grid to another, or None."""
    if source == target:
        return Dense()
    if len(source) != 2:
        return None
    if target == ():
        return Conv2d((source[0], source[1]))
    if len(target) != 2 or target[0] > source[0] or target[1] > source[1]:
        return None
    height, width = (-(-s // t) for s, t in zip(source, target, strict=True))
    kind = Conv2d((1, 1), (height, width))
    return kind if kind.output_grid(source) == target else None
