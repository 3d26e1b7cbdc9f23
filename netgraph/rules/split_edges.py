"""Split edges: put a vertex on an edge, without changing the function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from netgraph.columns import Array, FrozenDict
from netgraph.errors import OptionError, RewriteError
from netgraph.graph import Layer
from netgraph.proof import Level, two_product, two_sum
from netgraph.rewriting import Matches, NewVertices, Rewriter, Rule, Variant, VertexRows, edge, vertex
from netgraph.rules.influence import influential
from netgraph.rules.registry import register
from netgraph.statistics import Statistics

MAX_CROSSING = 5_000_000
MAX_VERTICES = 100_000

PAIRED: dict[str, Literal["signed", "always", "never"]] = {
    "relu": "signed",
    "leaky_relu": "signed",
    "prelu": "never",
    "gelu": "always",
    "silu": "always",
    "softplus": "always",
}
"""On which sources each activation needs a pair of vertices: those that may be negative, all, or none."""


@register("split-edges")
@dataclass(frozen=True, kw_only=True)
class SplitEdges(Rule):
    """Put a vertex on every matched edge (SSONN, section 3.2, with ReLU).

    The edge (p, c) of weight w becomes p -> n of weight 1 and n -> c of weight w where the activation f keeps
    the values of p: relu and leaky_relu on a source that is never negative, prelu, which starts at slope 1, on any
    source. Elsewhere the edge gets a pair of vertices, or is refused: f(x) - f(-x) is x for relu, gelu, silu and
    softplus, and (1 + slope) x for leaky_relu, whose outgoing weights are therefore w / (1 + slope). The function
    stays: **exact**; for pairs of leaky_relu **exact up to rounding** where the storage of the weights rounds that
    quotient; with an epsilon the change is **bounded**. All new vertices of one target layer form one new layer (one
    per port, kind of link and grid of the source), which lies between the target and everything before it: acyclic
    by construction.

    Attributes:
        activation: activation of the new vertices: relu, leaky_relu, prelu, gelu, silu or softplus.
        slope: negative slope of leaky_relu, not -1; other activations have none.
        cross: "selected" joins every parent of the group to every new vertex, and every new vertex to
            every child, as the paper does: at most |P| |N| + |N| |C| edges. "none" makes only the path
            that replaces the edge.
        epsilon: crossing weights are drawn from U(0, epsilon). The paper has 1e-8; 0 is exact, and these edges
            still receive gradient.
        signed: what to do on an edge that needs a pair, "pair" or "refuse"; gelu, silu and softplus need one on all.
        max_crossing: refuse a rewrite that would make more crossing edges than this.
        max_vertices: refuse a rewrite that would make more vertices than this.
    """

    activation: Literal["relu", "leaky_relu", "prelu", "gelu", "silu", "softplus"] = "relu"
    slope: float = 0.01
    cross: Literal["selected", "none"] = "selected"
    epsilon: float = 0.0
    signed: Literal["pair", "refuse"] = "pair"
    max_crossing: int = MAX_CROSSING
    max_vertices: int = MAX_VERTICES

    pattern = edge("e", src=vertex("p"), dst=vertex("c"))
    promise = "exact; leaky pairs up to rounding; `epsilon` bounded"
    variants = (
        Variant("split edges", bitwise=True),
        Variant("split edges, without crossing edges", {"cross": "none"}, bitwise=True),
        Variant("split edges by GELU", {"activation": "gelu"}),
        Variant("split edges by SiLU", {"activation": "silu"}),
        Variant("split edges by softplus", {"activation": "softplus"}),
        Variant("split edges by leaky ReLU", {"activation": "leaky_relu"}),
        Variant("", {"activation": "leaky_relu", "slope": -0.5}, bitwise=True),
        Variant("split edges by PReLU", {"activation": "prelu"}, bitwise=True),
        Variant("split edges, crossing weights U(0, 1e-8)", {"epsilon": 1e-8}),
    )
    choices = FrozenDict({"slope": (0.01, 0.0, 0.25, 1.0, 3.0), "epsilon": (0.0, 0.125)})

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.slope == -1:
            raise OptionError(
                f"slope={self.slope} is refused; it is a number, and not -1: |x| does not tell x from -x."
            )
        if self.signed == "refuse" and PAIRED[self.activation] == "always":
            single = ", ".join(name for name, pair in PAIRED.items() if pair != "always")
            raise OptionError(
                f"signed='refuse' of SplitEdges would refuse every edge, since activation={self.activation!r} needs a "
                f"pair on all of them; use signed='pair', or one of {single}."
            )
        if self.epsilon < 0:
            raise OptionError(
                f"epsilon={self.epsilon} is not a number from 0; crossing weights come from U(0, epsilon)."
            )
        for name in ("max_crossing", "max_vertices"):
            if getattr(self, name) < 0:
                raise OptionError(f"{name}={getattr(self, name)} is negative.")

    def where(self, m: Matches, stats: Statistics | None) -> dict[str, Array]:
        """Refuse what would need a pair, when asked to."""
        if self.signed == "pair" or PAIRED[self.activation] == "never":
            return {}
        return {"source is never negative": ~self._needs_pair(m)}

    def _needs_pair(self, m: Matches) -> Array:
        """(matches,) whether a single vertex would not do."""
        if PAIRED[self.activation] == "signed":
            return ~np.asarray(m.p.nonnegative)
        return np.full(len(m), PAIRED[self.activation] == "always")

    def count_crossing(self, m: Matches) -> int:
        """How many crossing edges splitting these matches would make, at most."""
        if self.cross == "none":
            return 0
        return sum(self._crossing(g) for g in _groups(m))

    def _crossing(self, g: Matches) -> int:
        vertices = self.count_vertices(g)
        own_in, own_out = vertices, vertices
        taps: int = g.e.kind.taps
        return vertices * len(g.p.unique()) - own_in + vertices * len(g.c.unique()) * taps - own_out

    def count_vertices(self, m: Matches) -> int:
        """How many vertices splitting these matches would make: one each, two for a pair."""
        return len(m) + int(np.count_nonzero(self._needs_pair(m)))

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
            sign, copy = _signs(self._needs_pair(g))
            n = rw.add_layer(
                len(sign), activation=self.activation, name="split", grid=g.p.grid, dtype=g.e.weight.dtype,
                values={"slope": 1.0} if self.activation == "prelu" else None,
                slope=self.slope if self.activation == "leaky_relu" else Layer.slope,
            )  # fmt: skip
            parent, child, w = g.p.take(copy), g.c.take(copy), self._weights(g)[copy]
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

    def _weights(self, m: Matches) -> Array:
        """(matches,) size of the outgoing weights, before the storage rounds them."""
        w = m.e.weight.astype(np.float64)
        scaled = self._needs_pair(m) & (self.activation == "leaky_relu")
        return np.asarray(np.where(scaled, w / (1.0 + self.slope), w))

    def claim(self, m: Matches) -> Level | None:
        """Exact, unless epsilon changes something or the weights of leaky pairs are rounded."""
        if self.epsilon > 0 and self.count_crossing(m) and influential(m.graph)[m.c.rows].any():
            return "bounded"
        if self.activation != "leaky_relu":
            return "exact"
        pairs = m.take(self._needs_pair(m))
        w = pairs.e.weight
        quotient = self._weights(pairs).astype(w.dtype).astype(np.float64)
        # quotient * (1 + slope) = w, as quotient * slope = w - quotient: two sums of two floats, compared in full.
        product, low, missing = two_product(quotient, np.full(len(w), self.slope))
        rest, rest_low = two_sum(w.astype(np.float64), -quotient)
        same = (product == rest) & (low == rest_low) & (missing == 0)
        return "exact" if same.all() else "exact up to rounding"


def _groups(m: Matches) -> list[Matches]:
    return list(m.by("target layer", "port", "source grid", "link kind"))


def _signs(pair: Array) -> tuple[Array, Array]:
    """Sign of each new vertex, and the match that it belongs to: one per match, a second for pairs."""
    second = np.flatnonzero(pair)
    sign = np.concatenate([np.ones(len(pair)), -np.ones(len(second))])
    return sign, np.concatenate([np.arange(len(pair)), second])
