"""Convolution with a slot per edge: unfolded columns times a sparse matrix, some samples at a time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from compilers.kernels.base import Gradients, Ports
from compilers.kernels.csr import NativeProduct, SparseRows

if TYPE_CHECKING:
    from compilers.lowering.plan import Block

_CHUNK_VALUES = 1 << 18
"""Unfolded values at a time: 1 MB in float32, which stays in the cache."""


class SparseConvolutionKernel:
    """(targets, columns) matrix in CSR, whose columns are the pairs of map and tap that have an edge."""

    def __init__(self, block: Block, input_rows: int, device: torch.device, dtype: torch.dtype) -> None:
        assert block.geometry is not None
        incidence = block.incidence
        self.geometry = block.geometry
        self.start, self.stop = block.start, block.stop
        self.columns, self.targets = incidence.columns, incidence.targets
        self.rows = SparseRows(incidence.starts, incidence.src, incidence.columns, device)
        order = incidence.by_column
        self.transposed = SparseRows(incidence.column_starts, incidence.dst[order], incidence.targets, device)
        self.order = torch.from_numpy(np.ascontiguousarray(order)).to(device)
        # Columns come in the order of taps, so that each tap is one gather of maps.
        bounds = np.searchsorted(block.taps, np.arange(self.geometry.taps + 1)).tolist()
        channels = torch.from_numpy(block.channels.astype(np.int64)).to(device)
        self.taps = [
            (*divmod(tap, self.geometry.kernel[1]), a, b, channels[a:b])
            for tap, (a, b) in enumerate(pairwise(bounds))
            if b > a
        ]

    def bind(self, ports: Ports) -> BoundSparseConvolution:
        """Attach to weights and maps."""
        return BoundSparseConvolution(self, ports)


class BoundSparseConvolution:
    """A sparse convolution in one workspace."""

    def __init__(self, kernel: SparseConvolutionKernel, ports: Ports) -> None:
        assert ports.source is not None
        self._kernel = kernel
        self._weights = ports.weights
        self._matrix = kernel.rows.matrix(ports.weights)
        self._product = NativeProduct(kernel.rows, ports.weights)
        self._transposed_values = ports.weights.new_empty(len(kernel.order))
        self._transposed = NativeProduct(kernel.transposed, self._transposed_values)
        self._source, self._target, self._rows = ports.source, ports.target, ports.rows

    def forward(self) -> None:
        """Add the convolution to the maps, or to rows when it has a single position."""
        kernel = self._kernel
        height, width = kernel.geometry.target
        for samples, columns in self._unfolded():
            result = self._product(columns)
            if self._target is None:
                assert self._rows is not None
                self._rows[:, samples].add_(result)
            else:
                maps = result.view(kernel.targets, -1, height, width).transpose(0, 1)
                self._target.sums[samples].add_(maps)

    def bind_gradients(self, gradients: Gradients, rows: Tensor | None, *, inputs: bool) -> None:
        """Take the gradients."""
        self._gradients, self._row_gradients = gradients, rows

    def weight_gradients(self) -> None:
        """Gradient of the values, summed over chunks of samples."""
        kernel = self._kernel
        assert self._gradients.weights is not None
        assert self._source.values is not None
        slots = self._gradients.weights[kernel.start : kernel.stop]
        if not len(self._source.values):  # no chunk would write them
            slots.zero_()
        out = kernel.rows.matrix(slots)
        # Not `out` times 0 at first: it is not initialised, and may hold NaN.
        before, beta = self._matrix, 0.0
        for samples, columns in self._unfolded():
            torch.sparse.sampled_addmm(before, self._sum_gradients(samples), columns.t(), beta=beta, out=out)
            before, beta = out, 1.0

    def source_gradients(self) -> None:
        """Gradient of the maps that were read: transposed products, folded back tap by tap."""
        kernel, geometry = self._kernel, self._kernel.geometry
        torch.index_select(self._weights, 0, kernel.order, out=self._transposed_values)
        values = self._source.values
        assert values is not None
        (ph, pw), (height, width) = geometry.padding, geometry.source
        padded = values.new_zeros((*values.shape[:2], height + 2 * ph, width + 2 * pw))
        for samples in self._chunks():
            columns = self._transposed(self._sum_gradients(samples))
            part = padded[samples].transpose(0, 1)
            for y, x, a, b, channels in kernel.taps:
                window = self._window(part, y, x)
                window.index_add_(0, channels, columns[a:b].view(b - a, *window.shape[1:]))
        self._source.add_gradient(padded[:, :, ph : ph + height, pw : pw + width].contiguous(), own=True)

    def _unfolded(self) -> Iterator[tuple[slice, Tensor]]:
        """Chunks of samples with their (columns, samples * positions) values."""
        kernel, geometry = self._kernel, self._kernel.geometry
        assert self._source.values is not None
        (ph, pw) = geometry.padding
        for samples in self._chunks():
            padded = functional.pad(self._source.values[samples], (pw, pw, ph, ph)).transpose(0, 1)
            count = padded.shape[1] * geometry.positions
            columns = padded.new_empty((kernel.columns, count))
            for y, x, a, b, channels in kernel.taps:
                window = self._window(padded, y, x)
                columns[a:b] = window.index_select(0, channels).reshape(b - a, count)
            yield samples, columns

    def _window(self, maps: Tensor, y: int, x: int) -> Tensor:
        """What one tap reads of (maps, samples, height, width)."""
        geometry = self._kernel.geometry
        (sh, sw), (height, width) = geometry.stride, geometry.target
        return maps[:, :, y : y + sh * (height - 1) + 1 : sh, x : x + sw * (width - 1) + 1 : sw]

    def _chunks(self) -> Iterator[slice]:
        assert self._source.values is not None
        batch = len(self._source.values)
        size = max(1, _CHUNK_VALUES // max(1, self._kernel.columns * self._kernel.geometry.positions))
        for first in range(0, batch, size):
            yield slice(first, min(first + size, batch))

    def _sum_gradients(self, samples: slice) -> Tensor:
        """(targets, samples * positions) gradient of the sums."""
        if self._target is None:
            assert self._row_gradients is not None
            return self._row_gradients[:, samples].contiguous()
        assert self._target.sum_gradients is not None
        return self._target.sum_gradients[samples].transpose(0, 1).reshape(self._kernel.targets, -1)
