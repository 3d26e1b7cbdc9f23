"""Search for vertices that compute the same value."""

from __future__ import annotations

import numpy as np

from netgraph.columns import Array, spans
from netgraph.graph import Graph


def first_alike(graph: Graph) -> Array:
    """Find, for each vertex, the first vertex of its hidden layer with equal columns and equal incoming edges.

    Vertices are grouped by a hash and then compared column by column, so the result does not rest on the hash.

    Returns:
        Flat row of the first such vertex for each vertex, `(vertices,)`. It is the vertex itself if no earlier one is
        equal.

    Cost: O(edges log edges).
    """
    vertices, edges = graph.vertices, graph.edges
    by_target = np.argsort(edges.target_row, kind="stable")  # stable: then by link, source, tap
    degree = np.bincount(edges.target_row, minlength=len(vertices))
    start = np.cumsum(degree) - degree
    weight = edges.weight + np.zeros(1, edges.weight.dtype)  # -0.0 becomes 0.0
    columns = [c[by_target] for c in (edges.link, edges.source_row, edges.tap, weight, edges.frozen)]
    # Inputs and outputs equal no other vertex: their rows are compared as well.
    fixed = np.isin(vertices.layer, [x.id for x in graph.layers_by_id.values() if x.role != "hidden"])
    apart = np.where(fixed, np.arange(len(vertices)), -1)
    names = sorted({name for layer in graph.layers_by_id.values() for name in layer.values})
    own = [vertices.layer, apart, degree, *(np.nan_to_num(vertices.column(name)) + 0.0 for name in names)]
    arriving = np.zeros(len(vertices), dtype=np.uint64)
    if len(by_target):
        arriving[degree > 0] = np.add.reduceat(_mix(columns), start[degree > 0])
    mixed = _mix([*own, arriving])
    order = np.lexsort((np.arange(len(mixed)), mixed))
    new_group = np.r_[True, np.diff(mixed[order].view(np.int64)) != 0] if len(order) else np.empty(0, bool)
    first = np.empty(len(mixed), dtype=np.int64)
    first[order] = order[new_group][np.cumsum(new_group) - 1]
    return np.where(_alike(first, own, start, degree, columns), first, np.arange(len(first)))


def _alike(first: Array, own: list[Array], start: Array, degree: Array, columns: list[Array]) -> Array:
    """Compare each vertex with the first vertex that has the same hash.

    Args:
        first: row of that first vertex for each vertex, `(vertices,)`.
        own: vertex columns to compare.
        start, degree: first row and number of the incoming edges of each vertex in `columns`.
        columns: edge columns to compare, in the order of the targets.

    Returns:
        Mask of the vertices that equal their first vertex, `(vertices,)`.
    """
    same = np.logical_and.reduce([column == column[first] for column in own])
    rows = np.flatnonzero(same & (first != np.arange(len(first))))
    size = degree[rows]
    mine, theirs = (spans(start[which], size) for which in (rows, first[rows]))
    differs = ~np.logical_and.reduce([column[mine] == column[theirs] for column in columns])
    same[np.repeat(rows, size)[differs]] = False
    return np.asarray(same)


def _mix(columns: list[Array]) -> Array:
    """Compute a 64-bit hash of every row; each column is mixed in by the finaliser of MurmurHash3."""
    h = np.zeros(len(columns[0]), dtype=np.uint64)
    for column in columns:
        bits = column.astype(np.float64).view(np.uint64) if column.dtype.kind == "f" else column.astype(np.uint64)
        h = (h ^ bits) + np.uint64(0x9E3779B97F4A7C15)
        for _ in range(2):
            h = (h ^ (h >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
        h ^= h >> np.uint64(33)
    return h
