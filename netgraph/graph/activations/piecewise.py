"""Piecewise linear activations: `f(t) = t` for `t >= 0`, else `f(t) = a t` with a factor `a`; and ReLU6."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from netgraph.columns import Array
from netgraph.graph.activations.activation import Activation, Mirror, Parameters
from netgraph.graph.activations.rounding import less_the_argument, sound

Factor = Callable[[Parameters, float], Any]
"""Function that returns the factor `a` for `t < 0`: `(p, slope) -> a`."""


def _fixed(p: Parameters, slope: float) -> Any:
    """Factor of leaky ReLU: the slope of the layer."""
    return np.float64(slope)


def _trained(p: Parameters, slope: float) -> Any:
    """Factor of PReLU: the slope of each vertex."""
    return np.asarray(p["slope"], dtype=np.float64)


# -- facts of the identity and of ReLU, which round nothing -----------------------------------------


def _no_terms(low: Array, high: Array, p: Parameters, slope: float) -> Array:
    return np.zeros(len(low))


def _identity_interval(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    return low, high


def _identity_slopes(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    return np.ones(len(low)), np.ones(len(low))


def _identity_affine(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    return np.ones(len(low)), np.zeros(len(low))


def _relu_interval(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    return np.maximum(low, 0.0), np.maximum(high, 0.0)


def _relu_slopes(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    return _slopes(low, high, np.float64(0.0))


def _relu_affine(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    return _affine(low, high, np.float64(0.0))


# -- facts of ReLU6, which round nothing ------------------------------------------------------------

MOST = 6.0
"""Largest value of ReLU6."""


def _relu6_derivatives(z: Array, p: Parameters, slope: float) -> tuple[Array, Parameters]:
    """Derivative of ReLU6, 0 at both kinks."""
    return ((z > 0) & (z < MOST)).astype(z.dtype), {}


def _relu6_interval(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    return np.clip(low, 0.0, MOST), np.clip(high, 0.0, MOST)


def _relu6_slopes(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """Range of the slopes: 1 between 0 and 6, and 0 outside; both for the intervals `[0, 0]` and `[6, 6]`."""
    kink = (low == high) & ((low == 0) | (low == MOST))
    rises, rests = kink | ((high > 0) & (low < MOST)), kink | (low < 0) | (high > MOST)
    return np.where(rests, 0.0, 1.0), np.where(rises, 1.0, 0.0)


def _relu6_affine(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """Return `(alpha, error)`: `alpha` is 1 between 0 and 6, 0 below 0, else NaN; `error` is 0."""
    alpha = np.where((low >= 0) & (high <= MOST), 1.0, np.where(high <= 0, 0.0, np.nan))
    return alpha, np.zeros(len(low))


# -- facts for a factor `a` -------------------------------------------------------------------------


def _interval(low: Array, high: Array, a: Any) -> tuple[Array, Array]:
    """Interval around `a` times the part of `[low, high]` below 0, rounded outward, and the part above 0."""
    ends = []
    for end in (np.minimum(low, 0.0), np.minimum(high, 0.0)):
        product = np.where((a == 0) | (end == 0), 0.0, a * end)
        rounded = (a != 0) & (np.abs(a) != 1) & (end != 0)
        down = np.where(rounded, np.nextafter(product, -np.inf), product)
        ends.append((down, np.where(rounded, np.nextafter(product, np.inf), product)))
    below = np.minimum(ends[0][0], ends[1][0])
    above = np.maximum(ends[0][1], ends[1][1])
    return np.where(low >= 0, low, below), np.where(high > 0, np.maximum(above, high), above)


def _slopes(low: Array, high: Array, a: Any) -> tuple[Array, Array]:
    """Range of the slopes: `a` below 0 and 1 above; both for the interval `[0, 0]`."""
    right, left = (high > 0) | (low >= 0), (low < 0) | (high <= 0)
    least = np.where(right & left, np.minimum(a, 1.0), np.where(right, 1.0, a))
    return least, np.where(right & left, np.maximum(a, 1.0), np.where(right, 1.0, a))


def _affine(low: Array, high: Array, a: Any) -> tuple[Array, Array]:
    """Return `(alpha, error)`: `alpha` is 1 above 0, `a` below 0, and NaN across 0 unless `a` is 1; `error` is 0."""
    alpha = np.where((low >= 0) | (a == 1), 1.0, np.where(high <= 0, a, np.nan))
    return alpha, np.zeros(len(low))


def _mirror(a: Any) -> Mirror:
    """Mirror identity `f(-t) = f(t) - (1 + a) t`. The rounding error of `1 + a` is computed exactly (two-sum)."""
    total = 1.0 + a
    other = total - 1.0
    error = np.abs((1.0 - (total - other)) + (a - other))
    return 1.0, -total, 0.0, error


def _leaky_terms(low: Array, high: Array, p: Parameters, slope: float) -> Array:
    """Terms `|slope| |t|` of the product below 0."""
    return abs(slope) * np.maximum(-low, 0.0) if slope else np.zeros(len(low))


def _prelu_terms(low: Array, high: Array, p: Parameters, slope: float) -> Array:
    """Terms `|slope| |t|` of the product below 0."""
    a = np.abs(_trained(p, slope))
    return np.where((low >= 0) | (a == 0), 0.0, a * np.where(low >= 0, 0.0, -low))


def _leaky(name: str, factor: Factor, **more: Any) -> Activation:
    """Make an activation with a factor below 0; `more` are further fields of the record."""
    return Activation(
        name=name,
        interval=sound(lambda low, high, p, slope: _interval(low, high, factor(p, slope))),
        slopes=lambda low, high, p, slope: _slopes(low, high, factor(p, slope)),
        affine=lambda low, high, p, slope: _affine(low, high, factor(p, slope)),
        mirror=lambda p, slope: _mirror(factor(p, slope)),
        homogeneous=True,
        exact=True,
        **more,
    )


IDENTITY = Activation(
    name="identity",
    function=lambda z, p, slope: z,
    derivatives=lambda z, p, slope: (np.ones_like(z), {}),
    interval=_identity_interval,
    slopes=_identity_slopes,
    terms=_no_terms,
    affine=_identity_affine,
    homogeneous=True,
    exact=True,
    identity_at={},
)
"""Identity, `f(t) = t`. It needs no mirror identity, as it is linear."""

RELU = Activation(
    name="relu",
    function=lambda z, p, slope: np.maximum(z, 0),
    derivatives=lambda z, p, slope: ((z > 0).astype(z.dtype), {}),
    interval=_relu_interval,
    slopes=_relu_slopes,
    terms=_no_terms,
    affine=_relu_affine,
    mirror=less_the_argument,
    homogeneous=True,
    exact=True,
)
"""ReLU, `f(t) = max(t, 0)`."""

LEAKY_RELU = _leaky(
    "leaky_relu",
    _fixed,
    function=lambda z, p, slope: np.where(z >= 0, z, slope * z),
    derivatives=lambda z, p, slope: (np.where(z >= 0, z.dtype.type(1), z.dtype.type(slope)), {}),
    terms=_leaky_terms,
    uses_slope=True,
)
"""Leaky ReLU, `f(t) = t` for `t >= 0`, else `slope t` with the fixed slope of the layer."""

PRELU = _leaky(
    "prelu",
    _trained,
    function=lambda z, p, slope: np.where(z >= 0, z, p["slope"] * z),
    derivatives=lambda z, p, slope: (np.where(z >= 0, 1.0, p["slope"]), {"slope": np.minimum(z, 0.0)}),
    terms=_prelu_terms,
    parameters={"slope": 0.25},
    identity_at={"slope": 1.0},
)
"""PReLU, `f(t) = t` for `t >= 0`, else `slope t` with a trained slope per vertex."""

RELU6 = Activation(
    name="relu6",
    function=lambda z, p, slope: np.clip(z, 0, z.dtype.type(MOST)),
    derivatives=_relu6_derivatives,
    interval=_relu6_interval,
    slopes=_relu6_slopes,
    terms=_no_terms,
    affine=_relu6_affine,
    exact=True,
)
"""ReLU6, `f(t) = min(max(t, 0), 6)`, of MobileNets. It has no mirror identity, and `f(k t)` is not `k f(t)`."""
