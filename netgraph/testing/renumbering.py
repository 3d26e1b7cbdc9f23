"""Graphs whose ids are never rows, so that code that confuses them fails."""

from __future__ import annotations

import numpy as np

from netgraph.graph import Graph
from netgraph.testing.code import with_ids


def renumbered(graph: Graph) -> Graph:
    """Return the graph with other ids of vertices and edges, none of which is a row of the graph.

    Ids are larger than all rows, and descend within the graph, so that neither their values nor their order are those
    of rows. Layers keep their ids, whose order is that of their rows.

    Costs O(vertices + edges).
    """
    vertices, edges = graph.num_vertices, len(graph.edges)
    return with_ids(
        graph,
        vertices=(2 * vertices - np.arange(vertices)).tolist(),
        edges=(2 * edges - np.arange(edges)).tolist(),
        vertex_births=graph.vertices.birth.tolist(),
        edge_births=graph.edges.birth.tolist(),
        rewrites=graph.rewrites,
    )
