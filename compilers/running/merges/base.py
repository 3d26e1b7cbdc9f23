"""The interface of merges on tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import torch
from torch import Tensor

from compilers.kernels import Gradients, Maps
from compilers.plan import LayerPlan
from compilers.running.operations import Run


@dataclass(frozen=True, eq=False)
class MergePorts:
    """Where a merging layer reads and writes in one workspace.

    Attributes:
        layers: all layers of the plan.
        values: buffer, `(rows, batch)`.
        maps: of the layers with a grid, by their place in the plan.
        rows: rows of the buffer that the layer writes, `(width, batch)`; None when its sums are maps.
        target: its maps; None when its sums are rows.
    """

    layers: Sequence[LayerPlan]
    values: Tensor
    maps: Mapping[int, Maps]
    rows: Tensor | None
    target: Maps | None


class BoundMerge(Protocol):
    """The merge of one layer in one workspace."""

    def forward(self, run: Run) -> None:
        """Make the sums of the layer of the values that it reads."""

    def bind_gradients(self, gradients: Gradients, rows: Tensor | None, *, inputs: bool) -> None:
        """Take the gradients, their rows of this layer, and whether inputs need gradients. Comes before `backward`."""

    def backward(self, run: Run, gradients: Gradients) -> None:
        """Add to the gradients of the values that the layer reads."""

    def push(self, along: Self) -> None:
        """Add the tangent of the sums to those of `along`: this merge in a workspace with tangents in place of values.

        Comes after `forward`.
        """


class MergeKernel(Protocol):
    """The merge of one layer on one device: its index arrays and tables."""

    def bind(self, ports: MergePorts) -> BoundMerge:
        """Attach to the values of one workspace."""


BuildMerge = Callable[[LayerPlan, Sequence[LayerPlan], torch.device, torch.dtype], MergeKernel]
"""Makes the merge of a layer: called with its plan, all layers of the plan, device and dtype."""


def write_sums(target: Maps, sums: Tensor) -> None:
    """Make `sums`, `(batch, width, height, width of the maps)`, the sums of a layer, biases included."""
    if target.bias is not None:
        sums = sums + target.bias.view(1, -1, 1, 1)
    target.start(sums)


def sum_gradients(target: Maps) -> Tensor:
    """Return the gradient of the sums of a layer."""
    assert target.sum_gradients is not None
    return target.sum_gradients


def values_of(maps: Maps) -> Tensor:
    """Return the values of a layer."""
    assert maps.values is not None
    return maps.values
