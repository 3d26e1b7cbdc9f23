"""Deltas as files, one per rewrite of a journal."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from netgraph.columns import WEIGHT_DTYPES, Array
from netgraph.errors import FileFormatError, GraphError, RewriteError
from netgraph.graph import NextIds, kind_from_json, kind_to_json, layer_attributes_from_json, layer_attributes_to_json
from netgraph.rewriting.delta.checks import check_delta
from netgraph.rewriting.delta.delta import (
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
from netgraph.storage import (
    HISTORY_SHAPES,
    LAYER_OPTIONAL,
    LAYER_SHAPES,
    LINK_SHAPES,
    Items,
    Record,
    Text,
    column_dtypes,
    expect_columns,
    read_container,
    write_container,
)

DELTA_KIND = "delta"
DELTA_VERSION = 1

_STAMP, _LAYER = Record(HISTORY_SHAPES), Record(LAYER_SHAPES, LAYER_OPTIONAL)
_LINK = Record({"dtype": Text(tuple(t.name for t in WEIGHT_DTYPES)), **LINK_SHAPES})
_STRUCTURE = Record(
    {
        "before": _STAMP,
        "after": _STAMP,
        "layers_added": Items(_LAYER),
        "layers_removed": Items(_LAYER),
        "layers_changed": Items(Items(_LAYER, 2)),
        "links_added": Items(_LINK),
        "links_removed": Items(_LINK),
        "link_keys": Items(LINK_SHAPES["key"]),
    }
)
_SIDES, _CHANGED, _PARTS = ("added", "removed"), ("vertices_changed", "edges_changed"), ("id", "old", "new")


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
    for side in _SIDES:
        vertices: VertexRecords = getattr(delta, f"vertices_{side}")
        edges: EdgeRecords = getattr(delta, f"edges_{side}")
        arrays |= {f"vertices_{side}.{name}": getattr(vertices, name) for name in VERTEX_DTYPES}
        arrays |= {f"vertices_{side}.value.{name}": values for name, values in vertices.values.items()}
        arrays |= {f"edges_{side}.{name}": getattr(edges, name) for name in EDGE_RECORD_DTYPES}
    for what in _CHANGED:
        changes: Mapping[str, Change] = getattr(delta, what)
        for name, change in changes.items():
            arrays |= {f"{what}.{name}.{part}": getattr(change, part) for part in _PARTS}
    write_container(path, DELTA_KIND, DELTA_VERSION, structure, arrays)


def load_delta(path: str | os.PathLike[str]) -> Delta:
    """Read a delta from a file and check it.

    Raises:
        FileFormatError: when the file is damaged, truncated, too new, or does not hold a valid delta.
    """
    structure, arrays = read_container(path, DELTA_KIND, DELTA_VERSION, _STRUCTURE)
    where = repr(os.fspath(path))
    expect_columns(arrays, _expected(arrays), where)
    try:
        delta = _from_columns(structure, arrays)
        check_delta(delta)
    except (GraphError, RewriteError) as error:
        raise FileFormatError(f"{where} does not hold a valid delta: {error}") from error
    return delta


def _expected(arrays: Mapping[str, Array]) -> dict[str, tuple[Any, ...]]:
    """Dtypes of all columns of a delta by name, with those of the vertex values and changes found in `arrays`."""
    expected: dict[str, tuple[Any, ...]] = {}
    for side in _SIDES:
        expected |= column_dtypes(f"vertices_{side}", VERTEX_DTYPES)
        expected |= column_dtypes(f"edges_{side}", EDGE_RECORD_DTYPES)
        expected |= {name: WEIGHT_DTYPES for name in arrays if name.startswith(f"vertices_{side}.value.")}
    for what in _CHANGED:
        for name in _changed_names(arrays, what):
            expected |= column_dtypes(f"{what}.{name}", {"id": np.int64, "old": np.float64, "new": np.float64})
    return expected


def _changed_names(arrays: Mapping[str, Array], what: str) -> list[str]:
    """Names of the columns with changes in `arrays`; `what` is `vertices_changed` or `edges_changed`."""
    prefix = f"{what}."
    return sorted({name.removeprefix(prefix).rpartition(".")[0] for name in arrays if name.startswith(prefix)})


def _from_columns(structure: Mapping[str, Any], arrays: Mapping[str, Array]) -> Delta:
    def vertices(side: str) -> VertexRecords:
        prefix = f"vertices_{side}.value."
        values = {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
        return VertexRecords(**{n: arrays[f"vertices_{side}.{n}"] for n in VERTEX_DTYPES}, values=values)

    def edges(side: str) -> EdgeRecords:
        return EdgeRecords(**{n: arrays[f"edges_{side}.{n}"] for n in EDGE_RECORD_DTYPES})

    def changes(what: str) -> dict[str, Change]:
        return {n: Change(*(arrays[f"{what}.{n}.{p}"] for p in _PARTS)) for n in _changed_names(arrays, what)}

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
    return LayerRecord(values["id"], layer_attributes_from_json(values), values["columns"])


def _link_to_json(record: LinkRecord) -> dict[str, Any]:
    return {"key": list(record.key), "kind": kind_to_json(record.kind), "dtype": record.dtype}


def _link_from_json(values: Mapping[str, Any]) -> LinkRecord:
    source, target, port = values["key"]
    return LinkRecord((source, target, port), kind_from_json(values["kind"]), values["dtype"])
