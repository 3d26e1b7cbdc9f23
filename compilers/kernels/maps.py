"""Layers whose sums or values are maps, in one workspace."""

from __future__ import annotations

import torch
from torch import Tensor


def token_major(maps: Tensor) -> Tensor:
    """Return maps of height 1 with the values of each token side by side in memory; others, and those, as they are.

    That is the order in which a norm over vertices reads them, and in which a convolution of size 1 by oneDNN needs no
    copy in another order: in float32 both take a quarter to two thirds of their time on maps that lie one by one.
    """
    return maps.contiguous(memory_format=torch.channels_last) if maps.shape[2] == 1 else maps


class Maps:
    """Sums, values and gradients of one layer with a grid, each `(batch, vertices, height, width)`.

    They are made anew by every forward, since convolutions make their own results. Kernels may give them any order in
    memory; what is made here is `token_major`.

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
        self._own_sums = self._own_gradients = True
        self.values: Tensor | None = None
        self.value_gradients: Tensor | None = None
        self.sum_gradients: Tensor | None = None

    @property
    def sums(self) -> Tensor:
        """The sums so far, biases included, to add to in place."""
        if self._sums is None:
            self._sums = token_major(self._like.new_zeros(self.shape))
            if self.bias is not None:
                self._sums += self.bias.view(1, -1, 1, 1)
        elif not self._own_sums:
            self._sums = self._sums.clone()
        self._own_sums = True
        return self._sums

    @property
    def read_sums(self) -> Tensor:
        """The sums, biases included, to read only: they may be the values of another layer."""
        return self.sums if self._sums is None else self._sums

    @property
    def started(self) -> bool:
        """Whether the sums have their first contribution."""
        return self._sums is not None

    def take(self, values: Tensor) -> None:
        """Take a copy of values, `(batch, vertices, *grid)`."""
        order = torch.channels_last if self.shape[2] == 1 else torch.preserve_format
        self.values = values.reshape(self.shape).clone(memory_format=order)

    def start(self, sums: Tensor, *, own: bool = True) -> None:
        """Take the first contribution, biases included, as the sums; `own` says that nobody else holds the tensor."""
        self._sums, self._own_sums = sums, own

    def add_gradient(self, gradient: Tensor, *, own: bool) -> None:
        """Add to the gradient of the values; `own` says that nobody else holds the tensor."""
        if self.value_gradients is None:
            self.value_gradients, self._own_gradients = gradient, own
        elif self._own_gradients:
            self.value_gradients += gradient
        else:
            self.value_gradients, self._own_gradients = self.value_gradients + gradient, True

    def own_gradient(self) -> Tensor:
        """Return the gradient of the values, zeros while nothing has been added, to add to in place."""
        assert self.values is not None
        if self.value_gradients is None:
            self.value_gradients = torch.zeros_like(self.values)
        elif not self._own_gradients:
            self.value_gradients = self.value_gradients.clone()
        self._own_gradients = True
        return self.value_gradients

    def taken_gradient(self) -> Tensor:
        """Return the gradient of the values and forget it; zeros when nothing was added."""
        gradient, self.value_gradients = self.value_gradients, None
        assert self.values is not None
        return torch.zeros_like(self.values) if gradient is None else gradient

    def forget_sum_gradients(self) -> None:
        """Let go of the gradient of the sums."""
        self.sum_gradients = None

    def clear(self) -> None:
        """Let go of all tensors."""
        self._sums = self.values = self.value_gradients = self.sum_gradients = None
