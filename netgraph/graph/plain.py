"""Conversion of the attributes of layers to plain values for JSON, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from netgraph.graph.layer import Layer, Pool
from netgraph.graph.merges import merge_from_json, merge_to_json


def layer_attributes_to_json(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Convert the attributes of a layer to plain values."""
    pool = attributes["pool"]
    plain = {**attributes, "grid": list(attributes["grid"]), "pool": _pool_to_json(pool) if pool else None}
    return {**plain, "merge": merge_to_json(attributes["merge"])} if "merge" in attributes else plain


def layer_attributes_from_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """Invert `layer_attributes_to_json`; entries of other names are ignored.

    Raises:
        GraphError: for a merge or a pool that is wrong.
    """
    result = {name: values[name] for name in Layer.ATTRIBUTES}
    result |= {name: values[name] for name in Layer.OPTIONAL if name in values}
    if result.get("merge") is not None:
        result["merge"] = merge_from_json(result["merge"])
    pool = result["pool"]
    if pool is not None:
        stride, padding = (_ints(pool[name]) if pool.get(name) is not None else None for name in ("stride", "padding"))
        result["pool"] = Pool(pool["kind"], _ints(pool["size"]), stride, padding)
    return {**result, "grid": _ints(result["grid"])}


def _pool_to_json(pool: Pool) -> dict[str, Any]:
    """Convert a pool to plain values; a padding of 0 is left out, as in files without it."""
    return {name: value for name, value in asdict(pool).items() if name != "padding" or value is not None}


def _ints(values: Any) -> tuple[int, ...]:
    return tuple(int(v) for v in values)
