"""All activations by name, and the registration of further ones."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from netgraph.errors import GraphError, OptionError, unknown_name
from netgraph.graph.activations.activation import Activation
from netgraph.graph.activations.bounded import SIGMOID, TANH
from netgraph.graph.activations.contradictions import contradiction
from netgraph.graph.activations.gated import GELU, SILU
from netgraph.graph.activations.piecewise import IDENTITY, LEAKY_RELU, PRELU, RELU
from netgraph.graph.activations.rational import RATIONAL
from netgraph.graph.activations.softplus import SOFTPLUS

_reserved = {"bias", "low", "high"}
"""Names of vertex columns that belong to every layer, to inputs, or to norms (`reserve_columns`)."""

REMEDY = "One of your own is registered first, with netgraph.graph.register_activation."

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
"""All activations by name; `register_activation` adds to them."""


def get_activation(name: str) -> Activation:
    """Return the activation called `name`, or raise `GraphError` with the nearest known name."""
    try:
        return _registered[name]
    except KeyError:
        raise GraphError(f"{unknown_name('activation', name, ACTIVATIONS)} {REMEDY}") from None


def register_activation(activation: Activation) -> None:
    """Add an activation, so that layers can use its name. Files and hashes contain only the name.

    A program that reads a file with such a layer must register the activation first. The compiler can run an
    `Expression`; for any other function, give it a version on tensors: `compilers.register_activation`.

    Args:
        activation: record of the activation.

    Raises:
        OptionError: when the name is taken, a parameter has another meaning already, or the record contradicts its own
            function, which is evaluated on a few numbers.
    """
    if not isinstance(activation, Activation):
        raise OptionError(f"register_activation takes an Activation, not {activation!r}.")
    name = activation.name
    if not isinstance(name, str) or not name.isidentifier():
        raise OptionError(f"An activation cannot be called {name!r}; its name is letters, digits and underscores.")
    if name in _registered:
        raise OptionError(f"There is an activation {name!r} already; give this one another name.")
    if reason := _refused_parameters(activation) or _contradiction(activation):
        raise OptionError(f"Activation {name!r}: {reason}")
    _registered[name] = activation


def reserve_columns(names: Iterable[str]) -> None:
    """Reserve names of vertex columns: `register_activation` then refuses parameters of these names."""
    _reserved.update(names)


def _contradiction(activation: Activation) -> str:
    try:
        return contradiction(activation)
    except Exception as error:
        raise OptionError(f"Activation {activation.name!r} fails on a few numbers: {error!r}") from error


def _refused_parameters(activation: Activation) -> str:
    """Reason why the parameters of an activation are refused, or ''."""
    for name, start in activation.parameters.items():
        if name in _reserved:
            return f"parameter {name!r} is a vertex column with a meaning of its own; give it another name."
        if not name.isidentifier() or not math.isfinite(start):
            return (
                f"parameter {name!r} starts at {start}; its name is letters, digits and underscores, its start finite."
            )
    return ""
