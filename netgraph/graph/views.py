"""Views of a graph: layers, links, vertices and edges as tables and as single objects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from netgraph.columns import Array, FrozenDict, IdIndex, ReadOnly, column, concatenate, freeze, spans
from netgraph.errors import GraphError, unknown_name
from netgraph.graph.kinds import LinkKind
from netgraph.graph.layer import Layer
from netgraph.graph.link import Link, LinkKey

if TYPE_CHECKING:
    from netgraph.graph.graph import Graph


class LayersView(ReadOnly):
    """Layers in topological order, and by name: `graph.layers["hidden"]`.

    Iteration yields layers: `for layer in graph.layers`. `keys`, `values` and `items` are the methods of a mapping from
    names to layers.
    """

    _graph: Graph

    def __init__(self, graph: Graph) -> None:
        self.__dict__["_graph"] = graph

    def __getitem__(self, name: str) -> Layer:
        if name not in self._graph._names:
            raise KeyError(unknown_name("layer", name, self._graph._names))
        return self._graph.layer(name)

    def __contains__(self, layer: object) -> bool:
        """Return whether the graph has this layer, or a layer of this name."""
        if isinstance(layer, Layer):
            return self._graph.layers_by_id.get(layer.id) is layer
        return layer in self._graph._names

    def __iter__(self) -> Iterator[Layer]:
        return (self._graph.layer(i) for i in self._graph.topological_order)

    def __len__(self) -> int:
        return self._graph.num_layers

    def get(self, name: str, default: Layer | None = None) -> Layer | None:
        """Return the layer of this name, or `default`."""
        return self[name] if name in self._graph._names else default

    def keys(self) -> tuple[str, ...]:
        """Names of the layers."""
        return tuple(layer.name for layer in self)

    def values(self) -> tuple[Layer, ...]:
        """All layers."""
        return tuple(self)

    def items(self) -> tuple[tuple[str, Layer], ...]:
        """Pairs of name and layer."""
        return tuple((layer.name, layer) for layer in self)

    def __repr__(self) -> str:
        return "\n".join(map(repr, self))


class LinksView(ReadOnly):
    """Links by `(source name, target name)` or `(source name, target name, port)`.

    Iteration yields links in increasing order of their keys.
    """

    _graph: Graph

    def __init__(self, graph: Graph) -> None:
        self.__dict__["_graph"] = graph

    def __getitem__(self, key: tuple[str, str] | tuple[str, str, int]) -> Link:
        source, target, port = (*key, 0)[:3]
        link = self._graph.link((self._graph.layer(source).id, self._graph.layer(target).id, port))
        if link is None:
            raise KeyError(f"There is no link from {source!r} to {target!r} at port {port}.")
        return link

    def __contains__(self, link: object) -> bool:
        """Return whether the graph has this link, or a link between the layers of these names."""
        if isinstance(link, Link):
            return self._graph.links_by_key.get(link.key) is link
        if not isinstance(link, tuple) or len(link) not in (2, 3):
            return False
        try:
            self[link]
        except (KeyError, GraphError):
            return False
        return True

    def __iter__(self) -> Iterator[Link]:
        return iter(self._graph.links_by_key.values())

    def __len__(self) -> int:
        return len(self._graph.links_by_key)

    def __repr__(self) -> str:
        name = self._graph.layer
        return "\n".join(f"{name(k.source).name} -> {name(k.target).name}: {k!r}" for k in self)


@dataclass(frozen=True)
class EdgeView:
    """One edge as an object, for interactive use."""

    id: int
    source: int
    target: int
    weight: float
    tap: int
    birth: int
    frozen: bool


@dataclass(frozen=True)
class VertexView:
    """One vertex as an object, for interactive use."""

    graph: Graph
    id: int
    row: int
    layer: Layer

    @property
    def values(self) -> FrozenDict[str, float]:
        """Vertex columns of the layer by name, each with the value of this vertex."""
        return FrozenDict({name: float(values[self.row]) for name, values in self.layer.values.items()})

    @property
    def edges_in(self) -> EdgeTable:
        """Edges into this vertex."""
        return self.graph.edges.where(self.graph.edges.target == self.id)

    @property
    def edges_out(self) -> EdgeTable:
        """Edges out of this vertex."""
        return self.graph.edges.where(self.graph.edges.source == self.id)

    def __repr__(self) -> str:
        values = "".join(f", {k}={v:.4g}" for k, v in self.values.items())
        return f"Vertex({self.id}, layer {self.layer.name!r} row {self.row}{values})"


class VertexTable(ReadOnly):
    """All vertices of a graph as flat columns, sorted by layer id, then row.

    A flat row is a position in these columns. Rewrites change flat rows but never ids. `row` is the position of a
    vertex within its layer.
    """

    _graph: Graph
    _layers: tuple[Layer, ...]

    def __init__(self, graph: Graph) -> None:
        self.__dict__.update(_graph=graph, _layers=tuple(graph.layers_by_id.values()))

    def __len__(self) -> int:
        return int(self.offsets[-1])

    def __repr__(self) -> str:
        return f"VertexTable({len(self):,} vertices in {len(self._layers)} layers)"

    @cached_property
    def offsets(self) -> Array:
        """First flat row of each layer, followed by the number of vertices, `(layers + 1,)`."""
        return freeze(np.cumsum([0, *map(len, self._layers)], dtype=np.int64))

    @cached_property
    def id(self) -> Array:
        """Stable ids, `(vertices,)` int64."""
        return concatenate([layer.vertex_ids for layer in self._layers], np.int64)

    @cached_property
    def birth(self) -> Array:
        """Number of the rewrite that made each vertex, 0 at the start, `(vertices,)`."""
        return concatenate([layer.birth for layer in self._layers], np.int32)

    @cached_property
    def layer(self) -> Array:
        """Id of the layer of each vertex, `(vertices,)`."""
        ids = np.fromiter((layer.id for layer in self._layers), np.int64, len(self._layers))
        return freeze(np.repeat(ids, np.diff(self.offsets)))

    @cached_property
    def row(self) -> Array:
        """Row of each vertex within its layer, `(vertices,)`."""
        return freeze(spans(0, np.diff(self.offsets)))

    @cached_property
    def nonnegative(self) -> Array:
        """Mask of the vertices whose value is proved to be at least 0, in eval and in train mode, `(vertices,)`.

        Cost: O(edges + vertices).
        """
        return freeze(self._graph.bounds(mode="train").low >= 0)

    def column(self, name: str) -> Array:
        """Vertex column of this name over all layers, NaN for layers without it, `(vertices,)`."""
        return concatenate(
            [layer.values.get(name, np.full(len(layer), np.nan, np.float32)) for layer in self._layers], np.float32
        )

    @cached_property
    def _offset_of(self) -> FrozenDict[int, int]:
        return FrozenDict(zip(self._graph.layers_by_id, self.offsets[:-1].tolist(), strict=True))

    def offset(self, layer_id: int) -> int:
        """Return the first flat row of a layer."""
        return self._offset_of[layer_id]

    @cached_property
    def _index(self) -> IdIndex:
        return IdIndex(self.id)

    def rows(self, ids: Any) -> Array:
        """Find the flat rows of vertex ids. Raises `GraphError` that names the first id outside the graph."""
        rows = self._index.find(ids)
        if (rows < 0).any():
            missing = np.asarray(ids)[rows < 0].ravel()[0]
            raise GraphError(f"There is no vertex with id {missing} in this graph; it may belong to another one.")
        return rows

    def find(self, ids: Any) -> Array:
        """Find the flat rows of vertex ids; -1 for ids outside the graph."""
        return self._index.find(ids)

    def by_id(self, vertex_id: int) -> VertexView:
        """Return one vertex as an object. Raises `GraphError` when the id is not in the graph."""
        flat = int(self.rows([vertex_id])[0])
        layer = self._layers[int(np.searchsorted(self.offsets, flat, side="right")) - 1]
        return VertexView(self._graph, vertex_id, int(self.row[flat]), layer)


class EdgeTable(ReadOnly):
    """Edges of a graph as flat columns. `graph.edges` holds all edges; other tables hold a selection of them.

    Rows are sorted by link key, then target row, source row, tap. Columns have the shape `(edges,)`. `source` and
    `target` are vertex ids; `source_row` and `target_row` are flat rows, which index the columns of `graph.vertices`.
    """

    _graph: Graph
    _links: tuple[Link, ...]
    _rows: Array | None

    def __init__(self, graph: Graph, rows: Array | None = None) -> None:
        own = None if rows is None else column(rows, np.int64)
        self.__dict__.update(_graph=graph, _links=tuple(graph.links_by_key.values()), _rows=own)

    def __len__(self) -> int:
        return int(self.offsets[-1]) if self._rows is None else len(self._rows)

    def __repr__(self) -> str:
        return f"EdgeTable({len(self):,} edges in {len(self._links)} links)"

    def _per_link(self, name: str, values: Any, dtype: Any) -> Array:
        if self._rows is not None:
            return freeze(getattr(self._graph.edges, name)[self._rows])
        return freeze(np.repeat(np.asarray(values, dtype=dtype), np.diff(self.offsets)))

    def _column(self, name: str, dtype: Any) -> Array:
        if self._rows is not None:
            return freeze(getattr(self._graph.edges, name)[self._rows])
        return concatenate([getattr(link, name) for link in self._links], dtype)

    @cached_property
    def offsets(self) -> Array:
        """First row of each link in `graph.edges`, followed by the number of all edges, `(links + 1,)`."""
        return freeze(np.cumsum([0, *map(len, self._links)], dtype=np.int64))

    @cached_property
    def _offset_of(self) -> FrozenDict[LinkKey, int]:
        return FrozenDict(zip(self._graph.links_by_key, self.offsets[:-1].tolist(), strict=True))

    def offset(self, key: LinkKey) -> int:
        """Return the first row of a link in `graph.edges`."""
        return self._offset_of[key]

    @cached_property
    def rows(self) -> Array:
        """Rows of the edges of this table in `graph.edges`."""
        return freeze(np.arange(len(self))) if self._rows is None else self._rows

    @cached_property
    def id(self) -> Array:
        """Stable edge ids, int64."""
        return self._column("id", np.int64)

    @cached_property
    def weight(self) -> Array:
        """Weight of each edge: float64 if any link stores float64, else float32."""
        return self._column("weight", np.float32)

    @cached_property
    def tap(self) -> Array:
        """Tap of each edge: its kernel position, 0 outside convolutions."""
        return self._column("tap", np.int32)

    @cached_property
    def birth(self) -> Array:
        """Number of the rewrite that made each edge, 0 at the start."""
        return self._column("birth", np.int32)

    @cached_property
    def frozen(self) -> Array:
        """Mask of the frozen edges, which are not trained."""
        return self._column("frozen", np.bool_)

    @cached_property
    def wired(self) -> Array:
        """Mask of the wires: the edges of links whose kind has wires only."""
        return self._per_link("wired", [k.kind.wires for k in self._links], np.bool_)

    @cached_property
    def narrow(self) -> Array:
        """Mask of the edges whose link stores its weights in float32."""
        return self._per_link("narrow", [k.weight.dtype == np.float32 for k in self._links], np.bool_)

    @cached_property
    def link(self) -> Array:
        """Index of the link of each edge in `graph.links_by_key`."""
        return self._per_link("link", np.arange(len(self._links)), np.int64)

    @cached_property
    def port(self) -> Array:
        """Port of the target layer that each edge enters."""
        return self._per_link("port", [k.port for k in self._links], np.int64)

    @cached_property
    def link_kinds(self) -> tuple[LinkKind, ...]:
        """Kind of each link, in the order of `graph.links_by_key`."""
        return tuple(k.kind for k in self._links)

    @cached_property
    def source_row(self) -> Array:
        """Flat row of the source vertex of each edge in `graph.vertices`."""
        return self._endpoint("src", [self._graph.vertices.offset(k.source) for k in self._links])

    @cached_property
    def target_row(self) -> Array:
        """Flat row of the target vertex of each edge in `graph.vertices`."""
        return self._endpoint("dst", [self._graph.vertices.offset(k.target) for k in self._links])

    def _endpoint(self, name: str, starts: list[int]) -> Array:
        if self._rows is not None:
            full = self._graph.edges.source_row if name == "src" else self._graph.edges.target_row
            return freeze(full[self._rows])
        parts = (getattr(k, name).astype(np.int64) + start for k, start in zip(self._links, starts, strict=True))
        return concatenate(parts, np.int64)

    @cached_property
    def source(self) -> Array:
        """Id of the source vertex of each edge."""
        return freeze(self._graph.vertices.id[self.source_row])

    @cached_property
    def target(self) -> Array:
        """Id of the target vertex of each edge."""
        return freeze(self._graph.vertices.id[self.target_row])

    @cached_property
    def _index(self) -> IdIndex:
        return IdIndex(self.id)

    def find(self, ids: Any) -> Array:
        """Find the rows of edge ids in this table; -1 for ids outside it."""
        return self._index.find(ids)

    def where(self, mask: Array) -> EdgeTable:
        """Select the edges for which `mask` is True; it has one boolean per edge of this table."""
        mask = np.asarray(mask)
        if mask.shape != (len(self),) or mask.dtype != np.bool_:
            raise GraphError(f"where() needs ({len(self)},) booleans, got {mask.dtype} of shape {mask.shape}.")
        return EdgeTable(self._graph, freeze(self.rows[mask]))

    def __getitem__(self, edge_id: int) -> EdgeView:
        row = int(self.find([edge_id])[0])
        if row < 0:
            raise KeyError(f"There is no edge with id {edge_id} in this table.")
        return EdgeView(
            edge_id,
            int(self.source[row]),
            int(self.target[row]),
            float(self.weight[row]),
            int(self.tap[row]),
            int(self.birth[row]),
            bool(self.frozen[row]),
        )
