"""Rule that merges vertices that compute the same value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from netgraph.columns import Array
from netgraph.graph import Graph
from netgraph.proof import Level, sum_groups
from netgraph.rewriting import Matches, Rewriter, Rule, Variant, apply, at_wires, vertex
from netgraph.rules.duplicates import first_alike
from netgraph.rules.influence import under_coupling_norm
from netgraph.rules.registry import register_rule
from netgraph.rules.split_vertices import SplitVertices
from netgraph.statistics import Statistics


class Merged(NamedTuple):
    """Outgoing edges after a merge, one row per edge of a kept vertex.

    Attributes:
        edge: row in `graph.edges` of an edge with this target and tap: the kept vertex's own edge if it has one.
        own: whether `edge` is the kept vertex's own edge.
        keeper: flat row of the kept vertex.
        weight: sum of the weights, in float64.
        exact: whether the sum is exact in the precision in which it is stored.
    """

    edge: Array
    own: Array
    keeper: Array
    weight: Array
    exact: Array


def _halved(graph: Graph) -> Graph:
    return apply(SplitVertices(), graph, probe=None).graph


def _in_thirds(graph: Graph) -> Graph:
    return apply(SplitVertices(parts=3, noise=0.5), graph, probe=None).graph


@register_rule("merge-vertices")
@dataclass(frozen=True, kw_only=True)
class MergeVertices(Rule):
    """Merge hidden vertices that compute the same value: the first of them stays, the others are matched and removed.

    Vertices of a layer compute the same value when they have equal bias, norm and activation values and the same
    incoming edges, with equal taps and weights, at every port. The first vertex takes over the outgoing edges of the
    others; where it already has such an edge, the weights are added. The function stays the same, in train and in eval
    mode: **exact** where these sums can be stored exactly, else **exact up to rounding**. Vertices whose norm couples
    them, as layer norm does, are refused, because each vertex changes the values by which the others are normalised.
    Vertices at identity wires are refused, because weights of wires cannot be added.

    A merge may make vertices of later layers equal: apply the rule again until it matches nothing.
    """

    pattern = vertex("v", role="hidden")
    promise = "exact where sums of weights can be stored, else up to rounding"
    variants = (
        Variant("merge halves", prepare=_halved, bitwise=True),
        Variant("merge unequal thirds", prepare=_in_thirds),
    )

    def where(self, m: Matches, stats: Statistics | None) -> dict[str, Array]:
        """Conditions: a norm that acts vertex by vertex, no identity wires, and an earlier equal vertex."""
        return {
            "norm acts vertex by vertex": ~under_coupling_norm(m.graph, m.v.layer),
            "vertex has no identity wires": ~at_wires(m.v),
            "an earlier vertex of its layer computes the same": first_alike(m.graph)[m.v.rows] < m.v.rows,
        }

    def rewrite(self, m: Matches, rw: Rewriter) -> None:
        """Add up weights, give the kept vertices the edges that they lack, and remove the matches."""
        edges, merged = m.graph.edges, _merge(m)
        own, new = (Merged(*(column[chosen] for column in merged)) for chosen in (merged.own, ~merged.own))
        rw.set_weight(rw.edges(rows=own.edge), own.weight)
        for port in np.unique(edges.port[new.edge]):
            mine = edges.port[new.edge] == port
            e = new.edge[mine]
            rw.connect(
                rw.vertices(rows=new.keeper[mine]),
                rw.vertices(rows=edges.target_row[e]),
                weight=new.weight[mine],
                tap=edges.tap[e],
                port=int(port),
                frozen=edges.frozen[e],
            )
        rw.remove(m.v)

    def claim(self, m: Matches) -> Level | None:
        """Exact when no sum is rounded; else exact up to rounding."""
        return "exact" if _merge(m).exact.all() else "exact up to rounding"


def _merge(m: Matches) -> Merged:
    """Add up the outgoing edges of the matches and of the vertices kept for them. O(edges log edges)."""
    graph, edges = m.graph, m.graph.edges
    keeper = np.arange(len(graph.vertices))
    keeper[m.v.rows] = first_alike(graph)[m.v.rows]
    gone = np.zeros(len(keeper), dtype=bool)
    gone[m.v.rows] = True
    merging = gone.copy()
    merging[keeper[m.v.rows]] = True
    rows = np.flatnonzero(merging[edges.source_row] & ~gone[edges.target_row])
    source = keeper[edges.source_row[rows]]
    own = ~gone[edges.source_row[rows]]
    order = np.lexsort((~own, edges.tap[rows], source, edges.target_row[rows], edges.link[rows]))
    rows, source, own = rows[order], source[order], own[order]
    keys = np.stack([edges.link[rows], edges.target_row[rows], source, edges.tap[rows]])
    start = np.flatnonzero(np.r_[True, (np.diff(keys, axis=1) != 0).any(axis=0)]) if len(rows) else np.empty(0, int)
    weight, *lacks = sum_groups(edges.weight[rows].astype(np.float64), start)
    kept = ~edges.narrow[rows[start]] | (weight.astype(np.float32) == weight)
    changed = np.diff(start, append=len(rows)) > 1
    result = Merged(rows[start], own[start], source[start], weight, (np.abs(lacks).max(axis=0) == 0) & kept)
    return Merged(*(column[changed | ~result.own] for column in result))
