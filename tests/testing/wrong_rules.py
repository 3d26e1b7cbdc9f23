"""Rules that are wrong on purpose, each by one slip that is easily made, and each claiming to be exact."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

import netgraph as ng
from netgraph.rewriting import EdgeRows, Rule, VertexRows


class ExactRule(Rule):
    def claim(self, m):
        return "exact"


def edges_at(graph, row, end):
    """Edges into or out of one vertex."""
    column = graph.edges.target_row if end == "in" else graph.edges.source_row
    return EdgeRows(graph, np.flatnonzero((column == row) & ~graph.edges.frozen))


def vertices_of(graph, ids):
    return VertexRows(graph, graph.vertices.rows(ids))


def copy_vertices(m, rw, columns, share=0.5):
    """Give every matched vertex a twin with the same incoming edges, and split the outgoing weights."""
    graph = m.graph
    for row in m.v.rows.tolist():
        layer = graph.layer(int(graph.vertices.layer[row]))
        values = {c: layer.values[c][graph.vertices.row[row]] for c in columns if c in layer.values}
        new = rw.add_vertices(layer, 1, **values)
        for g in groups(edges_at(graph, row, "in")):
            many = ng.rewriting.NewVertices(np.repeat(new.id, len(g)), new.layer_id, new.grid)
            source = vertices_of(graph, graph.edges.source[g.rows])
            rw.connect(source, many, weight=g.weight, tap=g.tap, kind=g.kind, port=int(g.port[0]))
        for g in groups(edges_at(graph, row, "out")):
            many = ng.rewriting.NewVertices(np.repeat(new.id, len(g)), new.layer_id, new.grid)
            target = vertices_of(graph, graph.edges.target[g.rows])
            rw.connect(many, target, weight=g.weight * share, tap=g.tap, kind=g.kind, port=int(g.port[0]))
            if share != 1:
                rw.set_weight(g, g.weight * (1 - share))


def groups(edges):
    """The edges, link by link."""
    return [edges.take(edges.link == k) for k in np.unique(edges.link)]


def plain(m):
    """Vertices of layers that may be copied: no wires, and no norm over the vertices of the layer."""
    graph = m.graph
    wired = {end for k in graph.links if k.kind.wires for end in (k.source, k.target)}
    normed = [x.id for x in graph.layers.values() if x.norm in ("layer", "rms")]
    return ~np.isin(m.v.layer, [*wired, *normed])


def split(m, rw, signs, activation="relu", target=None, tap=None):
    """Put vertices on every matched edge, one for each sign."""
    for g in m.by("target layer", "port", "source grid", "link kind"):
        for sign, out in signs:
            n = rw.add_layer(len(g), activation=activation, name="split", grid=g.p.grid)
            rw.connect(g.p, n, weight=sign)
            child = g.c if target is None else target(g)
            taps = g.e.tap if tap is None else tap(g)
            rw.connect(n, child, weight=out * g.e.weight, tap=taps, kind=g.e.kind, port=int(g.e.port[0]))
        rw.remove(g.e)


class OnEdges(ExactRule):
    pattern: ClassVar = ng.edge("e", src=ng.vertex("p"), dst=ng.vertex("c"))


class OnVertices(ExactRule):
    pattern: ClassVar = ng.vertex("v", role="hidden")

    def where(self, m, stats):
        return plain(m)


@dataclass(frozen=True)
class SignSlip(OnEdges):
    """w relu(x) + w relu(-x) is w |x|; the second sign is missing."""

    def rewrite(self, m, rw):
        split(m, rw, [(1.0, 1.0), (-1.0, 1.0)])


@dataclass(frozen=True)
class OneRelu(OnEdges):
    """relu(x) is x on a source that is never negative only."""

    def rewrite(self, m, rw):
        split(m, rw, [(1.0, 1.0)])


@dataclass(frozen=True)
class WrongChild(OnEdges):
    """The new vertex feeds the vertex after the target."""

    def where(self, m, stats):
        return m.p.nonnegative & np.array([len(m.graph.layer(int(i))) > 1 for i in m.c.layer], dtype=bool)

    def rewrite(self, m, rw):
        def after(g):
            vertices = m.graph.vertices
            size = np.array([len(m.graph.layer(int(i))) for i in g.c.layer])
            row = vertices.row[g.c.rows]
            return VertexRows(m.graph, g.c.rows - row + (row + 1) % size)

        split(m, rw, [(1.0, 1.0)], target=after)


@dataclass(frozen=True)
class TanhInserted(OnEdges):
    """tanh is the identity near 0 only."""

    def rewrite(self, m, rw):
        split(m, rw, [(1.0, 1.0)], activation="tanh")


@dataclass(frozen=True)
class OffByOneTap(OnEdges):
    """A kernel position is counted from 1."""

    def where(self, m, stats):
        kinds = [k.kind.taps for k in m.graph.links]
        return m.p.nonnegative & (np.array(kinds)[m.e.link] > 1)

    def rewrite(self, m, rw):
        split(m, rw, [(1.0, 1.0)], tap=lambda g: (g.e.tap + 1) % g.e.kind.taps)


@dataclass(frozen=True)
class ForgottenBias(OnVertices):
    """The twin has no bias."""

    def rewrite(self, m, rw):
        copy_vertices(m, rw, ("slope", "scale", "shift", "mean", "var", "v", "c", "l"))


@dataclass(frozen=True)
class StaleBatchNorm(OnVertices):
    """The twin has the statistics of a new vertex."""

    def where(self, m, stats):
        normed = [x.id for x in m.graph.layers.values() if x.norm == "batch"]
        return plain(m) & np.isin(m.v.layer, normed)

    def rewrite(self, m, rw):
        copy_vertices(m, rw, ("bias", "slope", "scale", "shift", "v", "c", "l"))


@dataclass(frozen=True)
class Undivided(OnVertices):
    """Net2Wider whose outgoing weights are not divided."""

    def rewrite(self, m, rw):
        copy_vertices(m, rw, ("bias", "slope", "scale", "shift", "mean", "var", "v", "c", "l"), share=1)


@dataclass(frozen=True)
class PruneSmall(OnEdges):
    """Small is not nothing."""

    def where(self, m, stats):
        return np.abs(m.e.weight) <= 0.25

    def rewrite(self, m, rw):
        rw.remove(m.e)


@dataclass(frozen=True)
class BiasThroughPadding(OnEdges):
    """Moves a bias behind a convolution whose padding does not have it."""

    pattern: ClassVar = ng.edge("e", src=ng.vertex("p", role="hidden"), dst=ng.vertex("c"))

    def where(self, m, stats):
        graph, fine = m.graph, []
        for source, target in zip(m.p.layer.tolist(), m.c.layer.tolist(), strict=True):
            s, t = graph.layer(source), graph.layer(target)
            ok = s.activation == "identity" and s.norm == "none" and s.pool is None and s.bias is not None
            links = graph.outgoing[source]
            fine.append(ok and t.bias is not None and all(isinstance(k.kind, ng.Conv2d) for k in links))
        single = np.array([len(np.unique(m.graph.edges.target[m.graph.edges.source == i])) for i in m.p.id]) == 1
        return np.array(fine, dtype=bool) & single & (np.nan_to_num(m.p.column("bias")) != 0)

    def rewrite(self, m, rw):
        moved = np.zeros(len(m.graph.vertices))
        np.add.at(moved, m.c.rows, m.e.weight * m.p.column("bias"))
        children = m.c.unique()
        rw.set_bias(m.p.unique(), 0.0)
        rw.set_bias(children, children.column("bias") + moved[children.rows])


@dataclass(frozen=True)
class MergeAlmost(OnVertices):
    """Merges two vertices when all their weights but the last agree."""

    def where(self, m, stats):
        keys = [key(m.graph, row) for row in m.v.rows.tolist()]
        return plain(m) & np.array([keys.index(k) < i for i, k in enumerate(keys)], dtype=bool)

    def rewrite(self, m, rw):
        graph, weight = m.graph, m.graph.edges.weight.astype(np.float64)
        for row in m.v.rows.tolist():
            kept = next(r for r in range(row) if key(graph, r) == key(graph, row))
            weight[edges_at(graph, kept, "out").rows] += graph.edges.weight[edges_at(graph, row, "out").rows]
        changed = np.flatnonzero(weight != graph.edges.weight)
        rw.set_weight(EdgeRows(graph, changed), weight[changed])
        rw.remove(m.v)


def key(graph, row):
    into, out = edges_at(graph, row, "in"), edges_at(graph, row, "out")
    layer = graph.layer(int(graph.vertices.layer[row]))
    own = [float(v[graph.vertices.row[row]]) for v in layer.values.values()]
    return (
        layer.id, own, into.weight[:-1].tolist(), graph.edges.source[into.rows].tolist(), into.tap.tolist(),
        graph.edges.target[out.rows].tolist(), out.tap.tolist(),
    )  # fmt: skip


@dataclass(frozen=True)
class RowsForIds(OnEdges):
    """Sets edges to 0 that leave no matched vertex: none, if rows were ids."""

    def rewrite(self, m, rw):
        edges = rw.graph.edges
        others = ~np.isin(edges.source, m.p.rows) & ~edges.frozen
        rw.set_weight(rw.edges(rows=others), 0.0)


@dataclass(frozen=True)
class IdsForRows(OnVertices):
    """Sets biases to what they are, if ids were rows."""

    def where(self, m, stats):
        return plain(m) & ~np.isnan(m.v.column("bias"))

    def rewrite(self, m, rw):
        bias = rw.graph.vertices.column("bias")
        rw.set_bias(m.v, np.nan_to_num(bias[np.minimum(m.v.id, len(bias) - 1)]))


WRONG = (
    SignSlip(), OneRelu(), WrongChild(), TanhInserted(), OffByOneTap(), ForgottenBias(), StaleBatchNorm(), Undivided(),
    PruneSmall(), BiasThroughPadding(), MergeAlmost(), RowsForIds(), IdsForRows(),
)  # fmt: skip
