"""Arrays in which the edges of a link leave a graph: matrices and kernels, grouped or of the used vertices alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from netgraph.columns import Array
from netgraph.graph import Graph, Link

WORTH = 0.5
"""Share of a whole matrix below which the block of the used vertices is kept in its place."""


@dataclass(frozen=True, kw_only=True)
class Additions:
    """Differences of an exported model from its graph.

    Attributes:
        zeros: places of matrices and kernels without an edge; they are 0, and training the model would change them.
        notes: remarks, such as the links of these places.
    """

    zeros: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class WeightForm:
    """Weights of a link as one array.

    Attributes:
        weight: `(targets, sources / groups, *kernel)`, 0 where there is no edge.
        edges: id of the edge at each place, -1 where there is none.
        groups: number of groups of consecutive sources and targets; edges join only vertices of one group.
        sources, targets: rows of the vertices in the array, in increasing order; None for all vertices of the layer.
        frozen: whether all edges are frozen.
    """

    weight: Array
    edges: Array
    groups: int
    sources: Array | None
    targets: Array | None
    frozen: bool

    @property
    def zeros(self) -> int:
        """Number of places without an edge."""
        return int(np.count_nonzero(self.edges < 0))


def weight_form(graph: Graph, link: Link) -> WeightForm:
    """Choose the array for the edges of a link that has weights.

    Groups are used where edges join only vertices of one group; else the block of the used vertices, where it has at
    most half of the places of the whole matrix; else the whole matrix.

    Cost: O(edges + places of the array).
    """
    n, m = len(graph.layer(link.source)), len(graph.layer(link.target))
    kernel = link.kind.tap_axes
    groups = _groups(link, n, m) if kernel else 1
    sources = targets = None
    src, dst, width, height = link.src, link.dst, n, m
    if groups > 1:
        width = n // groups
        src = link.src % width
    else:
        used, read = np.unique(link.src), np.unique(link.dst)
        if len(used) * len(read) <= WORTH * n * m:
            sources = used if len(used) < n else None
            targets = read if len(read) < m else None
            src, dst = np.searchsorted(used, link.src), np.searchsorted(read, link.dst)
            width, height = len(used), len(read)
    taps = math.prod(kernel)
    place = (dst.astype(np.int64) * width + src) * taps + link.tap
    weight, edges = np.zeros(height * width * taps, link.weight.dtype), np.full(height * width * taps, -1)
    weight[place], edges[place] = link.weight, link.id
    shape = (height, width, *kernel)
    frozen = len(link) > 0 and bool(link.frozen.all())
    return WeightForm(weight.reshape(shape), edges.reshape(shape), groups, sources, targets, frozen)


def _groups(link: Link, n: int, m: int) -> int:
    """Largest number of equal groups of consecutive vertices such that every edge stays in its group."""
    common = math.gcd(n, m)
    for groups in sorted((g for g in range(2, common + 1) if common % g == 0), reverse=True):
        if (link.src // (n // groups) == link.dst // (m // groups)).all():
            return groups
    return 1


def wire_rows(link: Link, width: int) -> Array | None:
    """Row of the source of each target of a link of wires, -1 for none; None where a target has several wires."""
    if len(link) and (np.diff(link.dst) == 0).any():  # edges are ordered by target
        return None
    rows = np.full(width, -1)
    rows[link.dst] = link.src
    return rows


def span(rows: Array) -> tuple[int, int] | None:
    """First row and the row after the last of consecutive rows; None for others."""
    if len(rows) and rows[0] >= 0 and (np.diff(rows) == 1).all():
        return int(rows[0]), int(rows[-1]) + 1
    return None
