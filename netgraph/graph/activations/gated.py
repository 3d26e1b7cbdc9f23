"""Gated activations `f(t) = t g(t)` with a rising gate `g` from 0 to 1: GELU, its tanh form, and SiLU."""

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


# -- GELU in its tanh form --------------------------------------------------------------------------

TANH_LEAST, TANH_AT = -0.17004075057125407, (-0.7524615, -0.7524614)
"""Minimum of the tanh form, rounded down, and an interval that contains its place."""
TANH_SLOPES, TANH_TURNS = (-0.1289930686587719, 1.1289930686587719), 1.4185040087908284
"""Extreme slopes of the tanh form, rounded outward, and their places: minus and plus this number."""
LINE, CUBE = 2 * np.sqrt(2 / np.pi), 0.044715
FAR = 100.0
"""Number from which on the gate is 1, and below minus which it is 0, in float64 as in float32."""


def _tanh_argument(t: Array) -> Array:
    """Argument `2 u` of the gate `(1 + tanh(u)) / 2 = sigmoid(2 u)`; a sigmoid loses no digits of a small gate."""
    t = np.clip(t, -FAR, FAR)
    result: Array = LINE * t * (1 + CUBE * t * t)
    return result


def _gelu_tanh(z: Array, p: Parameters, slope: float) -> Array:
    return z * sigmoid(_tanh_argument(z))


def _tanh_derivative(z: Array) -> Array:
    """Derivative `g + z g (1 - g) v'` with the gate `g = sigmoid(v)`."""
    v, t = _tanh_argument(z), np.clip(z, -FAR, FAR)
    g, rest = sigmoid(v), sigmoid(-v)
    result: Array = g * (1 + t * rest * LINE * (1 + 3 * CUBE * t * t))
    return result


@sound
def _gelu_tanh_interval(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """Range of the tanh form, which falls to its minimum -0.17004 near -0.7525 and then rises."""

    def value(t: Array) -> tuple[Array, Array]:
        t = np.maximum(t, -1e3)  # the value underflows long before
        v = _tanh_argument(t)
        # The relative error of the gate grows with the magnitude of its negative argument; from -750 on it underflows.
        return t * sigmoid(v), EPS * (64 - 16 * np.clip(v, -800, 0))

    return _one_minimum(low, high, value, TANH_LEAST, TANH_AT)


@sound
def _gelu_tanh_slopes(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """Range of the slopes of the tanh form, within `[-0.129, 1.129]`, with its extremes at `-1.4185` and `1.4185`."""
    return _two_turns(_tanh_derivative, low, high, TANH_SLOPES, TANH_TURNS)


GELU_TANH = Activation(
    name="gelu_tanh",
    function=_gelu_tanh,
    derivatives=lambda z, p, slope: (_tanh_derivative(z), {}),
    interval=_gelu_tanh_interval,
    slopes=_gelu_tanh_slopes,
    terms=argument_terms,
    mirror=less_the_argument,
)
"""GELU in its tanh form, `f(t) = t (1 + tanh(sqrt(2 / pi) (t + 0.044715 t^3))) / 2`, as in GPT-2."""


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
