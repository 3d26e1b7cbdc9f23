"""Interval arithmetic on columns, rounded outward."""

from __future__ import annotations

import numpy as np

from netgraph.columns import Array

UNIT = 2.0**-53


def sum_bounds(row: Array, least: Array, most: Array, rows: int) -> tuple[Array, Array]:
    """Sums of bounds by row, rounded outward."""
    factor = (np.bincount(row, minlength=rows) + 4) * 4 * UNIT
    tiny = 1e-290  # what products below the normal numbers may have lost, each
    parts = (least, np.abs(least) * factor[row] + tiny, most, np.abs(most) * factor[row] + tiny)
    below, under, above, over = (np.bincount(row, weights=part, minlength=rows) for part in parts)
    with np.errstate(invalid="ignore"):
        low, high = below - under, above + over
    return np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)


def times(low: Array, high: Array, other_low: Array, other_high: Array) -> tuple[Array, Array]:
    """The product of two intervals, rounded outward; 0 times infinity is 0."""
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
    """An interval that allows for the rounding of the few additions that made it."""
    with np.errstate(invalid="ignore"):
        low, high = low - 1e-12 * np.abs(low), high + 1e-12 * np.abs(high)
    return np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)


def down(values: Array) -> Array:
    """The next smaller number, but for 0 and infinities, which stay."""
    return np.where((values == 0) | np.isinf(values), values, np.nextafter(values, -np.inf))


def up(values: Array) -> Array:
    """The next larger number, but for 0 and infinities, which stay."""
    return np.where((values == 0) | np.isinf(values), values, np.nextafter(values, np.inf))
