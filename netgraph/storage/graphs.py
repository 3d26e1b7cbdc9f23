"""Graphs as files: one safetensors file with the columns of all layers and links, one after the other."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from netgraph.columns import EDGE_DTYPES, WEIGHT_DTYPES, Array, column, concatenate
from netgraph.errors import FileFormatError, GraphError
from netgraph.graph import (
    Graph,
    Layer,
    Link,
    NextIds,
    kept_rows,
    kind_from_json,
    kind_to_json,
    layer_attributes_from_json,
    layer_attributes_to_json,
    stations,
    validate_graph,
)
from netgraph.storage.container import expect_columns, read_container, write_container
from netgraph.storage.json_values import Items, Record, Row, Text
from netgraph.storage.structure import HISTORY_SHAPES, ID, LAYER_OPTIONAL, LAYER_SHAPES, LINK_SHAPES, column_dtypes

KIND = "graph"
VERSION = 1

GRAPH_SHAPE = Record(
    {
        **HISTORY_SHAPES,
        "layers": Items(Record({"size": ID, **LAYER_SHAPES}, LAYER_OPTIONAL)),
        "links": Items(Record({"size": ID, "dtype": Text(tuple(t.str for t in WEIGHT_DTYPES)), **LINK_SHAPES})),
        "past": Items(Row((Text(), ID, ID, ID, ID))),
    },
    optional=frozenset({"past"}),
)
"""Shape of the plain values of a graph."""


def save(graph: Graph, path: str | os.PathLike[str]) -> None:
    """Write a graph to one file, completely or not at all. O(edges + layers).

    Raises:
        OSError: when the file cannot be written; a file that existed before stays unchanged.
    """
    structure, arrays = to_columns(graph)
    write_container(path, KIND, VERSION, structure, arrays)


def load(path: str | os.PathLike[str]) -> Graph:
    """Read a graph and check it as a whole.

    Raises:
        FileFormatError: when the file is damaged, truncated or too new, or announces wrong sizes.
    """
    structure, arrays = read_container(path, KIND, VERSION, GRAPH_SHAPE)
    return from_columns(structure, arrays, repr(os.fspath(path)))


def to_columns(graph: Graph) -> tuple[dict[str, Any], dict[str, Array]]:
    """Convert a graph to plain values and flat arrays."""
    layers, links = list(graph.layers_by_id.values()), list(graph.links_by_key.values())
    names = sorted({name for layer in layers for name in layer.values})
    structure = {
        "next_ids": list(graph.next_ids),
        "lineage": graph.lineage,
        "rewrites": graph.rewrites,
        "topology_hash": graph.topology_hash,
        "past": kept_rows(graph.past),
        "layers": [
            {
                "id": x.id,
                "size": len(x),
                "columns": {name: x.values[name].dtype.str for name in sorted(x.values)},
                **layer_attributes_to_json(x.attributes),
            }
            for x in layers
        ],
        "links": [
            {"key": list(k.key), "size": len(k), "dtype": k.weight.dtype.str, "kind": kind_to_json(k.kind)}
            for k in links
        ],
    }
    arrays = {"vertex.id": graph.vertices.id, "vertex.birth": graph.vertices.birth}
    for name in names:
        arrays[f"vertex.value.{name}"] = concatenate([x.values[name] for x in layers if name in x.values], np.float32)
    for name, dtype in EDGE_DTYPES.items():
        arrays[f"edge.{name}"] = concatenate([getattr(k, name) for k in links], dtype or np.float32)
    return structure, arrays


def from_columns(structure: Mapping[str, Any], arrays: Mapping[str, Array], where: str = "It") -> Graph:
    """Build a graph from plain values and flat arrays, as `to_columns` returns them.

    Args:
        structure: plain values of the shape `GRAPH_SHAPE`.
        arrays: all columns by name.
        where: name of their source, for messages.

    Raises:
        FileFormatError: when they do not make a graph.
    """
    names = {name for entry in structure["layers"] for name in entry["columns"]}
    expected = column_dtypes("vertex", {"id": np.int64, "birth": np.int32}) | column_dtypes("edge", EDGE_DTYPES)
    expect_columns(arrays, expected | column_dtypes("vertex.value", dict.fromkeys(names)), where)
    try:
        return _graph(structure, arrays)
    except GraphError as error:
        raise FileFormatError(f"{where} does not hold a valid graph: {error}") from error


def _graph(structure: Mapping[str, Any], arrays: Mapping[str, Array]) -> Graph:
    cursor: dict[str, int] = dict.fromkeys(arrays, 0)

    def take(name: str, size: int) -> Array:
        start = cursor[name]
        cursor[name] = start + size
        part = arrays[name][start : start + size]
        if size < 0 or len(part) != size:
            raise GraphError(f"column {name!r} ends after {len(arrays[name])} rows, {start + size} are announced")
        return part

    arrays = {name: column(values, None) for name, values in arrays.items()}  # so that slices need no copy
    layers = []
    for entry in structure["layers"]:
        size = entry["size"]
        values = {name: column(take(f"vertex.value.{name}", size), d) for name, d in entry["columns"].items()}
        ids, birth = take("vertex.id", size), take("vertex.birth", size)
        layers.append(
            Layer(entry["id"], vertex_ids=ids, birth=birth, values=values, **layer_attributes_from_json(entry))
        )
    links = []
    for entry in structure["links"]:
        columns = {name: take(f"edge.{name}", entry["size"]) for name in EDGE_DTYPES}
        columns["weight"] = column(columns["weight"], entry["dtype"])
        source, target, port = entry["key"]
        links.append(Link(source, target, kind_from_json(entry["kind"]), port=port, **columns))
    if left := [name for name, used in cursor.items() if used != len(arrays[name])]:
        raise GraphError(f"columns {left} have more rows than the layers and links announce")
    graph = Graph(
        layers,
        links,
        next_ids=NextIds(*structure["next_ids"]),
        lineage=structure["lineage"],
        rewrites=structure["rewrites"],
        past=stations(structure.get("past", ())),
        validate=False,
    )
    validate_graph(graph, layers, links)
    if graph.topology_hash != structure["topology_hash"]:
        raise GraphError(f"its topology hash is {graph.topology_hash}, the file says {structure['topology_hash']}")
    return graph
