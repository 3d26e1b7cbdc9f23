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
    """Range of a function with one minimum `least` within `at`, negative left of 0 and positive right of 0.

    `value(t)` gives `f(t)` and a bound of its relative error.
    """
    (a, a_error), (b, b_error) = value(low), value(high)
    below = np.fmin(a - a_error * np.abs(a), b - b_error * np.abs(b)) - TINY  # NaN where b is infinite
    above = np.maximum(a + a_error * np.abs(a), b + b_error * np.abs(b)) + TINY
    below = np.where((low <= at[1]) & (high >= at[0]), least, np.maximum(below, np.where(low >= 0, 0.0, least)))
    return below, np.where(high <= 0, np.minimum(above, 0.0), above)


def _two_turns(at: Any, low: Array, high: Array, extremes: tuple[float, float], turn: float) -> tuple[Array, Array]:
    """Range of a derivative that falls to its least at `-turn`, rises to its largest at `turn`, and falls again."""
    a, b = at(low), at(high)
    close = 1e-9  # near a turn the extreme itself: where it lies is known up to rounding only
    least = np.where((low <= -turn + close) & (high >= -turn - close), extremes[0], np.minimum(a, b))
    most = np.where((low <= turn + close) & (high >= turn - close), extremes[1], np.maximum(a, b))
    return np.maximum(least - 64 * EPS, extremes[0]), np.minimum(most + 64 * EPS, extremes[1])


# -- GELU -------------------------------------------------------------------------------------------

GELU_LEAST, GELU_AT = -0.16997120747990372, (-0.7517916, -0.7517915)
"""Least value, rounded down, and an interval around its place."""
GELU_SLOPES, GELU_TURNS = (-0.1289041451851549, 1.1289041451851549), 1.4142135623730951
"""Extreme slopes, rounded outward, and their places: plus and minus the root of 2."""


def _gelu(z: Array, p: Parameters, slope: float) -> Array:
    from scipy.special import erf

    result: Array = 0.5 * z * (1.0 + erf(z / np.sqrt(2.0)))
    return result


def _gelu_derivatives(z: Array, p: Parameters, slope: float) -> tuple[Array, Parameters]:
    """`Phi(z) + z phi(z)`."""
    from scipy.special import erf

    bell = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    return 0.5 * (1.0 + erf(z / np.sqrt(2.0))) + z * bell, {}


@sound
def _gelu_interval(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """At least -0.16998: falls to its minimum near -0.7518, and rises from there."""
    from scipy.special import ndtr

    def value(t: Array) -> tuple[Array, Array]:
        t = np.maximum(t, -1e3)  # the value is below the least float long before
        # The tail loses digits with the square of the argument.
        return t * ndtr(t), EPS * (256 + 4 * np.minimum(t, 0.0).clip(-40) ** 2)

    return _one_minimum(low, high, value, GELU_LEAST, GELU_AT)


@sound
def _gelu_slopes(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """Within [-0.12891, 1.12891], extreme at plus and minus the root of 2."""
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
"""`f(t) = t Phi(t)` with the normal distribution function `Phi(t) = (1 + erf(t / sqrt(2))) / 2`."""


# -- SiLU -------------------------------------------------------------------------------------------

SILU_LEAST, SILU_AT = -0.27846454276107385, (-1.2784646, -1.2784645)
"""Least value, rounded down, and an interval around its place."""
SILU_SLOPES, SILU_TURNS = (-0.0998393201288670, 1.0998393201288671), 2.3993572805154677
"""Extreme slopes, rounded outward, and their places, plus or minus."""


def _silu_derivatives(z: Array, p: Parameters, slope: float) -> tuple[Array, Parameters]:
    """`s (1 + z (1 - s))` with the sigmoid `s` of `z`."""
    s = sigmoid(z)
    return s * (1 + z * (1 - s)), {}


@sound
def _silu_interval(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """At least -0.27847: falls to its minimum near -1.2785, and rises from there."""

    def value(t: Array) -> tuple[Array, Array]:
        t = np.maximum(t, -1e3)
        return t * sigmoid(t), np.full(len(t), 8 * EPS)

    return _one_minimum(low, high, value, SILU_LEAST, SILU_AT)


@sound
def _silu_slopes(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """Within [-0.09984, 1.09984], extreme at plus and minus 2.3994."""

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
"""`f(t) = t / (1 + exp(-t))`."""
