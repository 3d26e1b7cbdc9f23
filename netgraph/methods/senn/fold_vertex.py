"""Rule of SENN that removes a vertex and approximates its output by a linear combination of the rest of its layer.

It is not registered among the shipped rules: its coefficients belong to one vertex, so that its defaults match nothing
and it takes one match at a time.
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
    """Replace a hidden vertex by a linear combination of the other vertices of its layer, `sum_j c_j h_j + c_0`.

    The vertex `i` is removed. For each of its edges with weight `w`, to a reader at a tap, the edge from every vertex
    `j` to the same reader and tap gains `c_j w`; it is added where it is missing. The bias of the reader gains `c_0 w`.
    Outputs change by the error of the combination: **bounded**. A reader without a bias misses the term `c_0 w`, and
    so does a padded convolution at the border of its grid.

    A vertex that is read through a wire or a frozen edge, or whose norm couples the vertices of its layer, does not
    match.

    Attributes:
        shares: coefficients `c_j`, `(vertices of the layer,)`; the value at the vertex itself is ignored.
        constant: `c_0`.
    """

    shares: Array = field(default_factory=lambda: np.zeros(0), compare=False)
    constant: float = 0.0

    pattern = vertex("v", role="hidden")

    def __post_init__(self) -> None:
        super().__post_init__()
        if real_numbers("shares", self.shares).ndim != 1:
            raise OptionError(f"shares has shape {np.shape(self.shares)}; they are one for each vertex of the layer.")

    def where(self, m: Matches, stats: Statistics | None) -> dict[str, Array]:
        """Conditions on the vertex: norm, size of its layer, and edges that can be changed."""
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
        """Distribute the edges of one vertex, and remove it with all vertices that only served it."""
        if len(m) > 1:
            raise RewriteError(f"{len(m)} vertices match, but the shares are those of one; say which with `on`.")
        graph, row = m.graph, int(m.v.rows[0])
        layer = graph.layer(int(m.v.layer[0]))
        own = row - graph.vertices.offset(layer.id)
        raised: dict[int, Array] = {}
        for link in graph.outgoing[layer.id]:
            chosen = link.src == own
            if not chosen.any():
                continue  # other vertices of the layer may be read through wires
            self._share(rw, link, own)
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
        """Add the edges of vertex `own` in one link, times `c_j`, to every other vertex j of its layer.

        The product is added to the weight of an edge that j has already, and else is the weight of a new edge.
        """
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
            rw.vertices(rows=first + src),
            rw.vertices(rows=last + dst),
            weight=change[dst, src, tap],
            tap=tap,
            kind=link.kind,
            port=link.port,
        )

    def claim(self, m: Matches) -> Level | None:
        """Bounded: the certificate has a bound of the change of the outputs."""
        return "bounded"
