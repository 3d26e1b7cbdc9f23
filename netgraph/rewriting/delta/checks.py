"""Checks of a delta, alone (for one read from a file) and against the graph to which it is applied."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from netgraph.columns import Array
from netgraph.errors import RewriteError
from netgraph.rewriting.delta.delta import EDGE_RECORD_DTYPES, VERTEX_DTYPES, Change, Delta

if TYPE_CHECKING:
    from netgraph.graph import Graph


def check_delta(delta: Delta) -> None:
    """Check that the parts of a delta are consistent. O(n log n) in its records.

    Raises:
        RewriteError: when a part is not valid; the text names the part.
    """
    for name, stamp in (("before", delta.before), ("after", delta.after)):
        if not stamp.topology_hash:
            raise RewriteError(f"the delta does not say at which topology it is {name}")
    _once("layer id", (record.id for record in (*delta.layers_added, *(new for _old, new in delta.layers_changed))))
    _once("removed layer id", (record.id for record in delta.layers_removed))
    for old, new in delta.layers_changed:
        if old.id != new.id:
            raise RewriteError(f"the layer id {old.id} changes to {new.id}; ids stay")
    for what, keys in (
        ("added link", [record.key for record in delta.links_added]),
        ("removed link", [record.key for record in delta.links_removed]),
        ("link key", delta.link_keys),
    ):
        _once(what, keys)
    for side in ("added", "removed"):
        vertices, edges = getattr(delta, f"vertices_{side}"), getattr(delta, f"edges_{side}")
        columns = {name: getattr(vertices, name) for name in VERTEX_DTYPES} | dict(vertices.values)
        _alike(f"vertices {side}", columns)
        _alike(f"edges {side}", {name: getattr(edges, name) for name in EDGE_RECORD_DTYPES})
        _ids(f"vertices {side}", vertices.id)
        _ids(f"edges {side}", edges.id)
        for name in ("layer", "row"):
            _within(f"vertices {side}", name, getattr(vertices, name), None)
        _within(f"edges {side}", "link", edges.link, len(delta.link_keys))
        for name in ("source", "target", "tap"):
            _within(f"edges {side}", name, getattr(edges, name), None)
    for what, changes in (("vertices changed", delta.vertices_changed), ("edges changed", delta.edges_changed)):
        for name, change in changes.items():
            _alike(f"{what} in {name!r}", vars(change))
            _ids(f"{what} in {name!r}", change.id)
    if extra := delta.edges_changed.keys() - {"weight", "frozen"}:
        raise RewriteError(f"edges have no value {min(extra)!r} that could change")


def check_fit(graph: Graph, delta: Delta) -> None:
    """Check that the layers and vertices of a delta fit a graph. O(n log n) in its records.

    Raises:
        RewriteError: when a layer or vertex does not fit; the text names it.
    """
    for record in delta.layers_added:
        if record.id in graph.layers_by_id:
            raise RewriteError(f"Layer id {record.id} cannot be added: it is in the graph.")
    for _old, new in delta.layers_changed:
        if new.id not in graph.layers_by_id:
            raise RewriteError(f"Layer id {new.id} cannot be changed: it is not in the graph.")
    gone, table = delta.vertices_removed, graph.vertices
    rows = table.find(gone.id)
    if not len(gone):
        return
    right = (rows >= 0) & (table.layer[rows] == gone.layer) & (table.row[rows] == gone.row)
    if not right.all():
        at = int(np.argmin(right))
        raise RewriteError(
            f"Vertex {gone.id[at]} cannot be removed from row {gone.row[at]} of the layer id {gone.layer[at]}: it is "
            "not there."
        )


def check_places(layer: int, rows: Array, size: int) -> None:
    """Check the rows of vertices that are added to a layer, which then has `size` vertices. Raises `RewriteError`."""
    if len(rows) and (rows.min() < 0 or rows.max() >= size or len(np.unique(rows)) < len(rows)):
        raise RewriteError(
            f"{len(rows)} vertices cannot be added to the layer id {layer} at rows up to {rows.max()}: it has "
            f"{size} rows then, one for each."
        )


def check_known(layer: int, ids: Array, change: Change) -> None:
    """Check that a layer with the vertices `ids` has every vertex of a change. Raises `RewriteError`."""
    if len(missing := change.id[~np.isin(change.id, ids)]):
        raise RewriteError(f"Vertex {missing[0]} cannot be changed in the layer id {layer}: it is not there.")


def _once(what: str, values: Iterable[object]) -> None:
    seen = set()
    for value in values:
        if value in seen:
            raise RewriteError(f"the {what} {value} occurs twice")
        seen.add(value)


def _alike(what: str, columns: dict[str, Array]) -> None:
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise RewriteError(f"the columns of {what} have different lengths: {lengths}")


def _ids(what: str, ids: Array) -> None:
    _within(what, "id", ids, None)
    ordered = np.sort(ids)
    if len(twice := ordered[1:][ordered[1:] == ordered[:-1]]):
        raise RewriteError(f"{what}: the id {twice[0]} occurs twice")


def _within(what: str, name: str, values: Array, limit: int | None) -> None:
    if not len(values):
        return
    low, high = int(values.min()), int(values.max())
    if low < 0 or (limit is not None and high >= limit):
        most = "" if limit is None else f"..{limit - 1}"
        raise RewriteError(f"{what}: column {name!r} has {low if low < 0 else high}, outside 0{most}")
