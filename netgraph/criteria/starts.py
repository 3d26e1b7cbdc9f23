"""Edges of a sparse network at the start: densities of links by shape, random edges, edges for isolated vertices."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from netgraph.analysis import admissible_edges, lacking
from netgraph.checks import Natural, Share, checked, mask, number, whole_numbers
from netgraph.columns import Array
from netgraph.errors import GraphError, OptionError
from netgraph.graph import Graph, LinkKey


class Erk(NamedTuple):
    """Densities of weight tensors by their shapes, see `erk`.

    Attributes:
        densities: density of each tensor, `(shapes,)`.
        epsilon: common factor of the densities below 1.
        dense: indices of the tensors that would have had a density above 1 and got 1 instead.
    """

    densities: Array
    epsilon: float
    dense: tuple[int, ...]


@checked
def erk(shapes: Sequence[Sequence[int]], density: float, *, kernel: bool = True) -> Erk:
    """Compute Erdos-Renyi-Kernel densities: large tensors become sparser than small ones.

    The density of a tensor is epsilon times the sum of its shape over the product of its shape. Epsilon is chosen so
    that all tensors together have the given density. Tensors whose density would exceed 1 become dense, largest density
    first.

    Args:
        shapes: shapes of the weights. Each ends in (inputs, outputs); the axes before are those of the kernel.
        density: density of all tensors together.
        kernel: whether the axes of the kernel count. Without them these are the Erdos-Renyi densities of SET.

    Raises:
        OptionError: for a density outside 0..1.

    Source: Evci et al. 2020, "Rigging the lottery", section 3; Mocanu et al. 2018 for the densities without kernel.
    Cost: O(shapes squared) at most.
    """
    check_density(density)
    shapes = [whole_numbers(f"shapes[{i}]", shape, least=1).tolist() for i, shape in enumerate(shapes)]
    sizes = np.array([math.prod(shape) for shape in shapes], dtype=np.int64)
    counted = [tuple(shape) if kernel else tuple(shape)[-2:] for shape in shapes]
    raw = np.array([sum(shape) / math.prod(shape) for shape in counted])
    dense = np.zeros(len(sizes), dtype=bool)
    ones = np.array([kept_edges(n, density) for n in sizes.tolist()], dtype=np.int64)
    epsilon = 0.0
    while not dense.all():
        left = ones[~dense].sum() - (sizes - ones)[dense].sum()
        epsilon = float(left / (raw * sizes)[~dense].sum())
        largest = raw[~dense].max()
        if epsilon * largest <= 1:
            break
        dense |= raw == largest
    return Erk(np.where(dense, 1.0, epsilon * raw), epsilon, tuple(np.flatnonzero(dense).tolist()))


@checked
def erk_densities(
    graph: Graph, links: Iterable[LinkKey], density: float, *, kernel: bool = True
) -> dict[LinkKey, float]:
    """Compute the density of each link by `erk`, so that all of them together have the given density.

    Args:
        graph: any graph.
        links: keys of the links to thin out, see `netgraph.analysis.sparse_links`.
        density: density of all these links together.
        kernel: whether the axes of kernels count.

    Raises:
        OptionError: for a density outside 0..1.

    Cost: O(links squared) at most.
    """
    keys = tuple(links)
    return dict(zip(keys, erk([_shape(graph, key) for key in keys], density, kernel=kernel).densities, strict=True))


def _shape(graph: Graph, key: LinkKey) -> tuple[int, ...]:
    kind = graph.links_by_key[key].kind
    return (*kind.tap_axes, len(graph.layer(key[0])), len(graph.layer(key[1])))


@checked
def kept_edges(cells: Natural, density: Share) -> int:
    """Number of edges that stay of `cells` edges; the number removed, `(1 - density) * cells`, is rounded down."""
    return cells - math.floor((1 - density) * cells + 1e-9)  # 1 - 0.9 is a little less than 0.1 in float64


@checked
def random_edges(graph: Graph, densities: Mapping[LinkKey, float], rng: np.random.Generator) -> Array:
    """Draw the edges of some links uniformly at random; frozen edges and the edges of all other links stay.

    Args:
        graph: a graph in which each of these links has at least the number of edges to draw.
        densities: density of each link to thin out, by key.
        rng: random numbers.

    Returns:
        Mask of the edges that stay, in the order of `graph.edges`, `(edges,)`; `netgraph.thinned` takes it.

    Raises:
        GraphError: when a link has fewer edges than are to be drawn.
        OptionError: for a density outside 0..1.

    Cost: O(edges).
    """
    keep = np.ones(len(graph.edges), dtype=bool)
    for key, density in densities.items():
        check_density(density)
        count, link = kept_edges(admissible_edges(graph, [key]), density), graph.links_by_key[key]
        if count > len(link):
            raise GraphError(f"{link!r} has fewer edges than the {count:,} to draw; start from a dense network.")
        first = graph.edges.offset(key)
        keep[first : first + len(link)] = link.frozen
        free = first + np.flatnonzero(~link.frozen)
        drawn = max(0, count - (len(link) - len(free)))
        keep[rng.choice(free, drawn, replace=False, shuffle=False)] = True
    return keep


@checked
def joining_edges(graph: Graph, keep: Array, rng: np.random.Generator) -> Array:
    """Choose random edges that join isolated vertices.

    First, each vertex that lacks incoming edges gets one; then each vertex that lacks outgoing edges. An edge between
    two vertices that both lack one is preferred, so that it serves both.

    Args:
        graph: the graph whose edges may be chosen.
        keep: mask of the edges that are chosen already, `(edges,)`.
        rng: random numbers.

    Returns:
        Rows of `graph.edges`, each once; empty when no vertex is isolated.

    Cost: O(edges).
    """
    keep, added = mask("keep", keep, len(graph.edges)).copy(), [np.empty(0, np.int64)]
    ends = (graph.edges.target_row, graph.edges.source_row)
    for side in (0, 1):
        needy, helped = (lacking(graph, keep)[i] for i in (side, 1 - side))
        rows = np.flatnonzero(~keep & needy[ends[side]])
        best = np.lexsort((rng.random(len(rows)), ~helped[ends[1 - side][rows]], ends[side][rows]))
        _, first = np.unique(ends[side][rows][best], return_index=True)
        added.append(rows[best][first])
        keep[added[-1]] = True
    return np.unique(np.concatenate(added))


def edges_of(graph: Graph, links: Iterable[LinkKey]) -> Array:
    """Mask of the edges that belong to one of these links, `(edges,)`."""
    chosen = set(links)
    held = np.fromiter((key in chosen for key in graph.links_by_key), bool, len(graph.links_by_key))
    return np.repeat(held, np.diff(graph.edges.offsets))


def check_density(density: float) -> None:
    """Raise `OptionError` unless the density is in 0..1."""
    if not 0 <= number("density", density) <= 1:
        raise OptionError(f"density={density} is not a share of the edges, which is in 0..1.")
