"""Derivatives of the activation functions by their argument and by their vertex parameters, in NumPy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from netgraph.columns import Array
from netgraph.graph.activations.facts import sigmoid
from netgraph.graph.activations.registry import get_activation


class Derivatives(NamedTuple):
    """What an activation function gives at an argument, and how that changes.

    Attributes:
        value: f(z).
        argument: df/dz; at a kink the derivative that training uses, from the left for ReLU and from the right for its
            leaky kinds, which take z >= 0 for positive.
        parameters: the derivative by each vertex parameter, of the shape of the value.
    """

    value: Array
    argument: Array
    parameters: Mapping[str, Array]


Rule = Callable[[Array, Mapping[str, Array], float], tuple[Array, Mapping[str, Array]]]


def _prelu(z: Array, p: Mapping[str, Array], _slope: float) -> tuple[Array, Mapping[str, Array]]:
    return np.where(z >= 0, 1.0, p["slope"]), {"slope": np.minimum(z, 0.0)}


def _gelu(z: Array, _p: Mapping[str, Array], _slope: float) -> tuple[Array, Mapping[str, Array]]:
    from scipy.special import erf

    bell = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    return 0.5 * (1.0 + erf(z / np.sqrt(2.0))) + z * bell, {}


def _silu(z: Array, _p: Mapping[str, Array], _slope: float) -> tuple[Array, Mapping[str, Array]]:
    s = sigmoid(z)
    return s * (1 + z * (1 - s)), {}


def _sigmoid(z: Array, _p: Mapping[str, Array], _slope: float) -> tuple[Array, Mapping[str, Array]]:
    s = sigmoid(z)
    return s * (1 - s), {}


DERIVATIVES: Mapping[str, Rule] = {
    "identity": lambda z, p, s: (np.ones_like(z), {}),
    "relu": lambda z, p, s: ((z > 0).astype(z.dtype), {}),
    "leaky_relu": lambda z, p, s: (np.where(z >= 0, z.dtype.type(1), z.dtype.type(s)), {}),
    "prelu": _prelu,
    "tanh": lambda z, p, s: (1 - np.tanh(z) ** 2, {}),
    "sigmoid": _sigmoid,
    "softplus": lambda z, p, s: (sigmoid(z), {}),
    "gelu": _gelu,
    "silu": _silu,
}
"""df/dz and df/dparameter of every activation but the rational one, whose value shares most of the work."""


def value_and_derivatives(name: str, z: Array, parameters: Mapping[str, Array], slope: float) -> Derivatives:
    """Evaluate an activation function and its derivatives.

    Args:
        name: of the activation.
        z: arguments, of any shape and precision, which is that of what is returned.
        parameters: its vertex parameters by name, of shapes that broadcast against `z`.
        slope: the fixed slope of the layer.

    Raises:
        GraphError: when there is no activation of that name.
    """
    activation = get_activation(name)
    if name == "rational":
        return _rational(z, parameters)
    value = activation.function(z, parameters, slope)
    argument, by_name = DERIVATIVES[name](z, parameters, slope)
    return Derivatives(np.asarray(value, z.dtype), np.asarray(argument, z.dtype), by_name)


def _rational(z: Array, p: Mapping[str, Array]) -> Derivatives:
    v, c, l = p["v"], p["c"], p["l"]  # noqa: E741 (the paper's names)
    scale = 1 / np.sqrt(v * v + c * c + l * l + 1e-8)
    bell = scale / (1 + z * z)
    line = z * scale
    top = 2 * v * z + c
    value = top * bell + l * line
    argument = (v - z * top * (bell / scale)) * (2 * bell) + l * scale
    inner = {"v": 2 * z * bell, "c": bell, "l": line}
    square = scale * scale
    return Derivatives(value, argument, {k: d - value * (p[k] * square) for k, d in inner.items()})
