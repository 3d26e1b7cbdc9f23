"""Influence of vertices on the outputs, from which rules derive their claims."""

from __future__ import annotations

import numpy as np

from netgraph.columns import Array
from netgraph.graph import Graph, get_norm


def influential(graph: Graph) -> Array:
    """Mask of the vertices from which a path of weights other than 0 leads to an output, `(vertices,)`.

    Under a norm that couples vertices, as layer norm does, a vertex acts on all others of its layer.

    Cost: O(edges + layers), one pass over the layers from the last to the first.
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
    """Extend a set of vertices by all hidden vertices whose readers are all in the set.

    Args:
        graph: the graph.
        gone: mask of the set, `(vertices,)`.

    Returns:
        Mask of the extended set, `(vertices,)`.

    Cost: O(edges + layers), one pass over the layers from the last to the first.
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
    """Mask of the layers, given by id, with a norm that couples the vertices of the layer, as layer norm does."""
    return np.isin(layers, [x.id for x in graph.layers_by_id.values() if get_norm(x.norm).couples_vertices])
