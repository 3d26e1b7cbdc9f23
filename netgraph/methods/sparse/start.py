"""Sparse first graphs: dense networks with initial weights from which edges are removed, without isolated vertices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from netgraph.analysis import density as density_of
from netgraph.analysis import isolated, sparse_links
from netgraph.checks import Seed, checked, choice
from netgraph.columns import Array
from netgraph.criteria import erk_densities, joining_edges, phew_edges, random_edges, walks_through
from netgraph.errors import GraphError
from netgraph.graph import Graph, LinkKey, thinned

SparseInit = Literal["phew", "erk", "er", "uniform"]
"""Names of the choices of edges for a sparse start, see `sparse_start`."""


@dataclass(frozen=True, eq=False)
class SparseStart:
    """A sparse network, with the densities requested and reached.

    Attributes:
        graph: the network.
        asked: requested density of the sparse links.
        density: density of these links in `graph`; above `asked` where edges were added for isolated vertices.
        isolated: number of vertices without an edge in or out before edges were added for them.
        note: densities and number of isolated vertices as a sentence.
    """

    graph: Graph
    asked: float
    density: float
    isolated: int
    note: str


@checked
def sparse_start(
    graph: Graph, *, density: float, start: SparseInit = "phew", seed: Seed | None, head: bool = False
) -> SparseStart:
    """Remove edges of a dense network down to a density; the remaining edges keep their initial weights.

    A hidden vertex without an edge in or without an edge out never learns, and an output without an edge in is
    constant. Such isolated vertices get additional edges. With "phew" it is a walk through each vertex that no walk
    through a vertex of an earlier layer has joined already. Otherwise it is a random edge for each side without one,
    preferably an edge between two such vertices. The density exceeds the requested one only by these edges.

    Args:
        graph: dense network with its initial weights.
        density: fraction of the edges of the sparse links that is kept.
        start: choice of the kept edges. "phew": random walks along large weights. "erk" and "er": at random, with a
            higher density in small links; "erk" counts the taps of kernels, "er" does not. "uniform": at random, with
            the same density in every link.
        seed: seed of the choice.
        head: whether links into output layers become sparse as well.

    Raises:
        GraphError: when the graph is not dense, or a vertex is isolated in the dense network, too.
        OptionError: for an unknown `start`, or a density outside 0..1, or too high for "phew".

    Source: Patil and Dovrolis 2021 (PHEW); Evci et al. 2020 (ERK); Mocanu et al. 2018 (ER).
    Cost: see `netgraph.criteria.phew_edges`; O(E log E) for the others.
    """
    choice("start", start, get_args(SparseInit))
    links = sparse_links(graph, head=head)
    if density_of(graph, links) < 1:
        raise GraphError(f"{graph!r} misses edges already; start from a dense network.")
    rng = np.random.default_rng(seed)
    keep = _choose(graph, links, density, start, rng)
    cut_off = isolated(graph, keep)
    if cut_off.any():
        if start == "phew":
            keep = walks_through(graph, keep, rng)
        else:
            keep[joining_edges(graph, keep, rng)] = True
        _check_joined(graph, keep)
    made = thinned(graph, keep)
    reached, count = density_of(made, links), int(np.count_nonzero(cut_off))
    note = f"{start} at density {reached:.4g} of {len(links)} links"
    if count:
        how = "walks through them" if start == "phew" else "random edges to and from them"
        note += f"; {density:.4g} was asked for, but left {count:,} vertices isolated, which {how} have joined"
    return SparseStart(made, density, reached, count, note)


def _choose(graph: Graph, links: tuple[LinkKey, ...], density: float, start: str, rng: np.random.Generator) -> Array:
    if density == 1:
        return np.ones(len(graph.edges), dtype=bool)
    if start == "phew":
        return phew_edges(graph, links, density, rng)
    shares = dict.fromkeys(links, density)
    if start in ("erk", "er"):
        shares = erk_densities(graph, links, density, kernel=start == "erk")
    return random_edges(graph, shares, rng)


def _check_joined(graph: Graph, keep: Array) -> None:
    left = np.flatnonzero(isolated(graph, keep))
    if len(left):
        vertices = graph.vertices
        name = graph.layer(int(vertices.layer[left[0]])).name
        raise GraphError(
            f"Vertex {vertices.id[left[0]]} of layer {name!r} has no edge in or none out in the dense network either; "
            "link the layer, or leave it out."
        )
