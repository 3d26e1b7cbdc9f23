"""All activations by name, and the registration of further ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from netgraph.errors import GraphError, OptionError, unknown_name
from netgraph.graph.activations.activation import Activation
from netgraph.graph.activations.bounded import SIGMOID, TANH
from netgraph.graph.activations.contradictions import contradiction
from netgraph.graph.activations.gated import GELU, GELU_TANH, SILU
from netgraph.graph.activations.piecewise import IDENTITY, LEAKY_RELU, PRELU, RELU, RELU6
from netgraph.graph.activations.rational import RATIONAL
from netgraph.graph.activations.softplus import SOFTPLUS
from netgraph.registry import Registry

_reserved: list[Callable[[], Iterable[str]]] = [lambda: ("bias", "low", "high")]
"""Names of vertex columns that belong to every layer, to inputs, or to norms (`reserve_columns`)."""

REMEDY = "One of your own is registered first, with netgraph.graph.register_activation."

ACTIVATIONS: Registry[Activation] = Registry(
    "activation",
    {
        activation.name: activation
        for activation in (
            IDENTITY,
            RELU,
            LEAKY_RELU,
            PRELU,
            RELU6,
            TANH,
            SIGMOID,
            SOFTPLUS,
            GELU,
            GELU_TANH,
            SILU,
            RATIONAL,
        )
    },
)
"""All activations by name. `register_activation` adds to them, `ACTIVATIONS.remove(name)` takes one back."""


def get_activation(name: str) -> Activation:
    """Return the activation called `name`, or raise `GraphError` with the nearest known name."""
    try:
        return ACTIVATIONS[name]
    except KeyError:
        raise GraphError(f"{unknown_name('activation', name, ACTIVATIONS)} {REMEDY}") from None


def register_activation(activation: Activation, *, replace: bool = False) -> None:
    """Add an activation, so that layers can use its name. Files and hashes contain only the name.

    A program that reads a file with such a layer must register the activation first. The compiler can run an
    `Expression`; for any other function, give it a version on tensors: `compilers.register_activation`.

    Args:
        activation: record of the activation.
        replace: whether it takes the place of one that was registered under the name before, as when a cell of a
            notebook runs again. Graphs that were made before then mean the new one; make them again.

    Raises:
        OptionError: when the name is taken, a parameter has another meaning already, or the record contradicts its own
            function, which is evaluated on a few numbers.
    """
    if not isinstance(activation, Activation):
        raise OptionError(f"register_activation takes an Activation, not {activation!r}.")
    name = activation.name
    if not isinstance(name, str) or not name.isidentifier():
        raise OptionError(f"An activation cannot be called {name!r}; its name is letters, digits and underscores.")
    ACTIVATIONS.check(name, replace=replace)
    if reason := _refused_parameters(activation) or _contradiction(activation):
        raise OptionError(f"Activation {name!r}: {reason}")
    ACTIVATIONS.add(name, activation, replace=replace)


def reserve_columns(names: Callable[[], Iterable[str]]) -> None:
    """Reserve vertex columns: `register_activation` refuses parameters of the names that a call of `names` gives."""
    _reserved.append(names)


def _contradiction(activation: Activation) -> str:
    try:
        return contradiction(activation)
    except Exception as error:
        raise OptionError(f"Activation {activation.name!r} fails on a few numbers: {error!r}") from error


def _refused_parameters(activation: Activation) -> str:
    """Reason why the parameters of an activation are refused, or ''."""
    reserved = {name for names in _reserved for name in names()}
    for name, start in activation.parameters.items():
        if name in reserved:
            return f"parameter {name!r} is a vertex column with a meaning of its own; give it another name."
        if not name.isidentifier() or not math.isfinite(start):
            return (
                f"parameter {name!r} starts at {start}; its name is letters, digits and underscores, its start finite."
            )
    return ""
