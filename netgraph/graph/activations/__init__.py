"""Activations, one family per file: each is a record with function, derivatives, bounds and identities."""

from netgraph.graph.activations.activation import Activation, Derivatives, Expression, nowhere_affine
from netgraph.graph.activations.contradictions import contradiction
from netgraph.graph.activations.registry import ACTIVATIONS, get_activation, register_activation, reserve_columns
from netgraph.graph.activations.rounding import (
    argument_terms,
    less_the_argument,
    nearest_and_farthest,
    outward,
    sound,
)

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "Derivatives",
    "Expression",
    "argument_terms",
    "contradiction",
    "get_activation",
    "less_the_argument",
    "nearest_and_farthest",
    "nowhere_affine",
    "outward",
    "register_activation",
    "reserve_columns",
    "sound",
]
