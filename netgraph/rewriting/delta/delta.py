"""Delta of a rewrite as columns: with it a rewrite is redone or undone, and values are carried across it by id."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from netgraph.columns import Array, FrozenDict, IdIndex, column, freeze
from netgraph.errors import RewriteError
from netgraph.graph import LinkKey, LinkKind, NextIds

if TYPE_CHECKING:
    from netgraph.graph import Graph

VERTEX_DTYPES: dict[str, Any] = {"id": np.int64, "layer": np.int64, "row": np.int64, "birth": np.int32}
EDGE_RECORD_DTYPES: dict[str, Any] = {
    "id": np.int64,
    "link": np.int32,
    "source": np.int64,
    "target": np.int64,
    "tap": np.int32,
    "weight": np.float64,
    "birth": np.int32,
    "frozen": np.bool_,
}


class Stamp(NamedTuple):
    """Identity of one graph of a history, at which a delta starts or ends."""

    topology_hash: str
    lineage: str
    next_ids: NextIds
    rewrites: int

    @classmethod
    def of(cls, graph: Graph) -> Stamp:
        """Stamp of a graph."""
        return cls(graph.topology_hash, graph.lineage, graph.next_ids, graph.rewrites)

    def __str__(self) -> str:
        return f"topology {self.topology_hash[:8]} (lineage {self.lineage[:8]}, rewrite {self.rewrites})"


@dataclass(frozen=True)
class LayerRecord:
    """A layer without its vertices: its attributes, and the dtypes of its vertex columns by name."""

    id: int
    attributes: Mapping[str, Any]
    columns: Mapping[str, str]

    def __post_init__(self) -> None:
        for name in ("attributes", "columns"):
            object.__setattr__(self, name, FrozenDict(getattr(self, name)))


@dataclass(frozen=True)
class LinkRecord:
    """A link without its edges."""

    key: LinkKey
    kind: LinkKind
    dtype: str = "float32"


@dataclass(frozen=True, eq=False)
class VertexRecords:
    """Added or removed vertices as columns.

    Attributes:
        id, layer: vertex ids and layer ids.
        row: row of each vertex in its layer, in the graph that has the vertex.
        birth: number of the rewrite that made each vertex.
        values: vertex columns by name; NaN where the layer of a vertex does not have the column.
    """

    id: Array
    layer: Array
    row: Array
    birth: Array
    values: Mapping[str, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, dtype in VERTEX_DTYPES.items():
            object.__setattr__(self, name, column(getattr(self, name), dtype))
        object.__setattr__(self, "values", FrozenDict({k: column(v, None) for k, v in self.values.items()}))

    def __len__(self) -> int:
        return len(self.id)

    def take(self, chosen: Array) -> VertexRecords:
        """Return the records at the given rows or mask."""
        values = {k: v[chosen] for k, v in self.values.items()}
        return VertexRecords(self.id[chosen], self.layer[chosen], self.row[chosen], self.birth[chosen], values)

    @classmethod
    def concatenate(cls, *parts: VertexRecords) -> VertexRecords:
        """Concatenate records; a column that some of them do not have is NaN there."""
        fixed = {name: np.concatenate([getattr(p, name) for p in parts]) for name in VERTEX_DTYPES}
        names = sorted({name for part in parts for name in part.values})
        values = {name: np.concatenate([p.values.get(name, np.full(len(p), np.nan)) for p in parts]) for name in names}
        return cls(fixed["id"], fixed["layer"], fixed["row"], fixed["birth"], values)

    @classmethod
    def empty(cls) -> VertexRecords:
        """Columns without records."""
        nothing: dict[str, Any] = {name: np.empty(0, dtype) for name, dtype in VERTEX_DTYPES.items()}
        return cls(**nothing)


@dataclass(frozen=True, eq=False)
class EdgeRecords:
    """Added or removed edges as columns; `source` and `target` are vertex ids, `link` are indices in `link_keys`."""

    id: Array
    link: Array
    source: Array
    target: Array
    tap: Array
    weight: Array
    birth: Array
    frozen: Array

    def __post_init__(self) -> None:
        for name, dtype in EDGE_RECORD_DTYPES.items():
            object.__setattr__(self, name, column(getattr(self, name), dtype))

    def __len__(self) -> int:
        return len(self.id)

    def take(self, chosen: Array) -> EdgeRecords:
        """Return the records at the given rows or mask."""
        return EdgeRecords(**{name: getattr(self, name)[chosen] for name in EDGE_RECORD_DTYPES})

    @classmethod
    def concatenate(cls, *parts: EdgeRecords) -> EdgeRecords:
        """Concatenate records."""
        return cls(**{name: np.concatenate([getattr(p, name) for p in parts]) for name in EDGE_RECORD_DTYPES})

    @classmethod
    def empty(cls) -> EdgeRecords:
        """Columns without records."""
        return cls(**{name: np.empty(0, dtype) for name, dtype in EDGE_RECORD_DTYPES.items()})


@dataclass(frozen=True, eq=False)
class Change:
    """Changed values of one column: ids, old values and new values; NaN where there was or is no such column."""

    id: Array
    old: Array
    new: Array

    def __post_init__(self) -> None:
        for name in ("id", "old", "new"):
            object.__setattr__(self, name, column(getattr(self, name), np.int64 if name == "id" else np.float64))

    def __len__(self) -> int:
        return len(self.id)

    def inverse(self) -> Change:
        """Return the change with old and new values exchanged."""
        return Change(self.id, self.new, self.old)

    def take(self, chosen: Array) -> Change:
        """Return the entries at the given rows or mask."""
        return Change(self.id[chosen], self.old[chosen], self.new[chosen])


@dataclass(frozen=True, eq=False)
class Delta:
    """Difference between two graphs of one history.

    `apply_delta` applies a delta to a graph, `inverse` gives the delta from the new graph back to the old one, and
    `then` composes two deltas. The rows of added and removed vertices are rows in the graph that has the vertex.
    Survivors keep their order, so their rows follow from these.

    Attributes:
        before, after: stamps of the two graphs.
        layers_added, layers_removed: layers without their vertices.
        layers_changed: pairs of the old and the new layer.
        links_added, links_removed: links without their edges.
        vertices_added, vertices_removed: vertices with their values.
        vertices_changed: changes of vertex values by column name.
        link_keys: keys of links, to which `edges_added.link` and `edges_removed.link` are indices.
        edges_added, edges_removed: edges with their values.
        edges_changed: changes of `weight` and of `frozen`, by these names.
        graphs: the old and the new graph, or None for a delta from a file.
    """

    before: Stamp
    after: Stamp
    layers_added: tuple[LayerRecord, ...] = ()
    layers_removed: tuple[LayerRecord, ...] = ()
    layers_changed: tuple[tuple[LayerRecord, LayerRecord], ...] = ()
    links_added: tuple[LinkRecord, ...] = ()
    links_removed: tuple[LinkRecord, ...] = ()
    vertices_added: VertexRecords = field(default_factory=VertexRecords.empty)
    vertices_removed: VertexRecords = field(default_factory=VertexRecords.empty)
    vertices_changed: Mapping[str, Change] = field(default_factory=dict)
    link_keys: tuple[LinkKey, ...] = ()
    edges_added: EdgeRecords = field(default_factory=EdgeRecords.empty)
    edges_removed: EdgeRecords = field(default_factory=EdgeRecords.empty)
    edges_changed: Mapping[str, Change] = field(default_factory=dict)
    graphs: tuple[Graph, Graph] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for name in ("vertices_changed", "edges_changed"):
            object.__setattr__(self, name, FrozenDict(getattr(self, name)))

    def __repr__(self) -> str:
        return f"Delta({self.summary()})"

    def summary(self) -> str:
        """Text of the sizes in one line, such as `+12 edges, -4 edges, +4 vertices, +1 layer`."""
        changed = sum(map(len, [*self.edges_changed.values(), *self.vertices_changed.values()]))
        parts = (
            ("+", len(self.edges_added), "edge", "edges", ""),
            ("-", len(self.edges_removed), "edge", "edges", ""),
            ("+", len(self.vertices_added), "vertex", "vertices", ""),
            ("-", len(self.vertices_removed), "vertex", "vertices", ""),
            ("+", len(self.layers_added), "layer", "layers", ""),
            ("-", len(self.layers_removed), "layer", "layers", ""),
            ("", changed, "value", "values", " changed"),
            ("", len(self.layers_changed), "layer", "layers", " changed"),
        )
        texts = [f"{sign}{n:,} {one if n == 1 else many}{what}" for sign, n, one, many, what in parts if n]
        return ", ".join(texts) or "nothing"

    @property
    def is_empty(self) -> bool:
        """Whether nothing is added, removed or changed."""
        return self.summary() == "nothing" and not self.links_added and not self.links_removed

    # -- rows -------------------------------------------------------------------------------------

    @cached_property
    def edge_rows(self) -> Array:
        """Row of every edge of the new graph in `edges` of the old graph, -1 for added edges, `(new edges,)`.

        Raises:
            RewriteError: for a delta without graphs, such as one from a file.
        """
        old, new = self._bound()
        rows = IdIndex(old.edges.id).find(new.edges.id)
        return freeze(np.where(np.isin(new.edges.id, self.edges_added.id), -1, rows))

    @cached_property
    def vertex_rows(self) -> Array:
        """Row of every vertex of the new graph in `vertices` of the old graph, -1 for added ones, `(new vertices,)`.

        Raises:
            RewriteError: for a delta without graphs, such as one from a file.
        """
        old, new = self._bound()
        rows = IdIndex(old.vertices.id).find(new.vertices.id)
        return freeze(np.where(np.isin(new.vertices.id, self.vertices_added.id), -1, rows))

    def _bound(self) -> tuple[Graph, Graph]:
        if self.graphs is None:
            raise RewriteError("This delta was read from a file; apply_delta(graph, delta) knows the rows it maps.")
        return self.graphs

    # -- algebra ----------------------------------------------------------------------------------

    def inverse(self) -> Delta:
        """Delta from the new graph back to the old one; it restores topology, ids, old values and removed parts."""
        return Delta(
            before=self.after,
            after=self.before,
            layers_added=self.layers_removed,
            layers_removed=self.layers_added,
            layers_changed=tuple((new, old) for old, new in self.layers_changed),
            links_added=self.links_removed,
            links_removed=self.links_added,
            vertices_added=self.vertices_removed,
            vertices_removed=self.vertices_added,
            vertices_changed={k: c.inverse() for k, c in self.vertices_changed.items()},
            link_keys=self.link_keys,
            edges_added=self.edges_removed,
            edges_removed=self.edges_added,
            edges_changed={k: c.inverse() for k, c in self.edges_changed.items()},
            graphs=(self.graphs[1], self.graphs[0]) if self.graphs else None,
        )

    @classmethod
    def nothing(cls, graph: Graph) -> Delta:
        """Delta of a rewrite that changes nothing in a graph."""
        stamp = Stamp.of(graph)
        return cls(stamp, stamp, graphs=(graph, graph))

    def then(self, later: Delta) -> Delta:
        """Compose this delta with a later one. Raises `RewriteError` unless `later` starts where this one ends."""
        from netgraph.rewriting.delta.compose import compose

        return compose(self, later)

    def with_after(self, after: Stamp) -> Delta:
        """Return the delta with another `after` stamp."""
        return replace(self, after=after)

    def bound(self, old: Graph, new: Graph) -> Delta:
        """Return the delta with its two graphs, for `edge_rows` and `vertex_rows`."""
        return replace(self, graphs=(old, new))
