"""Split edges: put a vertex on an edge, without changing the function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from netgraph.errors import OptionError, RewriteError
from netgraph.graph.columns import Array
from netgraph.rewriting import Claim, Matches, NewVertices, Rewriter, Rule, VertexRows, edge, vertex
from netgraph.statistics import Statistics

MAX_CROSSING = 5_000_000
MAX_VERTICES = 100_000


@dataclass(frozen=True, kw_only=True)
class SplitEdges(Rule):
    """Put a ReLU vertex on every matched edge (SSONN, section 3.2).

    The edge (p, c) of weight w becomes p -> n of weight 1 and n -> c of weight w. On a source that is
    never negative relu(x) = x, so the function stays: **exact**. On any other source the edge gets a pair of
    vertices, w relu(x) - w relu(-x) = w x, exact as well, or is refused. All new vertices of one target
    layer form one new layer (one per port, kind of link and grid of the source), which lies between the
    target and everything before it: acyclic by construction.

    Attributes:
        cross: "selected" joins every parent of the group to every new vertex, and every new vertex to
            every child, as the paper does: at most |P| |N| + |N| |C| edges. "none" makes only the path
            that replaces the edge.
        epsilon: crossing weights are drawn from U(0, epsilon). The paper has 1e-8; 0 is exact, and these edges
            still receive gradient.
        signed: what to do on a source that may be negative, "pair" or "refuse".
        max_crossing: refuse a rewrite that would make more crossing edges than this.
        max_vertices: refuse a rewrite that would make more vertices than this.
    """

    cross: Literal["selected", "none"] = "selected"
    epsilon: float = 0.0
    signed: Literal["pair", "refuse"] = "pair"
    max_crossing: int = MAX_CROSSING
    max_vertices: int = MAX_VERTICES

    pattern = edge("e", src=vertex("p"), dst=vertex("c"))

    def __post_init__(self) -> None:
        if self.cross not in ("selected", "none"):
            raise OptionError(f"cross={self.cross!r} is not 'selected' or 'none'.")
        if self.signed not in ("pair", "refuse"):
            raise OptionError(f"signed={self.signed!r} is not 'pair' or 'refuse'.")
        if not 0 <= self.epsilon < np.inf:
            raise OptionError(
                f"epsilon={self.epsilon} is not a number from 0; crossing weights come from U(0, epsilon)."
            )
        for name in ("max_crossing", "max_vertices"):
            if getattr(self, name) < 0:
                raise OptionError(f"{name}={getattr(self, name)} is negative.")

    def where(self, m: Matches, stats: Statistics | None) -> dict[str, Array]:
        """Refuse sources that may be negative, when asked to."""
        return {"source is never negative": m.p.nonnegative} if self.signed == "refuse" else {}

    def count_crossing(self, m: Matches) -> int:
        """How many crossing edges splitting these matches would make, at most."""
        if self.cross == "none":
            return 0
        return sum(_crossing(g) for g in _groups(m))

    @staticmethod
    def count_vertices(m: Matches) -> int:
        """How many vertices splitting these matches would make: one each, two on signed sources."""
        return len(m) + int(np.count_nonzero(~m.p.nonnegative))

    def rewrite(self, m: Matches, rw: Rewriter) -> None:
        """Split all matches, one new layer per target layer."""
        if (vertices := self.count_vertices(m)) > self.max_vertices:
            raise RewriteError(
                f"Splitting {len(m):,} edges would make {vertices:,} vertices, more than max_vertices="
                f"{self.max_vertices:,}; select fewer edges or raise the cap."
            )
        crossing = self.count_crossing(m)
        if crossing > self.max_crossing:
            raise RewriteError(
                f"Splitting {len(m):,} edges would make {crossing:,} crossing edges, more than max_crossing="
                f"{self.max_crossing:,}; select fewer edges, raise the cap, or use cross='none'."
            )
        for g in _groups(m):
            sign, copy = _signs(g.p.nonnegative)
            n = rw.add_layer(len(sign), activation="relu", name="split", grid=g.p.grid, dtype=g.e.weight.dtype)
            parent, child, w = g.p.take(copy), g.c.take(copy), g.e.weight[copy]
            rw.connect(parent, n, weight=sign)
            rw.connect(n, child, weight=sign * w, tap=g.e.tap[copy], kind=g.e.kind, port=int(g.e.port[0]))
            if self.cross == "selected":
                self._cross(g, n, rw)
            rw.remove(g.e)

    def _cross(self, g: Matches, n: NewVertices, rw: Rewriter) -> None:
        parents: VertexRows = g.p.unique()
        rw.connect_all(parents, n, weight=rw.uniform(0.0, self.epsilon))
        draw = rw.uniform(0.0, self.epsilon)
        rw.connect_all(n, g.c.unique(), weight=draw, kind=g.e.kind, port=int(g.e.port[0]))

    def claim(self, m: Matches) -> Claim:
        """Exact without epsilon; the draws of the paper move the function by an amount that is not bounded here."""
        if self.epsilon > 0 and self.cross == "selected":
            return Claim("unknown", f"crossing edges start in U(0, {self.epsilon:g})")
        pairs = int(np.count_nonzero(~m.p.nonnegative))
        text = "relu(x) = x on sources that are never negative"
        return Claim("exact", text + (f", and {pairs:,} pairs w relu(x) - w relu(-x) = w x" if pairs else ""))


def _groups(m: Matches) -> list[Matches]:
    return list(m.by("target layer", "port", "source grid", "link kind"))


def _signs(nonnegative: Array) -> tuple[Array, Array]:
    """Sign of each new vertex, and the match that it belongs to: one per match, a second for signed sources."""
    signed = np.flatnonzero(~nonnegative)
    sign = np.concatenate([np.ones(len(nonnegative)), -np.ones(len(signed))])
    return sign, np.concatenate([np.arange(len(nonnegative)), signed])


def _crossing(g: Matches) -> int:
    vertices = len(g) + int(np.count_nonzero(~g.p.nonnegative))
    own_in, own_out = vertices, vertices
    taps: int = g.e.kind.taps
    return vertices * len(g.p.unique()) - own_in + vertices * len(g.c.unique()) * taps - own_out
