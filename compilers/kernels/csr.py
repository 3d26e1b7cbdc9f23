"""CSR kernel: one slot per edge, and the products of sparse rows that the device has."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor

from compilers.kernels.base import Gradients, ParentGradients, ParentRows, Ports

if TYPE_CHECKING:
    from compilers.plan import Block
    from netgraph.columns import Array


class SparseRows:
    """Row pointers and columns of a matrix in CSR, without values, on one device.

    Args:
        starts: first entry of each row, `(rows + 1,)`.
        columns: column of each entry, `(entries,)`.
        width: number of columns.
        device: where to keep them.
    """

    def __init__(self, starts: Array, columns: Array, width: int, device: torch.device) -> None:
        _warn_once()
        # int32 is what MKL and cuSPARSE take without a conversion.
        kind = np.int32 if max(len(columns), width) < 2**31 else np.int64
        self.starts = torch.from_numpy(np.ascontiguousarray(starts, dtype=kind)).to(device)
        self.columns = torch.from_numpy(np.array(columns, dtype=kind)).to(device)
        self.shape = (len(starts) - 1, width)

    def matrix(self, values: Tensor) -> Tensor:
        """Make the sparse tensor with these values, of which it keeps a view."""
        return torch.sparse_csr_tensor(self.starts, self.columns, values, self.shape, check_invariants=False)


class SparseProduct(Protocol):
    """A sparse matrix whose values may change."""

    def __call__(self, x: Tensor) -> Tensor:
        """Multiply with values, `(columns or more, batch)`; return the product, `(rows, batch)`."""

    def add_to(self, out: Tensor, x: Tensor) -> None:
        """Compute `out += matrix @ x`."""


class NativeProduct:
    """Product `matrix @ x` by torch, as a new tensor or added to rows.

    A weighted sum of rows per target is what embedding bags compute; on a CPU and in float32 that is two to three
    times as fast as the product of PyTorch's CSR tensors (MKL), from which it differs by rounding alone.
    """

    def __init__(self, rows: SparseRows, values: Tensor) -> None:
        self._rows, self._values = rows, values
        self._bags = values.device.type == "cpu" and values.dtype == torch.float32
        self._matrix = None if self._bags else rows.matrix(values)

    def __call__(self, x: Tensor) -> Tensor:
        """Multiply with values, `(columns or more, batch)`; return the product, `(rows, batch)`."""
        if self._matrix is not None:
            return torch.mm(self._matrix, x[: self._rows.shape[1]])
        rows = self._rows
        if not x.shape[1]:  # embedding bags refuse rows of no samples
            return x.new_empty((rows.shape[0], 0))
        return torch.embedding_bag(x, rows.columns, rows.starts, False, 0, False, self._values, True)[0]

    def add_to(self, out: Tensor, x: Tensor) -> None:
        """Compute `out += matrix @ x`."""
        if self._matrix is not None:
            torch.addmm(out, self._matrix, x[: self._rows.shape[1]], out=out)
        else:
            out.add_(self(x))


class CsrKernel:
    """Kernel of a CSR matrix, `(targets, buffer rows)`. It reads the buffer in place, without copying parents together.

    Args:
        block: the edges.
        input_rows: number of buffer rows that are inputs.
        device: of its indices.
        dtype: of the weights.
        product: class of the products of the matrix with values.
    """

    def __init__(
        self,
        block: Block,
        input_rows: int,
        device: torch.device,
        dtype: torch.dtype,
        *,
        product: Callable[[SparseRows, Tensor], SparseProduct] = NativeProduct,
    ) -> None:
        self.product = product
        self.parents = ParentRows(block.parents, input_rows, device)
        self.start, self.stop = block.start, block.stop
        self._incidence, self._device = block.incidence, device
        columns = block.parents.astype(np.int32 if self.parents.high < 2**31 else np.int64)[block.incidence.src]
        self.rows = SparseRows(block.incidence.starts, columns, self.parents.high, device)
        self._transposed: dict[int, tuple[SparseRows, Tensor]] = {}

    def bind(self, ports: Ports) -> BoundCsr:
        """Attach to weights and buffer."""
        return BoundCsr(self, ports)

    def transposed(self, skip: int) -> tuple[SparseRows, Tensor]:
        """Return the transposed matrix without its first `skip` rows, and the edge of each of its values."""
        if skip not in self._transposed:
            incidence = self._incidence
            starts = incidence.column_starts[skip:]
            order = incidence.by_column[starts[0] :]
            rows = SparseRows(starts - starts[0], incidence.dst[order], incidence.targets, self._device)
            self._transposed[skip] = rows, torch.from_numpy(np.ascontiguousarray(order)).to(self._device)
        return self._transposed[skip]


class BoundCsr:
    """A CSR kernel on one buffer."""

    def __init__(self, kernel: CsrKernel, ports: Ports) -> None:
        assert ports.rows is not None
        self._kernel = kernel
        self._weights = ports.weights
        self._product = kernel.product(kernel.rows, ports.weights)
        self._rows, self._values = ports.rows, ports.values
        self._matrix = kernel.rows.matrix(ports.weights)
        self._parents_t = ports.values[: kernel.parents.high].t()

    def forward(self) -> None:
        """Add matrix @ buffer to the rows."""
        self._product.add_to(self._rows, self._values)

    def bind_gradients(self, gradients: Gradients, rows: Tensor | None, *, inputs: bool) -> None:
        """Keep the gradient buffer, and make the transposed matrix of the parents that need gradients."""
        assert rows is not None
        self._gradients, self._row_gradients = gradients, rows
        self._target = ParentGradients(self._kernel.parents, gradients.values, inputs=inputs)
        if not self._target.empty:
            transposed, self._order = self._kernel.transposed(self._target.skip)
            self._transposed_values = self._weights.new_empty(len(self._order))
            self._transposed = self._kernel.product(transposed, self._transposed_values)

    def weight_gradients(self) -> None:
        """Write the gradients of the weights into their slots: products of rows, only where an edge is."""
        kernel = self._kernel
        assert self._gradients.weights is not None
        out = kernel.rows.matrix(self._gradients.weights[kernel.start : kernel.stop])
        torch.sparse.sampled_addmm(self._matrix, self._row_gradients, self._parents_t, beta=0.0, out=out)

    def source_gradients(self) -> None:
        """Add `matrix.T @ gradients of the target rows` to the gradients of the parents."""
        target = self._target
        if target.empty:
            return
        torch.index_select(self._weights, 0, self._order, out=self._transposed_values)
        if target.rows is not None:
            self._transposed.add_to(target.rows, self._row_gradients)
        else:
            target.add(self._transposed(self._row_gradients))


@cache
def _warn_once() -> None:
    """Use up PyTorch's one-time remark that CSR tensors are in beta, in silence."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta", category=UserWarning)
        empty = torch.empty(0, dtype=torch.int64)
        torch.sparse_csr_tensor(torch.tensor([0, 0]), empty, torch.empty(0), (1, 1), check_invariants=False)
