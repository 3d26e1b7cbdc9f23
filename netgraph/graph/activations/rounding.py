"""Outward rounding, and facts that several activations have in common."""

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
    """Wrap a range function so that it may ignore infinite ends and overflow.

    Before the call, a lower end of inf becomes the largest float, and an upper end of -inf the smallest. After the
    call, NaN, which overflow gives, becomes an infinite bound.
    """

    @wraps(function)
    def wrapped(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
        # Real arguments are finite, but may exceed all floats: then the largest float is a valid lower end.
        low, high = np.minimum(low, LARGEST), np.maximum(high, -LARGEST)
        with np.errstate(all="ignore"):
            low, high = function(low, high, p, slope)
        low, high = np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)
        return np.minimum(low, LARGEST), np.maximum(high, -LARGEST)

    return wrapped


def outward(
    low: Array, high: Array, relative: float, floor: Any = -np.inf, ceiling: Any = np.inf
) -> tuple[Array, Array]:
    """Move both ends outward by a relative error, but not beyond known bounds `floor` and `ceiling`.

    The result is `low - relative |low| - 1e-300`, at least `floor`, and `high + relative |high| + 1e-300`, at most
    `ceiling`.
    """
    low = np.maximum(low - relative * np.abs(low) - TINY, floor)
    high = np.minimum(high + relative * np.abs(high) + TINY, ceiling)
    return low, high


def nearest_and_farthest(low: Array, high: Array) -> tuple[Array, Array]:
    """Return the least and the largest `|t|` in each interval."""
    near = np.where((low <= 0) & (high >= 0), 0.0, np.minimum(np.abs(low), np.abs(high)))
    return near, np.maximum(np.abs(low), np.abs(high))


def argument_terms(low: Array, high: Array, p: Parameters, slope: float) -> Array:
    """Return the terms `|t|` of a function `t g(t)` whose factor `g` has an absolute error of a few `eps`."""
    return nearest_and_farthest(low, high)[1]


def less_the_argument(p: Parameters, slope: float) -> Mirror:
    """Mirror identity `f(-t) = f(t) - t`, of ReLU, softplus, GELU and SiLU."""
    return 1.0, -1.0, 0.0, 0.0
