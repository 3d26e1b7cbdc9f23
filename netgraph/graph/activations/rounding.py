"""Outward rounding, and identities that several activations share."""

from __future__ import annotations

from functools import wraps
from typing import Any

import numpy as np

from netgraph.columns import Array
from netgraph.graph.activations.activation import Mirror, Parameters, Range
from netgraph.graph.outward import LARGEST

TINY = 1e-300
"""Absolute slack for digits lost to underflow."""


def sound(function: Range) -> Range:
    """Make a range safe for infinite ends and overflow.

    Before the call, `low` is at most, and `high` at least, the float of largest magnitude: an interval above all floats
    gets a finite lower end. After the call, NaN (overflow) becomes an infinite bound.
    """

    @wraps(function)
    def wrapped(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
        # Reals are finite: a lower bound above all floats is as good as the largest one.
        low, high = np.minimum(low, LARGEST), np.maximum(high, -LARGEST)
        with np.errstate(all="ignore"):
            low, high = function(low, high, p, slope)
        low, high = np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)
        return np.minimum(low, LARGEST), np.maximum(high, -LARGEST)

    return wrapped


def outward(
    low: Array, high: Array, relative: float, floor: Any = -np.inf, ceiling: Any = np.inf
) -> tuple[Array, Array]:
    """Move both ends outward by a relative error, within a floor and a ceiling known to hold.

    `low - relative |low| - 1e-300`, at least `floor`; `high + relative |high| + 1e-300`, at most `ceiling`.
    """
    low = np.maximum(low - relative * np.abs(low) - TINY, floor)
    high = np.minimum(high + relative * np.abs(high) + TINY, ceiling)
    return low, high


def nearest_and_farthest(low: Array, high: Array) -> tuple[Array, Array]:
    """Least and largest `|t|` in each interval."""
    near = np.where((low <= 0) & (high >= 0), 0.0, np.minimum(np.abs(low), np.abs(high)))
    return near, np.maximum(np.abs(low), np.abs(high))


def argument_terms(low: Array, high: Array, p: Parameters, slope: float) -> Array:
    """Terms `|t|`, of a function `t g(t)` whose factor `g` is computed with an absolute error of a few `eps`."""
    return nearest_and_farthest(low, high)[1]


def less_the_argument(p: Parameters, slope: float) -> Mirror:
    """Mirror identity `f(-t) = f(t) - t`, of ReLU, softplus, GELU and SiLU."""
    return 1.0, -1.0, 0.0, 0.0
