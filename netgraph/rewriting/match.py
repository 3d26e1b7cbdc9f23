"""Matches as columns: one row per match, one column set per name that the pattern bound."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from netgraph.columns import Array, FrozenDict, ReadOnly, column, freeze
from netgraph.errors import RewriteError, unknown_name
from netgraph.graph import Grid, Layer, Link, LinkKey, LinkKind

if TYPE_CHECKING:
    from netgraph.graph import Graph


class VertexRows(ReadOnly):
    """Vertices of a graph, one per row: `rows` are flat rows in `graph.vertices`, not ids; attributes are arrays.

    A rule gets them from its matches, and others from `Rewriter.vertices`.
    """

    graph: Graph
    rows: Array

    def __init__(self, graph: Graph, rows: Array) -> None:
        self.__dict__.update(graph=graph, rows=column(rows, np.int64))

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, chosen: Array) -> VertexRows:
        """The vertices at the given positions or mask."""
        return VertexRows(self.graph, self.rows[chosen])

    def unique(self) -> VertexRows:
        """Every vertex once, in the order of `graph.vertices`."""
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
        """Whether each vertex's value is provably at least 0."""
        return freeze(self.graph.vertices.nonnegative[self.rows])

    def column(self, name: str) -> Array:
        """A vertex column such as `bias`, NaN where the layer lacks it."""
        return freeze(self.graph.vertices.column(name)[self.rows])

    @property
    def grid(self) -> Grid:
        """The grid of what these vertices hand on; raises `RewriteError` when they differ."""
        grids = {self.graph.layer(int(i)).output_grid for i in np.unique(self.layer)}
        if len(grids) != 1:
            raise RewriteError(f"These vertices have different grids {sorted(grids)}; group them by 'source grid'.")
        return grids.pop()

    @cached_property
    def in_degree(self) -> Array:
        """Number of edges, wires included, into each vertex."""
        return freeze(np.bincount(self.graph.edges.target_row, minlength=len(self.graph.vertices))[self.rows])

    @cached_property
    def out_degree(self) -> Array:
        """Number of edges, wires included, out of each vertex."""
        return freeze(np.bincount(self.graph.edges.source_row, minlength=len(self.graph.vertices))[self.rows])


class EdgeRows(ReadOnly):
    """Edges of a graph, one per row: `rows` are rows in `graph.edges`, not ids; attributes are arrays.

    A rule gets them from its matches, and others from `Rewriter.edges`.
    """

    graph: Graph
    rows: Array

    def __init__(self, graph: Graph, rows: Array) -> None:
        self.__dict__.update(graph=graph, rows=column(rows, np.int64))

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, chosen: Array) -> EdgeRows:
        """The edges at the given positions or mask."""
        return EdgeRows(self.graph, self.rows[chosen])

    @property
    def id(self) -> Array:
        """Edge ids."""
        return freeze(self.graph.edges.id[self.rows])

    @property
    def weight(self) -> Array:
        """Weights."""
        return freeze(self.graph.edges.weight[self.rows])

    @property
    def tap(self) -> Array:
        """Kernel positions."""
        return freeze(self.graph.edges.tap[self.rows])

    @property
    def birth(self) -> Array:
        """Number of the rewrite that made each edge."""
        return freeze(self.graph.edges.birth[self.rows])

    @property
    def link(self) -> Array:
        """Position of each edge's link among `graph.links_by_key`."""
        return freeze(self.graph.edges.link[self.rows])

    @property
    def port(self) -> Array:
        """Port of the target layer at which each edge arrives."""
        return freeze(self.graph.edges.port[self.rows])

    @property
    def kind(self) -> LinkKind:
        """The kind of the links of these edges; raises `RewriteError` when they differ."""
        kinds = {self.graph.edges.link_kinds[k] for k in np.unique(self.link)}
        if len(kinds) != 1:
            raise RewriteError("These edges belong to links of different kinds; group them by 'link kind'.")
        kind: LinkKind = kinds.pop()
        return kind


class PairRows(ReadOnly):
    """Pairs of vertices without an edge at a tap and port, one per row; `source` and `target` are vertex ids."""

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
        """The pairs at the given positions or mask."""
        return PairRows(self.graph, self._source[chosen], self._target[chosen], self.tap[chosen], self.port[chosen])

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
        """A number per pair that tells it from all others."""
        taps, ports = (int(values.max()) + 1 if len(self) else 1 for values in (self.tap, self.port))
        pair = self._target * len(self.graph.vertices) + self._source
        return freeze((pair * ports + self.port) * taps + self.tap)


class LayerRows(ReadOnly):
    """Layers of a graph, one per row; `id` are layer ids."""

    graph: Graph
    id: Array

    def __init__(self, graph: Graph, ids: Array) -> None:
        self.__dict__.update(graph=graph, id=column(ids, np.int64))

    def __len__(self) -> int:
        return len(self.id)

    def __iter__(self) -> Iterator[Layer]:
        return (self.graph.layer(int(i)) for i in self.id)

    def take(self, chosen: Array) -> LayerRows:
        """The layers at the given positions or mask."""
        return LayerRows(self.graph, self.id[chosen])

    @property
    def rows(self) -> Array:
        """Layer ids, which tell the rows apart."""
        return self.id

    @property
    def layer(self) -> Array:
        """Layer ids."""
        return self.id

    @property
    def size(self) -> Array:
        """Number of vertices of each layer."""
        return freeze(np.array([len(layer) for layer in self], dtype=np.int64))


class LinkRows(ReadOnly):
    """Links of a graph, one per row: `rows` are their positions in `graph.links_by_key`."""

    graph: Graph
    rows: Array

    def __init__(self, graph: Graph, rows: Array) -> None:
        self.__dict__.update(graph=graph, rows=column(rows, np.int64))

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Link]:
        links = self.graph.links_by_key
        return (links[key] for key in self.key)

    def take(self, chosen: Array) -> LinkRows:
        """The links at the given positions or mask."""
        return LinkRows(self.graph, self.rows[chosen])

    @property
    def key(self) -> list[LinkKey]:
        """(source layer id, target layer id, port) of each link."""
        keys = list(self.graph.links_by_key)
        return [keys[row] for row in self.rows.tolist()]

    @property
    def port(self) -> Array:
        """Port of the target layer at which each link arrives."""
        return freeze(np.array([key[2] for key in self.key], dtype=np.int64))

    @property
    def size(self) -> Array:
        """Number of edges, frozen ones included, of each link."""
        return freeze(np.diff(self.graph.edges.offsets)[self.rows])

    @property
    def edges(self) -> EdgeRows:
        """All edges of these links, link after link."""
        start, size = self.graph.edges.offsets[self.rows], self.size
        within = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size)
        return EdgeRows(self.graph, np.repeat(start, size) + within)


class LayerPairRows(ReadOnly):
    """Pairs of layers that no link joins, one per row; `source` and `target` are layer ids."""

    graph: Graph
    source: Array
    target: Array

    def __init__(self, graph: Graph, source: Array, target: Array) -> None:
        self.__dict__.update(graph=graph, source=column(source, np.int64), target=column(target, np.int64))

    def __len__(self) -> int:
        return len(self.source)

    def take(self, chosen: Array) -> LayerPairRows:
        """The pairs at the given positions or mask."""
        return LayerPairRows(self.graph, self.source[chosen], self.target[chosen])

    @property
    def rows(self) -> Array:
        """A number per pair that tells it from all others."""
        return freeze(self.source * self.graph.next_ids.layer + self.target)


Rows = VertexRows | EdgeRows | PairRows | LayerRows | LinkRows | LayerPairRows


class Matches(ReadOnly):
    """Matches of a pattern: `m.e`, `m.p`, ... are the rows bound to these names, one per match."""

    graph: Graph
    bound: FrozenDict[str, Any]

    def __init__(self, graph: Graph, bound: Mapping[str, Any]) -> None:
        self.__dict__.update(graph=graph, bound=FrozenDict(bound))

    def __len__(self) -> int:
        return len(next(iter(self.bound.values())))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "bound" not in self.__dict__:
            raise AttributeError(name)
        if name not in self.bound:
            raise AttributeError(unknown_name("bound name", name, self.bound))
        return self.bound[name]

    def __repr__(self) -> str:
        return f"Matches({len(self):,} of {', '.join(self.bound)})"

    @property
    def root(self) -> Any:
        """The rows of the pattern's own name: the edge, the missing edge, the vertex, the link."""
        return next(iter(self.bound.values()))

    def take(self, chosen: Array) -> Matches:
        """The matches at the given positions or mask."""
        return Matches(self.graph, {name: rows.take(chosen) for name, rows in self.bound.items()})

    def by(self, *keys: str) -> Iterator[Matches]:
        """Group matches: by "target layer", "source layer", "layer", "link", "link kind", "port" or "source grid".

        Groups come in the order of their keys, matches in a group in their own order.
        """
        if not len(self):
            return
        codes = np.stack([self._key(key) for key in keys])
        order = np.lexsort(codes[::-1])
        change = np.flatnonzero((np.diff(codes[:, order], axis=1) != 0).any(axis=0)) + 1
        for part in np.split(order, change):
            yield self.take(part)

    def _key(self, key: str) -> Array:
        rows = list(self.bound.values())
        if key == "target layer" and len(rows) == 3:
            return np.asarray(rows[2].layer)
        if key == "source layer" and len(rows) == 3:
            return np.asarray(rows[1].layer)
        if key == "layer" and isinstance(rows[0], VertexRows):
            return rows[0].layer
        if key == "link" and isinstance(rows[0], EdgeRows | LinkRows):
            return rows[0].link if isinstance(rows[0], EdgeRows) else rows[0].rows
        if key == "link kind" and isinstance(rows[0], EdgeRows):
            kinds = [repr(k.kind) for k in self.graph.links_by_key.values()]
            return np.unique(kinds, return_inverse=True)[1][rows[0].link]
        if key == "port" and isinstance(rows[0], EdgeRows | PairRows | LinkRows):
            return rows[0].port
        if key == "source grid" and len(rows) == 3:
            ids = list(self.graph.layers_by_id)
            grids = [repr(self.graph.layer(i).output_grid) for i in ids]
            code = np.unique(grids, return_inverse=True)[1]
            return np.asarray(code[np.searchsorted(ids, rows[1].layer)])
        known = ("target layer", "source layer", "layer", "link", "link kind", "port", "source grid")
        raise RewriteError(unknown_name("group key", key, known) + " Some need an edge pattern, some a vertex pattern.")
