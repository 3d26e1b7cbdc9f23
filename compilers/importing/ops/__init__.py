"""Imports of single operations, registered by name."""

from compilers.importing.ops import arithmetic, attention, convolutions, functions, linear, norms, pointwise, pools, rms

__all__ = ["arithmetic", "attention", "convolutions", "functions", "linear", "norms", "pointwise", "pools", "rms"]
