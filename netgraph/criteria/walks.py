"""Random walks along the edges of a network, biased by the magnitudes of the weights, and sparse starts from them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from netgraph.analysis import admissible_edges, isolated, path_layers, path_links, vertices_of
from netgraph.checks import checked, mask
from netgraph.columns import Array
from netgraph.criteria.starts import check_density, edges_of
from netgraph.errors import GraphError, OptionError
from netgraph.graph import Graph, LinkKey, weighted

MAX_WALKS = 1_000_000
"""Largest number of walks, besides 20 for each edge that is asked for."""

_BATCH = 2048
"""Number of pairs of walks that are made at a time."""


class Steps(NamedTuple):
    """Steps of some walks: number of the walk and row of the edge, one row per step, in no particular order."""

    walk: Array
    edge: Array


class Walker:
    """Random walks from vertex to vertex; each next edge is drawn with a probability proportional to its |weight|.

    A forward walk draws among all edges out of a vertex until it reaches an output; a backward walk draws among all
    edges into a vertex until it reaches an input. In a convolution this draws the next map in proportion to the sum of
    |weight| over the kernel, and the tap in proportion to |weight|.

    Wires all have weight 1, which says nothing. A wire out of a layer that weighted links leave as well is a shortcut:
    it is walked only where there is no other way. Any other wire is drawn in proportion to the total probability mass
    of the edges behind it, as if it were not there.

    Args:
        graph: the graph. Edges of weight 0 are never walked.
        forward: whether to walk towards the outputs; else back to the inputs.

    Cost: O(E log E) once. A walk then costs O(depth log E); many walks together take a few array operations per step.
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
            start: rows at which the walks start, `(walks,)`.
            rng: random numbers.

        Raises:
            GraphError: when a walk reaches a vertex without an edge to go on along.
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
            # Rounding may put a draw at the upper end of its range, where the edges of the next vertex begin.
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
    """Compute the mass in proportion to which each edge is drawn, 0 for edges that are never walked, `(edges,)`.

    Layers are visited from the ends of the walks, so that the mass behind a wire is known before the wire gets its own.
    """
    edges, walked = graph.edges, path_links(graph)
    open_edges = np.repeat(np.fromiter(walked.values(), bool, len(walked)), np.diff(edges.offsets))
    mass = np.where(edges.wired | ~open_edges, 0.0, np.abs(edges.weight.astype(np.float64)))
    behind = np.bincount(here, mass, graph.num_vertices)
    behind[is_end] = np.maximum(behind[is_end], 1.0)  # a wire to an end has no edges behind it, and must be drawable
    branching = {k.source for k in weighted(graph.links) if walked[k.key]}
    order = graph.topological_order
    for i in reversed(order) if forward else order:
        leaving = (graph.outgoing if forward else graph.incoming)[i]
        wires = [k for k in leaving if k.kind.wires and walked[k.key]]
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
    """Choose the union of random walks biased by |weight|, forward and backward by turns, until there are enough edges.

    Forward walks start at the inputs, backward ones at the outputs, one vertex after the other; see `Walker`. Inputs
    that only feed queries and keys are left out. Links
    that are not to be thinned out are walked like all others, and keep all their edges. In a network of weighted links
    only, a hidden vertex has an incoming edge if and only if it has an outgoing one.

    Args:
        graph: a dense network with its initial weights.
        links: keys of the links to thin out.
        density: density of all these links together. The last walk may add more edges than asked for, fewer than its
            length.
        rng: random numbers.

    Returns:
        Mask of the edges that stay, in the order of `graph.edges`, `(edges,)`; `netgraph.thinned` takes it.

    Raises:
        OptionError: for a density outside 0..1, or one so high that walks hardly find the missing edges.
        GraphError: when a walk reaches a vertex without an edge to go on along.

    Source: Patil and Dovrolis 2021, "PHEW: constructing sparse networks that learn fast and generalize well without
        training data", section 4.
    Cost: O(E log E), and O(depth log E) per walk. There are about as many walks as wanted edges in the largest link.
    """
    check_density(density)
    keys = tuple(links)
    wanted = round(density * admissible_edges(graph, keys))
    thin = edges_of(graph, keys)
    keep = ~thin | graph.edges.frozen
    missing = wanted - int(np.count_nonzero(keep & thin))
    walkers = [Walker(graph, forward=forward) for forward in (True, False)]
    held = np.isin(graph.vertices.layer, list(path_layers(graph)))
    starts = [np.flatnonzero(vertices_of(graph, role) & held) for role in ("input", "output")]
    if missing > 0 and not len(starts[0]):
        raise GraphError(
            "No input leads to an output but by queries and keys, which no walk enters; draw edges at random."
        )
    turn = 0
    while missing > 0:
        if 2 * turn > MAX_WALKS + 20 * wanted:
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


def _take_walks(keep: Array, steps: Steps, wanted: int) -> int:
    """Keep the edges of the walks, first to last, until `wanted` new ones are kept; return the number of new ones."""
    fresh = ~keep[steps.edge]
    walk, edge = steps.walk[fresh], steps.edge[fresh]
    order = np.argsort(walk, kind="stable")
    walk, edge = walk[order], edge[order]
    edge, first = np.unique(edge, return_index=True)
    walk = walk[first]  # the first walk along each new edge
    so_far = np.cumsum(np.bincount(walk)) if len(walk) else np.empty(0, np.int64)
    last = int(np.searchsorted(so_far, wanted))
    taken = edge[walk <= last]
    keep[taken] = True
    return len(taken)


@checked
def walks_through(graph: Graph, keep: Array, rng: np.random.Generator) -> Array:
    """Keep the edges of one more walk through each isolated vertex, on to an output and back to an input.

    Layers are visited from the inputs on: a walk through one vertex often joins isolated vertices of later layers.

    Args:
        graph: a dense network with its initial weights.
        keep: mask of the edges that are kept already, in the order of `graph.edges`, `(edges,)`.
        rng: random numbers.

    Returns:
        Mask of the edges that are kept now, `(edges,)`.

    Raises:
        GraphError: when a walk reaches a vertex without an edge to go on along.

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
