"""Imports of single operations, registered by name."""

from compilers.importing.ops import (
    arithmetic,
    attention,
    complex,
    convolutions,
    einsum,
    functions,
    linear,
    norms,
    pointwise,
    pools,
    rms,
)

__all__ = [
    "arithmetic",
    "attention",
    "complex",
    "convolutions",
    "einsum",
    "functions",
    "linear",
    "norms",
    "pointwise",
    "pools",
    "rms",
]
