"""What every kernel does, and how a block's parents are read from the buffer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from compilers.lowering.plan import Array, Block


class BoundKernel(Protocol):
    """A kernel on one buffer: every view it needs is made once, so that a step makes none.

    Values and gradients are feature-major, (rows, batch). `bind_gradients` comes before any backward
    call; `backward_weights` may be left out, and comes before `backward_input` otherwise.
    """

    def forward(self) -> None:
        """Add the block's sums to the rows of its layer."""

    def bind_gradients(self, gradients: Tensor, rows: Tensor, *, inputs: bool) -> None:
        """Take the gradient buffer, its rows of this layer, and whether input rows need gradients."""

    def backward_weights(self, gradient: Tensor) -> None:
        """Write the gradient of the block's slots into the flat `gradient`, 0 into pads."""

    def backward_input(self) -> None:
        """Add to the gradients of the parents."""


class Kernel(Protocol):
    """A block on one device: its index arrays."""

    @property
    def scratch_rows(self) -> int:
        """Rows of shared scratch memory that it needs."""

    def bind(self, weights: Tensor, values: Tensor, rows: Tensor, scratch: Tensor) -> BoundKernel:
        """Attach to the flat `weights`, the buffer, its rows of this layer, and (scratch rows, batch) memory."""


@dataclass(frozen=True)
class KernelKind:
    """How to build a kernel, and how its block lays out weights.

    Attributes:
        layout: "cells", one slot per pair of target and parent; "edges", one per edge; "none", no weights.
        build: called with the block, the number of input rows of the buffer, device and dtype.
    """

    layout: Literal["cells", "edges", "none"]
    build: Callable[[Block, int, torch.device, torch.dtype], Kernel]


class ParentRows:
    """The parents of a block: a view of the buffer where they are contiguous, else a gathered copy.

    Inputs are the first rows of the buffer. So the parents that need gradients are the last ones, from `first` on.
    """

    def __init__(self, parents: Array, input_rows: int, device: torch.device) -> None:
        self.count = len(parents)
        self.low, self.high = int(parents[0]), int(parents[-1]) + 1
        self.contiguous = self.high - self.low == self.count
        self.index = None if self.contiguous else torch.from_numpy(np.ascontiguousarray(parents)).to(device)
        self.first = int(np.searchsorted(parents, input_rows))

    @property
    def scratch_rows(self) -> int:
        """Rows of scratch for the gathered copy."""
        return 0 if self.contiguous else self.count


class BoundParents:
    """`ParentRows` on one buffer."""

    def __init__(self, rows: ParentRows, values: Tensor, scratch: Tensor) -> None:
        self._index = rows.index
        self._values = values[rows.low : rows.high] if rows.contiguous else values
        self._copy = None if rows.contiguous else scratch[: rows.count]

    def read(self) -> Tensor:
        """(parents, batch) values; a gathered copy holds until the next kernel reads."""
        if self._index is None:
            return self._values
        return torch.index_select(self._values, 0, self._index, out=self._copy)


class ParentGradients:
    """Where the gradients of the parents from `first` on are added, on one gradient buffer.

    Attributes:
        skip: how many of the first parents need no gradient, since they are inputs.
        rows: (parents - skip, batch) view to add to, or None when the parents are scattered.
    """

    def __init__(self, parents: ParentRows, gradients: Tensor, scratch: Tensor, *, inputs: bool) -> None:
        self.skip = 0 if inputs else parents.first
        self.empty = self.skip == parents.count
        self.rows = gradients[parents.low + self.skip : parents.high] if parents.contiguous else None
        self._gradients = gradients
        self._index = None if parents.index is None else parents.index[self.skip :]
        # Shared with the gathered values: by now the gradient of the weights has been taken.
        self.scratch = scratch[: parents.count - self.skip]

    def scatter(self) -> None:
        """Add the scratch rows to the gradients of the scattered parents."""
        assert self._index is not None
        self._gradients.index_add_(0, self._index, self.scratch)
