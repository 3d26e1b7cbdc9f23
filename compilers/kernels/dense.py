"""Dense and padded-dense kernel: one matrix product, with a slot for every cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from compilers.kernels.base import BoundParents, ParentGradients, ParentRows

if TYPE_CHECKING:
    from compilers.lowering.plan import Block


class DenseKernel:
    """(targets, parents) matrix; cells without an edge are pads, which stay zero since their gradient is."""

    def __init__(self, block: Block, input_rows: int, device: torch.device, dtype: torch.dtype) -> None:
        self.parents = ParentRows(block.parents, input_rows, device)
        self.shape = (block.targets, len(block.parents))
        self.start, self.stop = block.start, block.stop
        self.mask: Tensor | None = None
        if block.pads:
            mask = torch.zeros(block.stop - block.start, dtype=dtype)
            mask[torch.from_numpy(block.slots - block.start)] = 1
            self.mask = mask.view(self.shape).to(device)

    @property
    def scratch_rows(self) -> int:
        """Rows of shared scratch memory that it needs."""
        return self.parents.scratch_rows

    def bind(self, weights: Tensor, values: Tensor, rows: Tensor, scratch: Tensor) -> BoundDense:
        """Attach to weights and buffer."""
        return BoundDense(self, weights, values, rows, scratch)


class BoundDense:
    """A dense kernel on one buffer."""

    def __init__(self, kernel: DenseKernel, weights: Tensor, values: Tensor, rows: Tensor, scratch: Tensor) -> None:
        self._kernel = kernel
        self._matrix = weights[kernel.start : kernel.stop].view(kernel.shape)
        self._rows = rows
        self._scratch = scratch
        self._parents = BoundParents(kernel.parents, values, scratch)

    def forward(self) -> None:
        """Add matrix @ parents to the rows."""
        self._rows.addmm_(self._matrix, self._parents.read())

    def bind_gradients(self, gradients: Tensor, rows: Tensor, *, inputs: bool) -> None:
        """Take the gradient buffer."""
        self._row_gradients = rows
        self._target = ParentGradients(self._kernel.parents, gradients, self._scratch, inputs=inputs)
        self._transposed = self._matrix[:, self._target.skip :].t()

    def backward_weights(self, gradient: Tensor) -> None:
        """Gradient of the matrix, straight into its slots."""
        targets, parents = self._kernel.shape
        out = gradient.as_strided((targets, parents), (parents, 1), self._kernel.start)
        torch.mm(self._row_gradients, self._parents.read().t(), out=out)
        if self._kernel.mask is not None:
            out.mul_(self._kernel.mask)

    def backward_input(self) -> None:
        """Gradient of the parents += matrix.T @ gradient of the rows."""
        target = self._target
        if target.empty:
            return
        if target.rows is not None:
            target.rows.addmm_(self._transposed, self._row_gradients)
        else:
            torch.mm(self._transposed, self._row_gradients, out=target.scratch)
            target.scatter()
