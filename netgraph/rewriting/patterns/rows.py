"""Rows of vertices, edges and missing edges that patterns bind."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from netgraph.columns import Array, column, freeze
from netgraph.errors import RewriteError
from netgraph.graph import Grid, LinkKind
from netgraph.rewriting.patterns.matches import MatchedRows, TableRows

if TYPE_CHECKING:
    from netgraph.graph import Graph


class VertexRows(TableRows):
    """Vertices of a graph, one per row; `rows` are flat rows in `graph.vertices`, not ids. Properties are arrays.

    A rule gets the vertices of its matches, and other ones from `Rewriter.vertices`.
    """

    def unique(self) -> VertexRows:
        """Return every vertex once, in the order of `graph.vertices`."""
        return VertexRows(self.graph, np.unique(self.rows))

    @property
    def id(self) -> Array:
        """Vertex ids."""
        return freeze(self.graph.vertices.id[self.rows])

    @property
    def layer(self) -> Array:
        """Layer ids."""
        return freeze(self.graph.vertices.layer[self.rows])

    @property
    def birth(self) -> Array:
        """Number of the rewrite that made each vertex."""
        return freeze(self.graph.vertices.birth[self.rows])

    @property
    def nonnegative(self) -> Array:
        """Whether the value of each vertex is provably at least 0 for all inputs in the domain."""
        return freeze(self.graph.vertices.nonnegative[self.rows])

    def column(self, name: str) -> Array:
        """Values of a vertex column such as `bias`, NaN where the layer does not have the column."""
        return freeze(self.graph.vertices.column(name)[self.rows])

    @property
    def grid(self) -> Grid:
        """Output grid of these vertices. Raises `RewriteError` when they have different ones."""
        grids = {self.graph.layer(int(i)).output_grid for i in np.unique(self.layer)}
        if len(grids) != 1:
            raise RewriteError(f"These vertices have different grids {sorted(grids)}; group them by 'source grid'.")
        return grids.pop()

    @property
    def scalar(self) -> Array:
        """Whether each vertex is one number for a sample, and no map: the output grid of its layer is `()`."""
        layers = self.graph.layers_by_id
        scalar = np.array([layer.output_grid == () for layer in layers.values()], dtype=bool)
        return freeze(scalar[np.searchsorted(np.array(list(layers), dtype=np.int64), self.layer)])

    @cached_property
    def in_degree(self) -> Array:
        """Number of edges, wires included, into each vertex."""
        return freeze(np.bincount(self.graph.edges.target_row, minlength=len(self.graph.vertices))[self.rows])

    @cached_property
    def out_degree(self) -> Array:
        """Number of edges, wires included, out of each vertex."""
        return freeze(np.bincount(self.graph.edges.source_row, minlength=len(self.graph.vertices))[self.rows])

    def group_key(self, name: str) -> Array | None:
        if name == "grid":
            ids = list(self.graph.layers_by_id)
            grids = [repr(self.graph.layer(i).output_grid) for i in ids]
            code = np.unique(grids, return_inverse=True)[1]
            return np.asarray(code[np.searchsorted(ids, self.layer)])
        return self.layer if name == "layer" else None


class EdgeRows(TableRows):
    """Edges of a graph, one per row; `rows` are rows in `graph.edges`, not ids. Properties are arrays.

    A rule gets the edges of its matches, and other ones from `Rewriter.edges`.
    """

    joins = True

    @property
    def id(self) -> Array:
        """Edge ids."""
        return freeze(self.graph.edges.id[self.rows])

    @property
    def sources(self) -> VertexRows:
        """Source vertex of each edge."""
        return VertexRows(self.graph, freeze(self.graph.edges.source_row[self.rows]))

    @property
    def targets(self) -> VertexRows:
        """Target vertex of each edge."""
        return VertexRows(self.graph, freeze(self.graph.edges.target_row[self.rows]))

    @property
    def weight(self) -> Array:
        """Weights."""
        return freeze(self.graph.edges.weight[self.rows])

    @property
    def tap(self) -> Array:
        """Taps (positions in the kernel)."""
        return freeze(self.graph.edges.tap[self.rows])

    @property
    def birth(self) -> Array:
        """Number of the rewrite that made each edge."""
        return freeze(self.graph.edges.birth[self.rows])

    @property
    def link(self) -> Array:
        """Position of the link of each edge in `graph.links_by_key`."""
        return freeze(self.graph.edges.link[self.rows])

    @property
    def port(self) -> Array:
        """Port of the target layer at which each edge arrives."""
        return freeze(self.graph.edges.port[self.rows])

    @property
    def kind(self) -> LinkKind:
        """Kind of the links of these edges. Raises `RewriteError` when they have different ones."""
        kinds = {self.graph.edges.link_kinds[k] for k in np.unique(self.link)}
        if len(kinds) != 1:
            raise RewriteError("These edges belong to links of different kinds; group them by 'link kind'.")
        kind: LinkKind = kinds.pop()
        return kind

    def group_key(self, name: str) -> Array | None:
        if name == "link kind":
            kinds = [repr(kind) for kind in self.graph.edges.link_kinds]
            return np.asarray(np.unique(kinds, return_inverse=True)[1][self.link])
        return self.link if name == "link" else self.port if name == "port" else None


class PairRows(MatchedRows):
    """Missing edges: pairs of vertices without an edge at a tap and port, one per row. Ends are vertex ids."""

    joins = True

    graph: Graph
    tap: Array
    port: Array
    _source: Array
    _target: Array

    def __init__(self, graph: Graph, source_rows: Array, target_rows: Array, tap: Array, port: Array) -> None:
        columns = {"_source": source_rows, "_target": target_rows, "tap": tap, "port": port}
        self.__dict__.update(graph=graph, **{name: column(values, None) for name, values in columns.items()})

    def __len__(self) -> int:
        return len(self.tap)

    def take(self, chosen: Array) -> PairRows:
        """Return the pairs at the given positions or mask."""
        return PairRows(self.graph, *(freeze(c[chosen]) for c in (self._source, self._target, self.tap, self.port)))

    @classmethod
    def concatenate(cls, parts: Sequence[PairRows]) -> PairRows:
        """Return the pairs of all parts, one part after another."""
        columns = zip(*((part._source, part._target, part.tap, part.port) for part in parts), strict=True)
        return cls(parts[0].graph, *(freeze(np.concatenate(several)) for several in columns))

    @property
    def source(self) -> Array:
        """Source vertex ids."""
        return freeze(self.graph.vertices.id[self._source])

    @property
    def target(self) -> Array:
        """Target vertex ids."""
        return freeze(self.graph.vertices.id[self._target])

    @cached_property
    def rows(self) -> Array:
        """A unique integer key per missing edge, the same for all selections of missing edges of a graph."""
        links = self.graph.links_by_key
        taps, ports = most_taps(self.graph), max((port for _, _, port in links), default=0) + 1
        pair = self._target * len(self.graph.vertices) + self._source
        return freeze((pair * ports + self.port) * taps + self.tap)

    def group_key(self, name: str) -> Array | None:
        return self.port if name == "port" else None


def most_taps(graph: Graph) -> int:
    """Number of taps of the largest kernel of a graph."""
    return max((k.kind.taps for k in graph.links_by_key.values()), default=1)
