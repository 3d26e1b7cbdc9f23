"""RMS norm: sums over their root mean square, taken per sample and position over the vertices of the layer."""

from __future__ import annotations

import math

import numpy as np

from netgraph.columns import Array
from netgraph.graph.norms.record import Columns, Norm, NormSetting
from netgraph.graph.norms.standard import TINY, change_by_length, magnitude, raised
from netgraph.graph.outward import EPS, Pair, scaled


def _function(z: Array, columns: Columns, epsilon: float, _train: bool) -> Array:
    z /= np.sqrt(np.square(z).mean(axis=1, keepdims=True) + epsilon)
    z *= columns["scale"]
    return z


def _interval(low: Array, high: Array, setting: NormSetting) -> Pair:
    """Interval for sums in `[low, high]`. A value has the sign of its sum, and is largest where all other sums are 0.

    There it is `t / sqrt(t^2 / width + epsilon)`, which rises with `t` to `sqrt(width)`.
    """
    root = math.sqrt(setting.width)
    floor = root * math.sqrt(setting.epsilon)

    def alone(t: Array) -> Array:
        with np.errstate(invalid="ignore"):
            share = np.where(np.isinf(t), np.sign(t), t / np.hypot(t, floor))
        return np.asarray(root * share * (1 + 16 * EPS))

    scale = setting.columns["scale"]
    return scaled(alone(np.minimum(low, 0.0)), alone(np.maximum(high, 0.0)), scale, np.zeros(len(low)))


def _rounding(low: Array, high: Array, error: Array, setting: NormSetting) -> Array:
    """Bound the error of the quotient, whose Lipschitz constant is `1 / sqrt(epsilon)`, and of its factor."""
    n, scale = setting.width, np.abs(setting.columns["scale"])
    root, root_epsilon = math.sqrt(n), math.sqrt(setting.epsilon) * (1 - 1e-9)
    carried = float(np.linalg.norm(error)) / root_epsilon
    # All terms of the mean are positive, so its relative error is that of a few roundings, and of underflow.
    fresh = root * ((n + 16) * EPS + TINY / setting.epsilon)
    size = float(magnitude(low, high, error).max())
    most = 2.02 * root  # magnitude of the real and of the computed number together
    quotient = min(carried + 1.01 * fresh, most) if size < HUGE else most
    return raised(np.where(scale == 0, 0.0, scale * (quotient + 8 * EPS * (root + quotient)) + TINY), n)


HUGE = 1e150
"""Magnitude from which squares may overflow, which turns a quotient into 0."""


RMS = Norm(
    name="rms",
    function=_function,
    columns={"scale": 1.0},
    couples_vertices=True,
    standard="uncentred",
    interval=_interval,
    change=change_by_length,
    rounding=_rounding,
    factor=lambda columns, epsilon: columns["scale"],
)
