"""Identity links: rows are added to rows, without weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from compilers.lowering.plan import Array, Block


class WireKernel:
    """Adds parent rows to target rows: by slices where both are contiguous, else by index."""

    scratch_rows = 0

    def __init__(self, block: Block, input_rows: int, device: torch.device, dtype: torch.dtype) -> None:
        self.sources, self.targets = block.parents[block.src], block.dst.astype(np.int64)
        self.trained = self.sources >= input_rows
        self.device = device

    def bind(self, weights: Tensor, values: Tensor, rows: Tensor, scratch: Tensor) -> BoundWires:
        """Attach to the buffer."""
        return BoundWires(self, values, rows)


class BoundWires:
    """Wires on one buffer."""

    def __init__(self, kernel: WireKernel, values: Tensor, rows: Tensor) -> None:
        self._kernel = kernel
        self._forward = _RowSum(values, kernel.sources, rows, kernel.targets, kernel.device)

    def forward(self) -> None:
        """Target rows += parent rows."""
        self._forward.run()

    def bind_gradients(self, gradients: Tensor, rows: Tensor, *, inputs: bool) -> None:
        """Take the gradient buffer."""
        kernel = self._kernel
        chosen = np.ones_like(kernel.trained) if inputs else kernel.trained
        self._backward = _RowSum(rows, kernel.targets[chosen], gradients, kernel.sources[chosen], kernel.device)

    def backward_weights(self, gradient: Tensor) -> None:
        """Wires have no weights."""

    def backward_input(self) -> None:
        """Gradient of the parents += gradient of the target rows."""
        self._backward.run()


class _RowSum:
    """`target[target_rows] += source[source_rows]`, both (rows, batch)."""

    def __init__(
        self, source: Tensor, source_rows: Array, target: Tensor, target_rows: Array, device: torch.device
    ) -> None:
        self._index: tuple[Tensor, Tensor] | None = None
        self._source, self._target = source, target
        if _is_range(source_rows) and _is_range(target_rows):
            self._source = source[source_rows[0] : source_rows[-1] + 1] if len(source_rows) else source[:0]
            self._target = target[target_rows[0] : target_rows[-1] + 1] if len(target_rows) else target[:0]
        else:
            self._index = torch.from_numpy(source_rows).to(device), torch.from_numpy(target_rows).to(device)

    def run(self) -> None:
        if self._index is None:
            self._target.add_(self._source)
        else:
            self._target.index_add_(0, self._index[1], self._source.index_select(0, self._index[0]))


def _is_range(rows: Array) -> bool:
    return bool((np.diff(rows) == 1).all())
