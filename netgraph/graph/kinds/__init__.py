"""Kinds of links, one per file: the positions that edges read in their sources, and the edges that a link may have."""

from netgraph.graph.kinds.convolution import Conv2d
from netgraph.graph.kinds.dense import Dense
from netgraph.graph.kinds.identity import Identity
from netgraph.graph.kinds.kind import LinkKind, windows
from netgraph.graph.kinds.place import Place
from netgraph.graph.kinds.registry import KIND_FIELDS, LINK_KINDS, kind_from_json, kind_to_json

__all__ = [
    "KIND_FIELDS",
    "LINK_KINDS",
    "Conv2d",
    "Dense",
    "Identity",
    "LinkKind",
    "Place",
    "kind_from_json",
    "kind_to_json",
    "windows",
]
