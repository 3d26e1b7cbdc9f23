"""Composition of two successive deltas to one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set

import numpy as np

from netgraph.columns import Array, IdIndex, by_value
from netgraph.errors import RewriteError
from netgraph.graph import LinkKey
from netgraph.rewriting.delta.delta import Change, Delta, EdgeRecords, LayerRecord, LinkRecord, VertexRecords

Records = VertexRecords | EdgeRecords


def compose(first: Delta, later: Delta) -> Delta:
    """Return one delta with the effect of `first` and then `later`.

    A record that `first` adds and `later` removes is left out. A record that `first` removes and `later` adds again
    belongs to a survivor, of which only changed values remain. Costs O(n log n) in the records of both.

    Raises:
        RewriteError: when `later` does not start where `first` ends.
    """
    if first.after != later.before:
        raise RewriteError(
            f"The second delta starts at topology {later.before.topology_hash[:8]} after {later.before.rewrites} "
            f"rewrites, the first ends at {first.after.topology_hash[:8]} after {first.after.rewrites}."
        )
    vertices = _compose_vertices(first, later)
    layers = _compose_layers(first, later)
    links = _compose_links(first, later)
    replaced = np.union1d(vertices[0].id, vertices[1].id)
    keys, edges = _compose_edges(first, later, replaced, {record.key for records in links for record in records})
    graphs = (first.graphs[0], later.graphs[1]) if first.graphs and later.graphs else None
    return Delta(
        before=first.before,
        after=later.after,
        layers_added=layers[0],
        layers_removed=layers[1],
        layers_changed=layers[2],
        links_added=links[0],
        links_removed=links[1],
        vertices_added=vertices[0],
        vertices_removed=vertices[1],
        vertices_changed=vertices[2],
        link_keys=keys,
        edges_added=edges[0],
        edges_removed=edges[1],
        edges_changed=edges[2],
        graphs=graphs,
    )


def new_rows(rows: Array, removed: Array, added: Array) -> Array:
    """New rows of surviving vertices of a layer after removals and insertions.

    Args:
        rows: old rows of the survivors.
        removed: old rows of the removed vertices.
        added: new rows of the added vertices.
    """
    rank = rows - np.searchsorted(np.sort(removed), rows)
    # Survivor k takes the k-th row that is not added (from 0): k + the number of added rows before it, and these are
    # the added rows with at most k free rows before them.
    free_before = np.sort(added) - np.arange(len(added))
    moved: Array = rank + np.searchsorted(free_before, rank, side="right")
    return moved


def _move(records: VertexRecords, removed: VertexRecords, added: VertexRecords) -> VertexRecords:
    """Convert the rows of `records` to rows of the graph at the other side of a delta."""
    row = records.row.copy()
    gone, came, none = by_value(removed.layer), by_value(added.layer), np.empty(0, np.int64)
    for layer, mine in by_value(records.layer).items():
        row[mine] = new_rows(row[mine], removed.row[gone.get(layer, none)], added.row[came.get(layer, none)])
    return VertexRecords(records.id, records.layer, row, records.birth, records.values)


def _compose_vertices(a: Delta, b: Delta) -> tuple[VertexRecords, VertexRecords, dict[str, Change]]:
    kept = a.vertices_added.take(~np.isin(a.vertices_added.id, b.vertices_removed.id))
    gone = b.vertices_removed.take(~np.isin(b.vertices_removed.id, a.vertices_added.id))
    kept = _move(_update_vertices(kept, b.vertices_changed), b.vertices_removed, b.vertices_added)
    gone = _move(
        _update_vertices(gone, {k: c.inverse() for k, c in a.vertices_changed.items()}),
        a.vertices_added,
        a.vertices_removed,
    )
    added = VertexRecords.concatenate(kept, b.vertices_added)
    removed = VertexRecords.concatenate(a.vertices_removed, gone)
    # An id on both sides was removed and added again: a survivor. But after an undone branch another branch may have
    # given the id to another vertex, so layer and birth must agree. Rows need no check: vertices keep their order.
    back = _same(added, removed, ("layer", "birth"))
    returned = _returned_values(removed, added, back)
    changed = _compose_changes(a.vertices_changed, b.vertices_changed, returned, added.id, removed.id)
    return added.take(~np.isin(added.id, back)), removed.take(~np.isin(removed.id, back)), changed


def _same(added: Records, removed: Records, names: Iterable[str]) -> Array:
    """Ids that are both added and removed, with equal entries in the columns `names`."""
    ids = np.intersect1d(added.id, removed.id)
    same = np.ones(len(ids), dtype=bool)
    for name in names:
        same &= np.equal(*(_lookup(records.id, getattr(records, name), ids) for records in (added, removed)))
    return np.asarray(ids[same])


def _returned_values(removed: VertexRecords, added: VertexRecords, ids: Array) -> dict[str, Change]:
    result = {}
    for name in {*removed.values, *added.values}:
        old, new = (_lookup(r.id, r.values.get(name, np.full(len(r), np.nan)), ids) for r in (removed, added))
        result[name] = Change(ids, old, new)
    return result


def _lookup(ids: Array, values: Array, wanted: Array) -> Array:
    return np.asarray(values[IdIndex(ids).find(wanted)])


def _update_vertices(records: VertexRecords, changes: Mapping[str, Change]) -> VertexRecords:
    values = dict(records.values)
    for name, change in changes.items():
        base = values.get(name, np.full(len(records), np.nan)).astype(np.float64)
        values[name] = _updated(records.id, base, change)
    return VertexRecords(records.id, records.layer, records.row, records.birth, values)


def _updated(ids: Array, values: Array, change: Change) -> Array:
    if not len(change):
        return values
    place = IdIndex(change.id).find(ids)
    return np.where(place >= 0, change.new[place], values)


def _compose_changes(
    a: Mapping[str, Change], b: Mapping[str, Change], returned: Mapping[str, Change], added: Array, removed: Array
) -> dict[str, Change]:
    """Changes of survivors, from the old value of the first change to the new value of the last, where these differ."""
    result = {}
    moved = np.union1d(added, removed)
    for name in sorted({*a, *b, *returned}):
        empty = Change(np.empty(0, np.int64), np.empty(0), np.empty(0))
        one, two, three = a.get(name, empty), b.get(name, empty), returned.get(name, empty)
        ids = np.setdiff1d(np.union1d(one.id, two.id), moved)
        old = _updated(ids, _updated(ids, np.full(len(ids), np.nan), two.inverse()), one.inverse())
        new = _updated(ids, _updated(ids, np.full(len(ids), np.nan), one), two)
        ids, old, new = (np.concatenate(p) for p in ((ids, three.id), (old, three.old), (new, three.new)))
        differs = ~((old == new) | (np.isnan(old) & np.isnan(new)))
        if differs.any():
            result[name] = Change(ids[differs], old[differs], new[differs])
    return result


def _compose_edges(
    a: Delta, b: Delta, replaced_vertices: Array, replaced_links: Set[LinkKey]
) -> tuple[tuple[LinkKey, ...], tuple[EdgeRecords, EdgeRecords, dict[str, Change]]]:
    keys = tuple(dict.fromkeys([*a.link_keys, *b.link_keys]))
    position = {key: k for k, key in enumerate(keys)}
    place = np.array([position[key] for key in b.link_keys], dtype=np.int32)
    b_added, b_removed = (_relink(r, place) for r in (b.edges_added, b.edges_removed))
    kept = _update_edges(a.edges_added.take(~np.isin(a.edges_added.id, b_removed.id)), b.edges_changed)
    undone = {k: c.inverse() for k, c in a.edges_changed.items()}
    gone = _update_edges(b_removed.take(~np.isin(b_removed.id, a.edges_added.id)), undone)
    added = EdgeRecords.concatenate(kept, b_added)
    removed = EdgeRecords.concatenate(a.edges_removed, gone)
    back = _same(added, removed, ("link", "source", "target", "tap", "birth"))
    at = removed.take(np.isin(removed.id, back))
    lost = np.isin(at.source, replaced_vertices) | np.isin(at.target, replaced_vertices)
    lost |= np.isin(at.link, [k for k, key in enumerate(keys) if key in replaced_links])
    back = np.setdiff1d(back, at.id[lost])
    returned = {
        name: Change(back, *(_lookup(r.id, getattr(r, name), back).astype(float) for r in (removed, added)))
        for name in ("weight", "frozen")
    }
    changed = _compose_changes(a.edges_changed, b.edges_changed, returned, added.id, removed.id)
    edges = (added.take(~np.isin(added.id, back)), removed.take(~np.isin(removed.id, back)), changed)
    return keys, edges


def _relink(records: EdgeRecords, place: Array) -> EdgeRecords:
    columns = {name: getattr(records, name) for name in records.__dataclass_fields__}
    return EdgeRecords(**{**columns, "link": place[records.link] if len(records) else records.link})


def _update_edges(records: EdgeRecords, changes: Mapping[str, Change]) -> EdgeRecords:
    columns = {name: getattr(records, name) for name in records.__dataclass_fields__}
    for name, change in changes.items():
        updated = _updated(records.id, columns[name].astype(np.float64), change)
        columns[name] = updated.astype(columns[name].dtype)  # changes hold floats, but `frozen` is boolean
    return EdgeRecords(**columns)


def _compose_layers(
    a: Delta, b: Delta
) -> tuple[tuple[LayerRecord, ...], tuple[LayerRecord, ...], tuple[tuple[LayerRecord, LayerRecord], ...]]:
    start: dict[int, LayerRecord | None] = {}
    end: dict[int, LayerRecord | None] = {}
    for delta in (a, b):
        steps: list[tuple[LayerRecord | None, LayerRecord | None]] = [
            *((record, None) for record in delta.layers_removed),
            *delta.layers_changed,
            *((None, record) for record in delta.layers_added),
        ]
        for old, new in steps:
            record = old or new
            assert record is not None
            start.setdefault(record.id, old)
            end[record.id] = new
    added, removed, changed = [], [], []
    for layer in sorted(start):
        old, new = start[layer], end[layer]
        if old is None and new is not None:
            added.append(new)
        elif old is not None and new is None:
            removed.append(old)
        elif old is not None and new is not None and old != new:
            changed.append((old, new))
    return tuple(added), tuple(removed), tuple(changed)


def _compose_links(a: Delta, b: Delta) -> tuple[tuple[LinkRecord, ...], tuple[LinkRecord, ...]]:
    start: dict[LinkKey, LinkRecord | None] = {}
    end: dict[LinkKey, LinkRecord | None] = {}
    for delta in (a, b):
        for record in delta.links_removed:
            start.setdefault(record.key, record)
            end[record.key] = None
        for record in delta.links_added:
            start.setdefault(record.key, None)
            end[record.key] = record
    changed = [key for key in sorted(start) if start[key] != end[key]]
    added = tuple(after for key in changed if (after := end[key]) is not None)
    removed = tuple(before for key in changed if (before := start[key]) is not None)
    return added, removed
