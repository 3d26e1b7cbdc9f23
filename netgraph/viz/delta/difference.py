"""Differences between two graphs of one history, by id."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netgraph.columns import Array
from netgraph.graph import Graph, VertexTable
from netgraph.viz.text import format_count


@dataclass(frozen=True, eq=False)
class Difference:
    """Edges, vertices and layers that were added, removed, changed or kept between two graphs of one history.

    An edge with the same id but other ends, and a vertex with the same id in another layer, count as removed and added.

    Attributes:
        old, new: the graphs.
        edges_added, edges_changed, edges_kept: masks over `new.edges`, `(edges,)`.
        edges_removed: mask over `old.edges`, `(edges,)`.
        vertices_added, vertices_changed: masks over `new.vertices`, `(vertices,)`.
        vertices_removed: mask over `old.vertices`, `(vertices,)`.
        layers_added, layers_removed, layers_changed: ids of layers.
    """

    old: Graph
    new: Graph
    edges_added: Array
    edges_changed: Array
    edges_kept: Array
    edges_removed: Array
    vertices_added: Array
    vertices_changed: Array
    vertices_removed: Array
    layers_added: frozenset[int]
    layers_removed: frozenset[int]
    layers_changed: frozenset[int]

    @classmethod
    def between(cls, old: Graph, new: Graph) -> Difference:
        """Compare two graphs.

        Cost: O(edges + vertices), up to sorting of ids.
        """
        before, after = old.layers_by_id, new.layers_by_id
        changed = frozenset(i for i in before.keys() & after.keys() if before[i].attributes != after[i].attributes)
        edges, vertices = _compare_edges(old, new), _compare_vertices(old, new)
        layers = frozenset(after.keys() - before.keys()), frozenset(before.keys() - after.keys()), changed
        return cls(old, new, *edges, *vertices, *layers)

    def summary(self) -> str:
        """Format the numbers of edges before and after, and the numbers of changes by kind, in one line."""
        came, went = self.new.edges.frozen, self.old.edges.frozen
        masks = [
            ("+", self.edges_added & ~came, "edge", "edges"),
            ("-", self.edges_removed & ~went, "edge", "edges"),
            ("+", self.edges_added & came, "wire", "wires"),
            ("-", self.edges_removed & went, "wire", "wires"),
            ("+", self.vertices_added, "vertex", "vertices"),
            ("-", self.vertices_removed, "vertex", "vertices"),
        ]
        parts = [f"{sign}{format_count(int(mask.sum()), one, many)}" for sign, mask, one, many in masks if mask.any()]
        parts += [f"+{format_count(len(self.layers_added), 'layer')}"] if self.layers_added else []
        parts += [f"-{format_count(len(self.layers_removed), 'layer')}"] if self.layers_removed else []
        values = [(self.edges_changed, "edge", "edges"), (self.vertices_changed, "vertex", "vertices")]
        parts += [f"{format_count(int(mask.sum()), one, many)} changed" for mask, one, many in values if mask.any()]
        parts += [f"{format_count(len(self.layers_changed), 'layer')} changed"] if self.layers_changed else []
        edges = f"{self.old.num_edges:,} → {format_count(self.new.num_edges, 'edge')}"
        return f"{edges}: {', '.join(parts)}" if parts else "no difference"

    def layer_state(self, i: int) -> str:
        """Return the state of a layer: "added", "removed", "changed" (an attribute of it) or "kept"."""
        for name in ("added", "removed", "changed"):
            if i in getattr(self, f"layers_{name}"):
                return name
        return "kept"

    @property
    def size(self) -> int:
        """Number of edges that were added, removed or changed."""
        return int(self.edges_added.sum() + self.edges_removed.sum() + self.edges_changed.sum())


def _compare_edges(old: Graph, new: Graph) -> tuple[Array, Array, Array, Array]:
    """Masks of added, changed and kept edges over `new.edges`, and of removed edges over `old.edges`."""
    a, b = old.edges, new.edges
    rows = a.find(b.id)
    same = rows >= 0
    there = np.flatnonzero(same)
    for name in ("source", "target", "tap", "port"):
        there = there[getattr(a, name)[rows[there]] == getattr(b, name)[there]]
    same = np.zeros(len(b), bool)
    same[there] = True
    changed = np.zeros(len(b), bool)
    moved = (a.weight[rows[there]] != b.weight[there]) | (a.frozen[rows[there]] != b.frozen[there])
    changed[there[moved]] = True
    removed = np.ones(len(a), bool)
    removed[rows[there]] = False
    return ~same, changed, same & ~changed, removed


def _compare_vertices(old: Graph, new: Graph) -> tuple[Array, Array, Array]:
    """Masks of added and changed vertices over `new.vertices`, and of removed vertices over `old.vertices`."""
    a, b = old.vertices, new.vertices
    rows = a.find(b.id)
    there = np.flatnonzero(rows >= 0)
    there = there[a.layer[rows[there]] == b.layer[there]]
    added, removed, changed = np.ones(len(b), bool), np.ones(len(a), bool), np.zeros(len(b), bool)
    added[there], removed[rows[there]] = False, False
    for name in sorted({name for graph in (old, new) for name in _columns(graph)}):
        changed[there] |= _differ(a, b, name, rows[there], there)
    return added, changed, removed


def _columns(graph: Graph) -> set[str]:
    return {name for layer in graph.layers_by_id.values() for name in layer.values}


def _differ(a: VertexTable, b: VertexTable, name: str, old_rows: Array, new_rows: Array) -> Array:
    before, after = a.column(name)[old_rows], b.column(name)[new_rows]
    return np.asarray((before != after) & ~(np.isnan(before) & np.isnan(after)))
