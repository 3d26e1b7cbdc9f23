"""Rule that splits edges: it puts a vertex on an edge without changing the function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from netgraph.analysis import influential
from netgraph.checks import choice
from netgraph.columns import Array, FrozenDict
from netgraph.errors import OptionError, RewriteError
from netgraph.graph import ACTIVATIONS, Layer, get_activation
from netgraph.proof import Level, two_product
from netgraph.rewriting import Matches, NewVertices, Rewriter, Rule, Variant, VertexRows, edge, vertex
from netgraph.rules.merges import tables
from netgraph.rules.registry import register_rule
from netgraph.statistics import Statistics

MAX_CROSSING = 5_000_000
MAX_VERTICES = 100_000

Pairing = Literal["never", "signed", "always"]
"""Edges that need a pair of vertices: none, those with a source that may be negative, or all."""


PAIRING_BY_KEPT: dict[str, Pairing] = {
    "everything": "never",
    "nonnegative values": "signed",
    "nothing": "always",
}


def pairings() -> dict[str, Pairing]:
    """Return the pairings of all activations that can split edges, those with `f(x) - f(-x) = k x`, by name."""
    known = [a for a in ACTIVATIONS.values() if a.stretch(Layer.slope) is not None]
    return {a.name: PAIRING_BY_KEPT[a.keeps(Layer.slope)] for a in known}


@register_rule("split-edges")
@dataclass(frozen=True, kw_only=True)
class SplitEdges(Rule):
    """Put a vertex on every matched edge (SSONN, section 3.2, with ReLU).

    The edge `(p, c)` of weight `w` becomes `p -> n` of weight 1 and `n -> c` of weight `w` where the activation `f`
    keeps the values of `p`: relu and leaky_relu on a source that is never negative, and prelu, which starts at slope 1,
    on any source. On other sources the edge gets a pair of vertices, or is refused. A pair works because
    `f(x) - f(-x) = k x`, with `k = 1` for relu, gelu, gelu_tanh, silu and softplus, and `k = 1 + slope` for
    leaky_relu. Its outgoing weights are `w / k` and `-w / k`. The function stays the same: **exact**; for pairs
    **exact up to rounding** where `w / k` is rounded when it is stored; with an epsilon the change is **bounded**.
    Edges from positions or from inputs of ids are refused: they are rows of a table, to which a vertex adds nothing.
    All new vertices of one target layer form one new layer, or one for each kind of link and grid of the source. It
    lies between the target and all layers before it, so there is no cycle.

    Attributes:
        activation: activation of the new vertices, with `f(x) - f(-x) = k x`: relu, leaky_relu, prelu, gelu,
            gelu_tanh, silu, softplus, or a registered activation of your own whose record has that identity.
        slope: fixed slope of activations that have one, such as leaky_relu; not -1.
        cross: "selected" joins all sources of the edges that share a new layer to all of its vertices, and these to all
            targets of the edges at every tap, as the paper does. "none" makes only the path that replaces the edge.
        epsilon: crossing weights are drawn from U(0, epsilon). The paper has 1e-8. With 0 the split is exact, and
            crossing edges still receive gradient.
        signed: treatment of edges that need a pair: "pair" or "refuse". gelu, gelu_tanh, silu and softplus need a
            pair on all edges.
        max_crossing: largest number of crossing edges that a rewrite may make; above it the rewrite is refused.
        max_vertices: largest number of vertices that a rewrite may make; above it the rewrite is refused.
    """

    activation: str = "relu"
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
        *(
            Variant(f"split edges by {name}", {"activation": name}, bitwise=pairing == "never")
            for name, pairing in pairings().items()
            if name != "relu"
        ),
        Variant("", {"activation": "leaky_relu", "slope": -0.5}, bitwise=True),
        Variant("split edges, crossing weights U(0, 1e-8)", {"epsilon": 1e-8}),
    )
    choices = FrozenDict({"activation": pairings, "slope": (0.01, 0.0, 0.25, 1.0, 3.0), "epsilon": (0.0, 0.125)})

    def __post_init__(self) -> None:
        super().__post_init__()
        own = ACTIVATIONS.get(self.activation) if isinstance(self.activation, str) else None
        if own is None:
            choice("activation", self.activation, pairings())
        elif own.stretch(Layer.slope) is None:
            raise OptionError(
                f"activation={self.activation!r} of SplitEdges splits no edge: its record has no mirror identity that "
                f"gives f(x) - f(-x) = k x; use one of {', '.join(map(repr, pairings()))}."
            )
        elif self.slope == -1 or (own.uses_slope and own.stretch(self.slope) is None):
            raise OptionError(
                f"slope={self.slope} is refused; it is a number, and not -1: |x| does not tell x from -x."
            )
        if self.signed == "refuse" and self._pairing == "always":
            single = ", ".join(name for name, pair in pairings().items() if pair != "always")
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
        """Conditions: the edge is of no table, and with `signed="refuse"` it needs no pair."""
        named = {}
        if (rows := tables(m.graph, m.p.layer)).any():
            named["edge is of no table"] = ~rows
        if self.signed == "refuse" and self._pairing != "never":
            named["source is never negative"] = ~self._needs_pair(m)
        return named

    def _needs_pair(self, m: Matches) -> Array:
        """Mask of the matches for which a single vertex is not enough, `(matches,)`."""
        if self._pairing == "signed":
            return ~np.asarray(m.p.nonnegative)
        return np.full(len(m), self._pairing == "always")

    @property
    def _pairing(self) -> Pairing:
        return PAIRING_BY_KEPT[get_activation(self.activation).keeps(Layer.slope)]

    def count_crossing(self, m: Matches) -> int:
        """Largest number of crossing edges that splitting these matches can make."""
        if self.cross == "none":
            return 0
        return sum(self._crossing(g) for g in _groups(m))

    def _crossing(self, g: Matches) -> int:
        vertices = self.count_vertices(g)
        own_in, own_out = vertices, vertices
        taps: int = g.e.kind.taps
        return vertices * len(g.p.unique()) - own_in + vertices * len(g.c.unique()) * taps - own_out

    def count_vertices(self, m: Matches) -> int:
        """Number of vertices that splitting these matches makes: one each, two for a pair."""
        return len(m) + int(np.count_nonzero(self._needs_pair(m)))

    def rewrite(self, m: Matches, rw: Rewriter) -> None:
        """Split all matches; one new layer per target layer, port, source grid and kind of link."""
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
        activation = get_activation(self.activation)
        for g in _groups(m):
            sign, copy = _signs(self._needs_pair(g))
            n = rw.add_layer(
                len(sign),
                activation=self.activation,
                name="split",
                grid=g.p.grid,
                dtype=g.e.weight.dtype,
                values=activation.identity_at,
                slope=self.slope if activation.uses_slope else Layer.slope,
            )
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
        """Magnitudes of the outgoing weights before rounding: `w / k` for pairs, else `w`; `(matches,)`."""
        w = m.e.weight.astype(np.float64)
        return np.asarray(np.where(self._needs_pair(m), w / self._stretch[0], w))

    @property
    def _stretch(self) -> tuple[float, float]:
        """Factor `k` of `f(x) - f(-x) = k x`, and an upper bound of its rounding error."""
        found = get_activation(self.activation).stretch(self.slope)
        assert found is not None
        return found

    def claim(self, m: Matches) -> Level | None:
        """Exact, unless epsilon changes an output or the weights of pairs are rounded."""
        if self.epsilon > 0 and self.count_crossing(m) and influential(m.graph)[m.c.rows].any():
            return "bounded"
        factor, error = self._stretch
        if (factor, error) == (1, 0):
            return "exact"
        pairs = m.take(self._needs_pair(m))
        w = pairs.e.weight
        quotient = self._weights(pairs).astype(w.dtype).astype(np.float64)
        # Is quotient * k = w without rounding? If k itself is rounded (error > 0), that is sure only for w = 0.
        product, low, missing = two_product(quotient, np.full(len(w), factor))
        same = (product == w) & (low == 0) & (missing == 0) & ((error == 0) | (w == 0))
        return "exact" if same.all() else "exact up to rounding"


def _groups(m: Matches) -> list[Matches]:
    return list(m.by("target layer", "port", "source grid", "link kind"))


def _signs(pair: Array) -> tuple[Array, Array]:
    """Sign of each new vertex, and the index of its match: one vertex per match, a second one for pairs."""
    second = np.flatnonzero(pair)
    sign = np.concatenate([np.ones(len(pair)), -np.ones(len(second))])
    return sign, np.concatenate([np.arange(len(pair)), second])
