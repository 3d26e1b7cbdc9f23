"""The CSR kernel with products by torch-sparse, an optional package."""

from __future__ import annotations

from functools import cache
from importlib.machinery import PathFinder
from importlib.util import find_spec

import torch
from torch import Tensor

from compilers.kernels.csr import SparseRows
from netgraph.errors import CompileError


class TorchSparseProduct:
    """`matrix @ x` by `torch_sparse.spmm_sum`, added to rows, or by itself.

    Raises:
        CompileError: when the package is not installed.
    """

    def __init__(self, rows: SparseRows, values: Tensor) -> None:
        if not available():
            raise CompileError(
                "The kernel 'torch-sparse' needs the packages torch-scatter and torch-sparse, built for this torch: "
                "pip install --no-build-isolation torch-scatter torch-sparse (make torch-sparse in a clone)."
            )
        # The op reads int64 indices, and does not check them.
        self._starts, self._columns = rows.starts.long().contiguous(), rows.columns.long().contiguous()
        self._values = values

    def __call__(self, x: Tensor) -> Tensor:
        """(rows, batch) product with (columns or more, batch) values."""
        result: Tensor = torch.ops.torch_sparse.spmm_sum(
            None, self._starts, self._columns, self._values, None, None, x.contiguous()
        )
        return result

    def add_to(self, out: Tensor, x: Tensor) -> None:
        """`out += matrix @ x`."""
        out.add_(self(x))


@cache
def available() -> bool:
    """Load the library of the package that holds the product; False when the package is not installed.

    Importing the package would compile a dozen TorchScript functions that are not needed.
    """
    package = find_spec("torch_sparse")
    if package is None or package.submodule_search_locations is None:
        return False
    places = list(package.submodule_search_locations)
    found = [PathFinder().find_spec(f"_spmm_{device}", places) for device in ("cuda", "cpu")]
    origins = [spec.origin for spec in found if spec is not None and spec.origin is not None]
    for origin in origins[:1]:
        torch.ops.load_library(origin)  # type: ignore[no-untyped-call]
    return bool(origins)
