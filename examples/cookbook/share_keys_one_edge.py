"""`share_keys.py` with a pattern of one edge: equal keys and values are found by hand."""

from dataclasses import dataclass

import numpy as np

import netgraph as ng


# region rule
@dataclass(frozen=True, kw_only=True)
class ShareKeysByHand(ng.Rule):
    """Let heads read one of two equal keys or values, by wires to the same slots: exact."""

    pattern = ng.edge("w", src=ng.vertex("b", role="hidden"), dst=ng.vertex("h"), frozen=True)

    def first(self, graph):  # row of the first vertex with the same layer, bias and incoming weights, for every vertex
        edges, incoming = graph.edges, [[] for _ in range(graph.num_vertices)]
        columns = (edges.target_row, edges.source_row, edges.tap, edges.port, edges.weight)
        for target, *ends, weight in zip(*(column.tolist() for column in columns), strict=True):
            if weight:
                incoming[target].append((*ends, weight))
        own = zip(graph.vertices.layer.tolist(), np.nan_to_num(graph.vertices.column("bias")).tolist(), strict=True)
        seen = {}
        keys = [(*values, *sorted(edges)) for values, edges in zip(own, incoming, strict=True)]
        return np.array([seen.setdefault(key, row) for row, key in enumerate(keys)])

    def where(self, m, stats):
        linear = [x.id for x in m.graph.layers if x.activation == "identity" and x.norm == "none"]
        return {
            "an earlier vertex is equal": self.first(m.graph)[m.b.rows] < m.b.rows,
            "b is linear, as keys are": np.isin(m.b.layer, linear),
            "a merge reads b": np.isin(m.h.layer, [x.id for x in m.graph.layers if x.merge is not None]),
        }

    def rewrite(self, m, rw):
        for g in m.by("w link"):
            a = rw.vertices(rows=self.first(m.graph)[g.b.rows])
            rw.connect(a, g.h, weight=1.0, tap=g.w.tap, kind=g.w.kind, port=g.w.port[0], frozen=True)
        rw.remove(m.w)

    def claim(self, m):
        return "exact"


# endregion rule


def example() -> ng.Result:
    b = ng.GraphBuilder(seed=0)
    b.input("x", 2, grid=(3,), domain=(-1, 1))
    for name in ("q", "k", "v"):
        b.layer(name, 4, grid=(3,), activation="identity")
        b.dense("x", name)
    b.attend("heads", "q", "k", heads=2)
    b.mix("mix", "heads", "v")
    b.output("y", 1, grid=(3,))
    b.dense("mix", "y")
    graph = b.build()
    return ng.apply(ShareKeysByHand(), graph.with_weights(np.where(graph.edges.frozen, 1.0, 0.5)))  # all are equal
