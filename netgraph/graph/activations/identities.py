"""Identities of each activation, and the terms of its evaluation, for `netgraph.graph.activations.registry`.

Arrays are (n,) float64, one entry per vertex; `p` maps names to (n,) parameters, `slope` is the layer's fixed slope.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from netgraph.columns import Array
from netgraph.graph.activations.facts import (
    EPS,
    TINY,
    Parameters,
    nearest_and_farthest,
    rational_parameters,
    softplus_interval,
)

Mirror = tuple[Any, Any, Any, Any]

# -- where it is linear ---------------------------------------------------------------------------


def no_affine(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """Linear nowhere."""
    return np.full(len(low), np.nan), np.zeros(len(low))


def identity_affine(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """1 everywhere."""
    return np.ones(len(low)), np.zeros(len(low))


def relu_affine(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """1 from 0 on, 0 up to 0."""
    return _linear_pieces(low, high, np.float64(0.0))


def leaky_affine(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """1 from 0 on, the slope up to 0."""
    return _linear_pieces(low, high, np.float64(slope))


def prelu_affine(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """1 from 0 on, the vertex's slope up to 0."""
    return _linear_pieces(low, high, np.asarray(p["slope"], dtype=np.float64))


def _linear_pieces(low: Array, high: Array, a: Any) -> tuple[Array, Array]:
    alpha = np.where((low >= 0) | (a == 1), 1.0, np.where(high <= 0, a, np.nan))
    return alpha, np.zeros(len(low))


def rational_affine(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """Everywhere l / scale, when v = c = 0; the quotient is rounded."""
    v, c, l, scale = rational_parameters(p)  # noqa: E741
    alpha = np.where((v == 0) & (c == 0), l / scale, np.nan)
    return alpha, np.where(np.isnan(alpha) | (l == 0), 0.0, 8 * EPS * np.abs(l / scale) + TINY)


# -- what it does to -t ---------------------------------------------------------------------------


def relu_mirror(p: Parameters, slope: float) -> Mirror:
    """f(-t) = f(t) - t, of ReLU, softplus, GELU and SiLU."""
    return 1.0, -1.0, 0.0, 0.0


def tanh_mirror(p: Parameters, slope: float) -> Mirror:
    """f(-t) = -f(t)."""
    return -1.0, 0.0, 0.0, 0.0


def sigmoid_mirror(p: Parameters, slope: float) -> Mirror:
    """f(-t) = 1 - f(t)."""
    return -1.0, 0.0, 1.0, 0.0


def leaky_mirror(p: Parameters, slope: float) -> Mirror:
    """f(-t) = f(t) - (1 + slope) t."""
    return _mirror_of_two_pieces(np.float64(slope))


def prelu_mirror(p: Parameters, slope: float) -> Mirror:
    """f(-t) = f(t) - (1 + slope) t, each vertex with its own slope."""
    return _mirror_of_two_pieces(np.asarray(p["slope"], dtype=np.float64))


def _mirror_of_two_pieces(a: Any) -> Mirror:
    total = 1.0 + a
    other = total - 1.0
    error = np.abs((1.0 - (total - other)) + (a - other))  # of the sum, exactly
    return 1.0, -total, 0.0, error


# -- how large the terms are that its evaluation adds and multiplies -------------------------------


def no_terms(low: Array, high: Array, p: Parameters, slope: float) -> Array:
    """Nothing is rounded."""
    return np.zeros(len(low))


def leaky_terms(low: Array, high: Array, p: Parameters, slope: float) -> Array:
    """The product below 0."""
    return abs(slope) * np.maximum(-low, 0.0) if slope else np.zeros(len(low))


def prelu_terms(low: Array, high: Array, p: Parameters, slope: float) -> Array:
    """The product below 0."""
    a = np.abs(np.asarray(p["slope"], dtype=np.float64))
    return np.where((low >= 0) | (a == 0), 0.0, a * np.where(low >= 0, 0.0, -low))


def bounded_terms(low: Array, high: Array, p: Parameters, slope: float) -> Array:
    """A value within [-1, 1]."""
    return np.ones(len(low))


def softplus_terms(low: Array, high: Array, p: Parameters, slope: float) -> Array:
    """The largest value."""
    return softplus_interval(low, high, p, slope)[1]


def argument_terms(low: Array, high: Array, p: Parameters, slope: float) -> Array:
    """The argument: a factor of it comes from a difference of numbers near 1."""
    return nearest_and_farthest(low, high)[1]


def rational_terms(low: Array, high: Array, p: Parameters, slope: float) -> Array:
    """|v| + |c| + |l t|, over the scale."""
    v, c, l, scale = rational_parameters(p)  # noqa: E741
    with np.errstate(over="ignore", invalid="ignore"):  # 0 times an infinite argument is no term
        line = np.where(l == 0, 0.0, np.abs(l) * nearest_and_farthest(low, high)[1])
        result: Array = (np.abs(v) + np.abs(c) + line) / scale
    return result
