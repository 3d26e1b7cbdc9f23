"""`contract_linear.py` with a pattern of one edge: the only reader is found by hand."""

from dataclasses import dataclass

import numpy as np

import netgraph as ng


# region rule
@dataclass(frozen=True, kw_only=True)
class ContractLinearByHand(ng.Rule):
    """Lead every edge into a linear vertex with one reader on to that reader, as the composition of both layers."""

    pattern = ng.edge("e", src=ng.vertex("p"), dst=ng.vertex("v", role="hidden"))

    def readers(self, m):  # row of the edge out of each v, or -1 where there is none, or another one, or a wire
        edges, out = m.graph.edges, np.full(m.graph.num_vertices, -1)
        out[edges.source_row] = np.arange(len(edges))
        out[out >= 0] = np.where(edges.frozen[out[out >= 0]], -1, out[out >= 0])
        return np.where(m.v.out_degree == 1, out[m.v.rows], -1)

    def where(self, m, stats):
        linear = [x.id for x in m.graph.layers if x.activation == "identity" and x.norm == "none"]
        wired = [k.source * m.graph.next_ids.layer + k.target for k in m.graph.links if k.kind.wires]
        reader = self.readers(m)
        c = m.graph.edges.target_row[reader]
        contracted = np.isin(m.v.layer, linear) & (reader >= 0)
        layer, scalar = m.graph.vertices.layer[c], ~np.isin(c, self.maps(m.graph))
        return {
            "v has one reader": reader >= 0,
            "v is linear": contracted,
            "c is not contracted before": ~np.isin(c, m.v.rows[contracted]),
            "vertices are numbers": m.p.scalar & m.v.scalar & scalar,
            "no wires join p's layer and c's": ~np.isin(m.p.layer * m.graph.next_ids.layer + layer, wired),
        }

    def maps(self, graph):  # rows of vertices that are maps
        return np.flatnonzero(np.isin(graph.vertices.layer, [x.id for x in graph.layers if x.output_grid]))

    def rewrite(self, m, rw):
        reader = rw.edges(rows=self.readers(m))
        rw.add_weight(m.p, reader.targets, weight=m.e.weight.astype(float) * reader.weight)
        rw.remove(m.e)

    def claim(self, m):
        return "exact up to rounding"


# endregion rule


def example() -> ng.Result:
    graph = ng.mlp([3, 2, 1], activation="identity", domain=(-1, 1), seed=0)
    return ng.apply(ContractLinearByHand(), graph)
