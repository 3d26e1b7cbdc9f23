"""Convolution with a slot for every kernel entry; missing entries are pads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from compilers.kernels.base import Gradients, Ports
from compilers.kernels.dense import pad_mask
from compilers.kernels.maps import token_major

if TYPE_CHECKING:
    from compilers.plan import Block, Geometry


class ConvolutionKernel:
    """Kernel of a convolution by torch, with weights `(targets, sources, height, width)`."""

    def __init__(self, block: Block, input_rows: int, device: torch.device, dtype: torch.dtype) -> None:
        assert block.geometry is not None
        self.geometry = block.geometry
        self.shape = (block.incidence.targets, block.incidence.columns // self.geometry.taps, *self.geometry.kernel)
        self.start, self.stop = block.start, block.stop
        self.mask = pad_mask(block, device, dtype)

    def bind(self, ports: Ports) -> BoundConvolution | BoundWhole:
        """Attach to weights and maps."""
        return BoundWhole(self, ports) if self.geometry.whole else BoundConvolution(self, ports)


class BoundConvolution:
    """A convolution kernel bound to one workspace."""

    def __init__(self, kernel: ConvolutionKernel, ports: Ports) -> None:
        assert ports.source is not None
        self._kernel = kernel
        self._weight = ports.weights.view(kernel.shape)
        self._source, self._target, self._rows = ports.source, ports.target, ports.rows
        self._samples = _samples(kernel.geometry, ports.source.shape, ports.target is not None)

    def forward(self) -> None:
        """Add the convolution to the maps, or to rows when it has a single position."""
        geometry, target = self._kernel.geometry, self._target
        first = target is not None and not target.started
        bias = target.bias if first and target is not None else None
        result = functional.conv2d(self._values(), self._weight, bias, geometry.stride, geometry.padding)
        if target is None:
            assert self._rows is not None
            self._rows.add_(result.flatten(1).t())
        elif first:
            target.start(dealt(result, target.shape[0]))
        else:
            target.sums.add_(dealt(result, target.shape[0]))

    def bind_gradients(self, gradients: Gradients, rows: Tensor | None, *, inputs: bool) -> None:
        """Keep the tensors that the backward reads and adds to."""
        self._gradients, self._row_gradients = gradients, rows

    def weight_gradients(self) -> None:
        """Copy the gradient of the kernel into its slots; 0 in pads."""
        kernel = self._kernel
        assert self._gradients.weights is not None
        found = self._backward((False, True, False))[1]
        out = self._gradients.weights[kernel.start : kernel.stop]
        if kernel.mask is None:
            out.copy_(found.reshape(-1))
        else:
            torch.mul(found.reshape(-1), kernel.mask.view(-1), out=out)

    def source_gradients(self) -> None:
        """Add to the gradient of the maps that were read."""
        found = self._backward((True, False, False))[0]
        self._source.add_gradient(dealt(found, self._source.shape[0]), own=True)

    def _backward(self, wanted: tuple[bool, bool, bool]) -> tuple[Tensor, Tensor, Tensor]:
        geometry = self._kernel.geometry
        found: tuple[Tensor, Tensor, Tensor] = torch.ops.aten.convolution_backward(
            self._sum_gradients(), self._values(), self._weight, None,
            geometry.stride, geometry.padding, (1, 1), False, (0, 0), 1, wanted,
        )  # fmt: skip
        return found

    def _values(self) -> Tensor:
        assert self._source.values is not None
        return dealt(token_major(self._source.values), self._samples)

    def _sum_gradients(self) -> Tensor:
        if self._target is not None:
            assert self._target.sum_gradients is not None
            return dealt(self._target.sum_gradients, self._samples)
        assert self._row_gradients is not None
        return self._row_gradients.t().contiguous()[:, :, None, None]


_LEAST_SAMPLES = 16
"""With fewer, torch runs a kernel of one position on one thread without oneDNN, which takes half the time."""


def _samples(geometry: Geometry, shape: tuple[int, ...], to_maps: bool) -> int:
    """Find the number of samples to which tokens of `shape`, `(batch, vertices, 1, tokens)`, are best dealt."""
    batch, _, height, tokens = shape
    if geometry.pointwise and to_maps and height == 1 and batch < _LEAST_SAMPLES:
        every = batch * tokens
        return next((n for n in range(_LEAST_SAMPLES, every // 4 + 1) if every % n == 0), batch)
    return batch


def dealt(maps: Tensor, samples: int) -> Tensor:
    """View `token_major` maps as another number of samples with as many tokens in all."""
    if len(maps) == samples:
        return maps
    _, vertices, _, _ = maps.shape
    return maps.movedim(1, 3).reshape(samples, 1, -1, vertices).movedim(3, 1)


class BoundWhole:
    """A convolution kernel as large as the maps, bound to one workspace: a dense layer on all of their values."""

    def __init__(self, kernel: ConvolutionKernel, ports: Ports) -> None:
        assert ports.source is not None
        self._kernel = kernel
        self._matrix = ports.weights.view(kernel.shape[0], -1)
        self._source, self._target, self._rows = ports.source, ports.target, ports.rows

    def forward(self) -> None:
        """Add `matrix @ flattened maps` to the sums."""
        if self._rows is not None:
            self._rows.addmm_(self._matrix, self._flat().t())
            return
        assert self._target is not None
        self._target.sums.add_((self._flat() @ self._matrix.t())[:, :, None, None])

    def bind_gradients(self, gradients: Gradients, rows: Tensor | None, *, inputs: bool) -> None:
        """Keep the tensors that the backward reads and adds to."""
        self._gradients, self._row_gradients = gradients, rows

    def weight_gradients(self) -> None:
        """Write the gradient of the matrix into its slots."""
        kernel = self._kernel
        assert self._gradients.weights is not None
        out = self._gradients.weights[kernel.start : kernel.stop].view(self._matrix.shape)
        torch.mm(self._sum_gradients(), self._flat(), out=out)
        if kernel.mask is not None:
            out.mul_(kernel.mask)

    def source_gradients(self) -> None:
        """Add to the gradient of the maps that were read."""
        flat = self._sum_gradients().t() @ self._matrix
        assert self._source.values is not None
        self._source.add_gradient(flat.view(self._source.values.shape), own=True)

    def _flat(self) -> Tensor:
        assert self._source.values is not None
        return self._source.values.flatten(1)

    def _sum_gradients(self) -> Tensor:
        """Return the gradient of the sums, `(targets, batch)`."""
        if self._row_gradients is not None:
            return self._row_gradients
        assert self._target is not None
        assert self._target.sum_gradients is not None
        return self._target.sum_gradients.flatten(1).t()
