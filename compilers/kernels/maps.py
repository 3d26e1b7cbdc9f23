"""Layers whose sums or values are maps, in one workspace."""

from __future__ import annotations

import torch
from torch import Tensor


class Maps:
    """Sums, values and gradients of one layer with a grid, each `(batch, vertices, height, width)`.

    They are made anew by every forward, since convolutions make their own results.

    Args:
        batch: number of samples.
        width: vertices of the layer.
        grid: size of the maps of the sums, `(height, width)`.
        bias: view of the biases, `(width,)`, or None.
        like: a tensor with the dtype and device to use.

    Attributes:
        values: values that other layers read.
        value_gradients: gradient of the values, None while nothing has been added.
        sum_gradients: gradient of the sums.
    """

    def __init__(self, batch: int, width: int, grid: tuple[int, int], bias: Tensor | None, like: Tensor) -> None:
        self.shape = (batch, width, *grid)
        self.bias = bias
        self._like = like
        self._sums: Tensor | None = None
        self.values: Tensor | None = None
        self.value_gradients: Tensor | None = None
        self.sum_gradients: Tensor | None = None

    @property
    def sums(self) -> Tensor:
        """The sums so far, biases included."""
        if self._sums is None:
            self._sums = self._like.new_zeros(self.shape)
            if self.bias is not None:
                self._sums += self.bias.view(1, -1, 1, 1)
        return self._sums

    @property
    def started(self) -> bool:
        """Whether the sums have their first contribution."""
        return self._sums is not None

    def start(self, sums: Tensor) -> None:
        """Take the first contribution, biases included, as the sums."""
        self._sums = sums

    def add_gradient(self, gradient: Tensor, *, own: bool) -> None:
        """Add to the gradient of the values; `own` says that nobody else holds the tensor."""
        if self.value_gradients is None:
            self.value_gradients = gradient if own else gradient.clone()
        else:
            self.value_gradients += gradient

    def taken_gradient(self) -> Tensor:
        """Return the gradient of the values and forget it; zeros when nothing was added."""
        gradient, self.value_gradients = self.value_gradients, None
        assert self.values is not None
        return torch.zeros_like(self.values) if gradient is None else gradient

    def clear(self) -> None:
        """Let go of all tensors."""
        self._sums = self.values = self.value_gradients = self.sum_gradients = None
