"""Running sums over mini-batches, kept on the device while they are requested."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor


class Collector(Protocol):
    """One statistic of a network. `batches` counts the backward passes that it has seen."""

    batches: int

    def __init__(self, slots: int) -> None: ...

    def update(self, gradient: Tensor) -> None:
        """Take the (slots,) gradient of the loss of one mini-batch."""

    def columns(self) -> dict[str, Tensor]:
        """(slots,) tensors by the name of the edge column."""


class EdgeGradients:
    """First and second moments of every edge's gradient over mini-batches.

    The sums are float64, in which squares of float32 are exact, so that the variance does not suffer
    from taking the difference of two large numbers.
    """

    def __init__(self, slots: int) -> None:
        self.batches = 0
        self._sums = torch.zeros((3, slots), dtype=torch.float64)

    def update(self, gradient: Tensor) -> None:
        """Add one mini-batch."""
        if self._sums.device != gradient.device:
            self._sums = self._sums.to(gradient.device)
        g = gradient.double()
        self._sums[0] += g
        self._sums[1] += g.abs()
        self._sums[2].addcmul_(g, g)
        self.batches += 1

    def columns(self) -> dict[str, Tensor]:
        """Mean of the gradient, and mean and population variance of its absolute value."""
        mean, absolute, square = self._sums / self.batches
        return {
            "mean_gradient": mean,
            "mean_abs_gradient": absolute,
            "variance_abs_gradient": (square - absolute**2).clamp_(min=0.0),
        }


COLLECTORS: Mapping[str, type[Collector]] = {"edge_gradients": EdgeGradients}
"""Statistics that can be requested, by name."""
