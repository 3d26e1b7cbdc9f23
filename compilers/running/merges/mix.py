"""`Mix` on tensors: channels are sums of values, weighted by the attention of their head."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from compilers.kernels import Gradients, Maps, Selection, add_maps, maps_at, selection
from compilers.plan import LayerPlan
from compilers.running.merges.base import BoundMerge, MergePorts, sum_gradients, values_of, write_sums
from compilers.running.merges.reads import HeadPattern, HeadReads, as_channels, by_head
from compilers.running.operations import Run


class MixKernel:
    """The mix of one layer. Channels are grouped by head, so that no attention is copied."""

    def __init__(self, plan: LayerPlan, layers: Sequence[LayerPlan], device: torch.device, dtype: torch.dtype) -> None:
        self.groups = [ChannelGroup(plan, layers, *group, device) for group in channel_groups(plan, layers)]
        channels = self.groups[0].channels
        # Whether the channels of the one group are those of the layer, in order.
        self.plain = len(self.groups) == 1 and isinstance(channels, slice)
        self.grid = plan.grid

    def bind(self, ports: MergePorts) -> BoundMerge:
        """Attach to the values of one workspace."""
        return BoundMix(self, ports)


def channel_groups(plan: LayerPlan, layers: Sequence[LayerPlan]) -> list[tuple[int, slice, np.ndarray]]:
    """Group the channels of a mix by head.

    Returns:
        Place of the attention, heads of it, and the channels that each of them weights, `(heads, channels)`. A group
        is a whole layer of heads with as many channels each, or one head.
    """
    weights, groups = plan.reads[0], []
    for number, place in enumerate(weights.places):
        mine = np.flatnonzero(weights.source == number)
        heads = weights.src[mine]
        counts = np.bincount(heads, minlength=layers[place].width)
        channels = weights.dst[mine[np.argsort(heads, kind="stable")]]
        if counts.min() == counts.max():
            groups.append((place, slice(0, len(counts)), channels.reshape(len(counts), -1)))
            continue
        for head, (low, high) in enumerate(pairwise([0, *np.cumsum(counts).tolist()])):
            if high > low:
                groups.append((place, slice(head, head + 1), channels[None, low:high]))
    return groups


class ChannelGroup:
    """Channels of a layer that heads of one layer weight, as many for each.

    Attributes:
        place: of the attention in the plan.
        heads: of it; all, or one.
        whole: whether all.
        channels: of the layer, head by head.
        values: pattern of the wires that feed them.
    """

    def __init__(
        self,
        plan: LayerPlan,
        layers: Sequence[LayerPlan],
        place: int,
        heads: slice,
        channels: np.ndarray,
        device: torch.device,
    ) -> None:
        self.place, self.heads = place, heads
        self.whole = heads.stop - heads.start == layers[place].width
        self.channels: Selection = selection(channels.reshape(-1), device)
        self.shape = channels.shape
        # Wires are sorted by the channel that they feed, and each has one.
        self.values = HeadPattern(plan.reads[1].at(channels.reshape(-1)), len(channels), layers, device)


class BoundMix:
    """The mix of one layer in one workspace."""

    def __init__(self, kernel: MixKernel, ports: MergePorts) -> None:
        assert ports.target is not None
        self._kernel, self._target = kernel, ports.target
        self._groups: list[tuple[ChannelGroup, Maps, HeadReads]] = [
            (group, ports.maps[group.place], group.values.bind(ports.maps, ports.layers)) for group in kernel.groups
        ]
        self._inputs = False

    def forward(self, run: Run) -> None:
        """Weight the values, head by head."""
        self._write([values_of(a)[:, group.heads] @ v.values() for group, a, v in self._groups])

    def _write(self, found: Sequence[Tensor]) -> None:
        """Make results of the groups, `(batch, heads, queries, channels)`, the sums of the layer."""
        target = self._target
        if self._kernel.plain:
            write_sums(target, as_channels(found[0]))
            return
        sums = target.sums
        for (group, *_), values in zip(self._groups, found, strict=True):
            add_maps(sums, group.channels, as_channels(values))

    def bind_gradients(self, gradients: Gradients, rows: Tensor | None, *, inputs: bool) -> None:
        """Keep whether inputs need gradients."""
        self._inputs = inputs

    def backward(self, run: Run, gradients: Gradients) -> None:
        """To the attention and to the values."""
        every = sum_gradients(self._target)
        for group, attention, values in self._groups:
            g = by_head(maps_at(every, group.channels), group.shape[0])
            to_attention = g @ values.values().transpose(2, 3)
            if group.whole:
                attention.add_gradient(to_attention, own=True)
            else:
                attention.own_gradient()[:, group.heads] += to_attention
            if values.needs_gradient(inputs=self._inputs):
                weights = values_of(attention)[:, group.heads]
                values.add_gradient(weights.transpose(2, 3) @ g, inputs=self._inputs)

    def push(self, along: BoundMix) -> None:
        """By the product rule."""
        found = []
        for (group, a, v), (_, da, dv) in zip(self._groups, along._groups, strict=True):
            here, tangent = values_of(a)[:, group.heads], values_of(da)[:, group.heads]
            found.append(tangent @ v.values() + here @ dv.values())
        along._write(found)
