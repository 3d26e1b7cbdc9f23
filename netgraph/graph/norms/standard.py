"""Parts that norms have in common: standardisation, `(z - mean) / deviation`, and bounds of errors and changes."""

from __future__ import annotations

import math

import numpy as np

from netgraph.columns import Array
from netgraph.graph.norms.record import Columns, NormChange
from netgraph.graph.outward import EPS, Pair

TINY = 1e-300
"""Upper bound of the error of one operation by underflow."""


def standardise(z: Array, mean: Array, var: Array, columns: Columns, epsilon: float) -> Array:
    """Overwrite `z` by `(z - mean) / sqrt(var + epsilon) * scale + shift` and return it."""
    z -= mean
    z /= np.sqrt(var + epsilon)
    z *= columns["scale"]
    z += columns["shift"]
    return z


def magnitude(low: Array, high: Array, error: Array) -> Array:
    """Largest magnitude of computed numbers whose real values lie in `[low, high]`, `(k,)`."""
    size: Array = np.maximum(np.abs(low), np.abs(high)) + error
    return size


def standardised_limit(n: int) -> float:
    """Largest magnitude among `n` standardised numbers: `sqrt(n - 1)`, rounded up."""
    return math.sqrt(n - 1) * (1 + 4 * EPS) if n > 1 else 0.0


def standardised_error(error: Array, size: Array, n: int, columns: Columns, epsilon: float) -> Array:
    """Bound the error of `n` numbers that are standardised, scaled and shifted.

    Args:
        error: Euclidean norm of the errors of the `n` numbers.
        size: largest magnitude among the computed numbers.
        n: number of values behind each mean and variance.
        columns: columns of the norm, of which `scale` and `shift` are used.
        epsilon: number added to the variance.
    """
    scale, shift = np.abs(columns["scale"]), np.abs(columns["shift"])
    fresh = scale * _quotient_error(error, size, n, epsilon)
    fresh = fresh + 8 * EPS * (scale * (2 * math.sqrt(n) + 1) + shift) + TINY
    return raised(np.where(scale == 0, 4 * EPS * shift, fresh), n)


def _quotient_error(error: Array, size: Array, n: int, epsilon: float) -> Array:
    """Bound the error of `(t - mean) / sqrt(variance + epsilon)`, whose Lipschitz constant is `1 / sqrt(epsilon)`."""
    root = math.sqrt(n)
    gamma = (n + 16) * EPS
    centred = gamma * 2 * size + TINY  # error of t - mean, for exact t
    root_epsilon = math.sqrt(epsilon) * (1 - 1e-9)
    spread = centred / root_epsilon
    # Error of the quotient: of the numerator, and of the denominator, whose relative error is spread + gamma.
    fresh = spread + (root + spread) * (spread + gamma) * (1 + spread)
    # The magnitudes of the real and of the computed number are at most sqrt(n) plus the error of the mean.
    result: Array = np.minimum(error / root_epsilon + 1.01 * fresh, 2.02 * (root + spread))
    return result


def raised(error: Array, operations: float = 0.0) -> Array:
    """Raise an error bound by the rounding of the operations that computed it."""
    result: Array = error * (1 + (operations + 64) * EPS)
    return result


def change_by_length(change: NormChange) -> Pair:
    """Bounds of the change of a value, for whole layers with unchanged columns; unbounded for others.

    Layer norm and RMS norm are Lipschitz maps: `|change of value| <= |scale| |change of sums|_2 / sqrt(epsilon)`.
    """
    size = np.full(len(change.low), np.inf)
    if change.whole and change.kept.all():
        reach = np.maximum(np.abs(change.low), np.abs(change.high))
        largest = max(float(reach.max()), 1e-290)
        scale = np.abs(change.new.columns["scale"])
        if np.isfinite(largest):
            length = largest * np.sqrt(np.sum((reach / largest) ** 2)) / np.sqrt(change.new.epsilon) * (1 + 1e-9)
            size = np.where(scale == 0, 0.0, scale * length + 1e-290)
    return -size, size
