"""Rows of a graph by the ids of its edges and vertices."""

from netgraph.rewriting import EdgeRows, VertexRows


def edges(graph, *ids):
    return EdgeRows(graph, graph.edges.find(list(ids)))


def vertices(graph, *ids):
    return VertexRows(graph, graph.vertices.rows(list(ids)))
