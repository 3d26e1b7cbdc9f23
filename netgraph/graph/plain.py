"""Attributes of layers and kinds of links as plain values, for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from netgraph.errors import GraphError, unknown_name
from netgraph.graph.layer import Layer, Pool
from netgraph.graph.link import Conv2d, Dense, Identity, LinkKind

LINK_KINDS: dict[str, type[Dense] | type[Conv2d] | type[Identity]] = {
    "dense": Dense,
    "conv2d": Conv2d,
    "identity": Identity,
}
"""Kinds of links by their names in files."""


def kind_to_json(kind: LinkKind) -> dict[str, Any]:
    """Kind of a link as plain values."""
    name = next(name for name, cls in LINK_KINDS.items() if isinstance(kind, cls))
    return {"type": name, **{k: list(v) for k, v in asdict(kind).items()}}


def kind_from_json(values: Mapping[str, Any]) -> LinkKind:
    """The inverse of `kind_to_json`; raises `GraphError` for an unknown type."""
    cls = LINK_KINDS.get(values["type"])
    if cls is None:
        raise GraphError(unknown_name("link kind", values["type"], LINK_KINDS))
    given: dict[str, Any] = {k: _ints(v) for k, v in values.items() if k != "type"}
    names = {field.name for field in fields(cls)}
    if given.keys() != names:
        raise GraphError(f"a link of kind {values['type']!r} needs {sorted(names)}, and has {sorted(given)}")
    return cls(**given)


def layer_attributes_to_json(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of a layer as plain values."""
    pool = attributes["pool"]
    return {**attributes, "grid": list(attributes["grid"]), "pool": asdict(pool) if pool else None}


def layer_attributes_from_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of `layer_attributes_to_json`; further entries are left out."""
    result = {name: values[name] for name in Layer.ATTRIBUTES}
    pool = result["pool"]
    if pool is not None:
        stride = _ints(pool["stride"]) if pool["stride"] is not None else None
        result["pool"] = Pool(pool["kind"], _ints(pool["size"]), stride)  # type: ignore[arg-type]
    return {**result, "grid": _ints(result["grid"])}


def _ints(values: Any) -> tuple[int, ...]:
    return tuple(int(v) for v in values)
