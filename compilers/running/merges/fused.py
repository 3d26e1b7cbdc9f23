"""Attention and the mix that reads it in one operation, which keeps no matrix of queries by keys."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from compilers.kernels import Gradients, Maps
from compilers.plan import LayerPlan
from compilers.running.merges.attend import HeadGroup, attend_of, causal_mask, products, softmax, softmax_tangent
from compilers.running.merges.base import BoundMerge, MergePorts, sum_gradients, write_sums
from compilers.running.merges.mix import ChannelGroup, channel_groups
from compilers.running.merges.reads import as_channels, by_head
from compilers.running.operations import Run


class DeferredMaps(Maps):
    """Maps of an attention that nothing but its mix reads: values and gradients are computed when they are asked for.

    Attributes:
        fused: the operation that computes them, once it is bound.
    """

    fused: BoundFusedAttention | None = None

    def _made(self) -> Tensor | None:
        return None if self.fused is None else self.fused.attention()

    @property
    def sum_gradients(self) -> Tensor | None:
        """Gradient of the attention, `(batch, heads, queries, keys)`."""
        assert self.fused is not None
        return self.fused.attention_gradient()

    @sum_gradients.setter
    def sum_gradients(self, gradients: Tensor | None) -> None:
        assert gradients is None


class FusedAttentionKernel:
    """An attention and the mix of it, on one device.

    Args:
        plan: the mix.
        layers: all layers of the plan.
        device: of the network.
        dtype: of the network.
    """

    def __init__(self, plan: LayerPlan, layers: Sequence[LayerPlan], device: torch.device, dtype: torch.dtype) -> None:
        ((self.place, _, channels),) = channel_groups(plan, layers)
        attention = layers[self.place]
        self.heads = HeadGroup(attention, layers, 0, attention.width, device, dtype)
        self.mixed = ChannelGroup(plan, layers, self.place, slice(0, attention.width), channels, device)
        self.causal, self.id = attend_of(attention).causal, plan.id
        self.mask = causal_mask(attention, device, dtype)

    def bind(self, ports: MergePorts) -> BoundMerge:
        """Attach to the values of one workspace."""
        return BoundFusedAttention(self, ports)


class BoundFusedAttention:
    """An attention and the mix of it in one workspace."""

    def __init__(self, kernel: FusedAttentionKernel, ports: MergePorts) -> None:
        assert ports.target is not None
        self._kernel, self._target = kernel, ports.target
        patterns = (kernel.heads.queries, kernel.heads.keys, kernel.mixed.values)
        self._reads = [pattern.bind(ports.maps, ports.layers) for pattern in patterns]
        deferred = ports.maps[kernel.place]
        assert isinstance(deferred, DeferredMaps)
        deferred.fused = self
        self._inputs = False

    def forward(self, run: Run) -> None:
        """Attend and mix; keep the small graph when a backward may follow."""
        read = [reads.values().detach() for reads in self._reads]
        if run.record:
            with torch.enable_grad():
                result = self._attend(*(values.requires_grad_() for values in read))
            run.attention[self._kernel.id] = read, result
        else:
            result = self._attend(*read)
        self._write(self._target, result.detach())

    def _attend(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        heads = self._kernel.heads
        queries, keys = heads.turned(queries, keys)
        scale = heads.scale
        if scale <= 0:  # torch multiplies the -inf of its mask by the scale
            queries, scale = queries * scale, 1.0
        return functional.scaled_dot_product_attention(
            queries, keys, values, is_causal=self._kernel.causal, scale=scale
        )

    def _write(self, target: Maps, mixed: Tensor) -> None:
        channels, maps = self._kernel.mixed.channels, as_channels(mixed)
        if not isinstance(channels, slice):
            maps = torch.empty_like(maps).index_copy_(1, channels, maps)
        write_sums(target, maps)

    def bind_gradients(self, gradients: Gradients, rows: Tensor | None, *, inputs: bool) -> None:
        """Keep whether inputs need gradients."""
        self._inputs = inputs

    def backward(self, run: Run, gradients: Gradients) -> None:
        """Differentiate the recorded graph; it stays, for a graph that is retained."""
        read, result = run.attention[self._kernel.id]
        found = torch.autograd.grad(result, read, self._mixed_gradient(), retain_graph=True)
        for reads, gradient in zip(self._reads, found, strict=True):
            reads.add_gradient(gradient, inputs=self._inputs)

    def _mixed_gradient(self) -> Tensor:
        every, mixed = sum_gradients(self._target), self._kernel.mixed
        channels = every if isinstance(mixed.channels, slice) else every.index_select(1, mixed.channels)
        return by_head(channels, mixed.shape[0])

    def attention(self) -> Tensor:
        """Compute the attention of all heads."""
        heads = self._kernel.heads
        queries, keys, _ = (reads.values() for reads in self._reads)
        q, k = heads.turned(queries, keys)
        return softmax(products(q * heads.scale, k), self._kernel.mask)

    def attention_gradient(self) -> Tensor:
        """Compute the gradient of the attention, after that of the mix."""
        return self._mixed_gradient() @ self._reads[2].values().transpose(2, 3)

    def push(self, along: BoundFusedAttention) -> None:
        """By the derivatives of softmax and product."""
        heads, p = self._kernel.heads, self.attention()
        queries, keys, values = (reads.values() for reads in self._reads)
        dq, dk, dv = (reads.values() for reads in along._reads)
        (q, k), (dq, dk) = heads.turned(queries, keys), heads.turned(dq, dk)
        dp = softmax_tangent(p, (products(dq, k) + products(q, dk)) * heads.scale)
        along._write(along._target, dp @ values + p @ dv)
