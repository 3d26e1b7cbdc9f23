"""Conversion of the attributes of layers to plain values for JSON, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from netgraph.graph.layer import Layer, Pool


def layer_attributes_to_json(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Convert the attributes of a layer to plain values."""
    pool = attributes["pool"]
    return {**attributes, "grid": list(attributes["grid"]), "pool": asdict(pool) if pool else None}


def layer_attributes_from_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """Invert `layer_attributes_to_json`; entries of other names are ignored."""
    result = {name: values[name] for name in Layer.ATTRIBUTES}
    pool = result["pool"]
    if pool is not None:
        stride = _ints(pool["stride"]) if pool["stride"] is not None else None
        result["pool"] = Pool(pool["kind"], _ints(pool["size"]), stride)  # type: ignore[arg-type]
    return {**result, "grid": _ints(result["grid"])}


def _ints(values: Any) -> tuple[int, ...]:
    return tuple(int(v) for v in values)
