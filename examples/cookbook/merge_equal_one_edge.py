"""`merge_equal.py` with a pattern of one edge: the search for equal vertices is written out."""

from dataclasses import dataclass

import numpy as np

import netgraph as ng


# region rule
@dataclass(frozen=True, kw_only=True)
class MergeEqualByHand(ng.Rule):
    """Let the readers of a vertex read an equal one of its layer, by summed weights: exact up to rounding."""

    pattern = ng.edge("e", src=ng.vertex("b", role="hidden"), dst=ng.vertex("c"))

    def first(
        self, graph
    ):  # row of the first vertex with the same layer, values and incoming weights, for every vertex
        edges, incoming = graph.edges, [[] for _ in range(graph.num_vertices)]
        columns = (edges.target_row, edges.source_row, edges.tap, edges.port, edges.weight)
        for target, *ends, weight in zip(*(column.tolist() for column in columns), strict=True):
            if weight:
                incoming[target].append((*ends, weight))
        names = sorted({name for x in graph.layers for name in x.values})
        values = np.stack([graph.vertices.layer, *(np.nan_to_num(graph.vertices.column(n)) for n in names)], axis=1)
        seen = {}
        keys = [(*own, *sorted(edges)) for own, edges in zip(values.tolist(), incoming, strict=True)]
        return np.array([seen.setdefault(key, row) for row, key in enumerate(keys)])

    def where(self, m, stats):
        return {
            "norm acts vertex by vertex": ~ng.rules.under_coupling_norm(m.graph, m.b.layer),
            "an earlier vertex is equal": self.first(m.graph)[m.b.rows] < m.b.rows,
        }

    def rewrite(self, m, rw):
        a = rw.vertices(rows=self.first(m.graph)[m.b.rows])
        rw.add_weight(a, m.c, weight=m.e.weight, tap=m.e.tap)
        rw.remove(m.e)

    def claim(self, m):
        return "exact up to rounding"


# endregion rule


def example() -> ng.Result:
    graph = ng.apply(ng.rules.WidenLayer(init="duplicate"), ng.mlp([3, 3, 2], domain=(-1, 1), seed=0)).graph
    return ng.apply(MergeEqualByHand(), graph)
