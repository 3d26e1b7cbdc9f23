"""The rational activation of SENN: `f(t) = ((2 v t + c) / (1 + t^2) + l t) / sqrt(v^2 + c^2 + l^2 + 1e-8)`."""

from __future__ import annotations

from typing import Any

import numpy as np

from netgraph.columns import Array
from netgraph.graph.activations.activation import Activation, Derivatives, Parameters
from netgraph.graph.activations.rounding import TINY, nearest_and_farthest, sound
from netgraph.graph.outward import EPS


def _function(z: Array, p: Parameters, slope: float) -> Array:
    v, c, l = p["v"], p["c"], p["l"]  # noqa: E741 (the paper's names)
    scale = np.sqrt(v**2 + c**2 + l**2 + 1e-8)
    result: Array = ((2 * v * z + c) / (1 + z**2) + l * z) / scale
    return result


def _at_once(z: Array, p: Parameters, slope: float) -> Derivatives:
    """Evaluate function and derivatives.

    With `u = 1 / (1 + z^2)` and `n = 1 / scale`: `df/dz = (2 u (v - z (2 v z + c) u) + l) n`, and
    `df/dv = 2 z u n - f v n^2`, `df/dc = u n - f c n^2`, `df/dl = z n - f l n^2`.
    """
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


def _derivatives(z: Array, p: Parameters, slope: float) -> tuple[Array, Parameters]:
    found = _at_once(z, p, slope)
    return found.argument, found.parameters


# -- ranges -----------------------------------------------------------------------------------------


@sound
def _interval(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """Range from the values at both ends and at critical points: roots of a quartic, by its companion matrix.

    Cost: O(vertices).
    """
    v, c, l, scale = _parameters(p)  # noqa: E741 (the paper's names)
    wave = np.hypot(2 * v, c)  # the part in v and c lies within wave / 2 of c / 2
    # Critical points of that part alone: v t^2 + c t - v = 0.
    q = -(c + np.copysign(wave, c)) / 2
    turns = [np.where(wave > 0, q / np.where(v == 0, np.nan, v), 0.0), np.where(wave > 0, -v / q, 0.0)]
    points = [low, high, *(np.clip(np.nan_to_num(t), low, high) for t in turns)]
    parts = np.stack([_part(v, c, t) for t in points])
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


def _parameters(p: Parameters) -> tuple[Array, Array, Array, Array]:
    """Parameters `(v, c, l, scale)` of each vertex; the relative error of the scale is at most `8 EPS`."""
    v, c, l = (np.asarray(p[name], dtype=np.float64) for name in ("v", "c", "l"))  # noqa: E741
    return v, c, l, np.hypot(np.hypot(v, c), np.hypot(l, 1e-4))


def _part(v: Array, c: Array, t: Array) -> Array:
    """Part `(2 v t + c) / (1 + t^2)`, without overflow for large `t`."""
    large = np.abs(t) > 1
    s, r = np.where(large, 0.0, t), np.where(large, t, 1.0)
    result: Array = np.where(large, (2 * v + c / r) / (r + 1 / r), (2 * v * s + c) / (1 + s * s))
    return result


def _line(l: Array, t: Array) -> Array:  # noqa: E741
    return np.where((l == 0) | (t == 0), 0.0, l * t)


def _with_quartic(v: Array, c: Array, l: Array, low: Array, high: Array, slack: Array) -> Any:  # noqa: E741
    """Range of the rational activation, before its scale, from ends and critical points."""
    # Real parts of complex roots count too: two nearly equal real roots may be computed as a complex pair.
    b, d, e = 2 * (1 - v / l), -2 * c / l, 1 + 2 * v / l
    companion = np.zeros((len(v), 4, 4))
    companion[:, 0, 1], companion[:, 0, 2], companion[:, 0, 3] = -b, -d, -e
    companion[:, [1, 2, 3], [0, 1, 2]] = 1.0
    t = np.linalg.eigvals(companion).real.T
    step = (((t * t + b) * t + d) * t + e) / ((4 * t * t + 2 * b) * t + d)  # one step of Newton's method
    t = np.concatenate([t, np.where(np.abs(step) < 0.1 * (1 + np.abs(t)), t - step, t)])
    t = np.concatenate([np.clip(t, low, high), [low, high]])
    line, part = _line(l, t), _part(v, c, t)
    error = np.where(np.isfinite(line), 16 * EPS * (np.abs(line) + np.abs(part)), 0.0) + slack
    return (part + line - error).min(axis=0), (part + line + error).max(axis=0)


# -- slopes and identities -----------------------------------------------------------------------------


@sound
def _slopes(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """Range of slopes: within `(l -+ sqrt(4 v^2 + c^2)) / scale`, tighter for short intervals and far from 0."""
    v, c, l, scale = _parameters(p)  # noqa: E741
    wave = np.hypot(2 * v, c)
    near, _far = nearest_and_farthest(low, high)
    falls = 1 / (1 + np.minimum(near, 1e100) ** 2)
    anywhere = wave * falls * (1 + 16 * EPS)
    # The derivative differs from its value in the middle by at most half the width times the second derivative.
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


def _affine(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """Return `alpha = l / scale` when `v = c = 0`, with the error of the rounded quotient."""
    v, c, l, scale = _parameters(p)  # noqa: E741
    alpha = np.where((v == 0) & (c == 0), l / scale, np.nan)
    return alpha, np.where(np.isnan(alpha) | (l == 0), 0.0, 8 * EPS * np.abs(l / scale) + TINY)


def _terms(low: Array, high: Array, p: Parameters, slope: float) -> Array:
    """Return the terms `(|v| + |c| + |l t|) / scale`."""
    v, c, l, scale = _parameters(p)  # noqa: E741
    with np.errstate(over="ignore", invalid="ignore"):  # 0 times an infinite argument is no term
        line = np.where(l == 0, 0.0, np.abs(l) * nearest_and_farthest(low, high)[1])
        result: Array = (np.abs(v) + np.abs(c) + line) / scale
    return result


RATIONAL = Activation(
    name="rational",
    function=_function,
    derivatives=_derivatives,
    interval=_interval,
    slopes=_slopes,
    terms=_terms,
    parameters={"v": 0.0, "c": 0.0, "l": 1.0},
    affine=_affine,
    # With these parameters f(t) = t / sqrt(1 + 1e-8), which equals t in float32.
    identity_at={"v": 0.0, "c": 0.0, "l": 1.0},
    at_once=_at_once,
)
"""Rational activation of SENN, with three trained parameters per vertex."""
