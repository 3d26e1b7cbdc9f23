"""Patterns of vertices and of edges."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from netgraph.checks import whole_numbers
from netgraph.columns import Array
from netgraph.errors import OptionError, RewriteError
from netgraph.graph import Role
from netgraph.rewriting.patterns.matches import Funnel, Matches
from netgraph.rewriting.patterns.parts import JoinPattern, PartPattern, PartWhere, check_where, conditions_of_part
from netgraph.rewriting.patterns.pattern import Pattern
from netgraph.rewriting.patterns.rows import EdgeRows, VertexRows
from netgraph.statistics import Statistics

if TYPE_CHECKING:
    from netgraph.graph import Graph


@dataclass(frozen=True)
class VertexPattern(PartPattern):
    """Pattern of a vertex, bound to `name`, in a layer of a given role or of any role."""

    def match(self, graph: Graph, on: Any = None, stats: Statistics | None = None) -> tuple[Matches, Funnel]:
        """Find the vertices. Costs O(V)."""
        rows = np.arange(len(graph.vertices)) if on is None else graph.vertices.rows(np.unique(given_ids(on)))
        funnel = [("vertices" if on is None else "vertices asked for", len(rows))]
        for text, mask in self.conditions(graph):
            rows = rows[mask[rows]]
            funnel.append((text, len(rows)))
        return Matches(graph, {self.name: VertexRows(graph, rows)}), funnel

    def conditions(self, graph: Graph) -> list[tuple[str, Array]]:
        """List the conditions on the role and of `where`: (condition, mask of the vertices), `(vertices,)`."""
        result = []
        if self.role is not None:
            layers = graph.layers_by_id.values()
            fits = np.fromiter((layer.role == self.role for layer in layers), bool, len(layers))
            text = f"{self.name} is in an {self.role} layer" if self.role == "input" else f"{self.name} is {self.role}"
            result.append((text, np.repeat(fits, np.diff(graph.vertices.offsets))))
        if self.where is not None:
            every = VertexRows(graph, np.arange(len(graph.vertices)))
            result += conditions_of_part(self.name, self.where, every)
        return result


class BetweenVertices(JoinPattern[VertexPattern]):
    """Base of patterns whose ends are vertices."""

    end = (VertexPattern, "vertex")


@dataclass(frozen=True)
class EdgePattern(BetweenVertices):
    """Pattern of an edge, bound to `name`; the patterns `src` and `dst` bind and restrict its ends.

    Attributes:
        frozen: whether the edge is frozen, as wires are; None for any edge.
        where: condition on edges.
    """

    frozen: bool | None = False
    where: PartWhere = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_where(self.name, self.where)
        if self.frozen not in (True, False, None):
            raise OptionError(f"frozen={self.frozen!r} of {self.name!r} is none of True, False and None.")

    def match(self, graph: Graph, on: Any = None, stats: Statistics | None = None) -> tuple[Matches, Funnel]:
        """Find the edges. Costs O(E)."""
        table = graph.edges
        if on is None:
            rows = np.arange(len(table))
            funnel = [("edges", len(rows))]
        else:
            ids = given_ids(on)
            rows = table.find(ids)
            if (rows < 0).any():
                missing = ids[rows < 0].min()
                raise RewriteError(f"There is no edge with id {missing} in this graph; ids change with rewrites.")
            asked = np.zeros(len(table), dtype=bool)
            asked[rows] = True
            rows = np.flatnonzero(asked)
            funnel = [("edges asked for", len(rows))]
        if self.frozen is not None:
            rows = rows[table.frozen[rows] == self.frozen]
            funnel.append((f"{self.name} is {'frozen' if self.frozen else 'trainable'}", len(rows)))
        for end, ends in ((self.src, table.source_row), (self.dst, table.target_row)):
            for text, mask in end.conditions(graph):
                rows = rows[mask[ends[rows]]]
                funnel.append((text, len(rows)))
        keep = np.ones(len(rows), dtype=bool)
        for text, mask in conditions_of_part(self.name, self.where, EdgeRows(graph, rows)):
            keep &= mask
            funnel.append((text, int(keep.sum())))
        rows = rows if keep.all() else rows[keep]
        sources, targets = (VertexRows(graph, ends[rows]) for ends in (table.source_row, table.target_row))
        return self.bind(graph, EdgeRows(graph, rows), sources, targets), funnel

    @property
    def of_any_edge(self) -> Pattern:
        return self if self.frozen else replace(self, frozen=None)


def vertex(name: str, *, role: Role | None = None, where: PartWhere = None) -> VertexPattern:
    """Pattern of a vertex, bound to `name`.

    Args:
        name: the name.
        role: role of its layer, or None for any.
        where: function from the vertices to one boolean each, or several functions by name. It is tried on all vertices
            before anything is joined, so it makes a search of several parts cheaper than a condition of the rule.
    """
    return VertexPattern(name, role, where)


def edge(
    name: str,
    *,
    src: VertexPattern | str = "src",
    dst: VertexPattern | str = "dst",
    frozen: bool | None = False,
    where: PartWhere = None,
) -> EdgePattern:
    """Pattern of an edge, bound to `name`.

    Args:
        name: the name.
        src, dst: patterns that bind and restrict its ends, or just their names.
        frozen: False for trainable edges, True for frozen ones, such as wires, None for both.
        where: function from the edges to one boolean each, or several functions by name, tried before anything is
            joined: `edge("e", where=lambda e: abs(e.weight) > 0.1)`.
    """
    return EdgePattern(name, src, dst, frozen, where)  # type: ignore[arg-type]  # names become patterns


def given_ids(on: Any) -> Array:
    """Ids that `on` names: rows of matches, or whole numbers. Raises `RewriteError` for anything else."""
    ids = on.id if isinstance(on, EdgeRows | VertexRows) or hasattr(on, "id") else on
    array = np.asarray(ids)
    if array.size and array.dtype.kind not in "iu":
        raise RewriteError(f"`on` needs ids, which are integers, got {array.dtype}.")
    return whole_numbers("on", ids, error=RewriteError).ravel()
