"""Sparse links between positions that read alike: one product of sparse rows for all samples and positions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from compilers.kernels.base import Gradients, Ports
from compilers.kernels.csr import NativeProduct, SparseRows

if TYPE_CHECKING:
    from compilers.plan import Block


class TokenCsrKernel:
    """Kernel of a CSR matrix, `(targets, sources)`, that every position of a sample is multiplied with.

    Its results lie vertex by vertex in memory, `(vertices, batch, positions)`. Maps that lie so already, such as those
    between two layers with this kernel, are read as the rows of one matrix; others are copied to it.
    """

    def __init__(self, block: Block, input_rows: int, device: torch.device, dtype: torch.dtype) -> None:
        incidence = block.incidence
        self.start, self.stop, self.used = block.start, block.stop, block.channels
        self.rows = SparseRows(incidence.starts, block.channels[incidence.src], int(block.channels[-1]) + 1, device)
        self._incidence, self._device = incidence, device
        self._transposed: tuple[SparseRows, Tensor] | None = None

    def bind(self, ports: Ports) -> BoundTokenCsr:
        """Attach to weights and maps."""
        return BoundTokenCsr(self, ports)

    def transposed(self) -> tuple[SparseRows, Tensor]:
        """Return the transposed matrix, with a row for each source that is read, and the edge of each value."""
        if self._transposed is None:
            incidence = self._incidence
            order = incidence.by_column
            rows = SparseRows(incidence.column_starts, incidence.dst[order], incidence.targets, self._device)
            self._transposed = rows, torch.from_numpy(np.ascontiguousarray(order)).to(self._device)
        return self._transposed


class BoundTokenCsr:
    """A CSR kernel on the maps of one workspace."""

    def __init__(self, kernel: TokenCsrKernel, ports: Ports) -> None:
        assert ports.source is not None
        self._kernel, self._weights = kernel, ports.weights
        self._source, self._target, self._rows = ports.source, ports.target, ports.rows
        self._product = NativeProduct(kernel.rows, ports.weights)
        self._matrix = kernel.rows.matrix(ports.weights)

    def forward(self) -> None:
        """Add the products of all samples and positions to the sums."""
        target, found = self._target, self._product(self._read())
        if target is None:
            assert self._rows is not None
            self._rows.add_(found)
        elif target.started:
            target.sums.add_(_maps(found, target.shape))
        else:
            if target.bias is not None:
                found += target.bias.unsqueeze(1)
            target.start(_maps(found, target.shape))

    def bind_gradients(self, gradients: Gradients, rows: Tensor | None, *, inputs: bool) -> None:
        """Take the gradients, and make the transposed matrix."""
        self._gradients, self._row_gradients = gradients, rows
        transposed, self._order = self._kernel.transposed()
        self._transposed_values = self._weights.new_empty(len(self._order))
        self._transposed = NativeProduct(transposed, self._transposed_values)

    def weight_gradients(self) -> None:
        """Write the gradients of the weights into their slots: products of rows, only where an edge is."""
        kernel = self._kernel
        assert self._gradients.weights is not None
        out = kernel.rows.matrix(self._gradients.weights[kernel.start : kernel.stop])
        read = self._read()[: kernel.rows.shape[1]]
        torch.sparse.sampled_addmm(self._matrix, self._sum_gradients(), read.t(), beta=0.0, out=out)

    def source_gradients(self) -> None:
        """Add `matrix.T @ gradients of the sums` to the gradient of the maps that were read."""
        torch.index_select(self._weights, 0, self._order, out=self._transposed_values)
        assert self._source.values is not None
        shape = self._source.values.shape  # that of the sums is another where the source is pooled
        found, used = self._transposed(self._sum_gradients()), self._kernel.used
        if len(used) < shape[1]:
            rows = torch.from_numpy(used.astype(np.int64)).to(found.device)
            found = found.new_zeros((shape[1], found.shape[1])).index_copy_(0, rows, found)
        self._source.add_gradient(_maps(found, shape), own=True)

    def _read(self) -> Tensor:
        assert self._source.values is not None
        return _by_vertex(self._source.values)

    def _sum_gradients(self) -> Tensor:
        """Return the gradient of the sums, `(targets, batch * positions)`."""
        if self._target is None:
            assert self._row_gradients is not None
            return self._row_gradients
        assert self._target.sum_gradients is not None
        return _by_vertex(self._target.sum_gradients)


def _by_vertex(maps: Tensor) -> Tensor:
    """Return maps of shape `(batch, vertices, height, width)` as a matrix, `(vertices, batch * positions)`.

    It is a view of maps that lie vertex by vertex, else a copy.
    """
    return maps.transpose(0, 1).flatten(1).contiguous()


def _maps(rows: Tensor, shape: Sequence[int]) -> Tensor:
    """View a matrix, `(vertices, batch * positions)`, as maps of this shape."""
    return rows.view(shape[1], shape[0], *shape[2:]).transpose(0, 1)
