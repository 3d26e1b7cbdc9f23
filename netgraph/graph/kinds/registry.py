"""Kinds of links by name, and as plain values for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from netgraph.errors import GraphError, unknown_name
from netgraph.graph.kinds.convolution import Conv2d
from netgraph.graph.kinds.dense import Dense
from netgraph.graph.kinds.identity import Identity
from netgraph.graph.kinds.kind import LinkKind
from netgraph.graph.kinds.place import Place

LINK_KINDS: dict[str, type[LinkKind]] = {kind.name: kind for kind in (Dense, Conv2d, Identity, Place)}
"""Kinds of links by their names in files."""


def field_names(kind: type[LinkKind]) -> tuple[str, ...]:
    """Names of the fields of a kind of links, in order."""
    return tuple(field.name for field in fields(kind))  # type: ignore[arg-type]  # kinds are dataclasses


KIND_FIELDS = tuple(dict.fromkeys(name for kind in LINK_KINDS.values() for name in field_names(kind)))
"""Names of the fields of all kinds, without duplicates."""


def kind_to_json(kind: LinkKind) -> dict[str, Any]:
    """Convert the kind of a link to plain values."""
    values = {name: getattr(kind, name) for name in field_names(type(kind))}
    return {"type": kind.name, **{k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}}


def kind_from_json(values: Mapping[str, Any]) -> LinkKind:
    """Invert `kind_to_json`. Raises `GraphError` for an unknown kind."""
    cls = LINK_KINDS.get(values["type"])
    if cls is None:
        raise GraphError(unknown_name("link kind", values["type"], LINK_KINDS))
    given = {
        name: tuple(int(v) for v in value) if isinstance(value, list | tuple) else int(value)
        for name, value in values.items()
        if name != "type"
    }
    names = set(field_names(cls))
    if given.keys() != names:
        raise GraphError(f"a link of kind {values['type']!r} needs {sorted(names)}, and has {sorted(given)}")
    return cls(**given)
