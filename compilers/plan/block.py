"""One block of a plan: edges into one layer that one kernel runs, and the choice by which they were put together."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from compilers.plan.geometry import Geometry
from compilers.plan.kinds import KINDS
from netgraph.columns import Array


@dataclass(frozen=True, eq=False)
class Incidence:
    """The pattern of one block as a matrix of targets by columns. It knows no rows of the buffer and no slots.

    Plans of graphs before and after a rewrite share it where the rewrite changed nothing.

    Attributes:
        dst: int32 target row in the layer, `(edges,)`.
        src: int32 column, `(edges,)`.
        targets: rows of the matrix, the width of the layer.
        columns: columns of the matrix: parents, or parents times taps.
    """

    dst: Array
    src: Array
    targets: int
    columns: int

    def __len__(self) -> int:
        return len(self.dst)

    @property
    def cells(self) -> int:
        """Number of entries of the matrix."""
        return self.targets * self.columns

    @cached_property
    def starts(self) -> Array:
        """First edge of each target, for edges in the order of targets, `(targets + 1,)`."""
        return np.concatenate([[0], np.cumsum(np.bincount(self.dst, minlength=self.targets))])

    @cached_property
    def column_starts(self) -> Array:
        """First edge of each column, for edges in the order `by_column`, `(columns + 1,)`."""
        return np.concatenate([[0], np.cumsum(np.bincount(self.src, minlength=self.columns))])

    @cached_property
    def by_column(self) -> Array:
        """Indices of the edges, sorted by column and then by target, `(edges,)`. Cost: O(edges)."""
        return stable_order(self.src, self.columns)


class Choice(NamedTuple):
    """The kernel for the edges of one site, and the way in which it reads them.

    Attributes:
        kernel: name of its kind, see `KernelKind`.
        hull: whether every row from the first parent to the last is read, as one view, or the parents alone.
        core: least number of edges of the parents that a dense kernel beside it runs; 0 for none.
    """

    kernel: str
    hull: bool = False
    core: int = 0


class Site(NamedTuple):
    """The edges for which one choice is made: into a layer that read rows (`source` is ""), or maps of one layer."""

    layer: str
    source: str
    frozen: bool


@dataclass(frozen=True, eq=False)
class Block:
    """Edges into one layer that one kernel runs.

    Attributes:
        kernel: name of its kind, see `KernelKind`.
        incidence: the pattern of the edges; in the order of (target, column) where slots follow edges.
        edges: rows in `graph.edges`, `(edges,)`.
        start: first slot of the block in the vector that holds its weights.
        stop: one past its last slot; more slots than edges means that some are pads, which stay zero.
        parents: int64 sorted rows of the buffer that are read, `(columns,)`; empty for a block that reads maps.
        source: position in `Plan.layers` of the layer whose maps are read; -1 for a block that reads rows.
        geometry: of the link, for a block that reads maps.
        taps: int32 tap of each column, for a block that reads maps at some taps only, `(columns,)`; else empty.
        channels: int32 map of each column, likewise, `(columns,)`.
        frozen: whether the weights lie in `frozen_weights`, which no optimizer sees, instead of `weights`.
        cost: predicted nanoseconds of a training step, of a batch of 128 on one core.
    """

    kernel: str
    incidence: Incidence
    edges: Array
    start: int
    stop: int
    parents: Array = field(default_factory=lambda: np.empty(0, np.int64))
    source: int = -1
    geometry: Geometry | None = None
    taps: Array = field(default_factory=lambda: np.empty(0, np.int32))
    channels: Array = field(default_factory=lambda: np.empty(0, np.int32))
    frozen: bool = False
    cost: float = 0.0

    @property
    def slots(self) -> Array:
        """Slot of each weight, `(edges,)`; empty for wires."""
        incidence = self.incidence
        if self.stop - self.start == incidence.cells:
            rows, columns, width = incidence.dst, incidence.src, incidence.columns
            if KINDS[self.kernel].by_column:
                rows, columns, width = columns, rows, incidence.targets
            return np.asarray(rows.astype(_index_type(self.stop)) * width + columns + self.start)
        return np.arange(self.start, self.stop, dtype=_index_type(self.stop))

    @property
    def patch_columns(self) -> Array:
        """Column of the patches that each edge reads, in a block that reads maps: `map * taps + tap`, `(edges,)`."""
        assert self.geometry is not None
        if not len(self.channels):
            return self.incidence.src
        columns = self.channels.astype(np.int64) * self.geometry.taps + self.taps
        return np.asarray(columns[self.incidence.src])

    @property
    def density(self) -> float:
        """Edges over cells of the matrix."""
        return len(self.incidence) / self.incidence.cells

    @property
    def pads(self) -> int:
        """Number of slots that belong to no edge."""
        return max(0, self.stop - self.start - len(self.incidence))

    @property
    def shape(self) -> str:
        """Text with the numbers of columns and targets, and the size of the kernel of a convolution."""
        g, n = self.geometry, self.incidence.columns
        if g is None or len(self.channels) or g.taps == 1:
            return f"{n:,} x {self.incidence.targets:,}"
        return f"{n // g.taps:,} x {self.incidence.targets:,} x {g.kernel[0]} x {g.kernel[1]}"


def stable_order(values: Array, bound: int) -> Array:
    """Stable ascending order of integers in 0..bound-1. O(n): a radix sort by 16 bits at a time."""
    order = np.argsort(values.astype(np.uint16), kind="stable")
    if bound > 1 << 16:
        high = (values >> 16).astype(np.uint16)
        order = order[np.argsort(high[order], kind="stable")]
    return order.astype(_index_type(len(values)))


def _index_type(limit: int) -> Any:
    return np.int32 if limit < 2**31 else np.int64
