"""The CSR kernel with products by torch-sparse, an optional package."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from compilers.kernels.csr import SparseRows
from compilers.plan import torch_sparse_library
from netgraph.errors import CompileError


class TorchSparseProduct:
    """Product `matrix @ x` by `torch_sparse.spmm_sum`, as a new tensor or added to rows.

    Raises:
        CompileError: when the package is not installed.
    """

    def __init__(self, rows: SparseRows, values: Tensor) -> None:
        if not load():
            raise CompileError(
                "The kernel 'torch-sparse' needs the packages torch-scatter and torch-sparse, built for this torch: "
                "pip install --no-build-isolation torch-scatter torch-sparse (make torch-sparse in a clone)."
            )
        # The op reads int64 indices, and does not check them.
        self._starts, self._columns = rows.starts.long().contiguous(), rows.columns.long().contiguous()
        self._values = values

    def __call__(self, x: Tensor) -> Tensor:
        """Multiply with values, `(columns or more, batch)`; return the product, `(rows, batch)`."""
        result: Tensor = torch.ops.torch_sparse.spmm_sum(
            None, self._starts, self._columns, self._values, None, None, x.contiguous()
        )
        return result

    def add_to(self, out: Tensor, x: Tensor) -> None:
        """Compute `out += matrix @ x`."""
        out.add_(self(x))


@cache
def load() -> bool:
    """Load the library of the package that has the product; False when the package is not installed.

    Importing the package would compile a dozen TorchScript functions that are not needed.
    """
    library = torch_sparse_library()
    if library:
        torch.ops.load_library(library)  # type: ignore[no-untyped-call]
    return bool(library)
