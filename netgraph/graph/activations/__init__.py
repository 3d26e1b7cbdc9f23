"""Activations, one family a file."""

from netgraph.graph.activations.registry import ACTIVATIONS, Activation, get_activation

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "get_activation",
]
