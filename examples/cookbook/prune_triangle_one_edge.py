"""`prune_triangle.py` with a pattern of one edge: the joins of edges are written out."""

from dataclasses import dataclass

import numpy as np

import netgraph as ng


# region rule
@dataclass(frozen=True, kw_only=True)
class PruneTriangleByHand(ng.Rule):
    """Remove the weakest edge of triangles a -> b -> c, a -> c that share no edge: bounded."""

    pattern = ng.edge("e", src=ng.vertex("p"), dst=ng.vertex("c"))

    @staticmethod
    def joined(keys, wanted):  # pairs of positions (i, j) with wanted[i] == keys[j]
        order = np.argsort(keys, kind="stable")
        start = np.searchsorted(keys[order], wanted)
        count = np.searchsorted(keys[order], wanted, side="right") - start
        within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        return np.repeat(np.arange(len(wanted)), count), order[np.repeat(start, count) + within]

    def weakest(self, graph):  # rows of the weakest edges of triangles, each edge in one triangle
        edges, n = graph.edges, graph.num_vertices
        free = np.flatnonzero(~edges.frozen)
        source, target = edges.source_row[free], edges.target_row[free]
        first, second = self.joined(source, target)
        path, around = self.joined(source * n + target, source[first] * n + target[second])
        sides = free[np.stack([first[path], second[path], around])]
        used, found = set(), []
        for triangle in sides.T.tolist():
            if used.isdisjoint(triangle):
                used.update(triangle)
                found.append(triangle[np.abs(edges.weight[triangle]).argmin()])
        return found

    def where(self, m, stats):
        return {"edge is the weakest of its triangle": np.isin(m.e.rows, self.weakest(m.graph))}

    def rewrite(self, m, rw):
        rw.remove(m.e)

    def claim(self, m):
        return "bounded"


# endregion rule


def example() -> ng.Result:
    graph = ng.apply(ng.rules.AddSkip(spread=0.5), ng.mlp([2, 3, 2], domain=(-1, 1), seed=0)).graph
    return ng.apply(PruneTriangleByHand(), graph)
