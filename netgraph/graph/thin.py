"""A start with fewer edges than it was built with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from netgraph.errors import GraphError
from netgraph.graph.columns import Array
from netgraph.graph.graph import Graph
from netgraph.graph.history import Station
from netgraph.graph.link import Link


def thinned(graph: Graph, keep: Array) -> Graph:
    """The same network with only some of its edges: a sparse start, not a rewrite.

    Layers, vertices and the edges that stay keep their ids and their values, so the weights are those of the dense
    network, drawn for its fan-in. To have them drawn for the edges that are left, hand the result to `reinitialised`.
    A link may lose all its edges and stays, open to new ones. The history is a new one: no rewrites, a lineage of
    its own, and nothing counts as added.

    Args:
        graph: any graph, as a rule a dense one.
        keep: (edges,) bool in the order of `graph.edges`: which stay. Frozen edges must, wires among them.

    Raises:
        GraphError: for another shape or dtype, or when a frozen edge is left out.

    Cost: O(edges + vertices).
    """
    keep = np.asarray(keep)
    if keep.shape != (len(graph.edges),) or keep.dtype != np.bool_:
        raise GraphError(
            f"thinned() needs ({len(graph.edges)},) booleans, one per edge, got {keep.dtype} of shape {keep.shape}."
        )
    links = []
    for link, start in zip(graph.links_by_key.values(), graph.edges.offsets.tolist(), strict=False):
        rows = keep[start : start + len(link)]
        lost = link.frozen & ~rows
        if lost.any():
            source, target = graph.layer(link.source).name, graph.layer(link.target).name
            raise GraphError(
                f"Edge {link.id[lost][0]} of the link {source!r} -> {target!r} is frozen and would go; keep the "
                "edges where graph.edges.frozen holds, or remove them with PruneEdges."
            )
        links.append(_thinned(link, rows))
    layers = [replace(layer, birth=np.zeros(len(layer), np.int32)) for layer in graph.layers_by_id.values()]
    return Graph(layers, links, past=Station.of(graph))


def _thinned(link: Link, rows: Array) -> Link:
    """The link with the edges of these rows, all of them there from the start. The canonical order stays."""
    columns = {name: values[rows] for name, values in link.columns.items()}
    columns["birth"] = np.zeros_like(columns["birth"])
    return Link(link.source, link.target, link.kind, port=link.port, **columns)
