"""Graphs of files of earlier versions, in which layers that sum have links at several ports."""

from __future__ import annotations

from netgraph.graph import Graph, GraphBuilder, validate_graph


def as_stored(builder: GraphBuilder) -> Graph:
    """Return the graph of a builder as it is read from such a file, with the ports that `build` refuses."""
    layers, links = list(builder._layers.values()), list(builder._links.values())
    graph = Graph(layers, links, validate=False)
    validate_graph(graph, layers, links)
    return graph
