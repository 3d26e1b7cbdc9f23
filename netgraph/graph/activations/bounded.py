"""Bounded smooth activations: tanh and the sigmoid."""

from __future__ import annotations

import numpy as np

from netgraph.columns import Array
from netgraph.graph.activations.activation import Activation, Mirror, Parameters
from netgraph.graph.activations.rounding import nearest_and_farthest, outward, sound
from netgraph.graph.outward import EPS


def sigmoid(z: Array) -> Array:
    """`1 / (1 + exp(-z))`, accurate to a few ulps on both sides."""
    # The two halves avoid an overflow in exp for large |z|.
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1.0 / (1.0 + e), e / (1.0 + e))


def _unit_terms(low: Array, high: Array, p: Parameters, slope: float) -> Array:
    """Terms 1: the value lies within `[-1, 1]`."""
    return np.ones(len(low))


def _bump(low: Array, high: Array) -> tuple[Array, Array]:
    """Range of the derivative of the sigmoid, `exp(-t) / (1 + exp(-t))^2`, which is even and falls with `|t|`."""
    ends = []
    for t in nearest_and_farthest(low, high):
        e = np.exp(-t)
        ends.append(e / (1 + e) ** 2)
    return outward(ends[1], ends[0], 16 * EPS, 0.0, 0.25)


# -- tanh -------------------------------------------------------------------------------------------


@sound
def _tanh_interval(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """Both ends, within `[-1, 1]` and with the sign of the argument."""
    floor, ceiling = np.where(low >= 0, 0.0, -1.0), np.where(high <= 0, 0.0, 1.0)
    return outward(np.tanh(low), np.tanh(high), 8 * EPS, floor, ceiling)


@sound
def _tanh_slopes(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """`4 s'(2 t)` with the sigmoid `s`, since `tanh(t) = 2 s(2 t) - 1`; within `[0, 1]`."""
    below, above = _bump(2 * low, 2 * high)
    return outward(4 * below, 4 * above, 0.0, 0.0, 1.0)


def _tanh_mirror(p: Parameters, slope: float) -> Mirror:
    """`f(-t) = -f(t)`."""
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
"""`f(t) = tanh(t)`."""


# -- sigmoid ----------------------------------------------------------------------------------------


@sound
def sigmoid_interval(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """Both ends, within `[0, 1]`."""
    return outward(sigmoid(low), sigmoid(high), 8 * EPS, 0.0, 1.0)


@sound
def _sigmoid_slopes(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """Within `[0, 1/4]`."""
    return _bump(low, high)


def _sigmoid_mirror(p: Parameters, slope: float) -> Mirror:
    """`f(-t) = 1 - f(t)`."""
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
"""`f(t) = 1 / (1 + exp(-t))`."""
