"""Parts of a graph as columns: the parts that matches bind, and the parts that a rewrite removes, adds or changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from netgraph.columns import Array
from netgraph.graph import Graph
from netgraph.rewriting.delta import Delta, EdgeRecords
from netgraph.rewriting.overlaps.names import edge_name, vertex_name
from netgraph.rewriting.patterns import (
    EdgeRows,
    LayerPairRows,
    LayerRows,
    LinkRows,
    MatchedRows,
    Matches,
    PairRows,
    VertexRows,
)

Act = Literal["removes", "adds", "changes"]
"""Effect of a rewrite on a part."""

EDGE, VERTEX, LAYER, LINK, GAP, APART = range(6)
"""Sorts of parts: an edge, a vertex, a layer, a link, a missing edge, and two layers without a link."""
SORTS = ("edge", "vertex", "layer", "link", "edge at vertex", "link at layer")
"""Words for the sorts; a missing edge or link has the name of its filling."""
WIDTH = 5
"""Columns of a key: the sort of the part, then up to four ids."""


@dataclass(frozen=True, eq=False)
class Bound:
    """Parts that matches bind, one row each.

    Attributes:
        key: key of each part, `(rows, WIDTH)`.
        match: position of the match.
        name: position of the bound name in `names`.
        near: whether the part is not bound itself, but belongs to it: the layer of a bound vertex, the edges of a bound
            link, the vertices of a bound layer.
        names: bound names.
    """

    key: Array
    match: Array
    name: Array
    near: Array
    names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Acts:
    """Parts that a rewrite removes, adds or changes, one row each.

    Attributes:
        key: key of each part, `(rows, WIDTH)`.
        act: effect of the rewrite on each part.
        column: name of the column or attribute that changes, "" for others.
        ends: ids of the vertices at which each part lies, `(rows, 2)`, -1 for none.
        value: new value of a column of numbers, NaN for others.
    """

    key: Array
    act: tuple[Act, ...]
    column: tuple[str, ...]
    ends: Array
    value: Array

    def __len__(self) -> int:
        return len(self.act)


def keys(sort: int, *ids: Array) -> Array:
    """Keys of parts of one sort, `(rows, WIDTH)`."""
    n = len(ids[0])
    unused = [np.full(n, -1, dtype=np.int64)] * (WIDTH - 1 - len(ids))
    return np.column_stack([np.full(n, sort, dtype=np.int64), *(np.asarray(i, dtype=np.int64) for i in ids), *unused])


def match_keys(m: Matches) -> Array:
    """Key of each match by ids: that of every bound part in turn, `(matches, names * WIDTH)`."""
    return np.concatenate([_own(rows) for rows in m.bound.values()], axis=1)


def numbered(*tables: Array) -> list[Array]:
    """Number of each row of several tables, equal for equal rows."""
    stacked = np.concatenate(tables)
    if not len(stacked):
        return [np.empty(0, dtype=np.int64) for _ in tables]
    number = np.unique(stacked, axis=0, return_inverse=True)[1].reshape(-1)
    return np.split(number, np.cumsum([len(t) for t in tables])[:-1])


def bound(m: Matches) -> Bound:
    """List the parts that matches bind, and parts that belong to these."""
    parts: list[tuple[Array, Array, int, bool]] = []
    for name, rows in enumerate(m.bound.values()):
        parts.append((_own(rows), np.arange(len(m)), name, False))
        parts += [(key, match, name, True) for key, match in _belonging(rows)]
    count = [len(key) for key, *_ in parts]
    return Bound(
        np.concatenate([key for key, *_ in parts]),
        np.concatenate([match for _, match, *_ in parts]),
        np.repeat([name for *_, name, _ in parts], count),
        np.repeat([near for *_, near in parts], count),
        tuple(m.bound),
    )


def _own(rows: MatchedRows) -> Array:
    if isinstance(rows, EdgeRows):
        return keys(EDGE, rows.id)
    if isinstance(rows, VertexRows):
        return keys(VERTEX, rows.id)
    if isinstance(rows, LayerRows):
        return keys(LAYER, rows.id)
    if isinstance(rows, LinkRows):
        return keys(LINK, *np.array(rows.key, dtype=np.int64).reshape(-1, 3).T)
    if isinstance(rows, PairRows):
        return keys(GAP, rows.source, rows.target, rows.tap, rows.port)
    assert isinstance(rows, LayerPairRows)
    return keys(APART, rows.source, rows.target)


def _belonging(rows: MatchedRows) -> Iterator[tuple[Array, Array]]:
    """Parts that belong to bound ones, and the position of the match of each."""
    if isinstance(rows, VertexRows):
        yield keys(LAYER, rows.layer), np.arange(len(rows))
    elif isinstance(rows, LinkRows):
        yield keys(EDGE, rows.edges.id), np.repeat(np.arange(len(rows)), rows.size)
    elif isinstance(rows, LayerRows):
        ids = [layer.vertex_ids for layer in rows]
        yield keys(VERTEX, np.concatenate([np.empty(0, np.int64), *ids])), np.repeat(np.arange(len(rows)), rows.size)


def acts(delta: Delta, *, after: bool) -> Acts:
    """List the parts that a rewrite touches, as they are bound on the old graph, or with `after` on the new graph.

    An added edge is a part of the new graph, and fills a missing edge of the old one; a removed edge the other way
    round. Links likewise.
    """
    gone, new = delta.edges_removed, delta.edges_added
    out: Act = "adds" if after else "removes"
    into: Act = "removes" if after else "adds"
    parts: list[tuple[Array, Act, str, Array, Array]] = []

    def add(key: Array, act: Act, column: str = "", ends: Array | None = None, value: Array | None = None) -> None:
        none = np.full((len(key), 2), -1, dtype=np.int64)
        unknown = np.full(len(key), np.nan)
        parts.append((key, act, column, none if ends is None else ends, unknown if value is None else value))

    here, there = (new, gone) if after else (gone, new)
    add(keys(EDGE, here.id), out, ends=_ends(here))
    known = there.take(
        np.flatnonzero(_ends(there).max(axis=1, initial=-1) < delta.before.next_ids.vertex)
    )  # new vertices have no missing edges
    add(keys(GAP, known.source, known.target, known.tap, _ports(delta, known)), into, ends=_ends(known))
    vertices = delta.vertices_added if after else delta.vertices_removed
    add(keys(VERTEX, vertices.id), out)
    layers = delta.layers_added if after else delta.layers_removed
    add(keys(LAYER, np.array([r.id for r in layers], dtype=np.int64)), out)
    grown = np.concatenate([delta.vertices_added.layer, delta.vertices_removed.layer])
    add(keys(LAYER, np.unique(grown)), "changes", "vertices")
    links, lost = (delta.links_added, delta.links_removed) if after else (delta.links_removed, delta.links_added)
    add(keys(LINK, *np.array([r.key for r in links], dtype=np.int64).reshape(-1, 3).T), out)
    add(keys(APART, *np.array([r.key[:2] for r in lost], dtype=np.int64).reshape(-1, 2).T), into)
    touched = np.array([delta.link_keys[k] for k in {*gone.link.tolist(), *new.link.tolist()}], dtype=np.int64)
    add(keys(LINK, *touched.reshape(-1, 3).T), "changes", "edges")
    for before, now in delta.layers_changed:
        names = [
            n for n in {**before.attributes, **now.attributes} if before.attributes.get(n) != now.attributes.get(n)
        ]
        for name in names or ["columns"]:
            add(keys(LAYER, np.array([now.id])), "changes", name)
    for name, change in delta.vertices_changed.items():
        add(keys(VERTEX, change.id), "changes", name, np.column_stack([change.id, change.id]), change.new)
    for name, change in delta.edges_changed.items():
        add(keys(EDGE, change.id), "changes", name, _ends_of(delta, change.id), change.new)
    size = [len(key) for key, *_ in parts]
    return Acts(
        np.concatenate([key for key, *_ in parts]),
        tuple(act for (_, act, *_), n in zip(parts, size, strict=True) for _ in range(n)),
        tuple(column for (_, _, column, *_), n in zip(parts, size, strict=True) for _ in range(n)),
        np.concatenate([ends for *_, ends, _ in parts]),
        np.concatenate([value for *_, value in parts]),
    )


def _ends(records: EdgeRecords) -> Array:
    return np.column_stack([records.source, records.target])


def _ends_of(delta: Delta, ids: Array) -> Array:
    assert delta.graphs is not None
    edges = delta.graphs[0].edges
    rows = edges.find(ids)
    return np.column_stack([edges.source[rows], edges.target[rows]])


def _ports(delta: Delta, records: EdgeRecords) -> Array:
    ports = np.array([key[2] for key in delta.link_keys], dtype=np.int64)
    return ports[records.link] if len(records) else np.empty(0, np.int64)


def part_name(key: Array, graphs: tuple[Graph, ...]) -> str:
    """Name a part by layers and rows in the first of the graphs that has it: `edge x[0] -> y[1]`.

    A missing edge or link has the name of the edge or link that fills it.
    """
    sort, *ids = (int(v) for v in key)
    for graph in graphs:
        if sort == EDGE and (row := int(graph.edges.find([ids[0]])[0])) >= 0:
            return f"edge {edge_name(graph, row)}"
        if sort == VERTEX and (row := int(graph.vertices.find([ids[0]])[0])) >= 0:
            return f"vertex {vertex_name(graph, row)}"
        if sort == LAYER and ids[0] in graph.layers_by_id:
            return f"layer {graph.layer(ids[0]).name}"
        if sort in (LINK, APART) and {ids[0], ids[1]} <= graph.layers_by_id.keys():
            return f"link {graph.layer(ids[0]).name} -> {graph.layer(ids[1]).name}"
        if sort == GAP and (rows := graph.vertices.find(ids[:2])).min() >= 0:
            tap = f", tap {ids[2]}" if ids[2] else ""
            return f"edge {vertex_name(graph, int(rows[0]))} -> {vertex_name(graph, int(rows[1]))}{tap}"
    return f"{SORTS[sort]} {ids[0]}"


def touched(m: Matches, delta: Delta) -> Array:
    """Mask of the matches on the new graph of a rewrite that bind a part which it added or changed, `(matches,)`.

    A missing edge or link counts when the rewrite removed the edge or the link, and a bound layer or link when it got
    or lost vertices or edges.

    Args:
        m: matches on the new graph.
        delta: the delta of the rewrite, with its graphs.
    """
    parts = bound(m)
    done, own = numbered(acts(delta, after=True).key, parts.key)
    result = np.zeros(len(m), dtype=bool)
    result[parts.match[np.isin(own, done) & ~parts.near]] = True
    return result
