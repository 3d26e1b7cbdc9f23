"""Graphs as columns that other programs understand: a row per vertex and per edge, with texts and numbers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netgraph.columns import Array
from netgraph.graph.activations import get_activation, reserve_columns
from netgraph.graph.graph import Graph
from netgraph.graph.history import kept_rows
from netgraph.graph.kinds import kind_to_json
from netgraph.graph.layer import Layer
from netgraph.graph.plain import layer_attributes_to_json

METADATA = "netgraph"
"""Attribute with the JSON text of all data that belongs to no single vertex or edge."""

FOLD = "fold"
"""Entry of this JSON text that marks a graph of layers in place of vertices."""

LAYER_TEXTS = ("layer", "role", "activation", "grid", "norm", "pool", "merge", "encoding")
"""Columns of vertices that their layer decides, as texts; '' where the layer has none."""

LAYER_NUMBERS = ("row", "birth", "fixed_slope")
"""Further columns of vertices that are no values of a layer."""

reserve_columns(lambda: ("id", *LAYER_TEXTS, *LAYER_NUMBERS))


@dataclass(frozen=True, eq=False)
class GraphColumns:
    """Vertices and edges as columns. A missing number is NaN, a missing text is ''.

    Attributes:
        vertices: columns of vertices by name, `(vertices,)` each; `id` comes first. Texts are arrays of objects.
        edges: columns of edges by name, `(edges,)` each; `id`, and `source` and `target`, which are rows of vertices,
            come first.
        metadata: JSON text of all other data: attributes of layers, kinds of links, and the place in the history.
    """

    vertices: Mapping[str, Array]
    edges: Mapping[str, Array]
    metadata: str


def columns_of(
    graph: Graph,
    edges: Mapping[str, Array] | None = None,
    vertices: Mapping[str, Array] | None = None,
) -> GraphColumns:
    """Return the columns of a graph; rows are those of `graph.edges` and `graph.vertices`.

    Args:
        graph: the graph.
        edges, vertices: further columns by name, such as statistics. A column with the name of one of the graph is
            followed by "(2)".

    Cost: O(layers + links + vertices + edges).
    """
    sizes = np.diff(graph.vertices.offsets)
    table, arcs, layers = graph.vertices, graph.edges, list(graph.layers_by_id.values())
    names = dict.fromkeys(name for layer in layers for name in layer.values)
    of_vertices = {
        "id": table.id,
        **{name: np.repeat(values, sizes) for name, values in layer_texts(layers).items()},
        "row": table.row,
        "birth": table.birth,
        **{name: table.column(name) for name in names},
        "fixed_slope": np.repeat(_slopes(layers), sizes),
    }
    of_edges = {
        "id": arcs.id,
        "source": arcs.source_row,
        "target": arcs.target_row,
        "port": arcs.port,
        "weight": arcs.weight,
        "tap": arcs.tap,
        "birth": arcs.birth,
        "frozen": arcs.frozen,
        "kind": np.repeat(text_column(kind.name for kind in arcs.link_kinds), np.diff(arcs.offsets)),
    }
    return GraphColumns(_with(of_vertices, vertices), _with(of_edges, edges), json.dumps(_metadata(graph)))


def layer_texts(layers: Sequence[Layer]) -> dict[str, Array]:
    """Return the columns `LAYER_TEXTS`, with a row per layer."""
    rows = [
        (
            layer.name, layer.role, layer.activation, _times(layer.grid), "" if layer.norm == "none" else layer.norm,
            _pool(layer), " ".join(layer.merge.words) if layer.merge else "",
            "" if layer.encoding == "values" else layer.encoding,
        )
        for layer in layers
    ]  # fmt: skip
    return {name: text_column(row[at] for row in rows) for at, name in enumerate(LAYER_TEXTS)}


def text_column(values: Iterable[str]) -> Array:
    """Make a column of texts, which keeps every character of them."""
    found = list(values)
    column = np.empty(len(found), object)
    column[:] = found
    return column


def filled(values: Mapping[str, Array]) -> dict[str, Array]:
    """Return the columns that have a value in any row."""
    return {name: column for name, column in values.items() if not without_value(column).all() or not len(column)}


def without_value(column: Array) -> Array:
    """Mask of the rows without a value: NaN, or an empty text."""
    if column.dtype == object:
        return np.asarray(column == "", bool)
    return np.isnan(column) if column.dtype.kind == "f" else np.zeros(len(column), bool)


def _with(columns: dict[str, Array], more: Mapping[str, Array] | None) -> dict[str, Array]:
    found = filled(columns)
    for name, values in (more or {}).items():
        found[f"{name} (2)" if name in columns else name] = values
    return found


def _slopes(layers: Sequence[Layer]) -> Array:
    """Fixed slope of each layer; NaN where it is the usual one, or the activation has slopes as parameters."""
    usual = Layer.slope
    return np.array(
        [np.nan if x.slope == usual or "slope" in get_activation(x.activation).parameters else x.slope for x in layers]
    )


def _times(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


def _pool(layer: Layer) -> str:
    pool = layer.pool
    if pool is None:
        return ""
    padding = f" padding {_times(pool.pads)}" if any(pool.pads) else ""
    return f"{pool.kind} {_times(pool.size)} stride {_times(pool.strides)}{padding}"


def _metadata(graph: Graph) -> dict[str, Any]:
    layers, links = graph.layers_by_id.values(), graph.links_by_key.values()
    return {
        "next_ids": list(graph.next_ids),
        "lineage": graph.lineage,
        "rewrites": graph.rewrites,
        "past": kept_rows(graph.past),
        "layers": [
            {
                "id": x.id,
                "columns": {name: values.dtype.str for name, values in x.values.items()},
                **layer_attributes_to_json(x.attributes),
            }
            for x in layers
        ],
        "links": [{"key": list(k.key), "dtype": k.weight.dtype.str, "kind": kind_to_json(k.kind)} for k in links],
    }
