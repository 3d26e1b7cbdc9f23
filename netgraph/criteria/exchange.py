"""Which edges to give up, and which to take instead: the exchanges of RigL and SET, link by link."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from netgraph.checks import checked
from netgraph.columns import Array
from netgraph.errors import StatisticsError
from netgraph.graph import Graph, Link, LinkKey
from netgraph.statistics import Statistics


def dense_gradient(graph: Graph, key: LinkKey, stats: Statistics) -> Array:
    """Mean gradient of every edge of a link, present or missing: the cross moments of its layers.

    Args:
        graph: the graph.
        key: of the link.
        stats: with these moments.

    Returns:
        (sources, targets), or (sources, targets, taps).

    Raises:
        StatisticsError: when the moments were not requested, have another shape, or are not finite.
    """
    link, source, target = graph.links_by_key[key], graph.layer(key[0]), graph.layer(key[1])
    matrix = stats.cross(source.name, target.name)
    taps = link.kind.taps
    if matrix.shape not in {(len(source), len(target), taps), (len(source), len(target))[: 2 if taps == 1 else 0]}:
        raise StatisticsError(
            f"The cross moments of {source.name!r} and {target.name!r} have shape {matrix.shape}, the link has "
            f"{len(source)} sources, {len(target)} targets and {taps} taps; collect them again."
        )
    if not np.isfinite(matrix).all():
        raise StatisticsError(
            f"The cross moments of {source.name!r} and {target.name!r} are not all finite; train on finite data."
        )
    return matrix


@checked
def exchange_by_gradient(
    graph: Graph, links: Iterable[LinkKey], stats: Statistics, share: float, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Give up the weakest edges of every link for the pairs with the largest gradients (RigL).

    In each link the int(share * edges) edges of smallest magnitude are given up, ties at random, and as many of all
    pairs that are not kept are taken, by |gradient|. Edges that were given up take part: those with a large gradient
    simply stay, with weight and optimizer state. Frozen edges do not count, and stay, and so does one edge of every
    link.

    Args:
        graph: the graph.
        links: keys of the links to act on.
        stats: with the cross moments of these links, of the topology of `graph`.
        share: of the edges of each link, in 0..1.
        rng: for ties.

    Returns:
        (edges,) ids of the edges to remove, and (pairs, 3) source id, target id and tap of as many edges to add.

    Raises:
        StatisticsError: when the statistics belong to another topology, or as `dense_gradient`.

    Cost: O(admissible edges of the links).

    Source: Evci et al. 2020, "Rigging the lottery: making all tickets winners", algorithm 1.
    """
    stats.check(graph)
    gone, pairs = [np.zeros(0, np.int64)], [np.zeros((0, 3), np.int64)]
    for key in links:
        link = graph.links_by_key[key]
        free = np.flatnonzero(~link.frozen)
        count = min(int(share * len(free)), len(link) - 1)
        if count < 1:
            continue
        source, target = graph.layer(link.source), graph.layer(link.target)
        score = np.abs(dense_gradient(graph, key, stats)).reshape(len(source), len(target), -1)
        given = free[np.lexsort((rng.random(len(free)), np.abs(link.weight[free])))[:count]]
        kept = np.delete(np.arange(len(link)), given)
        score[link.src[kept], link.dst[kept], link.tap[kept]] = -np.inf
        best = np.argpartition(-score, count - 1, axis=None)[:count]
        chosen = np.zeros(score.shape, dtype=bool)
        chosen.reshape(-1)[best] = True
        stays = chosen[link.src[given], link.dst[given], link.tap[given]]
        gone.append(link.id[given[~stays]])
        chosen[link.src, link.dst, link.tap] = False
        src, dst, tap = np.nonzero(chosen)
        pairs.append(np.stack([source.vertex_ids[src], target.vertex_ids[dst], tap], axis=1))
    return np.concatenate(gone), np.concatenate(pairs)


@checked
def weakest_by_sign(graph: Graph, links: Iterable[LinkKey], share: float) -> Array:
    """Edges of every link with the smallest positive and the largest negative weights (SET).

    The int(share * positive weights) smallest of the positive ones, the int(share * negative weights) largest of the
    negative ones, and all that are 0. Frozen edges do not count, and stay; a link keeps at least its largest edge.

    Args:
        graph: the graph.
        links: keys of the links to act on.
        share: in 0..1.

    Returns:
        (edges,) ids.

    Cost: O(edges log edges).

    Source: Mocanu et al. 2018, "Scalable training of artificial neural networks with adaptive sparse connectivity
    inspired by network science", algorithm 1.
    """
    gone = [np.zeros(0, np.int64)]
    for key in links:
        link = graph.links_by_key[key]
        free, chosen = _removable(link), np.zeros(len(link), dtype=bool)
        for sign in (1, -1):
            rows = np.flatnonzero(~link.frozen & (sign * link.weight > 0))
            order = np.argsort(np.abs(link.weight[rows]), kind="stable")
            chosen[rows[order[: int(share * len(rows))]]] = True
        gone.append(link.id[free & (chosen | (link.weight == 0))])
    return np.concatenate(gone)


@checked
def weakest(graph: Graph, links: Iterable[LinkKey], count: int) -> Array:
    """Ids of the `count` trainable edges of smallest magnitude over all these links; of equal ones the first.

    A link keeps at least its largest edge, see `removable_edges`: so there may be fewer.

    Cost: O(edges log edges).
    """
    chosen = [(link, _removable(link)) for link in (graph.links_by_key[key] for key in links)]
    ids = np.concatenate([np.zeros(0, np.int64), *(link.id[free] for link, free in chosen)])
    size = np.concatenate([np.zeros(0), *(np.abs(link.weight[free]) for link, free in chosen)])
    return np.asarray(ids[np.argsort(size, kind="stable")[:count]])


def removable_edges(graph: Graph, links: Iterable[LinkKey]) -> int:
    """How many edges these links can give up: all but frozen ones, and in a link without any all but one.

    A link that loses its last edge goes with it, and its missing edges are no candidates then.

    Cost: O(edges).
    """
    return sum(int(np.count_nonzero(_removable(graph.links_by_key[key]))) for key in links)


def _removable(link: Link) -> Array:
    """(edges,) which edges may go: those that are not frozen, but one, the largest, has to stay."""
    free = ~link.frozen
    if free.all() and len(free):
        free[np.argmax(np.abs(link.weight))] = False
    return free
