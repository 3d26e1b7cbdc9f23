"""`add_shortcuts.py` with a pattern of one vertex: paths, missing edges and links that may be new are found by hand."""

from dataclasses import dataclass

import numpy as np

import netgraph as ng


# region rule
@dataclass(frozen=True, kw_only=True)
class AddShortcutsByHand(ng.Rule):
    """Add the missing edge a -> c of every path a -> b -> c, at weight 0: exact, and trained from then on."""

    pattern = ng.vertex("a")

    @staticmethod
    def joined(keys, wanted):  # pairs of positions (i, j) with wanted[i] == keys[j]
        order = np.argsort(keys, kind="stable")
        start = np.searchsorted(keys[order], wanted)
        count = np.searchsorted(keys[order], wanted, side="right") - start
        within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        return np.repeat(np.arange(len(wanted)), count), order[np.repeat(start, count) + within]

    def taps(self, graph, source, target):  # number of taps at which an edge may join two layers
        links = [k for k in graph.links if (k.source, k.target) == (source, target)]
        if kernels := [k.kind.taps for k in links if not k.kind.wires]:
            return kernels[0]
        a, c = graph.layer(source), graph.layer(target)
        heads = a.merge is not None and a.merge.gives_heads
        return int(not links and c.merge is None and not heads and a.role != "output" and a.output_grid == c.grid)

    def shortcuts(self, graph):  # rows of a and c, and tap, of the missing edges beside paths
        edges, layer, n = graph.edges, graph.vertices.layer, graph.num_vertices
        free = np.flatnonzero(~edges.frozen)
        first, second = self.joined(edges.source_row[free], edges.target_row[free])
        a, c = np.divmod(np.unique(edges.source_row[free[first]] * n + edges.target_row[free[second]]), n)
        ends, which = np.unique(np.stack([layer[a], layer[c]]), axis=1, return_inverse=True)
        taps = np.array([self.taps(graph, s, t) for s, t in ends.T.tolist()], dtype=int)[which.ravel()]
        each = np.repeat(np.arange(len(a)), taps)
        tap, most = (
            np.arange(len(each)) - np.repeat(np.cumsum(taps) - taps, taps),
            max(taps.max(initial=1), edges.tap.max(initial=0) + 1),
        )
        wired = np.repeat(
            [k.kind.wires for k in graph.links_by_key.values()], [len(k) for k in graph.links_by_key.values()]
        )
        there = ((edges.source_row * n + edges.target_row) * most + edges.tap)[~wired]
        missing = ~np.isin((a[each] * n + c[each]) * most + tap, there)
        return a[each][missing], c[each][missing], tap[missing]

    def where(self, m, stats):
        return {"a lacks a shortcut": np.isin(m.a.rows, self.shortcuts(m.graph)[0])}

    def rewrite(self, m, rw):
        a, c, tap = self.shortcuts(m.graph)
        chosen = np.isin(a, m.a.rows)
        rw.connect(rw.vertices(rows=a[chosen]), rw.vertices(rows=c[chosen]), weight=0.0, tap=tap[chosen])

    def claim(self, m):
        return "exact"


# endregion rule


def example() -> ng.Result:
    return ng.apply(AddShortcutsByHand(), ng.mlp([3, 3, 2], domain=(-1, 1), seed=0))
