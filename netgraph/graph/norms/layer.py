"""Layer norm: statistics per sample and position, over the vertices of the layer, as in transformers."""

from __future__ import annotations

import numpy as np

from netgraph.columns import Array
from netgraph.graph.norms.record import Columns, Norm, NormSetting
from netgraph.graph.norms.standard import (
    change_by_length,
    magnitude,
    standardise,
    standardised_error,
    standardised_limit,
)
from netgraph.graph.outward import Pair, scaled


def _function(z: Array, columns: Columns, epsilon: float, _train: bool) -> Array:
    mean, var = z.mean(axis=1, keepdims=True), z.var(axis=1, keepdims=True)
    return standardise(z, mean, var, columns, epsilon)


def _interval(low: Array, _high: Array, setting: NormSetting) -> Pair:
    """Interval for any sums: none is farther from their mean than `sqrt(width - 1)` deviations."""
    limit = standardised_limit(setting.width)
    p = setting.columns
    return scaled(np.full(len(low), -limit), np.full(len(low), limit), p["scale"], p["shift"])


def _rounding(low: Array, high: Array, error: Array, setting: NormSetting) -> Array:
    n = setting.width
    together = np.full(n, float(np.linalg.norm(error)))
    size = np.full(n, float(magnitude(low, high, error).max()))
    return standardised_error(together, size, n, setting.columns, setting.epsilon)


LAYER = Norm(
    name="layer",
    function=_function,
    columns={"scale": 1.0, "shift": 0.0},
    couples_vertices=True,
    standard="centred",
    interval=_interval,
    change=change_by_length,
    rounding=_rounding,
    factor=lambda columns, epsilon: columns["scale"],
)
