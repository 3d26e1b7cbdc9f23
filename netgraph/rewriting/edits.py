"""Buffer of the rewriter: edits as columns, combined to one delta."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from itertools import chain, count
from typing import TYPE_CHECKING, Any

import numpy as np

from netgraph.columns import Array, IdIndex, by_value
from netgraph.errors import RewriteError
from netgraph.graph import Dense, Layer, Link, LinkKey, LinkKind, NextIds
from netgraph.rewriting.changes import ColumnChange, as_stored, check_once, differ, last_wins
from netgraph.rewriting.delta import Change, Delta, EdgeRecords, LayerRecord, LinkRecord, Stamp, VertexRecords
from netgraph.rewriting.patterns import EdgeRows, VertexRows

if TYPE_CHECKING:
    from netgraph.graph import Graph


class EditBuffer:
    """Edits of one graph in the order of their calls, until `to_delta` combines them."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.birth = graph.rewrites + 1
        self._layers_added: dict[int, LayerRecord] = {}
        self._names_added: set[str] = set()
        self._layers_changed: dict[int, tuple[LayerRecord, LayerRecord]] = {}
        self._links_added: dict[LinkKey, LinkRecord] = {}
        self._vertices: list[VertexRecords] = []
        self._edges: list[tuple[LinkKey, dict[str, Array]]] = []
        self._edges_of: dict[LinkKey, list[dict[str, Array]]] = {}
        self._edge_gone, self._edge_split = (np.zeros(len(graph.edges), dtype=bool) for _ in range(2))
        self._vertex_gone = np.zeros(len(graph.vertices), dtype=bool)
        self._links_gone: set[LinkKey] = set()
        self._layers_gone: set[int] = set()
        self._edge_changes: dict[str, list[tuple[Array, Array]]] = {}
        self._vertex_changes: dict[str, list[ColumnChange]] = {}
        self._used: list[tuple[str, Array]] = []
        self._next = list(graph.next_ids)
        self._grown: dict[int, int] = {}

    def layer(self, layer_id: int) -> LayerRecord:
        """Attributes and columns of a layer of the graph after the edits so far."""
        changed = self._layers_changed.get(layer_id)
        return changed[1] if changed else _record(self.graph.layer(layer_id))

    def take_layer_id(self) -> int:
        """Take a new layer id."""
        self._next[0] += 1
        return self._next[0] - 1

    def free_name(self, name: str) -> str:
        """First of `name`, `name-1`, `name-2`, ... that no old or new layer has."""
        candidates = chain([name], (f"{name}-{k}" for k in count(1)))
        return next(x for x in candidates if x not in self.graph.layers and x not in self._names_added)

    def add_layer(self, record: LayerRecord) -> None:
        """Add a layer without vertices; `add_vertices` adds these."""
        self._layers_added[record.id] = record
        self._names_added.add(record.attributes["name"])

    def _take(self, which: int, size: int) -> Array:
        start = self._next[which]
        self._next[which] += size
        return np.arange(start, start + size)

    # -- adding -----------------------------------------------------------------------------------

    def add_vertices(self, layer_id: int, size: int, values: Mapping[str, Array]) -> Array:
        """Append vertices to an old or new layer and return their ids."""
        ids = self._take(1, size)
        old = self.graph.layers_by_id.get(layer_id)
        start = (len(old) if old is not None else 0) + self._grown.get(layer_id, 0)
        self._grown[layer_id] = self._grown.get(layer_id, 0) + size
        self._vertices.append(
            VertexRecords(
                ids, np.full(size, layer_id), np.arange(start, start + size), np.full(size, self.birth), dict(values)
            )
        )
        return ids

    def add_edges(
        self,
        *,
        source: Array,
        source_layer: Array,
        target: Array,
        target_layer: Array,
        tap: Array,
        weight: Array,
        kind: LinkKind | None,
        port: int,
        frozen: Any,
    ) -> None:
        """Add edges between vertices given by id and layer, and add the links that are missing."""
        layers = self._next[0]  # every layer id, new ones included, is below
        flags = np.broadcast_to(np.asarray(frozen, dtype=bool), source.shape)
        for pair, mine in by_value(np.asarray(source_layer, np.int64) * layers + target_layer).items():
            key = (*divmod(pair, layers), port)
            self._open_link(key, kind)
            columns = {"source": source[mine], "target": target[mine], "tap": tap[mine], "weight": weight[mine],
                       "frozen": flags[mine]}  # fmt: skip
            self._edges.append((key, columns))
            self._edges_of.setdefault(key, []).append(columns)

    def _open_link(self, key: LinkKey, kind: LinkKind | None) -> None:
        link, record = self.graph.link(key), self._links_added.get(key)
        have = link.kind if link is not None else record.kind if record is not None else None
        if have is None:
            self._links_added[key] = LinkRecord(key, kind or Dense(), self.weight_dtype())
        elif kind is not None and kind != have:
            raise RewriteError(f"The link {key} is {have}; edges of kind {kind} cannot be added to it.")

    def weight_dtype(self) -> str:
        """Name of the dtype of new weights: the widest one of the graph, so that a moved weight is not rounded."""
        return self._widest

    @cached_property
    def _widest(self) -> str:
        return str(np.result_type(np.float32, *{link.weight.dtype for link in self.graph.links_by_key.values()}).name)

    def edges_between(self, key: LinkKey) -> Iterator[tuple[Array, Array, Array]]:
        """Source ids, target ids and taps of the edges of a link after the edits so far, in several chunks."""
        link = self.graph.link(key)
        if link is not None:
            start = self.graph.edges.offset(key)
            keep = ~self._edge_gone[start : start + len(link)]
            source, target = (self.graph.layer(i).vertex_ids for i in key[:2])
            yield source[link.src[keep]], target[link.dst[keep]], link.tap[keep]
        for columns in self._edges_of.get(key, ()):
            yield columns["source"], columns["target"], columns["tap"]

    # -- removing and changing --------------------------------------------------------------------

    def remove_edges(self, rows: Array) -> None:
        """Remove edges by row. An edge may be removed several times."""
        self._edge_gone[rows] = True

    def remove_vertices(self, rows: Array) -> None:
        """Remove vertices by flat row. The caller removes their edges."""
        self._vertex_gone[rows] = True

    def remove_link(self, key: LinkKey) -> None:
        """Remove a link, empty or not, with its edges. Edges that are added later keep the link."""
        start = self.graph.edges.offset(key)
        self._edge_gone[start : start + len(self.graph.links_by_key[key])] = True
        self._links_gone.add(key)

    def split_edges(self, rows: Array) -> None:
        """Record that the weights of edges are divided by a split of vertices.

        A second split would not see the new edges of the first one, so edges that both divide are refused.
        """
        edges = self.graph.edges
        if (twice := rows[self._edge_split[rows]]).size:
            raise RewriteError(
                f"Edge {edges.id[twice[0]]} ({edges.source[twice[0]]} -> {edges.target[twice[0]]}) lies at vertices of "
                "two calls of split_vertices(), which would not see each other's copies; split them in one call."
            ).concerning(edges=edges.id[twice], vertices=_ends(self.graph, twice[:1]))
        self._edge_split[rows] = True

    def edges_left(self) -> Array:
        """Mask of the edges of the graph that are not removed so far, `(edges,)`."""
        return ~self._edge_gone

    def remove_layer(self, layer_id: int) -> None:
        """Record that a layer is removed as a whole. The caller removes its vertices and edges."""
        self._layers_gone.add(layer_id)

    def use_vertices(self, what: str, rows: Array) -> None:
        """Record that an edit needs vertices, so that their removal is refused; `what` is the verb of the error."""
        self._used.append((what, rows))

    def weights(self) -> Array:
        """Weights of the edges of the graph after the edits so far, in float64, `(edges,)`."""
        result = self.graph.edges.weight.astype(np.float64)
        for rows, values in self._edge_changes.get("weight", ()):
            result[rows] = values
        return result

    def change_edges(self, column: str, edges: EdgeRows, values: Array) -> None:
        """Set an edge column; a later change of the same edge wins."""
        check_once("edge", column, edges.id, values)
        self._edge_changes.setdefault(column, []).append((edges.rows, values))

    def change_vertices(self, column: str, vertices: VertexRows, values: Array) -> None:
        """Set a vertex column; a later change of the same vertex wins."""
        check_once("vertex", column, vertices.id, values)
        self.use_vertices(f"gets another {column}", vertices.rows)
        old = self.graph.vertices.column(column)[vertices.rows].astype(np.float64)
        self._vertex_changes.setdefault(column, []).append(ColumnChange(vertices.id, old, values, True))

    def change_layer(
        self, layer: Layer, attributes: Mapping[str, Any], gone: Mapping[str, float], new: Mapping[str, float]
    ) -> None:
        """Change attributes of a layer; remove the vertex columns `gone`, add the columns `new` with their values."""
        current = self.layer(layer.id)
        what = next(iter(attributes))
        for name in {*gone, *new}:
            for part in self._vertex_changes.get(name, ()):
                if part.chosen and len(lost := np.intersect1d(part.id, layer.vertex_ids)):
                    raise RewriteError(
                        f"Layer {layer.name!r} gets the {what} {attributes[what]!r} after its vertex "
                        f"{lost[0]} got another {name}, which would be lost; set the {what} first."
                    ).concerning(vertices=lost, layers=[layer.id])
        columns = {k: v for k, v in current.columns.items() if k not in gone}
        dtype = next(iter(current.columns.values()), np.dtype(self.weight_dtype()).str)
        merged = {**current.attributes, **attributes}
        own = {k: v for k, v in merged.items() if k not in Layer.OPTIONAL or v != Layer.OPTIONAL[k]}
        changed = LayerRecord(layer.id, own, {**columns, **dict.fromkeys(new, dtype)})
        self._layers_changed[layer.id] = (_record(layer), changed)
        absent = np.full(len(layer), np.nan)
        for name, value in {**dict.fromkeys(gone, np.nan), **new}.items():
            before = layer.values.get(name, absent)
            values = np.full(len(layer), value)
            self._vertex_changes.setdefault(name, []).append(ColumnChange(layer.vertex_ids, before, values, False))
        for k, added in enumerate(self._vertices):
            if added.layer[0] == layer.id:
                kept = {name: values for name, values in added.values.items() if name not in gone}
                started = {name: np.full(len(added), value) for name, value in new.items()}
                self._vertices[k] = replace(added, values={**kept, **started})

    # -- the delta --------------------------------------------------------------------------------

    def to_delta(self) -> Delta:
        """Combine all edits to one delta. Links and layers that lose their last edge or vertex are removed.

        Raises:
            RewriteError: when the edits remove a part and also use or change it.
        """
        graph = self.graph
        keys = list(graph.links_by_key)
        gone = np.flatnonzero(self._edge_gone)
        touched, local = np.unique(graph.edges.link[gone], return_inverse=True)
        link_keys = tuple(dict.fromkeys([*(key for key, _ in self._edges), *(keys[k] for k in touched)]))
        place = {key: k for k, key in enumerate(link_keys)}
        gone_link = np.array([place[keys[k]] for k in touched], dtype=np.int32)[local]
        removed_links, removed_layers = self._emptied(keys)
        self._refuse_lost(removed_layers)
        return Delta(
            before=Stamp.of(graph),
            after=Stamp("", "", NextIds(*self._next_with_edges()), graph.rewrites + 1),
            layers_added=tuple(self._layers_added.values()),
            layers_removed=tuple(_record(graph.layer(i)) for i in removed_layers),
            layers_changed=tuple(
                (old, new) for i, (old, new) in self._layers_changed.items() if i not in removed_layers and old != new
            ),
            links_added=tuple(self._links_added.values()),
            links_removed=tuple(_link_record(graph.links_by_key[key]) for key in removed_links),
            vertices_added=self._placed_vertices(),
            vertices_removed=self._removed_vertices(),
            vertices_changed=self._merged_vertex_changes(graph.vertices.id[self._vertex_gone]),
            link_keys=link_keys,
            edges_added=self._added_edges(place),
            edges_removed=self._removed_edges(gone, gone_link),
            edges_changed=self._merged_edge_changes(),
        )

    def _next_with_edges(self) -> list[int]:
        new_edges = sum(len(columns["tap"]) for _, columns in self._edges)
        return [self._next[0], self._next[1], self.graph.next_ids.edge + new_edges]

    def _added_edges(self, place: Mapping[LinkKey, int]) -> EdgeRecords:
        if not self._edges:
            return EdgeRecords.empty()
        columns = {k: np.concatenate([c[k] for _, c in self._edges]) for k in self._edges[0][1]}
        link = np.concatenate([np.full(len(c["tap"]), place[key]) for key, c in self._edges])
        ids = self.graph.next_ids.edge + np.arange(len(link))
        return EdgeRecords(id=ids, link=link, birth=np.full(len(link), self.birth), **columns)

    def _removed_edges(self, gone: Array, link: Array) -> EdgeRecords:
        edges = self.graph.edges
        if not len(gone):
            return EdgeRecords.empty()
        return EdgeRecords(
            id=edges.id[gone], link=link, source=edges.source[gone], target=edges.target[gone],
            tap=edges.tap[gone], weight=edges.weight[gone], birth=edges.birth[gone], frozen=edges.frozen[gone],
        )  # fmt: skip

    def _emptied(self, keys: list[LinkKey]) -> tuple[list[LinkKey], set[int]]:
        edges, vertices = self.graph.edges, self.graph.vertices
        layer_ids = list(self.graph.layers_by_id)
        left_v = _segment_counts(~self._vertex_gone, vertices.offsets)
        removed_layers = {i for i, left in zip(layer_ids, left_v, strict=True) if left == 0 and not self._grown.get(i)}
        added = {key for key, _ in self._edges}
        left_e = _segment_counts(~self._edge_gone, edges.offsets)
        had = np.diff(edges.offsets)
        removed = [
            key
            for key, left, before in zip(keys, left_e, had, strict=True)
            if key not in added
            and left == 0
            and (before > 0 or key in self._links_gone or {key[0], key[1]} & removed_layers)
        ]
        return removed, removed_layers

    def _placed_vertices(self) -> VertexRecords:
        """New vertices with their rows after all removals: behind the old vertices that stay in their layer."""
        if not self._vertices:
            return VertexRecords.empty()
        records = VertexRecords.concatenate(*self._vertices)
        lost = np.zeros(self._next[0], dtype=np.int64)
        np.add.at(lost, self.graph.vertices.layer[self._vertex_gone], 1)
        row = records.row - lost[records.layer]
        return VertexRecords(records.id, records.layer, row, records.birth, records.values)

    def _removed_vertices(self) -> VertexRecords:
        vertices = self.graph.vertices
        gone = np.flatnonzero(self._vertex_gone)
        if not len(gone):
            return VertexRecords.empty()
        layers = [self.graph.layer(int(i)) for i in np.unique(vertices.layer[gone])]
        names = sorted({name for layer in layers for name in layer.values})
        values = {name: vertices.column(name)[gone] for name in names}
        return VertexRecords(vertices.id[gone], vertices.layer[gone], vertices.row[gone], vertices.birth[gone], values)

    def _refuse_lost(self, removed_layers: set[int]) -> None:
        """Refuse to remove parts that the same rewrite connects, splits or changes: one of the edits would be lost."""
        graph = self.graph
        if self._vertex_gone.any():
            for key, columns in self._edges:
                for ids, other in ((columns["source"], columns["target"]), (columns["target"], columns["source"])):
                    rows = graph.vertices.find(ids)
                    for at in np.flatnonzero(self._vertex_gone[rows] & (rows >= 0))[:1]:
                        raise self._lost("is connected to", rows[at : at + 1], f" vertex {other[at]}", key[:2])
        for what, rows in self._used:
            if (lost := rows[self._vertex_gone[rows]]).size:
                raise self._lost(what, lost)
        for i in (*self._layers_changed, *self._layers_gone):
            if (i in self._layers_gone and i in self._grown) or (i in self._layers_changed and i in removed_layers):
                what = "gets new vertices" if i in self._grown else "is changed"
                raise RewriteError(
                    f"Layer {graph.layer(i).name!r} (id {i}) {what} and is removed, both by this rewrite; "
                    "leave out one of the two."
                ).concerning(layers=[i], vertices=graph.layer(i).vertex_ids)
        for name, parts in self._edge_changes.items():
            rows = np.concatenate([rows for rows, _ in parts])
            if (lost := rows[self._edge_gone[rows]]).size:
                raise RewriteError(
                    f"Edge {graph.edges.id[lost[0]]} gets another {name} and is removed, both by this rewrite; "
                    "leave out one of the two, or take them apart by m.take(mask)."
                ).concerning(edges=graph.edges.id[lost], vertices=_ends(graph, lost[:1]))

    def _lost(self, what: str, rows: Array, more: str = "", near: tuple[int, ...] = ()) -> RewriteError:
        graph, row = self.graph, rows[0]
        layer = graph.layer(int(graph.vertices.layer[row]))
        whole = self._vertex_gone[graph.vertices.layer == layer.id].all()
        return RewriteError(
            f"Vertex {graph.vertices.id[row]} of layer {layer.name!r} (id {layer.id}) {what}{more}, but the same "
            f"rewrite removes {'the layer' if whole else 'the vertex'}; connect, split or change what stays."
        ).concerning(vertices=graph.vertices.id[rows], layers={layer.id, *(i for i in near if i in graph.layers_by_id)})

    def _merged_edge_changes(self) -> dict[str, Change]:
        result = {}
        graph = self.graph
        for name, parts in self._edge_changes.items():
            rows = np.concatenate([rows for rows, _ in parts])
            values = np.concatenate([values for _, values in parts])
            rows, values = last_wins(rows, values)
            values = as_stored(values, graph.edges.narrow[rows])
            old = getattr(graph.edges, name)[rows].astype(np.float64)
            change = Change(graph.edges.id[rows], old, values)
            change = change.take(differ(old, values))
            if len(change):
                result[name] = change
        return result

    def _merged_vertex_changes(self, gone: Array) -> dict[str, Change]:
        result = {}
        graph = self.graph
        for name, parts in self._vertex_changes.items():
            every = np.concatenate([part.id for part in parts])
            old = np.concatenate([part.old for part in parts]).astype(np.float64)
            new = np.concatenate([part.new for part in parts]).astype(np.float64)
            ids, last = last_wins(every, np.arange(len(every)))
            old = old[IdIndex(every).find(ids)]  # `find` gives the first change of an id, with the original value
            layer = graph.vertices.layer[graph.vertices.rows(ids)]
            dtypes = {i: np.dtype(self.layer(int(i)).columns.get(name, "f8")) for i in np.unique(layer)}
            new = as_stored(new[last], np.isin(layer, [i for i, dtype in dtypes.items() if dtype == np.float32]))
            change = Change(ids, old, new)
            change = change.take(~np.isin(ids, gone) & differ(old, new))
            if len(change):
                result[name] = change
        return result


def _ends(graph: Graph, rows: Array) -> Array:
    return np.concatenate([graph.edges.source[rows], graph.edges.target[rows]])


def _segment_counts(mask: Array, offsets: Array) -> Array:
    """Number of True in each segment of a mask; segment k lies between `offsets[k]` and `offsets[k + 1]`."""
    total = np.concatenate([[0], np.cumsum(mask)])
    return np.asarray(total[offsets[1:]] - total[offsets[:-1]])


def _record(layer: Layer) -> LayerRecord:
    return LayerRecord(layer.id, layer.attributes, {k: v.dtype.str for k, v in layer.values.items()})


def _link_record(link: Link) -> LinkRecord:
    return LinkRecord(link.key, link.kind, link.weight.dtype.name)
