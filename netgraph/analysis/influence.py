"""Influence of vertices on the outputs."""

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
            start = vertices.offset(k.target)
            there, used = result[start : start + len(graph.layer(k.target))], k.weight != 0
            if not there.all():
                used &= there[k.dst]
            own[k.src if used.all() else k.src[used]] = True
        if get_norm(layer.norm).couples_vertices:
            own[:] = own.any()
    return result
