"""Texts and types in files of XML."""

from __future__ import annotations

import re

from netgraph.columns import Array
from netgraph.errors import GraphError

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ESCAPES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
)


def quote(text: str) -> str:
    """Escape a text for an attribute or the content of an element.

    Raises:
        GraphError: for a character that XML does not have.
    """
    if found := _FORBIDDEN.search(text):
        raise GraphError(
            f"The text {text!r} has the character {found.group()!r}, which files of XML cannot hold; give the layer "
            "another name, or write edges as .csv."
        )
    return text.translate(_ESCAPES)


def type_of(values: Array) -> str:
    """Name the type of a column, in GraphML and in GEXF."""
    if values.dtype.kind == "f":
        return "double" if values.dtype.itemsize > 4 else "float"
    return {"b": "boolean", "O": "string"}.get(values.dtype.kind, "long")
