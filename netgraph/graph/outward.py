"""Interval arithmetic on arrays, rounded outward: results contain the exact intervals."""

from __future__ import annotations

import numpy as np

from netgraph.columns import Array

Pair = tuple[Array, Array]

UNIT = 2.0**-53
EPS = float(np.finfo(np.float64).eps)
LARGEST = float(np.finfo(np.float64).max)
NORMAL = 1e-290
"""Magnitude from which a product has lost no digits to underflow."""


def add(low: Array, high: Array, more_low: Array, more_high: Array) -> Pair:
    """Sum of two intervals. An end moves outward, by one float, only where rounding has moved it inward."""
    with np.errstate(over="ignore", invalid="ignore"):  # errors of infinite sums are NaN, which compares as False
        return _add(low, more_low, -1), _add(high, more_high, 1)


def _add(a: Array, b: Array, direction: int) -> Array:
    total = a + b
    other = total - a
    error = (a - (total - other)) + (b - other)  # exact error of the sum (two-sum, Knuth)
    inward = error < 0 if direction < 0 else error > 0
    if inward.any():
        total = np.where(inward, np.nextafter(total, direction * np.inf), total)
    return np.asarray(np.minimum(total, LARGEST) if direction < 0 else np.maximum(total, -LARGEST))


def scaled(low: Array, high: Array, factor: Array, shift: Array, relative: float = 0.0) -> Pair:
    """Range of `factor * t + shift` for `t` in `[low, high]`, with a factor known up to the error `relative`.

    A factor of 0 gives the shift alone, for infinite `t` as well.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # `where` replaces 0 times infinity, `add` clips overflow
        used = [(factor != 0) & (t != 0) for t in (low, high)]
        ends = [np.where(u, factor * t, 0.0) for u, t in zip(used, (low, high), strict=True)]
        # An infinite end has no rounding error. A finite end that overflows gives inf - inf, NaN: no bound.
        error = [
            np.where(u & np.isfinite(t), (relative + 2 * EPS) * np.abs(e) + 1e-300, 0.0)
            for u, t, e in zip(used, (low, high), ends, strict=True)
        ]
        below = np.minimum(ends[0] - error[0], ends[1] - error[1])
        above = np.maximum(ends[0] + error[0], ends[1] + error[1])
        below, above = np.where(np.isnan(below), -np.inf, below), np.where(np.isnan(above), np.inf, above)
        return add(below, above, shift, shift)


def sum_bounds(row: Array, least: Array, most: Array, rows: int) -> tuple[Array, Array]:
    """Sums of intervals by row, rounded outward, `(rows,)` each; `row` is the row of each interval."""
    factor = (np.bincount(row, minlength=rows) + 4) * 4 * UNIT
    tiny = 1e-290  # more than one product can lose to underflow
    parts = (least, np.abs(least) * factor[row] + tiny, most, np.abs(most) * factor[row] + tiny)
    below, under, above, over = (np.bincount(row, weights=part, minlength=rows) for part in parts)
    with np.errstate(invalid="ignore"):
        low, high = below - under, above + over
    return np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)


def times(low: Array, high: Array, other_low: Array, other_high: Array) -> tuple[Array, Array]:
    """Product of two intervals, rounded outward; 0 times infinity is 0."""
    ends = []
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        for a in (low, high):
            for b in (other_low, other_high):
                product = np.where((a == 0) | (b == 0), 0.0, a * b)
                ends.append(product)
    least, most = np.minimum.reduce(ends), np.maximum.reduce(ends)
    touched = (other_low != 0) | (other_high != 0)
    least, most = widen(least, most)
    return np.where(touched, least - 1e-290, 0.0), np.where(touched, most + 1e-290, 0.0)


def widen(low: Array, high: Array) -> tuple[Array, Array]:
    """Widen an interval by the rounding error of the few additions that computed it: `1e-12` times the magnitude."""
    with np.errstate(invalid="ignore"):
        low, high = low - 1e-12 * np.abs(low), high + 1e-12 * np.abs(high)
    return np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)


def down(values: Array) -> Array:
    """Next smaller float of each value; 0 and infinities stay."""
    return np.where((values == 0) | np.isinf(values), values, np.nextafter(values, -np.inf))


def up(values: Array) -> Array:
    """Next larger float of each value; 0 and infinities stay."""
    return np.where((values == 0) | np.isinf(values), values, np.nextafter(values, np.inf))
