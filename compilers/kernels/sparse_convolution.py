"""Convolution with a slot per edge: sums of the rows that its taps read, tile by tile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from compilers.kernels.base import Gradients, Ports
from compilers.kernels.tiles import (
    Reads,
    TiledGradient,
    TiledProduct,
    Tiling,
    by_position,
    chunks,
    from_positions,
)
from compilers.plan import reach

if TYPE_CHECKING:
    from compilers.plan import Block


class SparseConvolutionKernel:
    """The edges of a link between maps, as reads of the source, and as reads of the gradients of the target."""

    def __init__(self, block: Block, input_rows: int, device: torch.device, dtype: torch.dtype) -> None:
        assert block.geometry is not None
        self.geometry, self.columns, self.targets = block.geometry, block.incidence.columns, block.incidence.targets
        self.start, self.stop = block.start, block.stop
        self._block, self._device = block, device
        self._forward: Tiling | None = None
        self._backward: Tiling | None = None

    def bind(self, ports: Ports) -> BoundSparseConvolution:
        """Attach to weights and maps."""
        return BoundSparseConvolution(self, ports)

    def forward_tiling(self, sources: int) -> Tiling:
        """Return the tiled reads of the target from `sources` maps."""
        if self._forward is None:
            self._forward = Tiling(self._reads(sources), self._device)
        return self._forward

    def backward_tiling(self, sources: int) -> Tiling:
        """Return the tiled reads of the gradients of `sources` maps from those of the target."""
        if self._backward is None:
            self._backward = Tiling(self._reads(sources).reversed(), self._device)
        return self._backward

    def _reads(self, sources: int) -> Reads:
        block, geometry = self._block, self.geometry
        source = block.incidence.src
        height, width = (
            reach(*sizes)
            for sizes in zip(
                geometry.target, geometry.source, geometry.kernel, geometry.stride, geometry.padding, strict=True
            )
        )
        return Reads(
            order=np.arange(len(source)),
            rows=block.incidence.dst,
            columns=block.channels[source],
            taps=np.divmod(block.taps[source], geometry.kernel[1]),
            sizes=(self.targets, sources),
            reach=(height, width),
            source=geometry.source,
        )


class BoundSparseConvolution:
    """A sparse convolution in one workspace."""

    def __init__(self, kernel: SparseConvolutionKernel, ports: Ports) -> None:
        assert ports.source is not None
        self._kernel = kernel
        self._weights = ports.weights
        self._source, self._target, self._rows = ports.source, ports.target, ports.rows
        self._tiling = kernel.forward_tiling(self._source.shape[1])
        self._product = TiledProduct(self._tiling, ports.weights)
        self._transposed: TiledProduct | None = None

    def forward(self) -> None:
        """Add the convolution to the maps, or to rows when it has a single position."""
        self._product.refresh()
        values, target = self._source.values, self._target
        assert values is not None
        sums = None if target is None else values.new_empty(target.shape)
        for samples in self._chunks():
            found = self._product(by_position(values[samples], "source"))
            if sums is not None:
                from_positions(found, sums[samples])
            else:
                assert self._rows is not None
                self._rows[:, samples].add_(found[:, 0])
        if target is None or sums is None:
            return
        if target.started:
            target.sums.add_(sums)
            return
        if target.bias is not None:
            sums += target.bias.view(1, -1, 1, 1)
        target.start(sums)

    def bind_gradients(self, gradients: Gradients, rows: Tensor | None, *, inputs: bool) -> None:
        """Take the gradients."""
        self._gradients, self._row_gradients = gradients, rows

    def weight_gradients(self) -> None:
        """Write the gradients of the weights, summed over tiles and chunks of samples."""
        kernel, values = self._kernel, self._source.values
        assert self._gradients.weights is not None
        assert values is not None
        found = TiledGradient(self._tiling, self._weights)
        for samples in self._chunks():
            found.add(by_position(values[samples], "source"), self._sum_gradients(samples))
        found.write(self._gradients.weights[kernel.start : kernel.stop])

    def source_gradients(self) -> None:
        """Add to the gradient of the maps that were read: weight times gradient, over all sums that read a value."""
        values = self._source.values
        assert values is not None
        if self._transposed is None:
            self._transposed = TiledProduct(self._kernel.backward_tiling(self._source.shape[1]), self._weights)
        self._transposed.refresh()
        result = torch.empty_like(values, memory_format=torch.contiguous_format)
        for samples in self._chunks():
            from_positions(self._transposed(self._sum_gradients(samples)), result[samples])
        self._source.add_gradient(result, own=True)

    def _chunks(self) -> list[slice]:
        assert self._source.values is not None
        return chunks(len(self._source.values), max(self._kernel.columns, self._kernel.targets))

    def _sum_gradients(self, samples: slice) -> Tensor:
        """Return the gradient of the sums, `(positions * targets, samples)`."""
        if self._target is None:
            assert self._row_gradients is not None
            return self._row_gradients[:, samples].contiguous()
        assert self._target.sum_gradients is not None
        return by_position(self._target.sum_gradients[samples], "gradients")
