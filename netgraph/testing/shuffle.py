"""Graphs of the same function under other ids, names and orders of rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from netgraph.columns import Array
from netgraph.graph import Graph, Link


def shuffled(graph: Graph, rng: np.random.Generator) -> Graph:
    """Return a graph of the same function that has no id in common with the given one.

    All ids are new. Hidden layers have other names and an order of ids of their own, and their rows are permuted, but
    not those of positions. Inputs and outputs keep names and rows.

    Costs O(edges log edges).
    """
    first = graph.next_ids
    hidden = [layer.id for layer in graph.layers if not layer.is_source and layer.role != "output"]
    places = {layer_id: int(place) for layer_id, place in zip(hidden, rng.permutation(len(hidden)), strict=True)}
    moved = sorted(hidden, key=places.__getitem__)
    ordered = [layer.id for layer in graph.layers_by_id.values() if layer.id not in places]
    ids = {layer_id: first.layer + place for place, layer_id in enumerate([*ordered, *moved])}
    rows: dict[int, Array] = {}
    layers, next_vertex = [], first.vertex
    for layer in graph.layers_by_id.values():
        order = rng.permutation(len(layer)) if layer.id in places else np.arange(len(layer))
        rows[layer.id] = np.argsort(order)
        moved_layer = replace(
            layer,
            id=ids[layer.id],
            name=f"layer{ids[layer.id]}" if layer.id in places else layer.name,
            vertex_ids=next_vertex + rng.permutation(len(layer)),
            birth=layer.birth[order],
            values={name: column[order] for name, column in layer.values.items()},
        )
        next_vertex += len(layer)
        layers.append(moved_layer)
    links, next_edge = [], first.edge
    for link in graph.links_by_key.values():
        columns = {**link.columns, "id": next_edge + rng.permutation(len(link))}
        columns |= {"src": rows[link.source][link.src], "dst": rows[link.target][link.dst]}
        links.append(Link.sorted(ids[link.source], ids[link.target], link.kind, columns, link.port))
        next_edge += len(link)
    return Graph(layers, links)
