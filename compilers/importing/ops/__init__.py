"""Imports of single operations, registered by name."""

from compilers.importing.ops import (
    arithmetic,
    attention,
    complex,
    convolutions,
    einsum,
    functions,
    linear,
    moments,
    norms,
    pointwise,
    pools,
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
    "moments",
]
