"""Isolated vertices: vertices without an incoming or without an outgoing edge, so that no path goes through them."""

from __future__ import annotations

import numpy as np

from netgraph.checks import checked, mask
from netgraph.columns import Array
from netgraph.graph import Graph, get_norm


def isolated(graph: Graph, keep: Array | None = None) -> Array:
    """Mask of the isolated vertices, `(vertices,)`.

    These are hidden and output vertices without an incoming edge and hidden vertices without an outgoing one.

    Args:
        graph: the graph.
        keep: mask of the edges that count, `(edges,)`; all edges by default. Wires count.

    Cost: O(edges + vertices).
    """
    no_in, no_out = lacking(graph, keep)
    return no_in | no_out


def lacking(graph: Graph, keep: Array | None = None) -> tuple[Array, Array]:
    """Masks of the vertices without an incoming edge and of those without an outgoing edge, each `(vertices,)`.

    Vertices of inputs and of positions need no incoming edge, and these and outputs no outgoing one, so they are left
    out.

    Args:
        graph: the graph.
        keep: mask of the edges that count, `(edges,)`; all edges by default. Wires count.
    """
    rows = slice(None) if keep is None else mask("keep", keep, len(graph.edges))
    counts = [
        np.bincount(ends[rows], minlength=graph.num_vertices)
        for ends in (graph.edges.target_row, graph.edges.source_row)
    ]
    sources = vertices_of(graph, "input") | vertices_of(graph, "position")
    return ~sources & (counts[0] == 0), ~sources & ~vertices_of(graph, "output") & (counts[1] == 0)


def isolated_vertices(graph: Graph) -> Array:
    """Ids of hidden vertices without an incoming or without an outgoing edge; wires count as edges.

    No output depends on the inputs through such a vertex. If it has no bias and the weights on its other side are 0, it
    never learns.

    Args:
        graph: any graph.

    Returns:
        Ids in the order of `graph.vertices`, `(vertices,)` int64.

    Cost: O(edges + vertices).
    """
    return np.asarray(graph.vertices.id[isolated(graph) & vertices_of(graph, "hidden")])


def leading_out(graph: Graph, keep: Array) -> Array:
    """Mask of the vertices from which a path of edges, wires included, leads to an output, `(vertices,)`.

    Under a norm that couples vertices, as layer norm does, every vertex of a layer acts on all others, so a path from
    one of them counts for all.

    Args:
        graph: the graph.
        keep: mask of the edges that count, whatever their weights, `(edges,)`.

    Cost: O(edges + layers), one pass over the layers from the last to the first.
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
    """Mask of the vertices in layers of this role, `(vertices,)`."""
    held = [layer.role == role for layer in graph.layers_by_id.values()]
    return np.repeat(np.array(held, dtype=bool), np.diff(graph.vertices.offsets))
