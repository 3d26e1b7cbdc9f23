"""Sparse starts: a dense network with its initial weights, thinned out so that every vertex can learn."""

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
"""How the edges of a sparse start are chosen, see `sparse_start`."""


@dataclass(frozen=True, eq=False)
class SparseStart:
    """A thinned network, and how it came about.

    Attributes:
        graph: the network.
        asked: the density that was asked for, of the links that were thinned out.
        density: theirs in `graph`; above `asked` by what it took to join isolated vertices.
        isolated: how many vertices the choice by itself left without an edge in or out.
        note: all of this in words.
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
    """Thin out a dense network; the weights that stay keep their initial values.

    A hidden vertex without an edge in or without one out never learns, and an output without an edge in has no say:
    such vertices get more edges. After "phew" that is a walk through each that walks through earlier layers have not
    come by; else a random edge for each side that lacks one, preferably one that serves two. So the density is the one
    asked for whenever that leaves no vertex isolated.

    Args:
        graph: a dense network with its initial weights.
        density: edges to keep, as a share of those of the links that are thinned out.
        start: "phew": random walks along large weights; "erk" and "er": at random, small links denser, with or
            without the kernels counted; "uniform": at random, the same share of every link.
        seed: of the choice.
        head: whether links into output layers are thinned out as well.

    Raises:
        GraphError: when the graph is not dense, or a vertex could not be joined even so.
        OptionError: for an unknown `start`, or a density outside 0..1, or too high for "phew".

    Source: Patil and Dovrolis 2021 (PHEW); Evci et al. 2020 (ERK); Mocanu et al. 2018 (ER).
    Cost: see `netgraph.criteria.phew_edges`; O(E log E) for the others.
    """
    choice("start", start, get_args(SparseInit))
    links = sparse_links(graph, head=head)
    if density_of(graph, links) < 1:
        raise GraphError(f"{graph!r} misses edges already; start from a dense network.")
    rng = np.random.default_rng(seed)
    keep = _chosen(graph, links, density, start, rng)
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


def _chosen(graph: Graph, links: tuple[LinkKey, ...], density: float, start: str, rng: np.random.Generator) -> Array:
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
