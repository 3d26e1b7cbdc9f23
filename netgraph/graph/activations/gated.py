"""Gated activations `f(t) = t g(t)` with a rising gate `g` from 0 to 1: GELU and SiLU."""

from __future__ import annotations

from typing import Any

import numpy as np

from netgraph.columns import Array
from netgraph.graph.activations.activation import Activation, Parameters
from netgraph.graph.activations.bounded import sigmoid
from netgraph.graph.activations.rounding import TINY, argument_terms, less_the_argument, sound
from netgraph.graph.outward import EPS


def _one_minimum(low: Array, high: Array, value: Any, least: float, at: tuple[float, float]) -> tuple[Array, Array]:
    """Range over `[low, high]` of a function `f` with a single minimum, negative for `t < 0` and positive for `t > 0`.

    `value(t)` returns `f(t)` and a bound of its relative error. The minimum is `least`, at some `t` in the interval
    `at`.
    """
    (a, a_error), (b, b_error) = value(low), value(high)
    below = np.fmin(a - a_error * np.abs(a), b - b_error * np.abs(b)) - TINY  # NaN where b is infinite
    above = np.maximum(a + a_error * np.abs(a), b + b_error * np.abs(b)) + TINY
    below = np.where((low <= at[1]) & (high >= at[0]), least, np.maximum(below, np.where(low >= 0, 0.0, least)))
    return below, np.where(high <= 0, np.minimum(above, 0.0), above)


def _two_turns(at: Any, low: Array, high: Array, extremes: tuple[float, float], turn: float) -> tuple[Array, Array]:
    """Range of a derivative `at` with its minimum at `-turn` and its maximum at `turn`, monotonic between and beyond.

    `extremes` are the minimum and the maximum.
    """
    a, b = at(low), at(high)
    close = 1e-9  # near a turn the extreme counts, because its place is known up to rounding only
    least = np.where((low <= -turn + close) & (high >= -turn - close), extremes[0], np.minimum(a, b))
    most = np.where((low <= turn + close) & (high >= turn - close), extremes[1], np.maximum(a, b))
    return np.maximum(least - 64 * EPS, extremes[0]), np.minimum(most + 64 * EPS, extremes[1])


# -- GELU -------------------------------------------------------------------------------------------

GELU_LEAST, GELU_AT = -0.16997120747990372, (-0.7517916, -0.7517915)
"""Minimum of GELU, rounded down, and an interval that contains its place."""
GELU_SLOPES, GELU_TURNS = (-0.1289041451851549, 1.1289041451851549), 1.4142135623730951
"""Extreme slopes of GELU, rounded outward, and their places: `-sqrt(2)` and `sqrt(2)`."""


def _gelu(z: Array, p: Parameters, slope: float) -> Array:
    from scipy.special import erf

    result: Array = 0.5 * z * (1.0 + erf(z / np.sqrt(2.0)))
    return result


def _gelu_derivatives(z: Array, p: Parameters, slope: float) -> tuple[Array, Parameters]:
    """Derivative of GELU, `Phi(z) + z phi(z)`."""
    from scipy.special import erf

    bell = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    return 0.5 * (1.0 + erf(z / np.sqrt(2.0))) + z * bell, {}


@sound
def _gelu_interval(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """Range of GELU, which falls to its minimum -0.16998 near -0.7518 and then rises."""
    from scipy.special import ndtr

    def value(t: Array) -> tuple[Array, Array]:
        t = np.maximum(t, -1e3)  # the value underflows long before
        # For negative t the relative error of ndtr grows with t^2.
        return t * ndtr(t), EPS * (256 + 4 * np.minimum(t, 0.0).clip(-40) ** 2)

    return _one_minimum(low, high, value, GELU_LEAST, GELU_AT)


@sound
def _gelu_slopes(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """Range of the slopes of GELU, within `[-0.12891, 1.12891]`, with its extremes at `-sqrt(2)` and `sqrt(2)`."""
    from scipy.special import ndtr

    def at(t: Array) -> Array:
        t = np.clip(t, -1e3, 1e3)
        return np.asarray(ndtr(t) + t * np.exp(-t * t / 2) / np.sqrt(2 * np.pi))

    return _two_turns(at, low, high, GELU_SLOPES, GELU_TURNS)


GELU = Activation(
    name="gelu",
    function=_gelu,
    derivatives=_gelu_derivatives,
    interval=_gelu_interval,
    slopes=_gelu_slopes,
    terms=argument_terms,
    mirror=less_the_argument,
)
"""GELU, `f(t) = t Phi(t)` with the normal distribution function `Phi(t) = (1 + erf(t / sqrt(2))) / 2`."""


# -- SiLU -------------------------------------------------------------------------------------------

SILU_LEAST, SILU_AT = -0.27846454276107385, (-1.2784646, -1.2784645)
"""Minimum of SiLU, rounded down, and an interval that contains its place."""
SILU_SLOPES, SILU_TURNS = (-0.0998393201288670, 1.0998393201288671), 2.3993572805154677
"""Extreme slopes of SiLU, rounded outward, and their places: minus and plus this number."""


def _silu_derivatives(z: Array, p: Parameters, slope: float) -> tuple[Array, Parameters]:
    """Derivative of SiLU, `s (1 + z (1 - s))` with the sigmoid `s` of `z`."""
    s = sigmoid(z)
    return s * (1 + z * (1 - s)), {}


@sound
def _silu_interval(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """Range of SiLU, which falls to its minimum -0.27847 near -1.2785 and then rises."""

    def value(t: Array) -> tuple[Array, Array]:
        t = np.maximum(t, -1e3)
        return t * sigmoid(t), np.full(len(t), 8 * EPS)

    return _one_minimum(low, high, value, SILU_LEAST, SILU_AT)


@sound
def _silu_slopes(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """Range of the slopes of SiLU, within `[-0.09984, 1.09984]`, with its extremes at `-2.3994` and `2.3994`."""

    def at(t: Array) -> Array:
        t = np.clip(t, -1e3, 1e3)
        return np.asarray(sigmoid(t) * (1 + t * sigmoid(-t)))

    return _two_turns(at, low, high, SILU_SLOPES, SILU_TURNS)


SILU = Activation(
    name="silu",
    function=lambda z, p, slope: z * sigmoid(z),
    derivatives=_silu_derivatives,
    interval=_silu_interval,
    slopes=_silu_slopes,
    terms=argument_terms,
    mirror=less_the_argument,
)
"""SiLU, `f(t) = t / (1 + exp(-t))`."""
