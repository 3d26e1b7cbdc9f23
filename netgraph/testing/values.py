"""Drawn values: whole columns from one short string of bytes, so that drawing and shrinking are fast.

A string is repeated up to the length of the column. Since its own length does not depend on the column, the strings of
the other columns stay in place while Hypothesis shrinks a graph. A simple column has few and small bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from hypothesis import strategies as st

from netgraph.columns import Array
from netgraph.graph import variance_columns

Weights = Literal["dyadic", "zeros", "float32", "float64"]
WEIGHTS: tuple[Weights, ...] = ("dyadic", "zeros", "float32", "float64")
"""Kinds of weights: multiples of 1/8, multiples of 1/8 with many zeros, float32 numbers, float64 numbers."""

TAPE = st.binary(min_size=0, max_size=16)
"""Strategy of the bytes for a column. The empty string gives the simplest value in all rows."""

_REST = [k for n in range(1, 17) for k in (n, -n) if n not in (4, 8, 16)]
WEIGHT_VALUES = np.array([8, 16, 4, -8, -4, -16, *_REST, 0]) / 8
"""Values of weights, the simplest first."""
SPARSE_VALUES = np.array([8, 0, 16, 0, -8, 0, 4, 0]) / 8
BIAS_VALUES = np.array([0, 8, -8, 4, -4, 16, -16, *_REST]) / 8
SCALE_VALUES = np.array([8, 16, -8, 4, -4, -16, 12, -12]) / 8
VARIANCE_VALUES = np.array([1.0, 4.0, 0.25, 0.5, 2.0, 9.0])
SLOPE_VALUES = np.array([0.25, 0.5, 0.0, 1.0, -0.5])

COLUMN_VALUES = {
    "bias": BIAS_VALUES,
    "scale": SCALE_VALUES,
    "shift": BIAS_VALUES,
    "mean": BIAS_VALUES,
    "slope": SLOPE_VALUES,
    "v": BIAS_VALUES,
    "c": BIAS_VALUES,
    "l": WEIGHT_VALUES,
}
"""Values of vertex columns by name, the simplest first."""

LARGEST_FINITE = 4.0
"""Largest absolute value that is drawn for an input without a bound."""


def column_values(name: str) -> Array:
    """Return the possible values of a vertex column, the simplest first. Unknown columns have the values of biases."""
    return VARIANCE_VALUES if name in variance_columns() else COLUMN_VALUES.get(name, BIAS_VALUES)


def spread(tape: bytes, n: int) -> Array:
    """Repeat the bytes to `n` numbers from 0 to 255, `(n,)`.

    The k-th round, from 0, multiplies them by `2 k + 1` modulo 256: rounds differ, and only a 0 stays 0.
    """
    if not tape:
        return np.zeros(n, dtype=np.int64)
    numbers = np.frombuffer(tape, dtype=np.uint8).astype(np.int64)
    rounds = 2 * np.arange(-(-n // len(tape))) + 1
    return np.asarray((rounds[:, None] * numbers).ravel()[:n] % 256)


def pick(tape: bytes, values: Array, n: int) -> Array:
    """Select `n` of the given values by bytes, `(n,)`. A byte of 0 selects the first value."""
    return np.asarray(values[spread(tape, n) % len(values)])


def weights_of(tape: bytes, fine: bytes, n: int, kind: Weights) -> Array:
    """Make `n` weights of a kind, `(n,)`. The bytes `fine` move those of the float kinds off the multiples of 1/8."""
    values = pick(tape, SPARSE_VALUES if kind == "zeros" else WEIGHT_VALUES, n)
    return off_grid(values, fine, kind)


def off_grid(values: Array, fine: bytes, kind: Weights) -> Array:
    """Move values of the float kinds by at most 0.15 to numbers that need all digits; return others unchanged."""
    if kind not in ("float32", "float64"):
        return values
    moved = values + spread(fine, len(values)) / (256 * 7.1)
    return moved.astype(np.float32).astype(np.float64) if kind == "float32" else moved


def levels(low: float, high: float) -> Array:
    """Return the multiples of 1/8 in a finite interval, the simplest first, or its ends if there are none."""
    steps = np.arange(np.ceil(low * 8), np.floor(high * 8) + 1) / 8
    if not len(steps):
        return np.array([low, high])
    order = np.lexsort((steps < 0, np.abs(steps), steps % 1 != 0, steps != 1))
    return np.asarray(steps[order])


def some_of(tape: bytes, n: int) -> Array:
    """Draw a mask of `n` items, `(n,)`: all of them for the simplest bytes, about two in three otherwise."""
    return np.asarray(spread(tape, n) % 3 != 1)


def is_dyadic(values: Array) -> bool:
    """Whether all values are multiples of 1/8 with absolute values up to 64."""
    return bool(((values * 8) % 1 == 0).all() and (np.abs(values) <= 64).all())


def as_tuple(values: Sequence[str] | str) -> tuple[str, ...]:
    """Return one or several names as a tuple."""
    return (values,) if isinstance(values, str) else tuple(values)
