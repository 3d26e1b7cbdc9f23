"""Remove a vertex, and approximate its output by a linear combination of the others of its layer: a rule of SENN.

It is not among the shipped rules: the shares are those of one vertex, so that it has no defaults with a match and
takes one match at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from netgraph.checks import real_numbers
from netgraph.columns import Array
from netgraph.errors import OptionError, RewriteError
from netgraph.graph import Link
from netgraph.proof import Level
from netgraph.rewriting import Matches, Rewriter, Rule, vertex
from netgraph.rules import serving_only, under_coupling_norm
from netgraph.statistics import Statistics


@dataclass(frozen=True, kw_only=True)
class FoldVertex(Rule):
    """Take a hidden vertex h_i to be sum_j c_j h_j + c_0 over the others of its layer, and remove it.

    Every edge from it to a reader, at every tap, is shared out: the edges from the others to the same reader and tap
    gain c_j times its weight, and are made where they are missing; the bias of the reader gains c_0 times it. Where
    the vertex is not what it is taken to be, outputs change: **bounded**. A reader without a bias, and one that pads,
    at its rim, miss c_0.

    A vertex that is read through a wire or a frozen edge, or whose norm couples the vertices of its layer, is
    left alone.

    Attributes:
        shares: c_j (vertices of the layer,), with any value at the place of the vertex itself.
        constant: c_0.
    """

    shares: Array = field(default_factory=lambda: np.zeros(0), compare=False)
    constant: float = 0.0

    pattern = vertex("v", role="hidden")

    def __post_init__(self) -> None:
        super().__post_init__()
        if real_numbers("shares", self.shares).ndim != 1:
            raise OptionError(f"shares has shape {np.shape(self.shares)}; they are one for each vertex of the layer.")

    def where(self, m: Matches, stats: Statistics | None) -> dict[str, Array]:
        """Layers of as many vertices as there are shares, whose readers can be changed."""
        edges, graph = m.graph.edges, m.graph
        fixed = edges.frozen | edges.wired
        sizes = np.array([len(graph.layer(int(i))) for i in m.v.layer], dtype=np.int64)
        return {
            "norm acts vertex by vertex": ~under_coupling_norm(graph, m.v.layer),
            "as many shares as vertices": (sizes == len(self.shares)) & (sizes > 1),
            "its readers can be changed": np.bincount(edges.source_row[fixed], minlength=len(graph.vertices))[m.v.rows]
            == 0,
        }

    def rewrite(self, m: Matches, rw: Rewriter) -> None:
        """Share out the edges of one vertex, and remove it with what only served it."""
        if len(m) > 1:
            raise RewriteError(f"{len(m)} vertices match, but the shares are those of one; say which with `on`.")
        graph, row = m.graph, int(m.v.rows[0])
        layer = graph.layer(int(m.v.layer[0]))
        own = row - graph.vertices.offset(layer.id)
        raised: dict[int, Array] = {}
        for link in graph.outgoing[layer.id]:
            self._share(rw, link, own)
            chosen = link.src == own
            total = np.bincount(link.dst[chosen], link.weight[chosen], len(graph.layer(link.target)))
            raised[link.target] = raised.get(link.target, 0.0) + self.constant * total
        for target, more in raised.items():
            reader = graph.layer(target)
            if reader.bias is not None:
                rw.set_bias(rw.vertices(reader), reader.bias + more)
        gone = np.zeros(len(graph.vertices), dtype=bool)
        gone[row] = True
        rw.remove(rw.vertices(rows=serving_only(graph, gone)))

    def _share(self, rw: Rewriter, link: Link, own: int) -> None:
        """The edges of one link."""
        graph, taps = rw.graph, link.kind.taps
        sources = len(graph.layer(link.source))
        shape = (len(graph.layer(link.target)), sources, taps)
        there, dense = np.full(shape, -1, np.int64), np.zeros(shape)
        at = (link.dst, link.src, link.tap)
        there[at] = np.arange(len(link))
        dense[at] = link.weight
        shares = np.array(self.shares, dtype=np.float64)
        shares[own] = 0.0
        change = dense[:, own, None, :] * shares[None, :, None]
        touched = change != 0
        old = touched & (there >= 0)
        edges = graph.edges.offset(link.key) + there[old]
        rw.set_weight(rw.edges(rows=edges), dense[old] + change[old])
        dst, src, tap = np.nonzero(touched & (there < 0))
        first, last = graph.vertices.offset(link.source), graph.vertices.offset(link.target)
        rw.connect(
            rw.vertices(rows=first + src), rw.vertices(rows=last + dst), weight=change[dst, src, tap], tap=tap,
            kind=link.kind, port=link.port,
        )  # fmt: skip

    def claim(self, m: Matches) -> Level | None:
        """Bounded: the certificate limits the change of the outputs."""
        return "bounded"
