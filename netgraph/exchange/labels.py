"""Labels of vertices."""

from __future__ import annotations

from netgraph.columns import Array
from netgraph.graph import GraphColumns, text_column


def labels(columns: GraphColumns) -> Array:
    """Return a text for each vertex, its layer with its row: "hidden1[3]"; for a picture of layers their names."""
    layers = columns.vertices["layer"]
    if "row" not in columns.vertices:
        return layers
    rows = columns.vertices["row"].tolist()
    return text_column([f"{layer}[{row}]" for layer, row in zip(layers.tolist(), rows, strict=True)])
