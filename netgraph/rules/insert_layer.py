"""Insert a layer on a link."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from netgraph.errors import OptionError, RewriteError, unknown_name
from netgraph.graph import Identity, Link
from netgraph.graph.columns import Array
from netgraph.proof import Level
from netgraph.rewriting import LinkRows, Matches, NewVertices, Rewriter, Rule, VertexRows, layer, link
from netgraph.rules.split_edges import MAX_CROSSING
from netgraph.statistics import Statistics

STARTS = {"relu": {}, "identity": {}, "prelu": {"slope": 1.0}, "rational": {"v": 0.0, "c": 0.0, "l": 1.0}}
"""Activations of an inserted layer, with the vertex parameters at which they keep the values that they see."""


@dataclass(frozen=True, kw_only=True)
class InsertLayer(Rule):
    """Put a new layer on every matched link (the depth proposal of SENN, section 3; Net2DeeperNet with ReLU).

    The new layer has a vertex for every vertex of the source that feeds the link, on the source's output grid, joined
    to it by one edge of weight 1. It takes over the edges of the link, with their kind, port, taps and weights. As
    ReLU keeps what is never negative, and prelu of slope 1 and the identity keep everything, the function stays:
    **exact**. With a mix the new layer holds p K for an invertible K and takes over K^-1 W, at every tap: **exact up to
    rounding** of K^-1 W. SENN's rational activation at v = c = 0, l = 1 is t / sqrt(1 + 1e-8), 5e-9 less than t:
    **exact up to rounding** of float32 weights, **bounded** in float64.

    Links of wires, without edges, and for a mix with frozen edges are left alone.

    Attributes:
        activation: "identity", "relu" (for sources that are never negative), "prelu" or "rational".
        mix: "none" for K = 1, "orthogonal" for a random rotation, "random" for normal entries, their singular values
            clipped from below to a tenth of their mean (SENN: a thousandth).
        full: whether to add the edges that are missing between source and new layer, at weight 0; a mix has all.
        max_edges: refuse a rewrite that would make more edges than this.
    """

    activation: Literal["identity", "relu", "prelu", "rational"] = "identity"
    mix: Literal["none", "orthogonal", "random"] = "none"
    full: bool = False
    max_edges: int = MAX_CROSSING

    pattern = link("k", src=layer("p"), dst=layer("c"))

    def __post_init__(self) -> None:
        if self.activation not in STARTS:
            raise OptionError(unknown_name("activation", self.activation, STARTS))
        if self.mix not in ("none", "orthogonal", "random"):
            raise OptionError(f"mix={self.mix!r} is not 'none', 'orthogonal' or 'random'.")
        if self.mix != "none" and self.activation == "relu":
            raise OptionError(f"mix={self.mix!r} makes negative values, which relu cuts off; use another activation.")
        if self.max_edges < 0:
            raise OptionError(f"max_edges={self.max_edges} is negative.")

    def where(self, m: Matches, stats: Statistics | None) -> dict[str, Array]:
        """Links that can be taken over, and for ReLU sources that are never negative."""
        graph, edges = m.graph, m.graph.edges
        named = {
            "link is not of wires": np.array([not isinstance(k.kind, Identity) for k in m.k], dtype=bool),
            "link has edges": m.k.size > 0,
        }
        if self.activation == "relu":
            signed = np.bincount(edges.link[~graph.vertices.nonnegative[edges.source_row]], minlength=len(graph.links))
            named["sources are never negative"] = signed[m.k.rows] == 0
        if self.mix != "none":
            frozen = np.bincount(edges.link[edges.frozen], minlength=len(graph.links))
            named["link has no frozen edges"] = frozen[m.k.rows] == 0
        return named

    def rewrite(self, m: Matches, rw: Rewriter) -> None:
        """Insert one layer per link; links are looked at one by one, edges are not."""
        if (edges := self.count_edges(m)) > self.max_edges:
            raise RewriteError(
                f"Inserting {len(m):,} layers would make {edges:,} edges, more than max_edges={self.max_edges:,}; "
                "select fewer links or raise the cap."
            )
        for row, k, source in zip(m.k.rows, m.k, m.p, strict=True):
            old = LinkRows(m.graph, np.array([row])).edges
            offset = m.graph.vertices.offset(k.source)
            used, which = np.unique(k.src, return_inverse=True)
            parents = rw.vertices(rows=offset + used)
            n = rw.add_layer(
                len(used), activation=self.activation, name="insert", grid=source.output_grid,
                dtype=old.weight.dtype, values=STARTS[self.activation],
            )  # fmt: skip
            children = rw.vertices(rows=m.graph.vertices.offset(k.target) + k.dst)
            if self.mix == "none":
                rw.connect(parents, n, weight=1.0)
                rw.connect(n.take(which), children, weight=k.weight, tap=k.tap, kind=k.kind, port=k.port,
                           frozen=k.frozen)  # fmt: skip
            else:
                self._mix(rw, k, parents, n, which)
            if self.full and self.mix == "none":
                rw.connect_all(parents, n, weight=0.0)
            rw.remove(old)

    def count_edges(self, m: Matches) -> int:
        """How many edges inserting layers on these links would make."""
        total = 0
        for k in m.k:
            size = len(np.unique(k.src))
            mixed = self.mix != "none"
            total += size * size if mixed or self.full else size
            total += size * len(np.unique(_cells(k))) if mixed else len(k)
        return total

    def _mix(self, rw: Rewriter, k: Link, parents: VertexRows, n: NewVertices, which: Array) -> None:
        """Edges of K from the source, edges of K^-1 W to every target and tap that the link reaches."""
        size = len(n)
        matrix = rw.rng.normal(0.0, 1.0 / np.sqrt(size), (size, size))
        left, values, right = np.linalg.svd(matrix)
        floor = np.maximum(values, 0.1 * values.mean()) if self.mix == "random" else np.ones(size)
        stored = ((left * floor) @ right).astype(rw.graph.edges.weight.dtype)  # what is stored is what is inverted
        matrix = stored.astype(np.float64)
        cells, column = np.unique(_cells(k), return_inverse=True)
        weight = np.zeros((size, len(cells)))
        weight[which, column] = k.weight
        weight = np.linalg.solve(matrix, weight)
        source, target = np.repeat(np.arange(size), size), np.tile(np.arange(size), size)
        rw.connect(parents.take(source), n.take(target), weight=matrix.ravel())
        dst, tap = np.divmod(np.tile(cells, size), k.kind.taps)
        children = rw.vertices(rows=rw.graph.vertices.offset(k.target) + dst)
        from_new = n.take(np.repeat(np.arange(size), len(cells)))
        rw.connect(from_new, children, weight=weight.ravel(), tap=tap, kind=k.kind, port=k.port)

    def claim(self, m: Matches) -> Level | None:
        """Exact, unless a mix is rounded or the activation is not quite the identity."""
        if self.activation == "rational":
            double = any(k.weight.dtype == np.float64 for k in m.graph.links)
            return "bounded" if double else "exact up to rounding"
        # A rotation of one vertex is a sign.
        signs = self.mix == "orthogonal" and all(len(np.unique(k.src)) == 1 for k in m.k)
        return "exact" if self.mix == "none" or signs else "exact up to rounding"


def _cells(k: Link) -> Array:
    """Target row and tap of every edge, as one number."""
    return np.asarray(k.dst.astype(np.int64) * k.kind.taps + k.tap)
