"""CSR kernel: one slot per edge, products by the sparse library of the device."""

from __future__ import annotations

import warnings
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from compilers.kernels.base import BoundParents, ParentGradients, ParentRows

if TYPE_CHECKING:
    from compilers.lowering.plan import Block

Indices = tuple[Tensor, Tensor]


class CsrKernel:
    """(targets, parents) matrix in CSR; the transpose has its own indices and a permutation of the values."""

    def __init__(self, block: Block, input_rows: int, device: torch.device, dtype: torch.dtype) -> None:
        _warn_once()
        self.parents = ParentRows(block.parents, input_rows, device)
        self.shape = (block.targets, len(block.parents))
        self.start, self.stop = block.start, block.stop
        self._src, self._dst = block.src, block.dst
        self._device = device
        self.indices = _indices(block.dst, block.src, block.targets, device)
        self._transposed: dict[int, tuple[Indices, Tensor]] = {}

    @property
    def scratch_rows(self) -> int:
        """Rows of shared scratch memory that it needs."""
        return self.parents.scratch_rows

    def bind(self, weights: Tensor, values: Tensor, rows: Tensor, scratch: Tensor) -> BoundCsr:
        """Attach to weights and buffer."""
        return BoundCsr(self, weights, values, rows, scratch)

    def transposed(self, skip: int) -> tuple[Indices, Tensor]:
        """Indices of the transpose without its first `skip` rows, and the edge of each of its values."""
        if skip not in self._transposed:
            kept = np.flatnonzero(self._src >= skip)
            order = kept[np.lexsort((self._dst[kept], self._src[kept]))]
            indices = _indices(self._src[order] - skip, self._dst[order], self.shape[1] - skip, self._device)
            self._transposed[skip] = indices, torch.from_numpy(order).to(self._device)
        return self._transposed[skip]


class BoundCsr:
    """A CSR kernel on one buffer."""

    def __init__(self, kernel: CsrKernel, weights: Tensor, values: Tensor, rows: Tensor, scratch: Tensor) -> None:
        self._kernel = kernel
        self._weights = weights[kernel.start : kernel.stop]
        # A sparse tensor keeps a view of the values it is made of, so that it always shows the present weights.
        self._matrix = _csr(kernel.indices, self._weights, kernel.shape)
        self._rows = rows
        self._scratch = scratch
        self._parents = BoundParents(kernel.parents, values, scratch)

    def forward(self) -> None:
        """Add matrix @ parents to the rows."""
        torch.addmm(self._rows, self._matrix, self._parents.read(), out=self._rows)

    def bind_gradients(self, gradients: Tensor, rows: Tensor, *, inputs: bool) -> None:
        """Take the gradient buffer, and make the transpose of the parents that need gradients."""
        self._row_gradients = rows
        self._target = ParentGradients(self._kernel.parents, gradients, self._scratch, inputs=inputs)
        if not self._target.empty:
            targets, parents = self._kernel.shape
            indices, self._order = self._kernel.transposed(self._target.skip)
            self._transposed_values = self._weights.new_empty(len(self._order))
            self._transposed = _csr(indices, self._transposed_values, (parents - self._target.skip, targets))

    def backward_weights(self, gradient: Tensor) -> None:
        """Gradient of the values, straight into their slots: products of the rows only where an edge is."""
        kernel = self._kernel
        out = _csr(kernel.indices, gradient[kernel.start : kernel.stop], kernel.shape)
        torch.sparse.sampled_addmm(self._matrix, self._row_gradients, self._parents.read().t(), beta=0.0, out=out)

    def backward_input(self) -> None:
        """Gradient of the parents += matrix.T @ gradient of the rows."""
        target = self._target
        if target.empty:
            return
        torch.index_select(self._weights, 0, self._order, out=self._transposed_values)
        if target.rows is not None:
            torch.addmm(target.rows, self._transposed, self._row_gradients, out=target.rows)
        else:
            torch.addmm(target.scratch, self._transposed, self._row_gradients, beta=0.0, out=target.scratch)
            target.scatter()


def _indices(rows: Any, columns: Any, count: int, device: torch.device) -> Indices:
    """Row pointers and columns; int32, which MKL and cuSPARSE take without a conversion."""
    crow = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=count))]).astype(np.int32)
    return torch.from_numpy(crow).to(device), torch.from_numpy(columns.astype(np.int32)).to(device)


def _csr(indices: Indices, values: Tensor, shape: tuple[int, int]) -> Tensor:
    return torch.sparse_csr_tensor(*indices, values, shape, check_invariants=False)


@cache
def _warn_once() -> None:
    """Use up PyTorch's one-time remark that CSR tensors are in beta, in silence."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta", category=UserWarning)
        _csr((torch.tensor([0, 0]), torch.empty(0, dtype=torch.int64)), torch.empty(0), (1, 1))
