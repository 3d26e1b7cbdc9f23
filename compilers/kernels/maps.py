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
        value_gradients: gradient of the values, None while nothing has been added.
        sum_gradients: gradient of the sums.
    """

    def __init__(self, batch: int, width: int, grid: tuple[int, int], bias: Tensor | None, like: Tensor) -> None:
        self.shape = (batch, width, *grid)
        self.bias = bias
        self._like = like
        self._sums: Tensor | None = None
        self._own_sums = self._own_gradients = True
        self._values: Tensor | None = None
        self.value_gradients: Tensor | None = None
        self.sum_gradients: Tensor | None = None

    @property
    def values(self) -> Tensor | None:
        """The values that other layers read; None before they are computed."""
        return self._values if self._values is not None else self._made()

    @values.setter
    def values(self, values: Tensor | None) -> None:
        self._values = values

    def _made(self) -> Tensor | None:
        """Make values that are not stored."""
        return None

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

    def be_still(self) -> None:
        """Stand for tangents from now on, which are 0 for constants."""

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
        self._sums = self._values = self.value_gradients = self.sum_gradients = None


class Picks(Maps):
    """Values of a layer of which one vertex is 1 at each position, and all others are 0. Only its row is stored.

    Tables read the rows. Where maps are read, by windows, wires or a statistic, they are made for that moment. They
    need no gradient.

    Args:
        batch: number of samples.
        width: vertices of the layer.
        grid: size of its maps, `(height, width)`.
        like: a tensor with the dtype and device to use.
        positions: whether vertex `i` is 1 at position `i`; else the data say which one is.

    Attributes:
        rows: row of the vertex that is 1 at each position, `(batch, positions)` int64; `(1, positions)` for those that
            are equal in all samples.
    """

    def __init__(self, batch: int, width: int, grid: tuple[int, int], like: Tensor, *, positions: bool) -> None:
        super().__init__(batch, width, grid, None, like)
        self._fixed = torch.arange(width, device=like.device).unsqueeze(0) if positions else None
        self.rows = self._fixed
        self._still = False

    def take(self, values: Tensor) -> None:
        """Take a copy of rows of vertices, `(batch, *grid)`."""
        self.rows = values.to(torch.int64, copy=True).reshape(len(values), self.shape[2] * self.shape[3])

    def be_still(self) -> None:
        """Stand for tangents from now on: all values are 0."""
        self._still = True

    def _made(self) -> Tensor | None:
        if self._still:
            return self._like.new_zeros(()).expand(self.shape)
        if self.rows is None:
            return None
        ones = self._like.new_zeros((*self.rows.shape, self.shape[1])).scatter_(2, self.rows.unsqueeze(2), 1)
        return ones.transpose(1, 2).view(len(self.rows), *self.shape[1:]).expand(self.shape)

    def add_gradient(self, gradient: Tensor, *, own: bool) -> None:
        """Do nothing: the values are constants."""

    def clear(self) -> None:
        """Let go of all tensors but those of positions."""
        super().clear()
        self.rows = self._fixed
