"""Prune vertices, together with what only served them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netgraph.graph import Graph
from netgraph.graph.columns import Array
from netgraph.rewriting import Claim, Matches, Rewriter, Rule, VertexRows, vertex
from netgraph.statistics import Statistics


@dataclass(frozen=True, kw_only=True)
class PruneVertices(Rule):
    """Remove hidden vertices with all their edges, and every vertex all of whose readers go.

    A vertex that nothing reads is dead: removing it is **exact**. Layers under layer norm are left alone
    (each vertex there changes what the others are normalised by). Layers that lose every vertex go as well.

    Attributes:
        only_dead: match only dead vertices (the default); otherwise all that are asked for with `on`.
    """

    only_dead: bool = True

    pattern = vertex("v", role="hidden")

    def where(self, m: Matches, stats: Statistics | None) -> dict[str, Array]:
        """No layer norm, and dead when so asked."""
        result = {"layer has no layer norm": ~_normed(m)}
        if self.only_dead:
            result["nothing reads it"] = self._useless(m)
        return result

    @staticmethod
    def _useless(m: Matches) -> Array:
        """Dead, or read by dead vertices alone."""
        graph = m.graph
        hidden = np.zeros(len(graph.vertices), dtype=bool)
        hidden[m.v.rows[~_normed(m)]] = True
        dead = np.bincount(graph.edges.source_row, minlength=len(graph.vertices)) == 0
        return np.asarray(serving_only(graph, dead & hidden)[m.v.rows])

    def rewrite(self, m: Matches, rw: Rewriter) -> None:
        """Remove the matches and what only served them."""
        gone = np.zeros(len(m.graph.vertices), dtype=bool)
        gone[m.v.rows] = True
        rw.remove(VertexRows(m.graph, np.flatnonzero(serving_only(m.graph, gone))))

    def claim(self, m: Matches) -> Claim:
        """Exact when all of them are dead."""
        if self._useless(m).all():
            return Claim("exact", "nothing reads the removed vertices")
        return Claim("unknown", "some of the removed vertices were read")


def _normed(m: Matches) -> Array:
    """(matches,) whether each vertex is under layer norm, and therefore stays."""
    normed = [x.id for x in m.graph.layers_by_id.values() if x.norm == "layer"]
    return np.isin(m.v.layer, normed)


def serving_only(graph: Graph, gone: Array) -> Array:
    """Extend a set of vertices by the hidden ones all of whose readers are in the set.

    One pass over the layers against their order: O(edges + layers).

    Args:
        graph: the graph.
        gone: (vertices,) bool, the set to start from.

    Returns:
        (vertices,) bool, the extended set.
    """
    gone = gone.copy()
    vertices = graph.vertices
    for i in reversed(graph.topological_order):
        layer = graph.layer(i)
        links = graph.outgoing[i]
        if layer.role != "hidden" or layer.norm == "layer" or not links:
            continue
        start = vertices.offset(i)
        readers = np.zeros(len(layer), dtype=np.int64)
        left = np.zeros(len(layer), dtype=np.int64)
        for k in links:
            target = vertices.offset(k.target)
            readers += np.bincount(k.src, minlength=len(layer))
            stays = ~gone[target : target + len(graph.layer(k.target))]
            left += np.bincount(k.src[stays[k.dst]], minlength=len(layer))
        gone[start : start + len(layer)] |= (readers > 0) & (left == 0)
    return gone
