"""Attributes of layers and kinds of links as plain JSON values, for files and journals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, get_args

from netgraph.columns import WEIGHT_DTYPES
from netgraph.errors import GraphError, unknown_name
from netgraph.graph import Conv2d, Dense, Identity, Layer, LinkKind, Norm, Pool, Role
from netgraph.storage.json_values import Entries, Items, Maybe, Number, Record, Shape, Text, Whole

_KINDS: dict[str, type[Dense] | type[Conv2d] | type[Identity]] = {
    "dense": Dense,
    "conv2d": Conv2d,
    "identity": Identity,
}

MOST = 2**31 - 1
"""Largest size of a grid, a kernel, a stride or a padding; rows and taps are int32."""

PAIR = Items(Whole(high=MOST), 2)

ID = Whole(high=2**62)

KIND_SHAPE = Record(
    {"type": Text(tuple(_KINDS)), "kernel": PAIR, "stride": PAIR, "padding": PAIR},
    optional=frozenset(["kernel", "stride", "padding"]),
)
"""Shape of the values of `kind_to_json`."""

LAYER_SHAPES: dict[str, Shape] = {
    "name": Text(),
    "role": Text(get_args(Role)),
    "grid": Items(Whole(1, MOST)),
    "activation": Text(),
    "slope": Number(),
    "norm": Text(get_args(Norm)),
    "norm_epsilon": Number(),
    "norm_momentum": Number(),
    "pool": Maybe(Record({"kind": Text(("max", "average")), "size": PAIR, "stride": Maybe(PAIR)})),
}
"""Shapes of the values of `layer_attributes_to_json`, by name."""

COLUMNS_SHAPE = Entries(Text(tuple(dtype.str for dtype in WEIGHT_DTYPES)))
"""Dtypes of vertex columns, by their names."""


def kind_to_json(kind: LinkKind) -> dict[str, Any]:
    """Kind of a link as plain values."""
    name = next(name for name, cls in _KINDS.items() if isinstance(kind, cls))
    return {"type": name, **{k: list(v) for k, v in asdict(kind).items()}}


def kind_from_json(values: Mapping[str, Any]) -> LinkKind:
    """The inverse of `kind_to_json`; raises `GraphError` for an unknown type."""
    cls = _KINDS.get(values["type"])
    if cls is None:
        raise GraphError(unknown_name("link kind", values["type"], _KINDS))
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
