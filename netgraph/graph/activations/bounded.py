"""Bounded smooth activations: tanh and the sigmoid."""

from __future__ import annotations

import numpy as np

from netgraph.columns import Array
from netgraph.graph.activations.activation import Activation, Mirror, Parameters
from netgraph.graph.activations.rounding import nearest_and_farthest, outward, sound
from netgraph.graph.outward import EPS


def sigmoid(z: Array) -> Array:
    """Sigmoid `1 / (1 + exp(-z))`, accurate to a few units in the last place for all `z`."""
    # The two halves avoid an overflow in exp for large |z|.
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1.0 / (1.0 + e), e / (1.0 + e))


def _unit_terms(low: Array, high: Array, p: Parameters, slope: float) -> Array:
    """Return the terms 1: all magnitudes in the evaluation are at most about 1."""
    return np.ones(len(low))


def _bump(low: Array, high: Array) -> tuple[Array, Array]:
    """Range of the derivative of the sigmoid, `exp(-t) / (1 + exp(-t))^2`: an even function that falls with `|t|`."""
    ends = []
    for t in nearest_and_farthest(low, high):
        e = np.exp(-t)
        ends.append(e / (1 + e) ** 2)
    return outward(ends[1], ends[0], 16 * EPS, 0.0, 0.25)


# -- tanh -------------------------------------------------------------------------------------------


@sound
def _tanh_interval(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """Values at both ends, as tanh rises, clipped to `[-1, 1]` and to the sign of the argument."""
    floor, ceiling = np.where(low >= 0, 0.0, -1.0), np.where(high <= 0, 0.0, 1.0)
    return outward(np.tanh(low), np.tanh(high), 8 * EPS, floor, ceiling)


@sound
def _tanh_slopes(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """Range of `4 s'(2 t)` with the sigmoid `s`, since `tanh(t) = 2 s(2 t) - 1`; within `[0, 1]`."""
    below, above = _bump(2 * low, 2 * high)
    return outward(4 * below, 4 * above, 0.0, 0.0, 1.0)


def _tanh_mirror(p: Parameters, slope: float) -> Mirror:
    """Mirror identity `f(-t) = -f(t)`."""
    return -1.0, 0.0, 0.0, 0.0


TANH = Activation(
    name="tanh",
    function=lambda z, p, slope: np.tanh(z),
    derivatives=lambda z, p, slope: (1 - np.tanh(z) ** 2, {}),
    interval=_tanh_interval,
    slopes=_tanh_slopes,
    terms=_unit_terms,
    mirror=_tanh_mirror,
)
"""Hyperbolic tangent, `f(t) = tanh(t)`."""


# -- sigmoid ----------------------------------------------------------------------------------------


@sound
def sigmoid_interval(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """Values at both ends, as the sigmoid rises, clipped to `[0, 1]`."""
    return outward(sigmoid(low), sigmoid(high), 8 * EPS, 0.0, 1.0)


@sound
def _sigmoid_slopes(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """Range of the derivative of the sigmoid, within `[0, 1/4]`."""
    return _bump(low, high)


def _sigmoid_mirror(p: Parameters, slope: float) -> Mirror:
    """Mirror identity `f(-t) = 1 - f(t)`."""
    return -1.0, 0.0, 1.0, 0.0


def _sigmoid_derivatives(z: Array, p: Parameters, slope: float) -> tuple[Array, Parameters]:
    s = sigmoid(z)
    return s * (1 - s), {}


SIGMOID = Activation(
    name="sigmoid",
    function=lambda z, p, slope: sigmoid(z),
    derivatives=_sigmoid_derivatives,
    interval=sigmoid_interval,
    slopes=_sigmoid_slopes,
    terms=_unit_terms,
    mirror=_sigmoid_mirror,
)
"""Sigmoid, `f(t) = 1 / (1 + exp(-t))`."""
