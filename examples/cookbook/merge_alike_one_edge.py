"""`merge_alike.py` with a pattern of one edge: features and cosines are written out."""

from dataclasses import dataclass

import numpy as np

import netgraph as ng


# region rule
@dataclass(frozen=True, kw_only=True)
class MergeAlikeByHand(ng.Rule):
    """Let the readers of a ReLU read another one with incoming weights of nearly the same direction: bounded."""

    pattern = ng.edge("e", src=ng.vertex("b", role="hidden"), dst=ng.vertex("c"))

    def partners(self, graph):  # row of the vertex to read instead, or -1, and ratio of the lengths, for every vertex
        edges, instead, ratio = graph.edges, np.full(graph.num_vertices, -1), np.ones(graph.num_vertices)
        for x in graph.layers:
            if x.role != "hidden" or x.norm != "none" or x.activation != "relu":
                continue
            start = graph.vertices.offset(x.id)
            into = np.flatnonzero((edges.target_row >= start) & (edges.target_row < start + len(x)))
            taps = int(edges.tap.max(initial=0)) + 1
            column = np.unique(edges.source_row[into] * taps + edges.tap[into], return_inverse=True)[1]
            features = np.zeros((len(x), int(column.max(initial=-1)) + 2))
            features[edges.target_row[into] - start, column] = edges.weight[into]
            features[:, -1] = 0.0 if x.bias is None else x.bias
            length = np.linalg.norm(features, axis=1)
            unit = features / np.where(length > 0, length, 1)[:, None]
            alike = np.tril(unit @ unit.T >= 0.98, -1)
            alike[:, alike.any(axis=1)] = False  # only the first of its kind is read
            found = alike.any(axis=1)
            first = alike.argmax(axis=1)[found]
            instead[start : start + len(x)][found] = start + first
            ratio[start : start + len(x)][found] = length[found] / length[first]
        return instead, ratio

    def where(self, m, stats):
        return {"an earlier vertex is alike": self.partners(m.graph)[0][m.b.rows] >= 0}

    def rewrite(self, m, rw):
        instead, ratio = self.partners(m.graph)
        a = rw.vertices(rows=instead[m.b.rows])
        rw.add_weight(a, m.c, weight=ratio[m.b.rows] * m.e.weight, tap=m.e.tap)
        rw.remove(m.e)

    def claim(self, m):
        return "bounded"


# endregion rule


def example() -> ng.Result:
    return ng.apply(MergeAlikeByHand(), ng.mlp([1, 4, 2], domain=(-1, 1), seed=0))
