"""Rotary positions: pairs of slots are turned by angles that grow with the position."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from netgraph.columns import Array


class Rotation:
    """Turns of the slots of heads at every position, as complex numbers that are made once.

    Args:
        slots: of each head, sorted, in complete pairs, `(heads, slots)`.
        frequencies: angle of each pair of slots from one position to the next.
        positions: number of positions.
        device: of the network.
        dtype: of the network.
    """

    def __init__(
        self, slots: Array, frequencies: tuple[float, ...], positions: int, device: torch.device, dtype: torch.dtype
    ) -> None:
        pairs = slots[:, ::2] // 2
        if (pairs == pairs[0]).all():
            pairs = pairs[:1]
        angles = np.arange(positions)[:, None] * np.asarray(frequencies)[pairs][:, None, :]
        turns = torch.from_numpy(np.exp(1j * angles))
        self._turns = turns.to(device, torch.complex64 if dtype == torch.float32 else torch.complex128)
        self._back = self._turns.conj().resolve_conj()

    def __call__(self, heads: Tensor) -> Tensor:
        """Turn `(batch, heads, positions, slots)`; linear, differentiable by autograd."""
        return _turned(heads, self._turns)

    def back(self, heads: Tensor) -> Tensor:
        """Turn back, as gradients need."""
        return _turned(heads, self._back)


def _turned(heads: Tensor, turns: Tensor) -> Tensor:
    *strides, last = heads.stride()
    if last != 1 or heads.storage_offset() % 2 or any(stride % 2 for stride in strides):
        heads = heads.contiguous()
    return torch.view_as_real(
        torch.view_as_complex(heads.view(*heads.shape[:3], heads.shape[3] // 2, 2)) * turns
    ).flatten(3)
