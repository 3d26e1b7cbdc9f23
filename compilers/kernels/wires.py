"""Identity links: rows are added to rows, or maps to maps, without weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from compilers.kernels.base import Gradients, Ports
from compilers.kernels.selections import add_maps, is_range, maps_at, selection

if TYPE_CHECKING:
    from compilers.plan import Block
    from netgraph.columns import Array


class WireKernel:
    """Kernel of wires that adds parent rows to target rows: by slices where both are contiguous, else by index."""

    def __init__(self, block: Block, input_rows: int, device: torch.device, dtype: torch.dtype) -> None:
        self.sources, self.targets = block.parents[block.incidence.src], block.incidence.dst.astype(np.int64)
        self.trained = self.sources >= input_rows
        self.device = device

    def bind(self, ports: Ports) -> BoundWires:
        """Attach to the buffer."""
        return BoundWires(self, ports)


class BoundWires:
    """Wires on one buffer."""

    def __init__(self, kernel: WireKernel, ports: Ports) -> None:
        assert ports.rows is not None
        self._kernel = kernel
        self._forward = _Sum(ports.values, kernel.sources, ports.rows, kernel.targets, kernel.device)

    def forward(self) -> None:
        """Target rows += parent rows."""
        self._forward.run()

    def bind_gradients(self, gradients: Gradients, rows: Tensor | None, *, inputs: bool) -> None:
        """Take the gradient buffer."""
        assert rows is not None
        kernel = self._kernel
        chosen = np.ones_like(kernel.trained) if inputs else kernel.trained
        self._backward = _Sum(rows, kernel.targets[chosen], gradients.values, kernel.sources[chosen], kernel.device)

    def weight_gradients(self) -> None:
        """Do nothing, since wires have no weights."""

    def source_gradients(self) -> None:
        """Add the gradients of the target rows to those of the parents."""
        self._backward.run()


class _Sum:
    """`target[target_rows] += source[source_rows]`, both (rows, batch)."""

    def __init__(
        self, source: Tensor, source_rows: Array, target: Tensor, target_rows: Array, device: torch.device
    ) -> None:
        self._index: tuple[Tensor, Tensor] | None = None
        self._source, self._target = source, target
        if is_range(source_rows) and is_range(target_rows):
            self._source = source[source_rows[0] : source_rows[-1] + 1] if len(source_rows) else source[:0]
            self._target = target[target_rows[0] : target_rows[-1] + 1] if len(target_rows) else target[:0]
        else:
            self._index = torch.from_numpy(source_rows).to(device), torch.from_numpy(target_rows).to(device)

    def run(self) -> None:
        if self._index is None:
            self._target.add_(self._source)
        else:
            self._target.index_add_(0, self._index[1], self._source.index_select(0, self._index[0]))


class MapWireKernel:
    """Adds maps to maps, every `stride`-th position of them."""

    def __init__(self, block: Block, input_rows: int, device: torch.device, dtype: torch.dtype) -> None:
        assert block.geometry is not None
        incidence = block.incidence
        self.stride = block.geometry.stride
        plain = self.stride == (1, 1) and is_range(incidence.dst) and is_range(incidence.src)
        # Whether every target map, or source map, has a wire: then the first to add to it may as well write it.
        self.whole_target = plain and len(incidence) == incidence.targets
        self.whole_source = plain and len(incidence) == incidence.columns
        self.sources, self.targets = selection(block.incidence.src, device), selection(block.incidence.dst, device)

    def bind(self, ports: Ports) -> BoundMapWires:
        """Attach to the maps."""
        return BoundMapWires(self, ports)


class BoundMapWires:
    """Wires between maps in one workspace."""

    def __init__(self, kernel: MapWireKernel, ports: Ports) -> None:
        assert ports.source is not None
        self._kernel = kernel
        self._source, self._target, self._rows = ports.source, ports.target, ports.rows

    def forward(self) -> None:
        """Target maps += source maps; target rows when there is a single position."""
        assert self._source.values is not None
        kernel = self._kernel
        read = maps_at(self._strided(self._source.values), kernel.sources)
        target = self._target
        if target is None:
            assert self._rows is not None
            add_maps(self._rows.t()[:, :, None, None], kernel.targets, read)
        elif kernel.whole_target and not target.started and target.bias is None:
            target.start(read if kernel.whole_source else read.clone(), own=not kernel.whole_source)
        else:
            add_maps(target.sums, kernel.targets, read)

    def bind_gradients(self, gradients: Gradients, rows: Tensor | None, *, inputs: bool) -> None:
        """Take the gradients."""
        self._row_gradients = rows

    def weight_gradients(self) -> None:
        """Do nothing, since wires have no weights."""

    def source_gradients(self) -> None:
        """Add the gradient of the target maps to that of the source maps."""
        kernel = self._kernel
        if self._row_gradients is not None:
            sums: Tensor | None = self._row_gradients.t()[:, :, None, None]
        else:
            sums = self._target.sum_gradients  # type: ignore[union-attr]
        assert sums is not None
        if kernel.whole_source:
            self._source.add_gradient(maps_at(sums, kernel.targets), own=False)
            return
        add_maps(self._strided(self._source.own_gradient()), kernel.sources, maps_at(sums, kernel.targets))

    def _strided(self, maps: Tensor) -> Tensor:
        return maps[:, :, :: self._kernel.stride[0], :: self._kernel.stride[1]]
