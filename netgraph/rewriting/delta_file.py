"""Deltas as files, for the journal."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from netgraph.container import read_container, write_container
from netgraph.errors import FileFormatError
from netgraph.graph.columns import Array
from netgraph.graph.graph import NextIds
from netgraph.graph.structure import kind_from_json, kind_to_json, layer_attributes_from_json, layer_attributes_to_json
from netgraph.rewriting.delta import (
    EDGE_RECORD_DTYPES,
    VERTEX_DTYPES,
    Change,
    Delta,
    EdgeRecords,
    LayerRecord,
    LinkRecord,
    Stamp,
    VertexRecords,
)

KIND = "delta"
VERSION = 1


def save_delta(delta: Delta, path: str | os.PathLike[str]) -> None:
    """Write a delta to one file, completely or not at all."""
    structure = {
        "before": _stamp_to_json(delta.before),
        "after": _stamp_to_json(delta.after),
        "layers_added": [_layer_to_json(r) for r in delta.layers_added],
        "layers_removed": [_layer_to_json(r) for r in delta.layers_removed],
        "layers_changed": [[_layer_to_json(r) for r in pair] for pair in delta.layers_changed],
        "links_added": [_link_to_json(r) for r in delta.links_added],
        "links_removed": [_link_to_json(r) for r in delta.links_removed],
        "link_keys": [list(key) for key in delta.link_keys],
    }
    arrays: dict[str, Array] = {}
    for side in ("added", "removed"):
        vertices: VertexRecords = getattr(delta, f"vertices_{side}")
        edges: EdgeRecords = getattr(delta, f"edges_{side}")
        arrays |= {f"vertices_{side}.{name}": getattr(vertices, name) for name in VERTEX_DTYPES}
        arrays |= {f"vertices_{side}.value.{name}": values for name, values in vertices.values.items()}
        arrays |= {f"edges_{side}.{name}": getattr(edges, name) for name in EDGE_RECORD_DTYPES}
    for what in ("vertices_changed", "edges_changed"):
        changes: Mapping[str, Change] = getattr(delta, what)
        for name, change in changes.items():
            arrays |= {f"{what}.{name}.{part}": getattr(change, part) for part in ("id", "old", "new")}
    write_container(path, KIND, VERSION, structure, arrays)


def load_delta(path: str | os.PathLike[str]) -> Delta:
    """Read a delta. Raises `FileFormatError` when the file is damaged, truncated or too new."""
    structure, arrays = read_container(path, KIND, VERSION)
    try:
        return _from_columns(structure, arrays)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise FileFormatError(f"{os.fspath(path)!r} does not hold a valid delta: {error!r}") from error


def _from_columns(structure: Mapping[str, Any], arrays: Mapping[str, Array]) -> Delta:
    def vertices(side: str) -> VertexRecords:
        prefix = f"vertices_{side}.value."
        values = {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
        return VertexRecords(**{n: arrays[f"vertices_{side}.{n}"] for n in VERTEX_DTYPES}, values=values)

    def edges(side: str) -> EdgeRecords:
        return EdgeRecords(**{n: arrays[f"edges_{side}.{n}"] for n in EDGE_RECORD_DTYPES})

    def changes(what: str) -> dict[str, Change]:
        names = {k.split(".")[1] for k in arrays if k.startswith(f"{what}.")}
        return {n: Change(*(arrays[f"{what}.{n}.{part}"] for part in ("id", "old", "new"))) for n in sorted(names)}

    return Delta(
        before=_stamp_from_json(structure["before"]),
        after=_stamp_from_json(structure["after"]),
        layers_added=tuple(map(_layer_from_json, structure["layers_added"])),
        layers_removed=tuple(map(_layer_from_json, structure["layers_removed"])),
        layers_changed=tuple((_layer_from_json(a), _layer_from_json(b)) for a, b in structure["layers_changed"]),
        links_added=tuple(map(_link_from_json, structure["links_added"])),
        links_removed=tuple(map(_link_from_json, structure["links_removed"])),
        link_keys=tuple((int(a), int(b), int(c)) for a, b, c in structure["link_keys"]),
        vertices_added=vertices("added"),
        vertices_removed=vertices("removed"),
        vertices_changed=changes("vertices_changed"),
        edges_added=edges("added"),
        edges_removed=edges("removed"),
        edges_changed=changes("edges_changed"),
    )


def _stamp_to_json(stamp: Stamp) -> dict[str, Any]:
    return {**stamp._asdict(), "next_ids": list(stamp.next_ids)}


def _stamp_from_json(values: Mapping[str, Any]) -> Stamp:
    return Stamp(**{**values, "next_ids": NextIds(*values["next_ids"])})


def _layer_to_json(record: LayerRecord) -> dict[str, Any]:
    return {"id": record.id, "columns": dict(record.columns), **layer_attributes_to_json(record.attributes)}


def _layer_from_json(values: Mapping[str, Any]) -> LayerRecord:
    columns = {name: np.dtype(dtype).str for name, dtype in values["columns"].items()}
    return LayerRecord(values["id"], layer_attributes_from_json(values), columns)


def _link_to_json(record: LinkRecord) -> dict[str, Any]:
    return {"key": list(record.key), "kind": kind_to_json(record.kind), "dtype": record.dtype}


def _link_from_json(values: Mapping[str, Any]) -> LinkRecord:
    source, target, port = values["key"]
    return LinkRecord((source, target, port), kind_from_json(values["kind"]), values["dtype"])
