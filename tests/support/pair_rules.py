"""Small rules whose order matters, or does not, and pairs of them that are judged right."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

import netgraph as ng


@dataclass(frozen=True, kw_only=True)
class Scale(ng.Rule):
    """Multiply every weight."""

    by: float = 0.5
    pattern: ClassVar = ng.edge("e")

    def rewrite(self, m, rw):
        rw.set_weight(m.e, m.e.weight * self.by)


@dataclass(frozen=True, kw_only=True)
class SetBias(ng.Rule):
    """Set every bias of hidden and output layers."""

    to: float = 1.0
    pattern: ClassVar = ng.vertex("v")

    def where(self, m, stats):
        return ~np.isnan(m.v.column("bias"))

    def rewrite(self, m, rw):
        rw.set_bias(m.v, self.to)


@dataclass(frozen=True, kw_only=True)
class BiasFromWeight(ng.Rule):
    """Set the bias of a vertex to the weight of its first edge."""

    pattern: ClassVar = ng.edge("e", src=ng.vertex("p"), dst=ng.vertex("c"))

    def where(self, m, stats):
        first = np.zeros(len(m), dtype=bool)
        first[np.unique(m.c.rows, return_index=True)[1]] = True
        return first & ~np.isnan(m.c.column("bias"))

    def rewrite(self, m, rw):
        rw.set_bias(m.c, m.e.weight)


@dataclass(frozen=True, kw_only=True)
class ConnectAt(ng.Rule):
    """Add every missing edge at one weight."""

    weight: float = 1.0
    pattern: ClassVar = ng.missing_edge("e", src=ng.vertex("p"), dst=ng.vertex("c"))

    def rewrite(self, m, rw):
        for g in m.by("port"):
            rw.connect(g.p, g.c, weight=self.weight, tap=g.e.tap, port=int(g.e.port[0]))


@dataclass(frozen=True, kw_only=True)
class Grow(ng.Rule):
    """Append a vertex without edges, and with a bias, to every hidden layer below a size."""

    bias: float = 1.0
    until: int | None = None
    pattern: ClassVar = ng.layer("l", role="hidden")

    def where(self, m, stats):
        sums = np.array([x.merge is None and x.bias is not None for x in m.l], dtype=bool)
        return sums if self.until is None else sums & (m.l.size < self.until)

    def rewrite(self, m, rw):
        for layer in m.l:
            rw.add_vertices(layer, 1, bias=self.bias)


@dataclass(frozen=True, kw_only=True)
class RemovePassing(ng.Rule):
    """Remove a layer that hands on its source: one edge of weight 1 into each vertex, no bias, no activation."""

    pattern: ClassVar = ng.layer("l", role="hidden")

    def where(self, m, stats):
        return np.array([self.passes(m.graph, layer) for layer in m.l], dtype=bool)

    @staticmethod
    def passes(graph, layer):
        into, out = graph.incoming[layer.id], graph.outgoing[layer.id]
        if layer.activation != "identity" or len(into) != 1 or len(out) != 1 or layer.merge is not None:
            return False
        plain = layer.norm == "none" and not layer.pool and (layer.bias is None or not layer.bias.any())
        return plain and into[0].kind == ng.Dense() and bool((into[0].weight == 1).all())

    def rewrite(self, m, rw):
        for layer in m.l:
            (into,), (out,) = rw.graph.incoming[layer.id], rw.graph.outgoing[layer.id]
            source = np.empty(len(layer), dtype=np.int64)
            source[into.dst] = rw.graph.layer(into.source).vertex_ids[into.src]
            target = rw.graph.layer(out.target).vertex_ids
            rw.connect(
                rw.vertices(ids=source[out.src]), rw.vertices(ids=target[out.dst]), weight=out.weight, tap=out.tap,
                kind=out.kind, port=out.port, frozen=out.frozen,
            )  # fmt: skip
            rw.remove(layer)


PRUNE, ADD, SPLIT = ng.rules.PruneEdges, ng.rules.AddEdges, ng.rules.SplitEdges

COMMUTING = {
    "one prunes more than the other": (PRUNE(below=0.5), PRUNE(below=1.0)),
    "missing edges of weight 0, and halves of vertices": (ADD(), ng.rules.SplitVertices()),
    "weights and biases": (Scale(), SetBias()),
    "other rows only": (Grow(bias=1.0), Grow(bias=2.0)),
}
"""Pairs of rules that commute."""

INTERFERING = {
    "delete-use": (PRUNE(below=1.0), SPLIT(cross="none"), "different"),
    "produce-forbid": (ConnectAt(weight=1.0), ConnectAt(weight=2.0), "different"),
    "change-use": (Scale(), BiasFromWeight(), "different"),
    "change-use through a condition": (Scale(), PRUNE(below=0.5), "different"),
    "change-change": (SetBias(to=1.0), SetBias(to=2.0), "different"),
    "produce-use": (ADD(), PRUNE(), "same"),
    "delete-forbid": (PRUNE(), ng.rules.PruneVertices(), "same"),
    "produce-use of copies": (ng.rules.SplitVertices(), ng.rules.MergeVertices(), "same"),
}
"""Pairs of rules that do not commute, by the first kind of their conflicts, with the verdict on the functions."""
