"""Ranges and slopes of each activation on an interval, for `netgraph.graph.activations.registry`.

Every bound is rounded outward, so that it holds in real arithmetic. Arrays are (n,) float64, one entry per vertex;
`p` maps names to (n,) parameters, `slope` is the layer's fixed slope. Bounds may be infinite and are never NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

import numpy as np

from netgraph.columns import Array

Parameters = Mapping[str, Array]
Range = Callable[[Array, Array, Parameters, float], tuple[Array, Array]]

EPS = float(np.finfo(np.float64).eps)
LARGEST = float(np.finfo(np.float64).max)
TINY = 1e-300
"""Added to what may have lost digits to underflow."""

GELU_LEAST, GELU_AT = -0.16997120747990372, (-0.7517916, -0.7517915)
SILU_LEAST, SILU_AT = -0.27846454276107385, (-1.2784646, -1.2784645)
GELU_SLOPES, GELU_TURNS = (-0.1289041451851549, 1.1289041451851549), 1.4142135623730951
SILU_SLOPES, SILU_TURNS = (-0.0998393201288670, 1.0998393201288671), 2.3993572805154677
"""Least value (rounded down) and where it lies, extreme slopes (rounded outward) and where they lie (plus or minus)."""


def _sound(function: Range) -> Range:
    """Clip infinite ends inward by one number before, and turn what overflowed into no bound after."""

    @wraps(function)
    def wrapped(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
        # Reals are finite: a lower bound above all floats is as good as the largest one.
        low, high = np.minimum(low, LARGEST), np.maximum(high, -LARGEST)
        with np.errstate(all="ignore"):
            low, high = function(low, high, p, slope)
        low, high = np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)
        return np.minimum(low, LARGEST), np.maximum(high, -LARGEST)

    return wrapped


def _outward(
    low: Array, high: Array, relative: float, floor: Any = -np.inf, ceiling: Any = np.inf
) -> tuple[Array, Array]:
    """Move both ends outward by a relative error, but not over a floor and a ceiling known to hold."""
    low = np.maximum(low - relative * np.abs(low) - TINY, floor)
    high = np.minimum(high + relative * np.abs(high) + TINY, ceiling)
    return low, high


def nearest_and_farthest(low: Array, high: Array) -> tuple[Array, Array]:
    """Least and largest |t| in each interval."""
    near = np.where((low <= 0) & (high >= 0), 0.0, np.minimum(np.abs(low), np.abs(high)))
    return near, np.maximum(np.abs(low), np.abs(high))


def sigmoid(z: Array) -> Array:
    """1 / (1 + exp(-z)), accurate to a few ulps on both sides."""
    # The two halves avoid an overflow in exp for large |z|.
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1.0 / (1.0 + e), e / (1.0 + e))


# -- ranges ---------------------------------------------------------------------------------------


def identity_interval(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """The interval itself."""
    return low, high


def relu_interval(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """Both ends, at least 0."""
    return np.maximum(low, 0.0), np.maximum(high, 0.0)


@_sound
def leaky_interval(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """Hull of the part below 0 times the slope, rounded outward, and the part above it."""
    return _two_pieces(low, high, np.float64(slope))


@_sound
def prelu_interval(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """As `leaky_interval`, each vertex with its own slope."""
    return _two_pieces(low, high, np.asarray(p["slope"], dtype=np.float64))


def _two_pieces(low: Array, high: Array, a: Any) -> tuple[Array, Array]:
    ends = []
    for end in (np.minimum(low, 0.0), np.minimum(high, 0.0)):
        product = np.where((a == 0) | (end == 0), 0.0, a * end)
        rounded = (a != 0) & (np.abs(a) != 1) & (end != 0)
        down = np.where(rounded, np.nextafter(product, -np.inf), product)
        ends.append((down, np.where(rounded, np.nextafter(product, np.inf), product)))
    below = np.minimum(ends[0][0], ends[1][0])
    above = np.maximum(ends[0][1], ends[1][1])
    return np.where(low >= 0, low, below), np.where(high > 0, np.maximum(above, high), above)


@_sound
def tanh_interval(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """Within [-1, 1], with the sign of the argument."""
    floor, ceiling = np.where(low >= 0, 0.0, -1.0), np.where(high <= 0, 0.0, 1.0)
    return _outward(np.tanh(low), np.tanh(high), 8 * EPS, floor, ceiling)


@_sound
def sigmoid_interval(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """Within [0, 1]."""
    return _outward(sigmoid(low), sigmoid(high), 8 * EPS, 0.0, 1.0)


@_sound
def softplus_interval(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """At least 0."""
    return _outward(np.logaddexp(0.0, low), np.logaddexp(0.0, high), 8 * EPS, 0.0)


@_sound
def gelu_interval(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """At least -0.16998: falls to its minimum near -0.7518, and rises from there."""
    from scipy.special import ndtr

    def value(t: Array) -> tuple[Array, Array]:
        t = np.maximum(t, -1e3)  # the value is below the least float long before
        # The tail loses digits with the square of the argument.
        return t * ndtr(t), EPS * (256 + 4 * np.minimum(t, 0.0).clip(-40) ** 2)

    return _one_minimum(low, high, value, GELU_LEAST, GELU_AT)


@_sound
def silu_interval(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """At least -0.27847: falls to its minimum near -1.2785, and rises from there."""

    def value(t: Array) -> tuple[Array, Array]:
        t = np.maximum(t, -1e3)
        return t * sigmoid(t), np.full(len(t), 8 * EPS)

    return _one_minimum(low, high, value, SILU_LEAST, SILU_AT)


def _one_minimum(low: Array, high: Array, value: Any, least: float, at: tuple[float, float]) -> tuple[Array, Array]:
    """Range of a function with one minimum, negative left of 0 and positive right of it."""
    (a, a_error), (b, b_error) = value(low), value(high)
    below = np.fmin(a - a_error * np.abs(a), b - b_error * np.abs(b)) - TINY  # NaN where b is infinite
    above = np.maximum(a + a_error * np.abs(a), b + b_error * np.abs(b)) + TINY
    below = np.where((low <= at[1]) & (high >= at[0]), least, np.maximum(below, np.where(low >= 0, 0.0, least)))
    return below, np.where(high <= 0, np.minimum(above, 0.0), above)


@_sound
def rational_interval(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """Ends and interior critical points: the roots of a quartic, by its companion matrix. O(vertices)."""
    v, c, l, scale = rational_parameters(p)  # noqa: E741 (the paper's names)
    wave = np.hypot(2 * v, c)  # the part in v and c swings by half of this around c / 2
    # Critical points of that part alone: v t^2 + c t - v = 0.
    q = -(c + np.copysign(wave, c)) / 2
    turns = [np.where(wave > 0, q / np.where(v == 0, np.nan, v), 0.0), np.where(wave > 0, -v / q, 0.0)]
    points = [low, high, *(np.clip(np.nan_to_num(t), low, high) for t in turns)]
    parts = np.stack([_rational_part(v, c, t) for t in points])
    lines = np.stack([_line(l, low), _line(l, high)])
    slack = 1e-13 * (np.abs(v) + np.abs(c)) + np.where(wave > 0, TINY, 0.0)
    error = np.where(np.isfinite(lines) & (lines != 0), 16 * EPS * np.abs(lines) + TINY, 0.0)
    below = parts.min(axis=0) + (lines - error).min(axis=0) - slack
    above = parts.max(axis=0) + (lines + error).max(axis=0) + slack
    rows = np.flatnonzero((wave > 0) & (np.abs(l) > 1e-9 * wave) & (low < high))
    if len(rows):
        tight = _with_quartic(v[rows], c[rows], l[rows], low[rows], high[rows], slack[rows])
        below[rows], above[rows] = np.fmax(below[rows], tight[0]), np.fmin(above[rows], tight[1])
    below, above = below / scale, above / scale
    return below - 8 * EPS * np.abs(below), above + 8 * EPS * np.abs(above)


def rational_parameters(p: Parameters) -> tuple[Array, Array, Array, Array]:
    """(v, c, l, scale) of each vertex; the scale is right within 8 machine epsilons."""
    v, c, l = (np.asarray(p[name], dtype=np.float64) for name in ("v", "c", "l"))  # noqa: E741
    return v, c, l, np.hypot(np.hypot(v, c), np.hypot(l, 1e-4))


def _rational_part(v: Array, c: Array, t: Array) -> Array:
    """(2 v t + c) / (1 + t^2), without overflow for large t."""
    large = np.abs(t) > 1
    s, r = np.where(large, 0.0, t), np.where(large, t, 1.0)
    result: Array = np.where(large, (2 * v + c / r) / (r + 1 / r), (2 * v * s + c) / (1 + s * s))
    return result


def _line(l: Array, t: Array) -> Array:  # noqa: E741
    return np.where((l == 0) | (t == 0), 0.0, l * t)


def _with_quartic(v: Array, c: Array, l: Array, low: Array, high: Array, slack: Array) -> Any:  # noqa: E741
    """Range of the rational activation, before its scale, from ends and critical points."""
    # Real parts of complex roots too: two roots that nearly meet may be computed as a complex pair.
    b, d, e = 2 * (1 - v / l), -2 * c / l, 1 + 2 * v / l
    companion = np.zeros((len(v), 4, 4))
    companion[:, 0, 1], companion[:, 0, 2], companion[:, 0, 3] = -b, -d, -e
    companion[:, [1, 2, 3], [0, 1, 2]] = 1.0
    t = np.linalg.eigvals(companion).real.T
    step = (((t * t + b) * t + d) * t + e) / ((4 * t * t + 2 * b) * t + d)  # one step of Newton's method
    t = np.concatenate([t, np.where(np.abs(step) < 0.1 * (1 + np.abs(t)), t - step, t)])
    t = np.concatenate([np.clip(t, low, high), [low, high]])
    line, part = _line(l, t), _rational_part(v, c, t)
    error = np.where(np.isfinite(line), 16 * EPS * (np.abs(line) + np.abs(part)), 0.0) + slack
    return (part + line - error).min(axis=0), (part + line + error).max(axis=0)


# -- slopes ---------------------------------------------------------------------------------------


def identity_slopes(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """1."""
    return np.ones(len(low)), np.ones(len(low))


def relu_slopes(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """0 below 0, 1 above it."""
    return _slopes_of_two_pieces(low, high, np.float64(0.0))


def leaky_slopes(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """The slope below 0, 1 above it."""
    return _slopes_of_two_pieces(low, high, np.float64(slope))


def prelu_slopes(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """The vertex's slope below 0, 1 above it."""
    return _slopes_of_two_pieces(low, high, np.asarray(p["slope"], dtype=np.float64))


def _slopes_of_two_pieces(low: Array, high: Array, a: Any) -> tuple[Array, Array]:
    # At the point 0 alone both count.
    right, left = (high > 0) | (low >= 0), (low < 0) | (high <= 0)
    least = np.where(right & left, np.minimum(a, 1.0), np.where(right, 1.0, a))
    return least, np.where(right & left, np.maximum(a, 1.0), np.where(right, 1.0, a))


def _bump(low: Array, high: Array) -> tuple[Array, Array]:
    """Range of the derivative of the sigmoid, which is even and falls with |t|."""
    ends = []
    for t in nearest_and_farthest(low, high):
        e = np.exp(-t)
        ends.append(e / (1 + e) ** 2)
    return _outward(ends[1], ends[0], 16 * EPS, 0.0, 0.25)


@_sound
def tanh_slopes(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """Within [0, 1]."""
    below, above = _bump(2 * low, 2 * high)
    return _outward(4 * below, 4 * above, 0.0, 0.0, 1.0)


@_sound
def sigmoid_slopes(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """Within [0, 1/4]."""
    return _bump(low, high)


@_sound
def softplus_slopes(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """The sigmoid, which rises."""
    return sigmoid_interval(low, high, p, slope)


@_sound
def gelu_slopes(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """Within [-0.12891, 1.12891], extreme at plus and minus the root of 2."""
    from scipy.special import ndtr

    def at(t: Array) -> Array:
        t = np.clip(t, -1e3, 1e3)
        return np.asarray(ndtr(t) + t * np.exp(-t * t / 2) / np.sqrt(2 * np.pi))

    return _two_turns(at, low, high, GELU_SLOPES, GELU_TURNS)


@_sound
def silu_slopes(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """Within [-0.09984, 1.09984], extreme at plus and minus 2.3994."""

    def at(t: Array) -> Array:
        t = np.clip(t, -1e3, 1e3)
        return np.asarray(sigmoid(t) * (1 + t * sigmoid(-t)))

    return _two_turns(at, low, high, SILU_SLOPES, SILU_TURNS)


def _two_turns(at: Any, low: Array, high: Array, extremes: tuple[float, float], turn: float) -> tuple[Array, Array]:
    """Range of a derivative that falls to its least at -turn, rises to its largest at turn, and falls again."""
    a, b = at(low), at(high)
    close = 1e-9  # near a turn the extreme itself: where it lies is known up to rounding only
    least = np.where((low <= -turn + close) & (high >= -turn - close), extremes[0], np.minimum(a, b))
    most = np.where((low <= turn + close) & (high >= turn - close), extremes[1], np.maximum(a, b))
    return np.maximum(least - 64 * EPS, extremes[0]), np.minimum(most + 64 * EPS, extremes[1])


@_sound
def rational_slopes(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """(l plus or minus the root of 4 v^2 + c^2) / scale at most, and less on short intervals and far from 0."""
    v, c, l, scale = rational_parameters(p)  # noqa: E741
    wave = np.hypot(2 * v, c)
    near, _far = nearest_and_farthest(low, high)
    falls = 1 / (1 + np.minimum(near, 1e100) ** 2)
    anywhere = wave * falls * (1 + 16 * EPS)
    # Around the middle the derivative moves by at most half the width times the largest second derivative.
    middle = np.clip(low / 2 + high / 2, -1e100, 1e100)
    u = 1 / (1 + middle**2)
    there = 2 * u * (v * (2 * u - 1) - c * middle * u)
    reach = (high / 2 - low / 2) * 2 * wave * falls**1.5 * (1 + 64 * EPS)
    error = 64 * EPS * (np.abs(v) + np.abs(c)) + np.where(wave > 0, TINY, 0.0)
    below = l + np.fmax(-anywhere, there - reach - error)
    above = l + np.fmin(anywhere, there + reach + error)
    error = 8 * EPS * (np.abs(l) + anywhere)
    below, above = (below - error) / scale, (above + error) / scale
    return below - 8 * EPS * np.abs(below), above + 8 * EPS * np.abs(above)
