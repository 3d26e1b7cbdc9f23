"""Exchange of edges, link by link: the edges to remove and those to add instead, by the criteria of RigL and SET."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from netgraph.checks import checked
from netgraph.columns import Array
from netgraph.errors import StatisticsError
from netgraph.graph import Graph, Link, LinkKey
from netgraph.statistics import Statistics


def dense_gradient(graph: Graph, key: LinkKey, stats: Statistics) -> Array:
    """Mean gradient of every edge of a link, present or missing, from the cross moments of its two layers.

    Args:
        graph: the graph.
        key: key of the link.
        stats: statistics with the cross moments of the two layers.

    Returns:
        The gradients, `(sources, targets)` or `(sources, targets, taps)`.

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
    """Choose, in every link, the weakest edges to remove and the pairs with the largest gradients to add (RigL).

    In each link the `int(share * edges)` edges of smallest magnitude are candidates for removal, ties at random. The
    same number of pairs is chosen by |gradient| among all pairs without a kept edge. The candidates are among these
    pairs: a candidate with a large gradient is chosen again and stays, with its weight and optimizer state. Frozen
    edges are not counted and stay. Every link keeps at least one edge.

    Args:
        graph: the graph.
        links: keys of the links in which edges are exchanged.
        stats: statistics of the topology of `graph`, with the cross moments of these links.
        share: fraction of the edges of each link that may be exchanged, from 0 to 1.
        rng: random numbers, for ties.

    Returns:
        Ids of the edges to remove, `(edges,)`; and source id, target id and tap of each edge to add, `(edges, 3)`. Both
        have the same number of rows.

    Raises:
        StatisticsError: when the statistics belong to another topology, and in the cases of `dense_gradient`.

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
    """Choose, in every link, the edges with the smallest positive and the largest negative weights (SET).

    These are the `int(share * positive weights)` smallest positive weights, the `int(share * negative weights)` largest
    negative ones, and all weights that are 0. Frozen edges are not counted and stay. A link without frozen edges keeps
    at least its largest edge.

    Args:
        graph: the graph.
        links: keys of the links in which edges are chosen.
        share: fraction of the weights of each sign, from 0 to 1.

    Returns:
        Ids of the chosen edges, `(edges,)`.

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
    """Choose the `count` trainable edges of smallest magnitude over all these links; among equal ones the first.

    The result may be shorter than `count`, because some edges have to stay: see `removable_edges`.

    Returns:
        Ids of the chosen edges, `(edges,)`.

    Cost: O(edges log edges).
    """
    chosen = [(link, _removable(link)) for link in (graph.links_by_key[key] for key in links)]
    ids = np.concatenate([np.zeros(0, np.int64), *(link.id[free] for link, free in chosen)])
    size = np.concatenate([np.zeros(0), *(np.abs(link.weight[free]) for link, free in chosen)])
    return np.asarray(ids[np.argsort(size, kind="stable")[:count]])


def removable_edges(graph: Graph, links: Iterable[LinkKey]) -> int:
    """Count the edges that may be removed from these links.

    Frozen edges have to stay. A link without frozen edges keeps its largest edge: a link without any edge would be
    removed, and its missing edges could not be added again.

    Cost: O(edges).
    """
    return sum(int(np.count_nonzero(_removable(graph.links_by_key[key]))) for key in links)


def _removable(link: Link) -> Array:
    """Mask of the edges of a link that may be removed, see `removable_edges`: `(edges,)`."""
    free = ~link.frozen
    if free.all() and len(free):
        free[np.argmax(np.abs(link.weight))] = False
    return free
