"""Numbers less their mean, over their deviation: what batch norm and layer norm have in common."""

from __future__ import annotations

import math

import numpy as np

from netgraph.columns import Array
from netgraph.graph.norms.record import Columns
from netgraph.graph.outward import EPS

TINY = 1e-300
"""More than underflow can lose in one operation."""


def standardise(z: Array, mean: Array, var: Array, columns: Columns, epsilon: float) -> Array:
    """`(z - mean) / sqrt(var + epsilon) * scale + shift`, in place."""
    z -= mean
    z /= np.sqrt(var + epsilon)
    z *= columns["scale"]
    z += columns["shift"]
    return z


def magnitude(low: Array, high: Array, error: Array) -> Array:
    """`(k,)` largest magnitude of numbers in `[low, high]` that are computed up to an error."""
    size: Array = np.maximum(np.abs(low), np.abs(high)) + error
    return size


def standardised_limit(n: int) -> float:
    """Largest magnitude of one of `n` numbers after their mean is taken off and they are divided by their spread."""
    return math.sqrt(n - 1) * (1 + 4 * EPS) if n > 1 else 0.0


def standardised_error(error: Array, size: Array, n: int, columns: Columns, epsilon: float) -> Array:
    """Bound the error of `n` numbers that are standardised, scaled and shifted.

    Args:
        error: Euclidean norm of the errors of the n numbers.
        size: largest magnitude of one of them, as computed.
        n: numbers over which mean and variance are taken.
        columns: of the norm; `scale` and `shift` count.
        epsilon: added to the variance.
    """
    scale, shift = np.abs(columns["scale"]), np.abs(columns["shift"])
    fresh = scale * _quotient_error(error, size, n, epsilon)
    fresh = fresh + 8 * EPS * (scale * (2 * math.sqrt(n) + 1) + shift) + TINY
    return raised(np.where(scale == 0, 4 * EPS * shift, fresh), n)


def _quotient_error(error: Array, size: Array, n: int, epsilon: float) -> Array:
    """Error of `(t - mean) / sqrt(variance + epsilon)`, a map with the Lipschitz constant `1 / sqrt(epsilon)`."""
    root = math.sqrt(n)
    gamma = (n + 16) * EPS
    centred = gamma * 2 * size + TINY  # error of t - mean, for exact t
    root_epsilon = math.sqrt(epsilon) * (1 - 1e-9)
    spread = centred / root_epsilon
    # Error of the quotient: of the numerator, and of the denominator, whose relative error is spread + gamma.
    fresh = spread + (root + spread) * (spread + gamma) * (1 + spread)
    # Neither the real nor the computed number exceeds the root of n by more than the error of the mean.
    result: Array = np.minimum(error / root_epsilon + 1.01 * fresh, 2.02 * (root + spread))
    return result


def raised(error: Array, operations: float = 0.0) -> Array:
    """A bound of an error, raised by the rounding of the operations that computed it."""
    result: Array = error * (1 + (operations + 64) * EPS)
    return result
