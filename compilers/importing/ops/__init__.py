"""Imports of single operations, registered by name."""

from compilers.importing.ops import arithmetic, convolutions, linear, norms, pointwise, pools

__all__ = ["arithmetic", "convolutions", "linear", "norms", "pointwise", "pools"]
