"""Dense and padded-dense kernel: one matrix product, with a slot for every cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from compilers.kernels.base import Gradients, ParentGradients, ParentRows, Ports

if TYPE_CHECKING:
    from compilers.plan import Block


class DenseKernel:
    """Kernel of a dense matrix, `(targets, parents)`. Cells without an edge are pads; their gradient is masked to 0."""

    def __init__(self, block: Block, input_rows: int, device: torch.device, dtype: torch.dtype) -> None:
        self.parents = ParentRows(block.parents, input_rows, device)
        self.shape = (block.incidence.targets, block.incidence.columns)
        self.start = block.start
        self.mask = pad_mask(block, device, dtype)

    def bind(self, ports: Ports) -> BoundDense:
        """Attach to weights and buffer."""
        return BoundDense(self, ports)


class BoundDense:
    """A dense kernel on one buffer."""

    def __init__(self, kernel: DenseKernel, ports: Ports) -> None:
        assert ports.rows is not None
        parents = kernel.parents
        self._kernel = kernel
        self._matrix = ports.weights.view(kernel.shape)
        self._rows = ports.rows
        self._values = ports.values
        self._index, self._given = parents.index, ports.given
        # Gathered parents are kept for the backward.
        self._parents = (
            ports.values[parents.low : parents.high]
            if parents.index is None
            else ports.values.new_zeros((parents.count, ports.values.shape[1]))
        )
        self._parents_t = self._parents.t()

    def forward(self) -> None:
        """Add matrix @ parents to the rows."""
        parents = self._parents
        if self._given is not None:  # not kept here: it is the caller's
            parents = self._given.rows(self._kernel.parents.low, self._kernel.parents.high)
        elif self._index is not None:
            torch.index_select(self._values, 0, self._index, out=parents)
        self._rows.addmm_(self._matrix, parents)

    def bind_gradients(self, gradients: Gradients, rows: Tensor | None, *, inputs: bool) -> None:
        """Take the gradient buffer."""
        assert rows is not None
        self._gradients, self._row_gradients = gradients, rows
        self._target = target = ParentGradients(self._kernel.parents, gradients.values, inputs=inputs)
        self._transposed = self._matrix[:, target.skip :].t()
        count = 0 if target.rows is not None else self._kernel.parents.count - target.skip
        self._scratch = rows.new_empty((count, rows.shape[1]))

    def weight_gradients(self) -> None:
        """Write the gradient of the matrix into its slots."""
        assert self._gradients.weights is not None
        kernel = self._kernel
        out = self._gradients.weights.as_strided(kernel.shape, (kernel.shape[1], 1), kernel.start)
        parents_t = self._parents_t
        if self._given is not None:
            parents_t = self._given.rows(kernel.parents.low, kernel.parents.high).t()
        torch.mm(self._row_gradients, parents_t, out=out)
        if kernel.mask is not None:
            out.mul_(kernel.mask)

    def source_gradients(self) -> None:
        """Add `matrix.T @ gradients of the target rows` to the gradients of the parents."""
        target = self._target
        if target.empty:
            return
        if target.rows is not None:
            target.rows.addmm_(self._transposed, self._row_gradients)
        else:
            target.add(torch.mm(self._transposed, self._row_gradients, out=self._scratch))


def pad_mask(block: Block, device: torch.device, dtype: torch.dtype) -> Tensor | None:
    """Make a mask, 1 where an edge is and else 0, `(targets, columns)`; None when every cell has an edge."""
    if not block.pads:
        return None
    mask = torch.zeros(block.incidence.cells, dtype=dtype)
    mask[torch.from_numpy(block.slots - block.start).long()] = 1
    return mask.view(block.incidence.targets, block.incidence.columns).to(device)
