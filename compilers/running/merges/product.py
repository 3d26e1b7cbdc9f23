"""`Product` on tensors: the values at one port times those at the other, vertex by vertex."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from compilers.kernels import Gradients, Selection, selection
from compilers.plan import LayerPlan, PortReads
from compilers.running.merges.base import BoundMerge, MergePorts, sum_gradients, write_sums
from compilers.running.merges.reads import ReadPattern
from compilers.running.operations import Run


class ProductKernel:
    """The product of one layer, on rows of the buffer or on maps."""

    def __init__(self, plan: LayerPlan, layers: Sequence[LayerPlan], device: torch.device, dtype: torch.dtype) -> None:
        first_trained = max((layer.stop for layer in layers if layer.role == "input"), default=0)
        if plan.grid:
            self._patterns = [ReadPattern(reads, layers, device) for reads in plan.reads]
        else:
            self._rows = [RowReads(reads, layers, first_trained, device) for reads in plan.reads]

    def bind(self, ports: MergePorts) -> BoundMerge:
        """Attach to the values of one workspace."""
        if ports.target is None:
            return RowProduct(self._rows, ports)
        return MapProduct(self._patterns, ports)


class MapProduct:
    """A product of maps in one workspace."""

    def __init__(self, patterns: Sequence[ReadPattern], ports: MergePorts) -> None:
        assert ports.target is not None
        self._target = ports.target
        self._first, self._second = (pattern.bind(ports.maps, ports.layers) for pattern in patterns)
        self._inputs = False

    def forward(self, run: Run) -> None:
        """Multiply the values of both ports."""
        write_sums(self._target, self._first.values() * self._second.values())

    def bind_gradients(self, gradients: Gradients, rows: Tensor | None, *, inputs: bool) -> None:
        """Keep whether inputs need gradients."""
        self._inputs = inputs

    def backward(self, run: Run, gradients: Gradients) -> None:
        """Add the gradient times the other factor."""
        g = sum_gradients(self._target)
        a, b = self._first.values(), self._second.values()
        self._first.add_gradient(g * b, inputs=self._inputs)
        self._second.add_gradient(g * a, inputs=self._inputs)

    def push(self, along: MapProduct) -> None:
        """By the product rule."""
        tangent = along._first.values() * self._second.values()
        tangent += self._first.values() * along._second.values()
        write_sums(along._target, tangent)


class RowReads:
    """Wires that read rows of the buffer: a view where they follow each other, else rows to gather."""

    def __init__(self, reads: PortReads, layers: Sequence[LayerPlan], first_trained: int, device: torch.device) -> None:
        starts = np.array([layers[place].start for place in reads.places], dtype=np.int64)
        rows = starts[reads.source] + reads.src
        trained = np.flatnonzero(rows >= first_trained)
        self.rows = selection(rows, device)
        # Rows that need gradients, and their places among the wires, by whether inputs do.
        self.gradients: dict[bool, tuple[Selection, Selection]] = {
            True: (self.rows, slice(0, len(rows))),
            False: (selection(rows[trained], device), selection(trained, device)),
        }


class RowProduct:
    """A product of rows in one workspace."""

    def __init__(self, reads: Sequence[RowReads], ports: MergePorts) -> None:
        assert ports.rows is not None
        self._reads, self._values, self._rows = reads, ports.values, ports.rows
        self._gradients = self._row_gradients = ports.rows
        self._inputs = False

    def forward(self, run: Run) -> None:
        """Add the products to the rows."""
        a, b = self._read()
        self._rows.addcmul_(a, b)

    def bind_gradients(self, gradients: Gradients, rows: Tensor | None, *, inputs: bool) -> None:
        """Take the gradient buffer."""
        assert rows is not None
        self._gradients, self._row_gradients, self._inputs = gradients.values, rows, inputs

    def backward(self, run: Run, gradients: Gradients) -> None:
        """Add the gradient times the other factor."""
        a, b = self._read()
        for reads, factor in zip(self._reads, (b, a), strict=True):
            rows, at = reads.gradients[self._inputs]
            found = (self._row_gradients * factor)[at]
            if isinstance(rows, slice):
                self._gradients[rows] += found
            else:
                self._gradients.index_add_(0, rows, found)

    def push(self, along: RowProduct) -> None:
        """By the product rule."""
        (a, b), (da, db) = self._read(), along._read()
        along._rows.addcmul_(da, b).addcmul_(a, db)

    def _read(self) -> tuple[Tensor, Tensor]:
        first, second = (self._values[reads.rows] for reads in self._reads)
        return first, second
