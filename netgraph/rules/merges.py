"""Vertices that merges tie to others, and tables: conditions of rules, and vertices that are lost with others."""

from __future__ import annotations

import numpy as np

from netgraph.columns import Array
from netgraph.graph import Graph, get_norm


def merges(graph: Graph) -> bool:
    """Whether a layer of a graph merges its ports. Cost: O(layers)."""
    return any(x.merge is not None for x in graph.layers_by_id.values())


def tables(graph: Graph, layers: Array) -> Array:
    """Mask of the layers, given by id, whose outgoing edges are rows of a table: positions and inputs of ids."""
    return np.isin(layers, [x.id for x in graph.layers_by_id.values() if x.is_table])


def lost_with(graph: Graph, gone: Array) -> tuple[Array, Array]:
    """Extend a set of vertices by the vertices of merges that cannot stay without them.

    A vertex of a product or of a mix is lost with either of its wires. A head loses the slot of a wire, with the wires
    at both ports, and the slot that is turned with it; a head without slots is lost.

    Args:
        graph: the graph.
        gone: mask of the set, `(vertices,)`.

    Returns:
        Mask of the extended set, `(vertices,)`, and mask of the wires of lost slots and vertices, `(edges,)`.

    Cost: O(layers + wires log wires), one pass over the layers from the first to the last.
    """
    gone, cut = gone.copy(), np.zeros(len(graph.edges), dtype=bool)
    vertices, edges = graph.vertices, graph.edges
    for i in graph.topological_order:
        layer = graph.layer(i)
        if layer.merge is None:
            continue
        rows = np.concatenate([edges.offset(k.key) + np.arange(len(k)) for k in graph.incoming[i]])
        unit, start = layer.merge.unit(edges.tap[rows]), vertices.offset(i)
        units = int(unit.max(initial=0)) + 1
        key = (edges.target_row[rows] - start) * units + unit
        lost = np.isin(key, key[gone[edges.source_row[rows]]])
        cut[rows[lost]] = True
        gone[start : start + len(layer)] |= np.bincount(key[~lost] // units, minlength=len(layer)) == 0
    return gone, cut


def needed(graph: Graph) -> Array:
    """Mask of the vertices without which a merge would lose an output, or a vertex that a norm couples to others.

    Heads count as lost with any of their slots.

    Cost: O(layers + wires), one pass over the layers from the last to the first.
    """
    vertices = graph.vertices
    result = np.zeros(len(vertices), dtype=bool)
    for i in reversed(graph.topological_order):
        start = vertices.offset(i)
        for k in graph.outgoing[i]:
            target = graph.layer(k.target)
            if target.merge is None:
                continue
            if target.role == "output" or get_norm(target.norm).couples_vertices:
                result[start + k.src] = True
            result[start + k.src[result[vertices.offset(k.target) + k.dst]]] = True
    return result


def attending(graph: Graph) -> frozenset[int]:
    """Ids of heads and mixes, and of all layers that they read. Their vertices come and go with whole heads.

    Cost: O(layers + links into them).
    """
    found: set[int] = set()
    for layer in graph.layers_by_id.values():
        if layer.merge is not None and (layer.merge.gives_heads or layer.merge.head_ports):
            found.update([layer.id, *(k.source for k in graph.incoming[layer.id])])
    return frozenset(found)
