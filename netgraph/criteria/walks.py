"""Random walks along the edges of a network, biased by the size of the weights, and the sparse start they make."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from netgraph.analysis import admissible_edges, isolated, vertices_of
from netgraph.checks import checked, mask
from netgraph.columns import Array
from netgraph.criteria.starts import check_density, edges_of
from netgraph.errors import GraphError, OptionError
from netgraph.graph import Graph, LinkKey, weighted

MOST_WALKS = 1_000_000
"""So many walks, and 20 for each edge asked for, are made at most."""

_BATCH = 2048
"""Pairs of walks at a time."""


class Steps(NamedTuple):
    """What some walks went along: one row per step, in no order."""

    walk: Array
    edge: Array


class Walker:
    """Walks from vertex to vertex, an edge drawn with a probability proportional to its |weight|.

    Forward, the edge is drawn among all edges out of the vertex, until an output is reached; backward among all
    edges into it, until an input is. In a convolution this draws the next map in proportion to the sum of |w| over
    the kernel, and the position in the kernel in proportion to |w|.

    Wires have no weight to go by. Those out of a layer that weighted links leave as well are shortcuts: they are
    walked only where there is no other way. All others cost nothing and count as much as the edges behind them.

    Args:
        graph: the graph. Edges of weight 0 are never walked.
        forward: towards the outputs, or back to the inputs.

    Cost: O(E log E) once; a walk then costs O(depth log E), many at once some array operations per step.
    """

    def __init__(self, graph: Graph, *, forward: bool) -> None:
        edges = graph.edges
        here, there = edges.source_row, edges.target_row
        if not forward:
            here, there = there, here
        self._graph = graph
        self._is_end = vertices_of(graph, "output" if forward else "input")
        self._where = "forward" if forward else "backward"
        mass = _masses(graph, here, there, self._is_end, forward)
        used = np.flatnonzero(mass)
        self._edge = used[np.argsort(here[used], kind="stable")]
        self._next = there[self._edge]
        self._first = np.searchsorted(here[self._edge], np.arange(graph.num_vertices + 1))
        self._mass = np.concatenate([[0.0], np.cumsum(mass[self._edge])])

    def walk(self, start: Array, rng: np.random.Generator) -> Steps:
        """Walk once from each of these flat rows of `graph.vertices`.

        Args:
            start: (walks,) rows.
            rng: random numbers.

        Raises:
            GraphError: when a walk comes to a vertex with no way on.
        """
        at, walk = np.asarray(start, dtype=np.int64), np.arange(len(start))
        found = [Steps(np.empty(0, np.int64), np.empty(0, np.int64))]
        while True:
            low, high = self._first[at], self._first[at + 1]
            going = high > low
            stuck = ~going & ~self._is_end[at]
            if stuck.any():
                self._raise_stuck(int(at[stuck][0]))
            low, high, walk = low[going], high[going], walk[going]
            if not len(walk):
                return Steps(*map(np.concatenate, zip(*found, strict=True)))
            drawn = self._mass[low] + rng.random(len(walk)) * (self._mass[high] - self._mass[low])
            # Rounding may put a draw on the far end of its range, which belongs to the next vertex.
            pick = np.minimum(np.searchsorted(self._mass, drawn, side="right") - 1, high - 1)
            found.append(Steps(walk, self._edge[pick]))
            at = self._next[pick]

    def _raise_stuck(self, row: int) -> None:
        vertices = self._graph.vertices
        name = self._graph.layer(int(vertices.layer[row])).name
        raise GraphError(
            f"A {self._where} walk ends in vertex {vertices.id[row]} of layer {name!r}, which has no edge with a "
            "weight other than 0 to go on along; walk a dense network with initial weights."
        )


def _masses(graph: Graph, here: Array, there: Array, is_end: Array, forward: bool) -> Array:
    """(edges,) what each edge is drawn by, 0 for edges that are not walked; layers that are walked to come first."""
    edges = graph.edges
    mass = np.where(edges.wired, 0.0, np.abs(edges.weight.astype(np.float64)))
    behind = np.bincount(here, mass, graph.num_vertices)
    behind[is_end] = np.maximum(behind[is_end], 1.0)  # a wire from or to an end is as good as any
    branching = {k.source for k in weighted(graph.links)}
    order = graph.topological_order
    for i in reversed(order) if forward else order:
        wires = [k for k in (graph.outgoing if forward else graph.incoming)[i] if k.kind.wires]
        for shortcut in (False, True) if wires else ():
            spans = [edges.offset(k.key) + np.arange(len(k)) for k in wires if (k.source in branching) == shortcut]
            rows = np.concatenate([np.empty(0, np.int64), *spans])
            if shortcut:
                rows = rows[behind[here[rows]] == 0]
            mass[rows] = behind[there[rows]]
            np.add.at(behind, here[rows], mass[rows])
    return mass


@checked
def phew_edges(graph: Graph, links: Iterable[LinkKey], density: float, rng: np.random.Generator) -> Array:
    """The union of random walks biased by |weight|, forward and backward in turn, until there are enough edges.

    Forward walks start at the inputs, backward ones at the outputs, one vertex after the other; `Walker` says
    how they go. Links that are not to be thinned out are walked like all others
    and stay whole. On a network of weighted links alone a hidden vertex has an edge in if and only if it has one out.

    Args:
        graph: a dense network with its initial weights.
        links: keys of the links to thin out.
        density: of all of them together; the last walk may bring some edges more, less than its length.
        rng: random numbers.

    Returns:
        (edges,) bool in the order of `graph.edges`: which are kept, as for `netgraph.thinned`.

    Raises:
        OptionError: for a density outside 0..1, or one so high that walks hardly find what is still missing.
        GraphError: when a walk comes to a vertex with no way on.

    Source: Patil and Dovrolis 2021, "PHEW: constructing sparse networks that learn fast and generalize well without
        training data", section 4.
    Cost: O(E log E), and O(depth log E) per walk: about as many walks as edges are asked for in the largest link.
    """
    check_density(density)
    keys = tuple(links)
    wanted = round(density * admissible_edges(graph, keys))
    thin = edges_of(graph, keys)
    keep = ~thin | graph.edges.frozen
    missing = wanted - int(np.count_nonzero(keep & thin))
    walkers = [Walker(graph, forward=forward) for forward in (True, False)]
    starts = [np.flatnonzero(vertices_of(graph, role)) for role in ("input", "output")]
    turn = 0
    while missing > 0:
        if 2 * turn > MOST_WALKS + 20 * wanted:
            raise OptionError(
                f"After {2 * turn:,} walks {missing:,} of {wanted:,} edges are still missing for density={density}; "
                "walks seldom pass small weights. Use a lower density, or draw edges at random."
            )
        turns = np.arange(turn, turn + _BATCH)
        turn += _BATCH
        forward, backward = (
            walker.walk(start[turns % len(start)], rng) for walker, start in zip(walkers, starts, strict=True)
        )
        steps = Steps(
            np.concatenate([2 * forward.walk, 2 * backward.walk + 1]), np.concatenate([forward.edge, backward.edge])
        )
        missing -= _take_walks(keep, steps, missing)
    return keep


def _take_walks(keep: Array, steps: Steps, most: int) -> int:
    """Keep the edges of the walks, first to last, until `most` new ones are there. Returns how many are."""
    fresh = ~keep[steps.edge]
    walk, edge = steps.walk[fresh], steps.edge[fresh]
    order = np.argsort(walk, kind="stable")
    walk, edge = walk[order], edge[order]
    edge, first = np.unique(edge, return_index=True)
    walk = walk[first]  # the walk that came along each new edge first
    so_far = np.cumsum(np.bincount(walk)) if len(walk) else np.empty(0, np.int64)
    last = int(np.searchsorted(so_far, most))
    taken = edge[walk <= last]
    keep[taken] = True
    return len(taken)


@checked
def walks_through(graph: Graph, keep: Array, rng: np.random.Generator) -> Array:
    """Keep the edges of one more walk through each isolated vertex as well, on to an output and back to an input.

    Layer by layer from the inputs: a walk through one vertex often joins others further on.

    Args:
        graph: a dense network with its initial weights.
        keep: (edges,) bool in the order of `graph.edges`: those that are kept already.
        rng: random numbers.

    Returns:
        (edges,) bool: those that are kept now.

    Raises:
        GraphError: when a walk comes to a vertex with no way on.

    Cost: O(E log E), and O(E + depth * walks * log E) for each layer with an isolated vertex.
    """
    keep, layer = mask("keep", keep, len(graph.edges)).copy(), graph.vertices.layer
    walkers = [Walker(graph, forward=forward) for forward in (True, False)]
    affected = set(layer[isolated(graph, keep)].tolist())
    for i in graph.topological_order:
        if i in affected:
            rows = np.flatnonzero(isolated(graph, keep) & (layer == i))
            for walker in walkers:
                keep[walker.walk(rows, rng).edge] = True
    return keep
