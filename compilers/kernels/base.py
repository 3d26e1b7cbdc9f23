"""The interface of kernels, and the rows that a block reads from the buffer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from compilers.kernels.maps import Maps
    from compilers.plan import Block
    from netgraph.columns import Array


@dataclass(eq=False)
class Gradients:
    """Gradients of one workspace, and of the flat vectors in the backward that is running.

    Attributes:
        values: gradients of the buffer, `(rows, batch)`.
        weights: gradients of the weights, `(slots,)`; another tensor in every backward, since the caller keeps it.
        vertices: gradients of the vertex parameters, `(vertex slots,)`; also another tensor in every backward.
    """

    values: Tensor
    weights: Tensor | None = None
    vertices: Tensor | None = None


@dataclass(eq=False)
class Given:
    """An input layer that is not copied into the buffer: all kernels on it can read the tensor of the caller.

    Attributes:
        start: its first row of the buffer.
        stop: one past its last row.
        values: view of the present input, `(rows, batch)`; None between two forwards.
        written: whether the buffer has them as well.
    """

    start: int
    stop: int
    values: Tensor | None = None
    written: bool = False

    def rows(self, low: int, high: int) -> Tensor:
        """Return the rows of the buffer from `low` to `high`, which lie in this layer."""
        assert self.values is not None
        if low == self.start and high == self.stop:
            return self.values
        return self.values[low - self.start : high - self.start]


@dataclass(frozen=True, eq=False)
class Ports:
    """Where one block reads and writes in one workspace.

    Attributes:
        weights: its part of the flat vector, `(slots of the block,)`.
        values: buffer, `(rows, batch)`.
        rows: rows of the buffer that the block adds to, `(targets, batch)`; None when it adds to maps.
        source: maps that the block reads; None when it reads rows.
        target: maps that the block adds to; None when it adds to rows.
        given: the input layer that all its parents are in, when that is not in the buffer.
    """

    weights: Tensor
    values: Tensor
    rows: Tensor | None = None
    source: Maps | None = None
    target: Maps | None = None
    given: Given | None = None


class BoundKernel(Protocol):
    """A kernel in one workspace: every view it needs is made once, so that a step makes as few as it can."""

    def forward(self) -> None:
        """Add the block's sums to its layer."""

    def bind_gradients(self, gradients: Gradients, rows: Tensor | None, *, inputs: bool) -> None:
        """Take the gradients, their rows of this layer, and whether input rows need gradients.

        Comes before any backward call.
        """

    def weight_gradients(self) -> None:
        """Write the gradient of the block's slots into `gradients.weights`, 0 into pads."""

    def source_gradients(self) -> None:
        """Add to the gradients of the values that the block reads. Comes after `weight_gradients`."""


class Kernel(Protocol):
    """A block on one device: its index arrays."""

    def bind(self, ports: Ports) -> BoundKernel:
        """Attach to weights and values."""


Build = Callable[["Block", int, torch.device, torch.dtype], Kernel]
"""Makes a kernel of a block, the number of input rows of the buffer, device and dtype."""


class ParentRows:
    """The parents of a block: a view of the buffer where they are contiguous, else rows to gather.

    Inputs are the first rows of the buffer. So the parents that need gradients are the last ones, from `first` on.
    """

    def __init__(self, parents: Array, input_rows: int, device: torch.device) -> None:
        self.count = len(parents)
        self.low, self.high = int(parents[0]), int(parents[-1]) + 1
        self.contiguous = self.high - self.low == self.count
        self.first = int(np.searchsorted(parents, input_rows))
        # Parents in one piece after the inputs get their gradients without an index.
        self.trained_low = int(parents[self.first]) if self.first < self.count else self.high
        self.trained_contiguous = self.high - self.trained_low == self.count - self.first
        self.index = None if self.contiguous else torch.from_numpy(np.ascontiguousarray(parents)).to(device)


class ParentGradients:
    """Where the gradients of the parents are added.

    Attributes:
        skip: number of the first parents, which are inputs and need no gradient.
        empty: whether none does.
        rows: view to add to, `(parents - skip, batch)`, or None when the parents are scattered.
    """

    def __init__(self, parents: ParentRows, gradients: Tensor, *, inputs: bool) -> None:
        self.skip = 0 if inputs else parents.first
        self.empty = self.skip == parents.count
        low = parents.low if inputs else parents.trained_low
        contiguous = parents.contiguous if inputs else parents.trained_contiguous
        self.rows = gradients[low : parents.high] if contiguous else None
        self._gradients = gradients
        self._index = None if contiguous or parents.index is None else parents.index[self.skip :]
        # Few rows go faster one by one; no row comes twice, so that the order does not matter.
        self._few = gradients.device.type == "cpu" and parents.count - self.skip <= _FEW_ROWS

    def add(self, values: Tensor) -> None:
        """Add (parents - skip, batch) values to the gradients of the parents."""
        if self.rows is not None:
            self.rows.add_(values)
        elif self._few:
            self._gradients.index_put_((self._index,), values, accumulate=True)
        else:
            assert self._index is not None
            self._gradients.index_add_(0, self._index, values)


_FEW_ROWS = 100
