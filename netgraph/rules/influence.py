"""Vertices on which the outputs depend, by which rules claim that a rewrite is exact."""

from __future__ import annotations

import numpy as np

from netgraph.columns import Array
from netgraph.graph import Graph, get_norm


def influential(graph: Graph) -> Array:
    """Whether a path of weights other than 0 leads from each vertex to an output.

    Under a norm that couples vertices, as layer norm does, a vertex acts on all others of its layer. One pass over the
    layers against their order: O(edges + layers).

    Returns:
        (vertices,) bool.
    """
    vertices = graph.vertices
    result = np.zeros(len(vertices), dtype=bool)
    for i in reversed(graph.topological_order):
        layer, start = graph.layer(i), vertices.offset(i)
        own = result[start : start + len(layer)]
        own[:] = layer.role == "output"
        for k in graph.outgoing[i]:
            target = vertices.offset(k.target)
            own[k.src[(k.weight != 0) & result[target + k.dst]]] = True
        if get_norm(layer.norm).couples_vertices:
            own[:] = own.any()
    return result


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
        if layer.role != "hidden" or get_norm(layer.norm).couples_vertices or not links:
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


def under_coupling_norm(graph: Graph, layers: Array) -> Array:
    """Whether the norm of each of the layers, given by id, couples the vertices of the layer, as layer norm does."""
    return np.isin(layers, [x.id for x in graph.layers_by_id.values() if get_norm(x.norm).couples_vertices])
