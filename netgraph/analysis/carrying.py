"""Merges on paths of weights: the ports that carry them, and the uniform attention that spreads them over positions."""

from __future__ import annotations

import numpy as np

from netgraph.columns import Array
from netgraph.graph import Graph, Layer, LinkKey


def carries(graph: Graph, key: LinkKey) -> bool:
    """Whether paths of weights lead through this link: through all but those into the other ports of a merge."""
    merge = graph.layers_by_id[key[1]].merge
    return merge is None or key[2] in merge.carried


def leading(graph: Graph) -> frozenset[int]:
    """Ids of the layers from which links that carry paths lead to an output layer; queries and keys are not among them.

    Cost: O(links), one pass over the layers from the last to the first.
    """
    found: set[int] = set()
    for i in reversed(graph.topological_order):
        reached = (k.target in found and carries(graph, k.key) for k in graph.outgoing[i])
        if graph.layers_by_id[i].role == "output" or any(reached):
            found.add(i)
    return frozenset(found)


def path_layers(graph: Graph) -> frozenset[int]:
    """Ids of the layers that paths of weights may go through: all but queries, keys, heads and positions.

    In a graph with merges or positions, layers from which no link leads on to an output are not among them either.

    Cost: O(layers + links).
    """
    layers = graph.layers_by_id
    if _is_plain(graph):
        return frozenset(layers)
    return frozenset(i for i in leading(graph) if layers[i].role != "position")


def path_links(graph: Graph) -> dict[LinkKey, bool]:
    """Whether paths of weights may go through each link, by key, see `path_layers`. Cost: O(layers + links)."""
    if _is_plain(graph):
        return dict.fromkeys(graph.links_by_key, True)
    held = path_layers(graph)
    return {key: key[0] in held and key[1] in held and carries(graph, key) for key in graph.links_by_key}


def _is_plain(graph: Graph) -> bool:
    return all(x.merge is None and x.role != "position" for x in graph.layers_by_id.values())


def mixed(graph: Graph, layer: Layer, values: Array, power: int) -> Array:
    """Carry values over attention that is the same for all keys that a query sees: a mean over these keys.

    Args:
        graph: the graph.
        layer: layer at which the values arrive.
        values: values at a port, one column per position that it reads, `(vertices, keys)`.
        power: exponent of the weights of the mean; with 0 the result is a sum.

    Returns:
        Values at the positions of the layer, `(vertices, queries)`; `values` themselves at a layer without attention.
    """
    found = values
    for rows, weights in _attention(graph, layer, power):
        if found is values:
            found = np.empty((len(values), len(weights)))
        found[rows] = values[rows] @ weights.T
    return found


def unmixed(graph: Graph, layer: Layer, values: Array, power: int) -> Array:
    """Apply the transpose of `mixed`: from the positions of the layer to the keys."""
    found = values
    for rows, weights in _attention(graph, layer, power):
        if found is values:
            found = np.empty((len(values), weights.shape[1]))
        found[rows] = values[rows] @ weights
    return found


def _attention(graph: Graph, layer: Layer, power: int) -> list[tuple[Array, Array]]:
    """Rows of the layer by the layer of their heads, with the attention of these heads, `(queries, keys)`."""
    if layer.merge is None or not layer.merge.head_ports:
        return []
    found = []
    for link in (k for k in graph.incoming[layer.id] if k.port in layer.merge.head_ports):
        heads = graph.layer(link.source)
        assert heads.merge is not None
        seen = heads.merge.visible(heads.grid)
        found.append((link.dst, (seen / seen.sum(axis=1, keepdims=True)) ** power * seen))
    return found
