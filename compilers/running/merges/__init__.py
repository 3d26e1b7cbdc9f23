"""Merging layers on tensors: products, attention, mixes."""

from compilers.running.merges.base import BoundMerge, MergeKernel, MergePorts
from compilers.running.merges.fused import DeferredMaps
from compilers.running.merges.registry import MERGE_KERNELS, build_merges

__all__ = ["MERGE_KERNELS", "BoundMerge", "DeferredMaps", "MergeKernel", "MergePorts", "build_merges"]
