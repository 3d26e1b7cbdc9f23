"""The layers of a graph as a table."""

from __future__ import annotations

from netgraph.graph import Graph
from netgraph.tables import Table
from netgraph.viz import operation_names


def layer_table(graph: Graph) -> Table:
    """Make a table with a row for each layer: role, size, operations, and the trained edges that enter it."""
    rows = []
    for layer in graph.layers:
        links = [k for k in graph.incoming[layer.id] if not k.frozen.all()]
        edges = sum(len(k) for k in links)
        cells = sum(k.kind.admissible_edges(len(graph.layer(k.source)), len(layer)) for k in links)
        share = f"{edges / cells:.3f}" if cells else ""
        rows.append((layer.name, layer.role, f"{len(layer):,}", ", ".join(operation_names(layer)), f"{edges:,}", share))
    columns = ("layer", "role", "vertices", "operations", "edges in", "density in")
    return Table("layers", columns, rows, left=(0, 1, 3))
