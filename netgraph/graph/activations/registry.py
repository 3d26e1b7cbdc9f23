"""All activations by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from netgraph.errors import GraphError, unknown_name
from netgraph.graph.activations.activation import Activation
from netgraph.graph.activations.bounded import SIGMOID, TANH
from netgraph.graph.activations.gated import GELU, SILU
from netgraph.graph.activations.piecewise import IDENTITY, LEAKY_RELU, PRELU, RELU
from netgraph.graph.activations.rational import RATIONAL
from netgraph.graph.activations.softplus import SOFTPLUS

_registered: dict[str, Activation] = {
    activation.name: activation
    for activation in (
        IDENTITY,
        RELU,
        LEAKY_RELU,
        PRELU,
        TANH,
        SIGMOID,
        SOFTPLUS,
        GELU,
        SILU,
        RATIONAL,
    )
}

ACTIVATIONS: Mapping[str, Activation] = MappingProxyType(_registered)
"""Every known activation by name, in the order of registration."""


def get_activation(name: str) -> Activation:
    """Return the activation called `name`, or raise `GraphError` with the nearest known name."""
    try:
        return _registered[name]
    except KeyError:
        raise GraphError(unknown_name("activation", name, ACTIVATIONS)) from None
