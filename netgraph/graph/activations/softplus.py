"""The softplus activation."""

from __future__ import annotations

import numpy as np

from netgraph.columns import Array
from netgraph.graph.activations.activation import Activation, Parameters
from netgraph.graph.activations.bounded import sigmoid, sigmoid_interval
from netgraph.graph.activations.rounding import less_the_argument, outward, sound
from netgraph.graph.outward import EPS


@sound
def _interval(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """Values at both ends, as softplus rises, at least 0."""
    return outward(np.logaddexp(0.0, low), np.logaddexp(0.0, high), 8 * EPS, 0.0)


@sound
def _slopes(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """Range of the derivative, which is the sigmoid."""
    return sigmoid_interval(low, high, p, slope)


def _terms(low: Array, high: Array, p: Parameters, slope: float) -> Array:
    """Return the largest value as terms: the error of `logaddexp` is relative to its result."""
    return _interval(low, high, p, slope)[1]


SOFTPLUS = Activation(
    name="softplus",
    function=lambda z, p, slope: np.logaddexp(0.0, z),
    derivatives=lambda z, p, slope: (sigmoid(z), {}),
    interval=_interval,
    slopes=_slopes,
    terms=_terms,
    mirror=less_the_argument,
)
"""Softplus, `f(t) = log(1 + exp(t))`."""
