"""Rule that removes vertices, together with all vertices that only served them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netgraph.analysis import influential
from netgraph.columns import Array
from netgraph.graph import Graph
from netgraph.proof import Level
from netgraph.rewriting import Matches, Rewriter, Rule, Variant, apply, vertex
from netgraph.rules.influence import serving_only, under_coupling_norm
from netgraph.rules.merges import lost_with, merges, needed
from netgraph.rules.prune_edges import PruneEdges
from netgraph.rules.registry import register_rule
from netgraph.statistics import Statistics


def _with_dead(graph: Graph) -> Graph:
    """Return the graph without the edges that leave the first vertex of each hidden layer."""
    edges, hidden = graph.edges, [layer for layer in graph.layers if layer.role == "hidden"]
    gone = edges.id[np.isin(edges.source, [layer.vertex_ids[0] for layer in hidden])]
    return apply(PruneEdges(below=None), graph, on=gone, probe=None).graph


@register_rule("prune-vertices")
@dataclass(frozen=True, kw_only=True)
class PruneVertices(Rule):
    """Remove hidden vertices with all their edges, and every vertex whose readers are all removed.

    A vertex that nothing reads is dead. Removing it is **exact**. So is removing a vertex that is read with weight 0
    only, or only by vertices on which no output depends. Removing any other vertex changes the function by a
    **bounded** amount. Layers whose norm couples their vertices, as layer norm does, are left alone, because each
    vertex there changes the values by which the others are normalised. Layers that lose every vertex are removed as
    well.

    Attributes:
        only_dead: whether to match only dead vertices (the default), and vertices that only dead ones read; else all
            hidden vertices, or all that are given by `on`.
    """

    only_dead: bool = True

    pattern = vertex("v", role="hidden")
    promise = "exact for the dead; else bounded"
    variants = (
        Variant("remove dead vertices", prepare=_with_dead, bitwise=True),
        Variant("prune vertices", {"only_dead": False}, limit=2),
    )

    def where(self, m: Matches, stats: Statistics | None) -> dict[str, Array]:
        """Conditions: its norm acts vertex by vertex, merges can lose it, and with `only_dead` nothing reads it."""
        result = {"norm acts vertex by vertex": ~under_coupling_norm(m.graph, m.v.layer)}
        if merges(m.graph):
            result["merges that read it can lose it"] = ~needed(m.graph)[m.v.rows]
        if self.only_dead:
            result["nothing reads it"] = self._useless(m)
        return result

    @staticmethod
    def _useless(m: Matches) -> Array:
        """Mask of the matches that nothing reads, or only dead vertices read."""
        graph = m.graph
        hidden = np.zeros(len(graph.vertices), dtype=bool)
        hidden[m.v.rows[~under_coupling_norm(graph, m.v.layer)]] = True
        dead = np.bincount(graph.edges.source_row, minlength=len(graph.vertices)) == 0
        return np.asarray(serving_only(graph, dead & hidden)[m.v.rows])

    def rewrite(self, m: Matches, rw: Rewriter) -> None:
        """Remove the matches, what merges lose with them, and all vertices that only served these."""
        gone, cut = _gone(m)
        rw.remove(rw.vertices(rows=gone))
        rw.remove(rw.edges(rows=cut))

    def claim(self, m: Matches) -> Level | None:
        """Exact when no influential vertex reads a removed one with a weight other than 0; else bounded."""
        edges, (gone, _) = m.graph.edges, _gone(m)
        read = gone[edges.source_row] & ~gone[edges.target_row] & (edges.weight != 0)
        return "bounded" if influential(m.graph)[edges.target_row[read]].any() else "exact"


def _gone(m: Matches) -> tuple[Array, Array]:
    """Masks of all vertices that go with the matches, `(vertices,)`, and of the wires that merges lose, `(edges,)`."""
    gone = np.zeros(len(m.graph.vertices), dtype=bool)
    gone[m.v.rows] = True
    gone, cut = lost_with(m.graph, gone)
    return serving_only(m.graph, gone, cut), cut
