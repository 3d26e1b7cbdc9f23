"""Activations: a record each, one family a file, with function, derivatives, bounds and identities together."""

from netgraph.graph.activations.activation import Activation, Derivatives
from netgraph.graph.activations.registry import ACTIVATIONS, get_activation

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "Derivatives",
    "get_activation",
]
