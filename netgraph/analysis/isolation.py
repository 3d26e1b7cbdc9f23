"""Vertices that lack edges: those through which nothing passes."""

from __future__ import annotations

import numpy as np

from netgraph.checks import checked, mask
from netgraph.columns import Array
from netgraph.graph import Graph, get_norm


def isolated(graph: Graph, keep: Array | None = None) -> Array:
    """(vertices,) whether a vertex is cut off: hidden or output without an edge in, or hidden without one out.

    Args:
        graph: the graph.
        keep: (edges,) bool, the edges that count; all of them by default. Wires count.

    Cost: O(edges + vertices).
    """
    no_in, no_out = lacking(graph, keep)
    return no_in | no_out


def lacking(graph: Graph, keep: Array | None = None) -> tuple[Array, Array]:
    """(vertices,) whether a hidden or output vertex has no edge in, and whether a hidden one has no edge out."""
    rows = slice(None) if keep is None else mask("keep", keep, len(graph.edges))
    counts = [
        np.bincount(ends[rows], minlength=graph.num_vertices)
        for ends in (graph.edges.target_row, graph.edges.source_row)
    ]
    inputs, outputs = vertices_of(graph, "input"), vertices_of(graph, "output")
    return ~inputs & (counts[0] == 0), ~inputs & ~outputs & (counts[1] == 0)


def isolated_vertices(graph: Graph) -> Array:
    """Ids of hidden vertices that no edge enters, or none leaves; wires are edges here.

    No output depends on the inputs through them. With weights of 0 on their other side and no bias they never learn.

    Args:
        graph: any graph.

    Returns:
        (vertices,) int64 ids, in the order of `graph.vertices`.

    Cost: O(edges + vertices).
    """
    return np.asarray(graph.vertices.id[isolated(graph) & vertices_of(graph, "hidden")])


def leading_out(graph: Graph, keep: Array) -> Array:
    """(vertices,) whether a path of edges, wires among them, leads from a vertex to an output.

    Under a norm that couples vertices, as layer norm does, a vertex acts on all others of its layer.

    Args:
        graph: the graph.
        keep: (edges,) bool, the edges that count, whatever their weights.

    Cost: O(edges + layers), one pass over the layers against their order.
    """
    keep, vertices = mask("keep", keep, len(graph.edges)), graph.vertices
    result = np.zeros(graph.num_vertices, dtype=bool)
    for i in reversed(graph.topological_order):
        layer, start = graph.layer(i), vertices.offset(i)
        own = result[start : start + len(layer)]
        own[:] = layer.role == "output"
        for link in graph.outgoing[i]:
            first, target = graph.edges.offset(link.key), vertices.offset(link.target)
            own[link.src[keep[first : first + len(link)] & result[target + link.dst]]] = True
        if get_norm(layer.norm).couples_vertices:
            own[:] = own.any()
    return result


@checked
def vertices_of(graph: Graph, role: str) -> Array:
    """(vertices,) whether a vertex is in a layer of this role."""
    held = [layer.role == role for layer in graph.layers_by_id.values()]
    return np.repeat(np.array(held, dtype=bool), np.diff(graph.vertices.offsets))
