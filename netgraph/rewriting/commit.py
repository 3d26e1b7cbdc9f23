"""Apply a delta to a graph. Every rewrite makes its new graph here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from netgraph.columns import EDGE_DTYPES, Array, IdIndex, by_value, digest
from netgraph.errors import GraphError, NetgraphError, OptionError, RewriteError
from netgraph.graph import (
    Graph,
    Layer,
    Link,
    LinkKey,
    LinkKind,
    Station,
    check_summed_port,
    check_wires,
    earlier,
    validate_link,
)
from netgraph.rewriting.delta import Change, Delta, LayerRecord, Stamp, check_fit, check_known, check_places, new_rows


def apply_delta(graph: Graph, delta: Delta) -> tuple[Graph, Delta]:
    """Apply a delta; return the new graph, and the delta with its `after` stamp and both graphs filled in.

    The new graph shares all layers and links that the delta does not touch. Costs O(records log records + edges of
    touched links + layers).

    Args:
        graph: the graph at which the delta starts; its weights may have been trained since.
        delta: the delta. An `after` stamp with an empty hash is filled in, any other is checked.

    Raises:
        RewriteError: when the graph is not the one at which the delta starts, or the result is not valid.
            The old graph is untouched in every case.
    """
    start = Stamp.of(graph)
    if (start.topology_hash, start.lineage) != (delta.before.topology_hash, delta.before.lineage):
        raise RewriteError(
            f"The delta starts at topology {delta.before.topology_hash[:8]} (lineage {delta.before.lineage[:8]}), the "
            f"graph has {start.topology_hash[:8]} (lineage {start.lineage[:8]}); two branches may give the same id to "
            "different things, so it is not applied."
        )
    edit = _Edit(graph, delta)
    try:
        check_fit(graph, delta)
        with np.errstate(over="ignore", invalid="ignore"):  # values that are not finite are refused below
            layers = edit.layers()
            links = edit.links(layers)
        new = _assemble(graph, delta, layers, links, edit)
    except (GraphError, OptionError) as error:
        raise RewriteError(f"The rewrite is refused: {error}").concerning(**_concerns(error, delta)) from error
    return new, delta.with_after(Stamp.of(new)).bound(graph, new)


def _concerns(error: NetgraphError, delta: Delta) -> dict[str, list[int]]:
    """Ids that an error concerns, by kind, and the ends of the new edges among them.

    A match binds no new edge, so only the ends of a new edge lead to the match.
    """
    concerns = {kind: list(ids) for kind, ids in error.concerns.items()}
    added = delta.edges_added
    new = added.take(np.isin(added.id, concerns.get("edges", [])))
    if len(new):
        concerns["vertices"] = [*concerns.get("vertices", []), *new.source.tolist(), *new.target.tolist()]
    return concerns


def refuse_summed_ports(old: Graph, new: Graph, delta: Delta) -> None:
    """Refuse new links to ports that layers without a merge did not have before. Raises `RewriteError`.

    `apply_delta` allows them, since journals of earlier versions may have them.
    """
    changed = {record.id for _old, record in delta.layers_changed} & new.layers_by_id.keys()
    keys = {link.key for link in delta.links_added} | {k.key for i in changed for k in new.incoming[i]}
    known = {key[1:] for key in old.links_by_key if old.layer(key[1]).merge is None} if keys else set()
    for key in sorted(key for key in keys if key in new.links_by_key and key[1:] not in known):
        try:
            check_summed_port(new, new.links_by_key[key])
        except GraphError as error:
            raise RewriteError(f"The rewrite is refused: {error}").concerning(layers=[key[1]]) from error


def next_lineage(lineage: str, topology_hash: str, rewrites: int) -> str:
    """Lineage after one more rewrite. It is a hash of the whole history, so equal lineages mean equal ids."""
    return digest(lineage, topology_hash, rewrites).hex()


def _assemble(graph: Graph, delta: Delta, layers: dict[int, Layer], links: dict[LinkKey, Link], edit: _Edit) -> Graph:
    after = delta.after
    new = Graph(
        layers.values(), links.values(), next_ids=after.next_ids, lineage="", rewrites=after.rewrites, validate=False
    )
    if len(new._names) < len(layers):
        raise RewriteError("Two layers would have the same name; give the new one another.")
    for i in edit.touched_layers & set(layers):
        layers[i].validate()
    checked = edit.links_to_check(new)
    for key in checked:
        validate_link(new, links[key])
    for i in edit.merges_to_check(new, checked):
        check_wires(new, layers[i])
    new.topological_order  # noqa: B018 (raises on a cycle)
    _check_ends(graph, new)
    if after.topology_hash and after.topology_hash != new.topology_hash:
        raise RewriteError(
            f"The delta leads to topology {new.topology_hash[:8]} instead of {after.topology_hash[:8]}: "
            "the delta is damaged, or was made by another version."
        )
    new.__dict__["lineage"] = after.lineage or next_lineage(graph.lineage, new.topology_hash, after.rewrites)
    back = earlier(graph, new.lineage)  # an undone rewrite is dropped from the history
    new.__dict__["past"] = back.before if back else Station.of(graph) if after.rewrites > graph.rewrites else None
    return new


def _check_ends(old: Graph, new: Graph) -> None:
    """Refuse a rewrite that changes the input or output layers or their widths."""
    for role, before, after in (("input", old.inputs, new.inputs), ("output", old.outputs, new.outputs)):
        if [(x.id, len(x)) for x in before] != [(x.id, len(x)) for x in after]:
            names = [sorted(x.name for x in layers) for layers in (before, after)]
            raise RewriteError(
                f"The {role} layers would change from {names[0]} to {names[1]}, or in width; a rewrite keeps them."
            )


@dataclass
class _Edit:
    """Layers and links of the new graph, built from one graph and one delta.

    Attributes:
        graph, delta: the old graph and the delta.
        touched_layers, touched_links: ids of the layers, and keys of the links, that are built anew.
        row_maps: new row of every old vertex by layer id, -1 for removed ones, `(old vertices of the layer,)`; only
            for layers that gain or lose vertices.
    """

    graph: Graph
    delta: Delta
    touched_layers: set[int] = field(default_factory=set)
    touched_links: set[LinkKey] = field(default_factory=set)
    row_maps: dict[int, Array] = field(default_factory=dict)

    # -- layers -----------------------------------------------------------------------------------

    def layers(self) -> dict[int, Layer]:
        d = self.delta
        layers = dict(self.graph.layers_by_id)
        for record in d.layers_removed:
            if layers.pop(record.id, None) is None:
                raise RewriteError(f"Layer id {record.id} cannot be removed: it is not in the graph.")
        records: dict[int, LayerRecord] = {r.id: r for r in d.layers_added} | {
            new.id: new for _old, new in d.layers_changed
        }
        changes = self._changes_by_layer()
        added = by_value(d.vertices_added.layer)
        removed = by_value(d.vertices_removed.layer)
        self.touched_layers = {*records, *changes, *added, *removed}
        none = np.empty(0, np.int64)
        for i in self.touched_layers & {*layers, *records}:
            given = records.get(i)
            layers[i] = self._layer(
                i,
                layers.get(i),
                dict(given.attributes) if given else layers[i].attributes,
                dict(given.columns) if given else {k: v.dtype.str for k, v in layers[i].values.items()},
                added.get(i, none),
                removed.get(i, none),
                changes.get(i, {}),
            )
        return layers

    def _layer(
        self,
        i: int,
        old: Layer | None,
        attributes: dict[str, Any],
        columns: dict[str, str],
        added: Array,
        removed: Array,
        changes: Mapping[str, Change],
    ) -> Layer:
        d = self.delta
        survivors = np.arange(len(old) if old else 0)
        gone = d.vertices_removed.row[removed]
        keep = np.delete(survivors, gone)
        place = new_rows(keep, gone, d.vertices_added.row[added])
        size = len(keep) + len(added)
        check_places(i, d.vertices_added.row[added], size)
        if old is not None and (len(added) or len(removed)):
            row_map = np.full(len(old), -1, dtype=np.int64)
            row_map[keep] = place
            self.row_maps[i] = row_map

        def merge(dtype: Any, mine: Array | None, theirs: Array) -> Array:
            out = np.full(size, np.nan if np.dtype(dtype).kind == "f" else -1, dtype=dtype)
            if mine is not None:
                out[place] = mine[keep]
            out[d.vertices_added.row[added]] = theirs[added]
            return out

        ids = merge(np.int64, old.vertex_ids if old else None, d.vertices_added.id)
        birth = merge(np.int32, old.birth if old else None, d.vertices_added.birth)
        absent = np.full(len(d.vertices_added), np.nan)
        values = {
            name: merge(dtype, old.values.get(name) if old else None, d.vertices_added.values.get(name, absent))
            for name, dtype in columns.items()
        }
        for name, change in changes.items():
            if name in values:  # the column may have been removed with the old activation
                check_known(i, ids, change)
                values[name][IdIndex(ids).find(change.id)] = change.new
        return Layer(i, vertex_ids=ids, birth=birth, values=values, **attributes)

    def _changes_by_layer(self) -> dict[int, dict[str, Change]]:
        result: dict[int, dict[str, Change]] = {}
        for name, change in self.delta.vertices_changed.items():
            rows = self.graph.vertices.find(change.id)
            layer = np.where(rows >= 0, self.graph.vertices.layer[rows], -1)
            for i, chosen in by_value(layer).items():
                result.setdefault(i, {})[name] = change.take(chosen)
        result.pop(-1, None)
        return result

    # -- links ------------------------------------------------------------------------------------

    def links(self, layers: Mapping[int, Layer]) -> dict[LinkKey, Link]:
        d = self.delta
        links = dict(self.graph.links_by_key)
        for record in d.links_removed:
            links.pop(record.key, None)
        kinds: dict[LinkKey, tuple[LinkKind, Any]] = {r.key: (r.kind, np.dtype(r.dtype)) for r in d.links_added}
        removed = {d.link_keys[k]: v for k, v in by_value(d.edges_removed.link).items()}
        added = {d.link_keys[k]: v for k, v in by_value(d.edges_added.link).items()}
        changed = self._changes_by_link()
        moved = {k for i in self.row_maps for k in self._links_at(i)}
        self.touched_links = {*kinds, *added, *changed, *moved, *removed}
        for key in self.touched_links & {*links, *kinds, *added}:
            old = links.get(key)
            if old is None and key not in kinds:
                raise RewriteError(f"Edges are added to the link {key}, which does not exist.")
            kind, dtype = (old.kind, old.weight.dtype) if old is not None else kinds[key]
            columns = self._surviving(old, removed.get(key), changed.get(key, {}), key)
            fresh = self._fresh(added.get(key), key, layers, dtype)
            if columns and fresh:
                columns = {name: np.concatenate([columns[name], fresh[name]]) for name in columns}
            columns = columns or fresh or {n: np.empty(0, t or dtype) for n, t in EDGE_DTYPES.items()}
            links[key] = Link.sorted(key[0], key[1], kind, columns, key[2])
        return links

    def links_to_check(self, new: Graph) -> set[LinkKey]:
        """Keys of the links with touched edges, and of the links at layers that the delta changes or removes."""
        d = self.delta
        moved = {new.id for _old, new in d.layers_changed} | {record.id for record in d.layers_removed}
        at_moved = {key for key in new.links_by_key if moved & {key[0], key[1]}} if moved else set()
        return (self.touched_links & set(new.links_by_key)) | at_moved

    def merges_to_check(self, new: Graph, links: Iterable[LinkKey]) -> set[int]:
        """Ids of the merging layers that the delta touches, or to which one of the given links leads."""
        keys = {*links, *self.touched_links, *(record.key for record in self.delta.links_removed)}
        near = {key[1] for key in keys} | self.touched_layers
        return {i for i in near if i in new.layers_by_id and new.layer(i).merge is not None}

    def _links_at(self, layer: int) -> Iterable[LinkKey]:
        return [k.key for k in (*self.graph.incoming[layer], *self.graph.outgoing[layer])]

    def _surviving(
        self, old: Link | None, removed: Array | None, changes: Mapping[str, Change], key: LinkKey
    ) -> dict[str, Array]:
        if old is None:
            return {}
        columns = dict(old.columns)
        for name, change in changes.items():
            columns[name] = columns[name].copy()
            columns[name][self.graph.edges.find(change.id) - self.graph.edges.offset(key)] = change.new
        if removed is not None:
            keep = ~np.isin(old.id, self.delta.edges_removed.id[removed])
            if np.count_nonzero(~keep) != len(removed):
                raise RewriteError(f"Some of the {len(removed)} edges to remove from the link {key} are not there.")
            columns = {name: values[keep] for name, values in columns.items()}
        for name, layer in (("src", key[0]), ("dst", key[1])):
            if layer in self.row_maps:
                columns[name] = self.row_maps[layer][columns[name]].astype(np.int32)
                if len(columns[name]) and columns[name].min() < 0:
                    edge = int(columns["id"][np.argmin(columns[name])])
                    raise RewriteError(
                        f"Edge {edge} would dangle: a vertex that it touches in layer "
                        f"{self.graph.layer(layer).name!r} is removed. Remove the edge as well."
                    )
        return columns

    def _fresh(self, added: Array | None, key: LinkKey, layers: Mapping[int, Layer], dtype: Any) -> dict[str, Array]:
        if added is None or not len(added):
            return {}
        records = self.delta.edges_added.take(added)
        ends = {}
        for name, layer, ids in (("src", key[0], records.source), ("dst", key[1], records.target)):
            if layer not in layers:
                raise RewriteError(
                    f"Edge {records.id[0]} would join the layer id {layer}, which this rewrite removes, or which "
                    "belongs to another one; connect what stays, and what add_layer() of this rewrite returned."
                ).concerning(layers=[layer])
            rows = IdIndex(layers[layer].vertex_ids).find(ids)
            if (rows < 0).any():
                bad = int(np.argmax(rows < 0))
                raise RewriteError(
                    f"Edge {records.id[bad]} would dangle: vertex {ids[bad]} is not in layer {layers[layer].name!r}."
                )
            ends[name] = rows.astype(np.int32)
        return {
            "id": records.id,
            **ends,
            "tap": records.tap,
            "weight": records.weight.astype(dtype),
            "birth": records.birth,
            "frozen": records.frozen,
        }

    def _changes_by_link(self) -> dict[LinkKey, dict[str, Change]]:
        result: dict[LinkKey, dict[str, Change]] = {}
        keys = list(self.graph.links_by_key)
        for name, change in self.delta.edges_changed.items():
            rows = self.graph.edges.find(change.id)
            chosen = rows >= 0  # changes of edges that the graph does not have are dropped
            link = np.searchsorted(self.graph.edges.offsets, rows[chosen], side="right") - 1
            kept = change.take(chosen)
            for k, where in by_value(link).items():
                result.setdefault(keys[k], {})[name] = kept.take(where)
        return result
