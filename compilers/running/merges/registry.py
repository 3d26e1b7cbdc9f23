"""Merges on tensors by the names of the merges of the graph."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from compilers.plan import Plan
from compilers.running.merges.attend import AttendKernel
from compilers.running.merges.base import BuildMerge, MergeKernel
from compilers.running.merges.fused import FusedAttentionKernel
from compilers.running.merges.mix import MixKernel
from compilers.running.merges.product import ProductKernel

MERGE_KERNELS: Mapping[str, BuildMerge] = {"product": ProductKernel, "attend": AttendKernel, "mix": MixKernel}
"""Builders by the names of merges."""


def build_merges(plan: Plan, device: torch.device, dtype: torch.dtype) -> list[MergeKernel | None]:
    """Make the merge of every layer; None for a sum, and for an attention that its mix computes."""
    mixes = set(plan.fused.values())
    found: list[MergeKernel | None] = []
    for place, layer in enumerate(plan.layers):
        if layer.merge is None or place in plan.fused:
            found.append(None)
        else:
            build = FusedAttentionKernel if place in mixes else MERGE_KERNELS[layer.merge.name]
            found.append(build(layer, plan.layers, device, dtype))
    return found
