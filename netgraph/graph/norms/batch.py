"""Batch norm: statistics per vertex, over samples and positions of a batch, or running ones in eval mode."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from netgraph.columns import Array
from netgraph.graph.norms.record import Columns, Norm, NormChange, NormSetting
from netgraph.graph.norms.standard import (
    TINY,
    magnitude,
    raised,
    standardise,
    standardised_error,
    standardised_limit,
)
from netgraph.graph.outward import EPS, NORMAL, Pair, add, scaled, times, widen


def _function(z: Array, columns: Columns, epsilon: float, train: bool) -> Array:
    axes = (0, *range(2, z.ndim))
    mean = z.mean(axis=axes, keepdims=True)[0] if train else columns["mean"]
    var = z.var(axis=axes, keepdims=True)[0] if train else columns["var"]
    return standardise(z, mean, var, columns, epsilon)


def _interval(low: Array, high: Array, setting: NormSetting) -> Pair:
    p = setting.columns
    if setting.mode == "train":
        return _of_any_batch(low, high, setting) if not setting.count else _of_a_batch(low, setting.count, p)
    with np.errstate(over="ignore"):  # `scaled` turns an infinite factor into infinite bounds
        factor = p["scale"] / np.sqrt(p["var"] + setting.epsilon)
    low, high = add(low, high, -p["mean"], -p["mean"])
    low, high = scaled(low, high, factor, p["shift"], 8 * EPS)
    lost = (p["scale"] != 0) & (np.abs(factor) < NORMAL)
    return np.where(lost, -np.inf, low), np.where(lost, np.inf, high)


def _of_any_batch(low: Array, high: Array, setting: NormSetting) -> Pair:
    """Interval for batches of unknown size: infinite, unless the scale is 0 or the sum is constant over all inputs."""
    p = setting.columns
    constant = low == high  # in train mode it equals its mean, which leaves the shift; eval mode may differ
    far = np.where(constant, 0.0, np.inf)
    least, most = scaled(-far, far, p["scale"], p["shift"])
    if constant.any():
        in_eval = _interval(low, high, replace(setting, mode="eval"))
        least = np.where(constant, np.minimum(least, in_eval[0]), least)
        most = np.where(constant, np.maximum(most, in_eval[1]), most)
    return least, most


def _of_a_batch(low: Array, count: int, p: Columns) -> Pair:
    """Interval for batches with `count` values per vertex: standardised values are at most `sqrt(count - 1)`."""
    limit = np.full(len(low), standardised_limit(count))
    return scaled(-limit, limit, p["scale"], p["shift"])


def _rounding(low: Array, high: Array, error: Array, setting: NormSetting) -> Array:
    p, size = setting.columns, magnitude(low, high, error)
    scale, shift = np.abs(p["scale"]), np.abs(p["shift"])
    if setting.mode == "train":
        if not setting.count:
            return raised(np.where(scale == 0, 4 * EPS * shift, np.inf))
        return standardised_error(math.sqrt(setting.count) * error, size, setting.count, p, setting.epsilon)
    factor = scale / np.sqrt(p["var"] + setting.epsilon)
    size = size + np.abs(p["mean"])
    found = factor * error + 16 * EPS * (factor * (size + error) + shift) + TINY
    return raised(np.where(scale == 0, 4 * EPS * shift, found))


def _change(change: NormChange) -> Pair:
    """Bounds of the change of a value. In eval mode the value is `f z + o` with a factor `f` and an offset `o`.

    Its change is `f_new (z_new - z_old) + (f_new - f_old) z_old + o_new - o_old`. In train mode no bound is
    given: the norm strongly amplifies a sum whose variance over the batch is near 0.
    """
    if change.new.mode == "train":
        infinite = np.full(len(change.low), np.inf)
        return -infinite, infinite
    kept = change.kept
    (f_new, o_new, e_new), (f_old, o_old, e_old) = _factor_offset(change.new), _factor_offset(change.old)
    wide = np.abs(f_new) * 1e-14
    low, high = times(f_new - wide, f_new + wide, change.low, change.high)
    # With unchanged columns the difference of the factors is exactly 0, without the slack for rounding.
    slack = (np.abs(f_new) + np.abs(f_old)) * 1e-14
    d_low, d_high = np.where(kept, 0.0, f_new - f_old - slack), np.where(kept, 0.0, f_new - f_old + slack)
    by_factor = times(d_low, d_high, change.old_low, change.old_high)
    offset = np.where(kept, 0.0, o_new - o_old)
    with np.errstate(invalid="ignore"):
        sizes = sum(np.abs(part) for part in (low, high, *by_factor, offset))
        room = np.where(kept, 0.0, e_new + e_old + 1e-14 * sizes + 1e-290)
        return widen(low + by_factor[0] + offset - room, high + by_factor[1] + offset + room)


def _factor_offset(setting: NormSetting) -> tuple[Array, Array, Array]:
    """Factor `scale / sqrt(var + epsilon)`, offset `shift - mean * factor`, and rounding bound of the offset."""
    scale, shift, mean, var = (setting.columns[name] for name in ("scale", "shift", "mean", "var"))
    factor = scale / np.sqrt(var + setting.epsilon)
    return factor, shift - mean * factor, (np.abs(shift) + np.abs(mean * factor)) * 1e-14


def _factor(columns: Columns, epsilon: float) -> Array:
    factor: Array = columns["scale"] / np.sqrt(columns["var"] + epsilon)
    return factor


def _affine(columns: Columns, epsilon: float) -> tuple[Array, Array, Array, Array]:
    factor = _factor(columns, epsilon)
    # Three roundings, the first one halved by the root. A factor of 0 from others is an underflow.
    error = np.where(columns["scale"] == 0, 0.0, np.abs(factor) * 2 * EPS + TINY)
    return factor, error, columns["mean"], columns["shift"]


def _restoring(sums: Array) -> Mapping[str, float]:
    return {"scale": sums.std(), "shift": sums.mean()}


BATCH = Norm(
    name="batch",
    function=_function,
    columns={"scale": 1.0, "shift": 0.0, "mean": 0.0, "var": 1.0},
    buffers={"mean", "var"},
    variances={"var"},
    couples_samples=True,
    centres=True,
    interval=_interval,
    change=_change,
    rounding=_rounding,
    affine=_affine,
    factor=_factor,
    restoring=_restoring,
)
