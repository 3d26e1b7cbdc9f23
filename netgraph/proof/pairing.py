"""Pairs of rows of two layers, and of edges of two links, that correspond."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netgraph.columns import Array
from netgraph.proof.operators import Operators
from netgraph.proof.sketches import EQUAL, WIDTH, Neighbours, Sketch, groups

if TYPE_CHECKING:
    from netgraph.graph import Graph, Layer, Link

ASSIGNED = 1_000_000
"""Largest number of pairs of rows among which the best assignment is searched."""


def sizes_of_outgoing(graph: Graph, layer: Layer) -> Array:
    """Length of the outgoing weights of each vertex of a layer, `(vertices,)`."""
    total = np.zeros(len(layer))
    for link in graph.outgoing[layer.id]:
        total += np.bincount(link.src, np.square(link.weight, dtype=np.float64), minlength=len(layer))
    return np.sqrt(total)


def equal_rows(old: Sketch, new: Sketch, order: tuple[Array, Array]) -> tuple[Array, Array]:
    """Rows of two layers of one operation with equal values.

    Args:
        old, new: sketches of the layers.
        order: a number per row of the old and of the new layer, by which several equal rows are paired.

    Returns:
        (new rows,) an old row of the same value, -1 where there is none; and its twin, an old row of the same value for
        at most one new row each: the others are copies.
    """
    same, _ = Neighbours(old.likeness).near(new.likeness, EQUAL)
    group = groups(old.likeness)
    like = np.where(same >= 0, group[same], -1)
    twin = np.full(len(same), -1, dtype=np.int64)
    for signed in (True, False):  # opposite vertices are pairs only where no equal one is left
        mine = np.setdiff1d(np.arange(len(group)), twin)
        asked = np.flatnonzero((like >= 0) & (twin < 0))
        sides = (old.sign[mine] < 0, new.sign[asked] < 0) if signed else (0, 0)
        keys = 2 * group[mine] + sides[0], 2 * like[asked] + sides[1]
        known, wanted = _numbered(keys, (order[0][mine], order[1][asked]))
        _, place, hit = np.intersect1d(known, wanted, assume_unique=True, return_indices=True)
        twin[asked[hit]] = mine[place]
    return same, twin


def _numbered(groups: tuple[Array, Array], orders: tuple[Array, Array]) -> tuple[Array, Array]:
    """Numbers of the rows of two layers, equal for the rows of the same turn in the same group."""
    turns = [_turns(group, order) for group, order in zip(groups, orders, strict=True)]
    most = max(int(turn.max(initial=0)) for turn in turns) + 1
    return groups[0] * most + turns[0], groups[1] * most + turns[1]


def _turns(group: Array, order: Array) -> Array:
    """Number of each row within its group, counted from 0 in the given order, `(rows,)`."""
    ordered = np.lexsort((order, group))
    first = np.flatnonzero(np.diff(group[ordered], prepend=-1))
    count = np.arange(len(group)) - np.repeat(first, np.diff(first, append=len(group)))
    result = np.empty(len(group), dtype=np.int64)
    result[ordered] = count
    return result


def nearest_rows(old: Array, new: Array, old_rows: Array, new_rows: Array) -> tuple[Array, Array]:
    """Pair as many of the given rows as there are on both sides, by the least sum of the distances of their keys.

    Above `ASSIGNED` possible pairs only rows that are nearest to each other are paired, then equal row numbers. The
    assignment costs O(rows^3) at worst, the latter rule O(rows log rows) for keys that are close.

    Args:
        old, new: keys of the two layers, `(rows, columns)`.
        old_rows, new_rows: rows that may be paired.

    Returns:
        The old and the new row of each pair.
    """
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial import cKDTree

    a, b = old[old_rows], new[new_rows]
    if not len(a) or not len(b):
        return old_rows[:0], new_rows[:0]
    if len(a) * len(b) <= ASSIGNED:
        cost = np.sqrt(np.maximum((a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T, 0))
        cost += 1e-9 * (old_rows[:, None] != new_rows)
        first, second = linear_sum_assignment(cost)
        return old_rows[first], new_rows[second]
    there, back = cKDTree(a).query(b)[1], cKDTree(b).query(a)[1]
    mutual = np.flatnonzero(back[there] == np.arange(len(b)))
    pairs = [(old_rows[there[mutual]], new_rows[mutual])]
    left = np.intersect1d(np.setdiff1d(old_rows, pairs[0][0]), np.setdiff1d(new_rows, pairs[0][1]))
    return np.concatenate([pairs[0][0], left]), np.concatenate([pairs[0][1], left])


def plain_keys(sketch: Sketch) -> Array:
    """Keys that serve for layers of different operations: the directions of the sums, `(vertices, WIDTH)`."""
    length = np.linalg.norm(sketch.sum, axis=1)[:, None]
    return np.asarray(sketch.sum / np.where(length > 0, length, 1.0)).reshape(-1, WIDTH)


def edge_rows(old: Graph, before: Link, new: Graph, link: Link, rows: tuple[Array, Array]) -> Array:
    """Row of the old edge that corresponds to each edge of a new link, -1 for none, `(edges,)`.

    Edges correspond where their ends do and their taps read by the same shift. The slots of wires into a head may
    change, since slots may be permuted.

    Args:
        old, before: the old graph and the corresponding link.
        new, link: the new graph and the link.
        rows: old row of each row of the source and of the target of the new link, -1 for none.
    """
    if len(before) == 0 or len(link) == 0:
        return np.full(len(link), -1, dtype=np.int64)
    tap, tap_before, taps = _common_taps(old, before, new, link)
    src, dst = rows[0][link.src], rows[1][link.dst]
    sources = len(old.layer(before.source))
    known = (before.dst.astype(np.int64) * sources + before.src) * taps + tap_before
    asked = (dst * sources + src) * taps + tap
    if not (known[1:] > known[:-1]).all():
        ordered = np.argsort(known, kind="stable")
        known = known[ordered]
    else:
        ordered = np.arange(len(known))
    place = np.minimum(np.searchsorted(known, asked), len(known) - 1)
    hit = (known[place] == asked) & (src >= 0) & (dst >= 0) & (tap >= 0)
    return np.where(hit, ordered[place], -1)


def _common_taps(old: Graph, before: Link, new: Graph, link: Link) -> tuple[Array, Array, int]:
    """Numbers of the taps of two links on one scale, -1 where the old link has no such tap, and the scale's length."""
    source, target = new.layer(link.source), new.layer(link.target)
    old_source, old_target = old.layer(before.source), old.layer(before.target)
    if target.merge is not None or old_target.merge is not None:
        turns = [_repeats(k) for k in (link, before)]
        return turns[0], turns[1], int(max(turns[0].max(), turns[1].max())) + 1
    operators = Operators()
    mine = operators.of_link(link.kind, source.output_grid, target.grid)
    theirs = operators.of_link(before.kind, old_source.output_grid, old_target.grid)
    by_operator = {n: tap for tap, n in enumerate(theirs.tolist())}
    numbers = np.array([by_operator.get(n, -1) for n in mine.tolist()], dtype=np.int64)
    if link.kind == before.kind and source.output_grid == old_source.output_grid:
        numbers = np.arange(len(mine))
    return numbers[link.tap], before.tap.astype(np.int64), len(theirs)


def _repeats(link: Link) -> Array:
    """Number of each edge among those between the same two vertices, `(edges,)`."""
    starts = (np.diff(link.dst, prepend=-1) != 0) | (np.diff(link.src, prepend=-1) != 0)
    first = np.flatnonzero(starts)
    return np.arange(len(link)) - np.repeat(first, np.diff(first, append=len(link)))
