"""Arrays in which the edges of a link leave a graph: matrices and kernels, grouped or of the used vertices alone.

Wires into heads of attention are tables with a row for each head.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

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
        link: the link.
        shape: shape of the array, `(targets, sources / groups, *kernel)`.
        place: place of each edge in the flattened array, `(edges,)` int64.
        groups: number of groups of consecutive sources and targets; edges join only vertices of one group.
        sources, targets: rows of the vertices in the array, in increasing order; None for all vertices of the layer.
    """

    link: Link
    shape: tuple[int, ...]
    place: Array
    groups: int
    sources: Array | None
    targets: Array | None

    @cached_property
    def weight(self) -> Array:
        """The weights, 0 where there is no edge."""
        return self._filled(np.zeros(self.places, self.link.weight.dtype), self.link.weight)

    @cached_property
    def edges(self) -> Array:
        """Id of the edge at each place, -1 where there is none."""
        return self._filled(np.full(self.places, -1), self.link.id)

    @property
    def places(self) -> int:
        """Number of places of the array."""
        return math.prod(self.shape)

    @property
    def zeros(self) -> int:
        """Number of places without an edge."""
        return self.places - len(self.link)

    @property
    def frozen(self) -> bool:
        """Whether all edges are frozen."""
        return len(self.link) > 0 and bool(self.link.frozen.all())

    def _filled(self, flat: Array, values: Array) -> Array:
        flat[self.place] = values
        return flat.reshape(self.shape)


def weight_form(graph: Graph, link: Link) -> WeightForm:
    """Choose the array for the edges of a link that has weights.

    Groups are used where edges join only vertices of one group; else the block of the used vertices, where it has at
    most half of the places of the whole matrix; else the whole matrix.

    Cost: O(edges); the array itself is made when it is first read.
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
    place = (dst.astype(np.int64) * width + src) * math.prod(kernel) + link.tap
    return WeightForm(link, (height, width, *kernel), place, groups, sources, targets)


def _groups(link: Link, n: int, m: int) -> int:
    """Largest number of equal groups of consecutive vertices such that every edge stays in its group."""
    common, most = math.gcd(n, m), n * m * math.prod(link.kind.tap_axes)
    fitting = [g for g in range(2, common + 1) if common % g == 0 and len(link) * g <= most]
    for groups in reversed(fitting):
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


def head_table(row: Array, values: Array, rows: int) -> Array:
    """Values of each row side by side, -1 behind the shorter ones; `row` is increasing."""
    counts = np.bincount(row, minlength=rows)
    starts = np.cumsum(counts) - counts
    table = np.full((rows, max(1, int(counts.max(initial=0)))), -1)
    table[row, np.arange(len(row)) - starts[row]] = values
    return table


def head_groups(table: Array) -> int:
    """Smallest number of equal groups of neighbouring heads that read the same rows."""
    heads = len(table)
    for groups in (g for g in range(1, heads + 1) if heads % g == 0):
        if (table.reshape(groups, -1, table.shape[1]) == table[:: heads // groups][:, None]).all():
            return groups
    return heads
