"""Merges by name, and as plain values for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from netgraph.errors import GraphError, unknown_name
from netgraph.graph.merges.attend import Attend
from netgraph.graph.merges.merge import Merge
from netgraph.graph.merges.mix import Mix
from netgraph.graph.merges.product import Product

MERGES: dict[str, type[Merge]] = {merge.name: merge for merge in (Product, Attend, Mix)}
"""Merges by their names in files."""


def merge_to_json(merge: Merge) -> dict[str, Any]:
    """Convert a merge to plain values."""
    values = asdict(merge)  # type: ignore[call-overload]  # merges are dataclasses
    return {"type": merge.name, **{k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}}


def merge_from_json(values: Mapping[str, Any]) -> Merge:
    """Invert `merge_to_json`. Raises `GraphError` for an unknown merge, and for settings that it does not have."""
    cls = MERGES.get(values["type"])
    if cls is None:
        raise GraphError(unknown_name("merge", values["type"], MERGES))
    given = {name: value for name, value in values.items() if name != "type"}
    names = {field.name for field in fields(cls)}  # type: ignore[arg-type]
    if given.keys() != names:
        raise GraphError(f"a merge {values['type']!r} needs {sorted(names)}, and has {sorted(given)}")
    return cls(**given)
