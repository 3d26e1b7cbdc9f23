"""Kernels of tables with a row for each vertex of the source: lookups by index, and tables of positions."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from compilers.kernels.base import Gradients, Ports
from compilers.kernels.dense import pad_mask
from compilers.kernels.maps import Picks

if TYPE_CHECKING:
    from compilers.plan import Block
    from netgraph.columns import Array


class TableTarget:
    """The sums that a table adds to, and their gradients, as one row of targets for each sample and position."""

    def __init__(self, ports: Ports) -> None:
        self._maps, self._rows = ports.target, ports.rows
        self._row_gradients: Tensor | None = None

    def bind_gradients(self, rows: Tensor | None) -> None:
        """Take the gradients of the rows of the buffer."""
        self._row_gradients = rows

    def add(self, values: Tensor) -> None:
        """Add values, `(batch, positions, targets)`, which nobody else holds; or of 1 sample, for all of them."""
        maps = self._maps
        if maps is None:
            assert self._rows is not None
            self._rows.add_(values[:, 0].t())
            return
        summed = values.transpose(1, 2).view(len(values), *maps.shape[1:])
        if maps.started or len(values) != maps.shape[0]:
            maps.sums.add_(summed)
            return
        if maps.bias is not None:
            values += maps.bias
        maps.start(summed)

    def gradients(self) -> Tensor:
        """Return the gradients of the sums, `(batch, positions, targets)`."""
        if self._maps is None:
            assert self._row_gradients is not None
            return self._row_gradients.t().unsqueeze(1)
        assert self._maps.sum_gradients is not None
        return self._maps.sum_gradients.flatten(2).transpose(1, 2)


class TableKernel:
    """Kernel of a table with a slot for every cell, `(sources, targets)`; those without an edge are pads."""

    def __init__(self, block: Block, input_rows: int, device: torch.device, dtype: torch.dtype) -> None:
        self.shape = (block.incidence.columns, block.incidence.targets)
        self.start, self.stop = block.start, block.stop
        mask = pad_mask(block, device, dtype)
        self.mask = None if mask is None else mask.view(self.shape)

    def bind(self, ports: Ports) -> BoundTable:
        """Attach to weights, picks and sums."""
        return BoundTable(self, ports)


class BoundTable:
    """A table in one workspace."""

    def __init__(self, kernel: TableKernel, ports: Ports) -> None:
        assert isinstance(ports.source, Picks)
        self._kernel, self._picks, self._target = kernel, ports.source, TableTarget(ports)
        self._table = ports.weights.view(kernel.shape)

    def forward(self) -> None:
        """Add to the sums of each position the row that is picked there."""
        self._target.add(functional.embedding(_picked(self._picks), self._table))

    def bind_gradients(self, gradients: Gradients, rows: Tensor | None, *, inputs: bool) -> None:
        """Take the gradients."""
        self._gradients = gradients
        self._target.bind_gradients(rows)

    def weight_gradients(self) -> None:
        """Write the sums of the gradients of the positions that picked each row into its slots, 0 into pads."""
        kernel = self._kernel
        assert self._gradients.weights is not None
        rows, gradients = _picked(self._picks), self._target.gradients()
        if len(rows) != len(gradients):  # all samples pick alike
            gradients = gradients.sum(0, keepdim=True)
        out = self._gradients.weights[kernel.start : kernel.stop].view(kernel.shape)
        out.zero_().index_add_(0, rows.reshape(-1), gradients.reshape(-1, kernel.shape[1]))
        if kernel.mask is not None:
            out.mul_(kernel.mask)

    def source_gradients(self) -> None:
        """Do nothing, since picks are constants."""


class RowEdges(NamedTuple):
    """Edges in the order of the rows of a table.

    Attributes:
        first: place of the first edge of each row, `(sources,)`.
        counts: number of edges of each row, `(sources,)`.
        slots: slot of each edge, `(edges,)`.
        targets: target of each edge, `(edges,)`.
    """

    first: Tensor
    counts: Tensor
    slots: Tensor
    targets: Tensor


class SparseTableKernel:
    """Kernel of a table with a slot for every edge: the edges of each row that is picked are read one by one."""

    def __init__(self, block: Block, input_rows: int, device: torch.device, dtype: torch.dtype) -> None:
        self.start, self.stop, self.targets = block.start, block.stop, block.incidence.targets
        self._block, self._device = block, device
        self._edges: RowEdges | None = None

    def bind(self, ports: Ports) -> BoundSparseTable:
        """Attach to weights, picks and sums."""
        return BoundSparseTable(self, ports)

    def edges(self, sources: int) -> RowEdges:
        """Return the edges by row, of a table of `sources` rows."""
        if self._edges is None:
            incidence, used = self._block.incidence, self._block.channels
            starts = incidence.column_starts
            first, counts = np.zeros((2, sources), np.int64)
            first[used], counts[used] = starts[:-1], np.diff(starts)
            order = incidence.by_column
            self._edges = RowEdges(*(self._tensor(a) for a in (first, counts, order, incidence.dst[order])))
        return self._edges

    def _tensor(self, values: Array) -> Tensor:
        return torch.from_numpy(values.astype(np.int64)).to(self._device)


class BoundSparseTable:
    """A sparse table in one workspace."""

    def __init__(self, kernel: SparseTableKernel, ports: Ports) -> None:
        assert isinstance(ports.source, Picks)
        self._kernel, self._picks, self._target = kernel, ports.source, TableTarget(ports)
        self._weights = ports.weights
        self._edges = kernel.edges(ports.source.shape[1])

    def forward(self) -> None:
        """Add the weight of each edge of a picked row to its target."""
        rows = _picked(self._picks)
        slots, cells = self._reads(rows)
        sums = self._weights.new_zeros((*rows.shape, self._kernel.targets))
        sums.view(-1).index_add_(0, cells, self._weights[slots])
        self._target.add(sums)

    def bind_gradients(self, gradients: Gradients, rows: Tensor | None, *, inputs: bool) -> None:
        """Take the gradients."""
        self._gradients = gradients
        self._target.bind_gradients(rows)

    def weight_gradients(self) -> None:
        """Write the sums of the gradients at the reads of each edge into its slot."""
        kernel, rows = self._kernel, _picked(self._picks)
        assert self._gradients.weights is not None
        slots, cells = self._reads(rows)
        gradients = self._target.gradients()
        if len(rows) != len(gradients):
            gradients = gradients.sum(0, keepdim=True)
        out = self._gradients.weights[kernel.start : kernel.stop]
        out.zero_().index_add_(0, slots, gradients.reshape(-1)[cells])

    def source_gradients(self) -> None:
        """Do nothing, since picks are constants."""

    def _reads(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Find the slot of each edge that is read, and its cell in the sums `(batch, positions, targets)`, flattened.

        Cost: linear in these edges.
        """
        edges, picked = self._edges, rows.reshape(-1)
        counts = edges.counts[picked]
        place = torch.repeat_interleave(counts)
        within = torch.arange(len(place), device=rows.device) - (counts.cumsum(0) - counts)[place]
        edge = edges.first[picked][place] + within
        return edges.slots[edge], place * self._kernel.targets + edges.targets[edge]


def _picked(picks: Picks) -> Tensor:
    assert picks.rows is not None
    return picks.rows
