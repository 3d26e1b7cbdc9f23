"""`fold_correlated.py` with a pattern of one edge: the correlations are written out."""

from dataclasses import dataclass

import numpy as np

import netgraph as ng


# region rule
@dataclass(frozen=True, kw_only=True)
class FoldCorrelatedByHand(ng.Rule):
    """Let the readers of a vertex read s a + t in its place, where a is correlated with it: bounded."""

    pattern = ng.edge("e", src="b", dst="c")

    def values(self, graph):  # means over maps, `(vertices, samples)`
        found = ng.interpret_layers(graph, ng.proof.sample_inputs(graph, 64, np.random.default_rng(0)))
        return np.concatenate([found[x.name].reshape(64, len(x), -1).mean(2).T for x in graph.layers_by_id.values()])

    def partners(self, graph):  # row of the vertex to read instead, or -1, for every vertex
        h, instead = self.values(graph), np.full(graph.num_vertices, -1)
        for x in graph.layers:
            start = graph.vertices.offset(x.id)
            part = h[start : start + len(x)]
            own = part - part.mean(axis=1, keepdims=True)
            own[np.abs(own).max(axis=1) < 1e-14 * np.abs(part).max(axis=1)] = 0.0  # constants, but for their rounding
            length = np.linalg.norm(own, axis=1)
            unit = own / np.where(length > 0, length, 1)[:, None]
            alike = np.tril(unit @ unit.T >= 0.99, -1)
            alike[:, alike.any(axis=1)] = False  # only the first of its kind is read
            found = alike.any(axis=1)
            instead[start : start + len(x)][found] = start + alike.argmax(axis=1)[found]
        return instead

    def where(self, m, stats):
        return {
            "an earlier vertex is correlated": self.partners(m.graph)[m.b.rows] >= 0,
            "vertices are numbers": m.b.scalar,
            "c has a bias": ~np.isnan(m.c.column("bias")),
        }

    def rewrite(self, m, rw):
        h, bias, c = self.values(m.graph), m.graph.vertices.column("bias"), m.c.unique()
        a = rw.vertices(rows=self.partners(m.graph)[m.b.rows])
        s = h.std(axis=1)[m.b.rows] / h.std(axis=1)[a.rows]
        t = h.mean(axis=1)[m.b.rows] - s * h.mean(axis=1)[a.rows]
        rw.add_weight(a, m.c, weight=s * m.e.weight)
        rw.set_bias(c, (bias + np.bincount(m.c.rows, t * m.e.weight, len(bias)))[c.rows])
        rw.remove(m.e)

    def claim(self, m):
        return "bounded"


# endregion rule


def example() -> ng.Result:
    graph = ng.mlp([3, 3, 2], domain=(0, 1), seed=0)
    weight = np.abs(graph.edges.weight)
    weight[3:6] = 0.7 * weight[0:3] + 0.01  # the second vertex goes up and down with the first
    return ng.apply(FoldCorrelatedByHand(), graph.with_weights(weight))
