"""Wires that move positions as a whole: by slices, from rows or maps to rows or maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from compilers.kernels.base import Gradients, Ports
from compilers.kernels.selections import add_maps, is_range, maps_at, selection

if TYPE_CHECKING:
    from compilers.plan import Block


class PlaceKernel:
    """Adds a run of positions of the source to a run of positions of the target; rows have one position."""

    def __init__(self, block: Block, input_rows: int, device: torch.device, dtype: torch.dtype) -> None:
        assert block.geometry is not None
        assert block.geometry.run is not None
        incidence, geometry = block.incidence, block.geometry
        to, at, count = block.geometry.run
        self.written, self.read = slice(to, to + count), slice(at, at + count)
        sources = incidence.src if block.source >= 0 else block.parents[incidence.src]
        self.sources, self.targets = selection(sources, device), selection(incidence.dst, device)
        plain = is_range(incidence.dst) and len(incidence) == incidence.targets and is_range(sources)
        # Whether every value of the target gets one: then the first to add to it may as well be it.
        self.whole = plain and count == geometry.positions

    def bind(self, ports: Ports) -> BoundPlaces:
        """Attach to values and sums."""
        return BoundPlaces(self, ports)


class BoundPlaces:
    """Wires of places in one workspace."""

    def __init__(self, kernel: PlaceKernel, ports: Ports) -> None:
        self._kernel = kernel
        self._source, self._values = ports.source, ports.values
        self._target, self._rows = ports.target, ports.rows

    def forward(self) -> None:
        """Target values += source values."""
        kernel, target = self._kernel, self._target
        read = maps_at(self._read(), kernel.sources)
        if target is None:
            assert self._rows is not None
            add_maps(_of_rows(self._rows), kernel.targets, read)
        elif kernel.whole and not target.started and target.bias is None:
            target.start(read.view(target.shape), own=False)
        else:
            add_maps(_flat(target.sums)[:, :, kernel.written], kernel.targets, read)

    def bind_gradients(self, gradients: Gradients, rows: Tensor | None, *, inputs: bool) -> None:
        """Take the gradients."""
        self._gradients, self._row_gradients = gradients, rows

    def weight_gradients(self) -> None:
        """Do nothing, since wires have no weights."""

    def source_gradients(self) -> None:
        """Add the gradient of the target values to that of the source values."""
        kernel, target = self._kernel, self._target
        if target is None:
            assert self._row_gradients is not None
            sums = _of_rows(self._row_gradients)
        else:
            assert target.sum_gradients is not None
            sums = target.sum_gradients.flatten(2)[:, :, kernel.written]
        if self._source is None:
            to = _of_rows(self._gradients.values)
        else:
            to = _flat(self._source.own_gradient())[:, :, kernel.read]
        add_maps(to, kernel.sources, maps_at(sums, kernel.targets))

    def _read(self) -> Tensor:
        """Return the run of positions that is read, `(batch, vertices, positions)`."""
        if self._source is None:
            return _of_rows(self._values)
        assert self._source.values is not None
        return self._source.values.flatten(2)[:, :, self._kernel.read]


def _of_rows(rows: Tensor) -> Tensor:
    """View rows as maps of one position, `(batch, rows, 1)`."""
    return rows.t().unsqueeze(2)


def _flat(maps: Tensor) -> Tensor:
    """View maps as `(batch, vertices, positions)`, to write to."""
    batch, vertices, height, width = maps.shape
    return maps.view(batch, vertices, height * width)


def placed(values: Tensor, shape: tuple[int, int], run: tuple[int, int, int]) -> Tensor:
    """Move a run of positions of values, `(batch, vertices, height, width)`, to zeros of another height and width."""
    to, at, count = run
    out = values.new_zeros((*values.shape[:2], int(np.prod(shape))))
    out[:, :, to : to + count] = values.flatten(2)[:, :, at : at + count]
    return out.view(*values.shape[:2], *shape)
