"""Vertices that go together: all that serve only removed ones, and all of a layer whose norm couples them."""

from __future__ import annotations

import numpy as np

from netgraph.columns import Array
from netgraph.graph import Graph, get_norm


def serving_only(graph: Graph, gone: Array, cut: Array | None = None) -> Array:
    """Extend a set of vertices by all hidden vertices whose readers are all in the set.

    Args:
        graph: the graph.
        gone: mask of the set, `(vertices,)`.
        cut: mask of edges that go as well, so that they read nothing, `(edges,)`; None for no others.

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
            reads = ~gone[target + k.dst]
            if cut is not None:
                first = graph.edges.offset(k.key)
                reads &= ~cut[first : first + len(k)]
            left += np.bincount(k.src[reads], minlength=len(layer))
        gone[start : start + len(layer)] |= (readers > 0) & (left == 0)
    return gone


def under_coupling_norm(graph: Graph, layers: Array) -> Array:
    """Mask of the layers, given by id, with a norm that couples the vertices of the layer, as layer norm does."""
    return np.isin(layers, [x.id for x in graph.layers_by_id.values() if get_norm(x.norm).couples_vertices])
