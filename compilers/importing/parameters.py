"""Places of the parameters of a module in a graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from netgraph.columns import Array


@dataclass(frozen=True, eq=False)
class ParameterMap:
    """For each element of the parameters of a module the edge or the vertex whose number it is.

    Attributes:
        edges: id of the edge of each element by the name of the parameter, -1 for none, in the shape of the parameter.
        vertices: name of the vertex column, and id of the vertex of each element, -1 for none, by name.
    """

    edges: Mapping[str, Array]
    vertices: Mapping[str, tuple[str, Array]]
