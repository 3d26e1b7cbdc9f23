"""Pattern of two vertices that no edge needs to join."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from netgraph.checks import choice
from netgraph.columns import Array, spans
from netgraph.errors import OptionError, RewriteError
from netgraph.graph import Role
from netgraph.rewriting.patterns.alike import Alike
from netgraph.rewriting.patterns.edges import VertexPattern, given_ids
from netgraph.rewriting.patterns.matches import MAX_MATCHES, Funnel, Matches
from netgraph.rewriting.patterns.pattern import Pattern
from netgraph.rewriting.patterns.rows import VertexRows
from netgraph.statistics import Statistics

if TYPE_CHECKING:
    from netgraph.graph import Graph

Layers = Literal["same", "different", "any"]


@dataclass(frozen=True)
class PairPattern(Pattern):
    """Pattern of two different vertices.

    Attributes:
        one, other: patterns of the vertices. If they have equal conditions each pair is found once, the vertex that is
            earlier (by the topological order of layers, then by row) first; else in every order that fits.
        layers: "same" for two vertices of one layer, "different" for vertices of two layers, or "any".
        alike: condition on the likeness of both, or None.
    """

    one: VertexPattern
    other: VertexPattern
    layers: Layers = "same"
    alike: Alike | None = None

    def __post_init__(self) -> None:
        for end in ("one", "other"):
            if isinstance(name := getattr(self, end), str):
                object.__setattr__(self, end, VertexPattern(name))
            if not isinstance(getattr(self, end), VertexPattern):
                raise OptionError(f"{getattr(self, end)!r} is no pattern of a vertex; give a name, or vertex('name').")
        if self.one.name == self.other.name:
            raise OptionError(f"Both vertices of a pair have the name {self.one.name!r}; give two names.")
        choice("layers", self.layers, get_args(Layers))
        if self.alike is not None and not isinstance(self.alike, Alike):
            raise OptionError(f"alike={self.alike!r} is none of cosine(...), correlation(...) and distance(...).")

    @property
    def names(self) -> tuple[str, ...]:
        return (self.one.name, self.other.name)

    @property
    def roles(self) -> tuple[Role | None, ...]:
        return (self.one.role, self.other.role)

    def match(self, graph: Graph, on: Any = None, stats: Statistics | None = None) -> tuple[Matches, Funnel]:
        """Find the pairs, ordered by the rows of both; `on` limits the first vertex.

        Costs O(pairs log pairs); with `alike`, O(n^2 d) for n vertices and d features instead of a list of all pairs.
        """
        funnel: Funnel = [("vertices", len(graph.vertices))]
        admitted = []
        for end in (self.one, self.other):
            mask = np.ones(len(graph.vertices), dtype=bool)
            for text, passes in end.conditions(graph):
                mask &= passes
                funnel.append((text, int(mask.sum())))
            admitted.append(mask)
        if on is not None:
            asked = np.zeros(len(graph.vertices), dtype=bool)
            asked[graph.vertices.rows(np.unique(given_ids(on)))] = True
            admitted[0] = admitted[0] & asked
        early, late, value = self._unordered(graph, stats, admitted[0] | admitted[1])
        which = {"same": "of one layer", "different": "of two layers", "any": "of vertices"}[self.layers]
        funnel.append((f"pairs {which}" + (f": {self.alike.text}" if self.alike else ""), len(early)))
        symmetric = replace(self.one, name=self.other.name) == self.other
        keep = admitted[0][early] & admitted[1][late]
        one, other, values = early[keep], late[keep], value[keep]
        if not symmetric:
            back = admitted[0][late] & admitted[1][early]
            one, other = np.r_[one, late[back]], np.r_[other, early[back]]
            values = np.r_[values, value[back]]
        order = np.lexsort((other, one))
        bound = {self.one.name: VertexRows(graph, one[order]), self.other.name: VertexRows(graph, other[order])}
        funnel.append((f"{self.one.name} and {self.other.name} fit", len(order)))
        return Matches(graph, bound, {self.alike.measure: values[order]} if self.alike else {}), funnel

    def _unordered(self, graph: Graph, stats: Statistics | None, mask: Array) -> tuple[Array, Array, Array]:
        """Rows of each pair once, the earlier vertex first, and the likeness (0 without one)."""
        layers = list(graph.layers_by_id)
        place = np.empty(len(layers), dtype=np.int64)
        place[np.searchsorted(layers, graph.topological_order)] = np.arange(len(layers))
        of_vertex = np.searchsorted(layers, graph.vertices.layer)
        rows = np.flatnonzero(mask)
        rows = rows[np.argsort(place[of_vertex[rows]], kind="stable")]
        groups = [rows]
        if self.layers == "same":
            groups = np.split(rows, np.flatnonzero(np.diff(of_vertex[rows])) + 1) if len(rows) else []
        if self.alike is not None:
            early, late, value = self.alike.pairs(graph, stats, groups)
        else:
            early, late = _all_pairs(groups, of_vertex if self.layers == "different" else None)
            value = np.zeros(len(early))
        if self.layers == "different":
            apart = of_vertex[early] != of_vertex[late]
            early, late, value = early[apart], late[apart], value[apart]
        return early, late, value


def _all_pairs(groups: list[Array], layer: Array | None) -> tuple[Array, Array]:
    """Every pair within each group, the earlier one first; with `layer`, of different layers only, sorted by them."""
    afters = [_after(rows, layer) for rows in groups]
    sizes = [len(rows) - after for rows, after in zip(groups, afters, strict=True)]
    if (total := sum(int(size.sum()) for size in sizes)) > MAX_MATCHES:
        raise RewriteError(
            f"There are {total:,} pairs of vertices, and at most {MAX_MATCHES:,} are listed; narrow them with "
            "vertex(..., where=...), or say with alike=cosine(...) which ones are alike."
        )
    nothing = np.empty(0, np.int64)
    ones = [np.repeat(rows, size) for rows, size in zip(groups, sizes, strict=True)]
    others = [rows[spans(after, size)] for rows, after, size in zip(groups, afters, sizes, strict=True)]
    return np.concatenate([nothing, *ones]), np.concatenate([nothing, *others])


def _after(rows: Array, layer: Array | None) -> Array:
    """Position in a group of the first vertex that each one is paired with: the next one, or the next layer's first."""
    if layer is None or not len(rows):
        return np.arange(1, len(rows) + 1)
    ends = np.r_[np.flatnonzero(np.diff(layer[rows])) + 1, len(rows)]
    return np.repeat(ends, np.diff(ends, prepend=0))


def pair(
    one: VertexPattern | str, other: VertexPattern | str, *, layers: Layers = "same", alike: Alike | None = None
) -> PairPattern:
    """Pattern of two different vertices, each pair once.

    Args:
        one, other: names or patterns of both vertices. With different conditions, such as
            `pair(vertex("dead", where=...), vertex("alive", where=...))`, each vertex must pass those of its name.
        layers: "same" for vertices of one layer, "different" for vertices of two layers, or "any".
        alike: `cosine(...)`, `correlation(...)` or `distance(...)`: only pairs whose features are alike; their values
            are `m.computed["cosine"]` and so on. Millions of pairs are compared in seconds.
    """
    return PairPattern(one, other, layers, alike)  # type: ignore[arg-type]  # names become patterns
