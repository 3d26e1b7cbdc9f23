"""Activation functions as data: their vertex parameters, sign, and a float64 NumPy definition.

The compiler has its own tensor versions; the ones here define what is right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from netgraph.errors import GraphError, unknown_name

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Activation:
    """What a layer applies to each pre-activation value.

    Attributes:
        name: key in `ACTIVATIONS`.
        function: `function(z, parameters, slope)`; `z` has shape (batch, vertices, *grid), every
            parameter (vertices, 1, ...) so that it broadcasts, `slope` is the layer's fixed slope.
        parameters: vertex columns that it reads, with the value at which a new vertex starts.
        nonnegative: whether every value it can return is at least 0.
        exact: whether float arithmetic with dyadic numbers stays exact (piecewise linear).
    """

    name: str
    function: Callable[[Array, Mapping[str, Array], float], Array]
    parameters: Mapping[str, float] = field(default_factory=dict)
    nonnegative: bool = False
    exact: bool = False


def _gelu(z: Array, _p: Mapping[str, Array], _slope: float) -> Array:
    from scipy.special import erf

    result: Array = 0.5 * z * (1.0 + erf(z / np.sqrt(2.0)))
    return result


def _sigmoid(z: Array) -> Array:
    # The two halves avoid an overflow in exp for large |z|.
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1.0 / (1.0 + e), e / (1.0 + e))


def _rational(z: Array, p: Mapping[str, Array], _slope: float) -> Array:
    v, c, l = p["v"], p["c"], p["l"]  # noqa: E741 (the paper's names)
    scale = np.sqrt(v**2 + c**2 + l**2 + 1e-8)
    result: Array = ((2 * v * z + c) / (1 + z**2) + l * z) / scale
    return result


ACTIVATIONS: Mapping[str, Activation] = {
    a.name: a
    for a in (
        Activation("identity", lambda z, p, s: z, exact=True),
        Activation("relu", lambda z, p, s: np.maximum(z, 0), nonnegative=True, exact=True),
        Activation("leaky_relu", lambda z, p, s: np.where(z >= 0, z, s * z), exact=True),
        Activation("prelu", lambda z, p, s: np.where(z >= 0, z, p["slope"] * z), {"slope": 0.25}, exact=True),
        Activation("tanh", lambda z, p, s: np.tanh(z)),
        Activation("sigmoid", lambda z, p, s: _sigmoid(z), nonnegative=True),
        Activation("softplus", lambda z, p, s: np.logaddexp(0.0, z), nonnegative=True),
        Activation("gelu", _gelu),
        Activation("silu", lambda z, p, s: z * _sigmoid(z)),
        # SENN's activation; v = c = 0, l = 1 is the identity up to its 1e-8 regulariser.
        Activation("rational", _rational, {"v": 0.0, "c": 0.0, "l": 1.0}),
    )
}


def get_activation(name: str) -> Activation:
    """Return the activation called `name`, or raise `GraphError` with the nearest known name."""
    try:
        return ACTIVATIONS[name]
    except KeyError:
        raise GraphError(unknown_name("activation", name, ACTIVATIONS)) from None
