"""`Attend` on tensors: the attention of heads, `(batch, heads, queries, keys)`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import numpy as np
import torch
from torch import Tensor

from compilers.kernels import Gradients
from compilers.plan import LayerPlan
from compilers.running.merges.base import BoundMerge, MergePorts, sum_gradients, write_sums
from compilers.running.merges.reads import HeadPattern, HeadReads
from compilers.running.merges.rotary import Rotation
from compilers.running.operations import Run
from netgraph.graph import Attend


class AttendKernel:
    """The attention of one layer. Heads that follow each other and have as many slots are one matrix product."""

    def __init__(self, plan: LayerPlan, layers: Sequence[LayerPlan], device: torch.device, dtype: torch.dtype) -> None:
        counts = np.bincount(plan.reads[0].dst, minlength=plan.width)
        ends = [*(np.flatnonzero(np.diff(counts)) + 1).tolist(), plan.width]
        self.mask = causal_mask(plan, device, dtype)
        self.groups = [HeadGroup(plan, layers, a, b, device, dtype) for a, b in pairwise([0, *ends])]

    def bind(self, ports: MergePorts) -> BoundMerge:
        """Attach to the values of one workspace."""
        return BoundAttend(self, ports)


class HeadGroup:
    """Heads `low` to `high` of a layer, which have as many slots each.

    Attributes:
        heads: of the group, in the layer.
        scale: factor of the products.
        queries, keys: patterns of their wires.
        rotations: of queries and keys, or None.
    """

    def __init__(
        self,
        plan: LayerPlan,
        layers: Sequence[LayerPlan],
        low: int,
        high: int,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        merge = attend_of(plan)
        self.heads, self.scale = slice(low, high), merge.scale
        reads = [r.at(slice(*np.searchsorted(r.dst, [low, high]))) for r in plan.reads]
        self.queries, self.keys = (HeadPattern(r, high - low, layers, device) for r in reads)
        self.rotations: list[Rotation] | None = None
        if merge.frequencies:
            slots = reads[0].slot.reshape(high - low, -1)
            self.rotations = [Rotation(slots, merge.frequencies, n, device, dtype) for n in plan.grid]

    def turned(self, queries: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
        """Turn queries and keys where the layer is rotary."""
        if self.rotations is None:
            return queries, keys
        return self.rotations[0](queries), self.rotations[1](keys)

    def turned_back(self, queries: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
        """Turn gradients of turned queries and keys back."""
        if self.rotations is None:
            return queries, keys
        return self.rotations[0].back(queries), self.rotations[1].back(keys)


def attend_of(plan: LayerPlan) -> Attend:
    """Return the settings of a layer of heads."""
    return cast(Attend, plan.merge)


def causal_mask(plan: LayerPlan, device: torch.device, dtype: torch.dtype) -> Tensor | None:
    """Make numbers to add to logits, `(queries, keys)`: 0 for visible keys; None where all are."""
    merge = attend_of(plan)
    if not merge.causal:
        return None
    return (
        torch.zeros(plan.grid, dtype=dtype)
        .masked_fill_(torch.from_numpy(~merge.visible(plan.grid)), -torch.inf)
        .to(device)
    )


class BoundAttend:
    """The attention of one layer in one workspace. The backward reads the values of the layer and no other matrix."""

    def __init__(self, kernel: AttendKernel, ports: MergePorts) -> None:
        assert ports.target is not None
        self._kernel, self._target = kernel, ports.target
        self._reads: list[tuple[HeadGroup, HeadReads, HeadReads]] = [
            (g, g.queries.bind(ports.maps, ports.layers), g.keys.bind(ports.maps, ports.layers)) for g in kernel.groups
        ]
        self._inputs = False

    def forward(self, run: Run) -> None:
        """Softmax over the keys of the scaled products."""
        found = []
        for group, queries, keys in self._reads:
            q, k = group.turned(queries.values(), keys.values())
            found.append(softmax(products(q * group.scale, k), self._kernel.mask))
        write_sums(self._target, found[0] if len(found) == 1 else torch.cat(found, 1))

    def bind_gradients(self, gradients: Gradients, rows: Tensor | None, *, inputs: bool) -> None:
        """Keep whether inputs need gradients."""
        self._inputs = inputs

    def backward(self, run: Run, gradients: Gradients) -> None:
        """Through the softmax, then to queries and keys."""
        g, p = sum_gradients(self._target), self._target.read_sums
        for group, queries, keys in self._reads:
            q, k = group.turned(queries.values(), keys.values())
            own = p[:, group.heads]
            to_products = torch.ops.aten._softmax_backward_data(g[:, group.heads], own, -1, own.dtype)
            to_products.mul_(group.scale)
            to_q, to_k = group.turned_back(to_products @ k, to_products.transpose(2, 3) @ q)
            queries.add_gradient(to_q, inputs=self._inputs)
            keys.add_gradient(to_k, inputs=self._inputs)

    def push(self, along: BoundAttend) -> None:
        """By the derivative of softmax: `p * (t - sum of p * t)` for the tangents `t` of the scaled products."""
        p, found = self._target.read_sums, []
        for (group, queries, keys), (_, along_queries, along_keys) in zip(self._reads, along._reads, strict=True):
            q, k = group.turned(queries.values(), keys.values())
            dq, dk = group.turned(along_queries.values(), along_keys.values())
            found.append(softmax_tangent(p[:, group.heads], (products(dq, k) + products(q, dk)) * group.scale))
        write_sums(along._target, found[0] if len(found) == 1 else torch.cat(found, 1))


def products(queries: Tensor, keys: Tensor) -> Tensor:
    """Multiply queries by keys, `(batch, heads, queries, keys)`."""
    return queries @ keys.transpose(2, 3)


def softmax(logits: Tensor, mask: Tensor | None) -> Tensor:
    """Take the softmax over the keys; `logits` are written over."""
    return torch.softmax(logits if mask is None else logits.add_(mask), -1)


def softmax_tangent(p: Tensor, tangent: Tensor) -> Tensor:
    """Tangent of `p = softmax(z)` for the tangent of z, which may be any number where p is 0."""
    return p * (tangent - (p * tangent).sum(-1, keepdim=True))
