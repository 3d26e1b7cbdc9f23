"""Graphs as columns with a row per layer and per link, for pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np

from netgraph.columns import Array
from netgraph.graph.graph import Graph
from netgraph.graph.portable import FOLD, GraphColumns, filled, layer_texts, text_column


def folded_columns(
    graph: Graph,
    edges: Mapping[str, Array] | None = None,
    vertices: Mapping[str, Array] | None = None,
) -> GraphColumns:
    """Return columns with a row per layer in place of vertices, and a row per link in place of edges.

    Layers have their id, their texts, the number of `vertices`, and means of their values (`bias`, ...). Links have the
    number of `edges` and of `trained` ones, `density`, and `mean_abs_weight`. Ids of links count up from 0.

    Args:
        graph: the graph.
        edges, vertices: further columns of edges and vertices by name, of which links and layers get the mean of all
            numbers but NaN, as `mean NAME`.

    Cost: O(layers + links + vertices + edges).
    """
    layers, links = list(graph.layers_by_id.values()), list(graph.links_by_key.values())
    arcs, table = graph.edges, graph.vertices
    of = np.repeat(np.arange(len(layers)), np.diff(table.offsets))
    at = {layer_id: row for row, layer_id in enumerate(graph.layers_by_id)}
    names = dict.fromkeys(name for layer in layers for name in layer.values)
    values = {name: table.column(name) for name in names} | dict(vertices or {})
    of_layers = {
        "id": np.array([layer.id for layer in layers], np.int64),
        **layer_texts(layers),
        "vertices": np.diff(table.offsets),
        **{f"mean {name}": _means(column, of, len(layers)) for name, column in values.items()},
    }
    sizes = np.diff(arcs.offsets)
    places = [k.kind.admissible_edges(len(graph.layer(k.source)), len(graph.layer(k.target))) for k in links]
    of_links = {
        "id": np.arange(len(links)),
        "source": np.array([at[k.source] for k in links], np.int64),
        "target": np.array([at[k.target] for k in links], np.int64),
        "port": np.array([k.port for k in links], np.int64),
        "kind": text_column(k.kind.name for k in links),
        "edges": sizes,
        "trained": np.bincount(arcs.link, ~arcs.frozen, len(links)).astype(np.int64),
        "density": np.where(places, sizes / np.maximum(places, 1), np.nan),
        "mean_abs_weight": _means(np.abs(arcs.weight), arcs.link, len(links)),
        **{f"mean {name}": _means(column, arcs.link, len(links)) for name, column in (edges or {}).items()},
    }
    return GraphColumns(filled(of_layers), filled(of_links), json.dumps({FOLD: "layers"}))


def _means(values: Array, groups: Array, count: int) -> Array:
    """Mean of each group over its numbers; NaN for a group without any."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore", divide="ignore"):  # infinite ends of domains, and groups without numbers
        return np.asarray(
            np.bincount(groups[known], values[known], count) / np.bincount(groups[known], minlength=count)
        )
