"""How far a vertex may have moved from the old vertex of the same id: intervals and slopes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netgraph.columns import Array
from netgraph.graph import get_activation
from netgraph.graph.bounds import Mode, normalise_interval, times, widen
from netgraph.proof.known import operation, parameters

if TYPE_CHECKING:
    from netgraph.graph import Layer
    from netgraph.proof.walk import Sums, Walk


@dataclass(frozen=True, eq=False)
class Shift:
    """Bounds of new value minus old value, for some vertices of a layer.

    Attributes:
        low, high: (k,) the interval; infinite where nothing is known.
        soft: (k,) whether only the rounding of weights is behind it.
        comparable: (k,) whether there is a twin on the same grid.
        linear_factor: (k,) the factor by which the twin hands its sum on, NaN where it does something else.
    """

    low: Array
    high: Array
    soft: Array
    comparable: Array
    linear_factor: Array

    @property
    def size(self) -> Array:
        """(k,) largest distance."""
        return np.maximum(np.abs(self.low), np.abs(self.high))


def shift_of(walk: Walk, layer: Layer, sums: Sums, bounds: tuple[Array, Array]) -> Shift:
    """Bound how far vertices moved: by slopes where the operation is the twin's, and by their ranges.

    Args:
        walk: the proof.
        layer: the new layer.
        sums: what arrives at the vertices in question.
        bounds: (k,) bounds of their new values.
    """
    k = len(sums.rows)
    nothing = Shift(np.full(k, -np.inf), np.full(k, np.inf), np.zeros(k, bool), np.zeros(k, bool), np.full(k, np.nan))
    old = walk.old.layers_by_id.get(layer.id)
    if old is None or old.output_grid != layer.output_grid or not (sums.twin >= 0).any():
        return nothing
    at = np.flatnonzero(sums.twin >= 0)
    twin = sums.twin[at]
    low, high = nothing.low.copy(), nothing.high.copy()
    soft = np.zeros(k, dtype=bool)
    with np.errstate(invalid="ignore"):
        range_low = bounds[0][at] - walk.bounds.high[twin]
        range_high = bounds[1][at] - walk.bounds.low[twin]
    low[at], high[at] = widen(range_low, range_high)
    linear = nothing.linear_factor.copy()
    if operation(old) == operation(layer):
        own_rows = twin - walk.old.vertices.offset(layer.id)
        _by_slopes(walk, layer, old, sums, at, own_rows, low, high, soft, linear)
    return Shift(low, high, soft, sums.twin >= 0, linear)


def _by_slopes(
    walk: Walk, layer: Layer, old: Layer, sums: Sums, at: Array, old_rows: Array,
    low: Array, high: Array, soft: Array, linear: Array,
) -> None:  # fmt: skip
    """Narrow the intervals by the slopes of the activation between the two pre-activations, in place."""
    rows, twin = sums.rows[at], sums.twin[at]
    activation = get_activation(layer.activation)
    same = np.ones(len(at), dtype=bool)
    for name in activation.parameters:
        same &= layer.values[name][rows].astype(np.float64) == old.values[name][old_rows].astype(np.float64)
    change = sums.change.take(at)
    n_low, n_high, kept = _normed(walk, layer, old, sums, at, old_rows, sums.moved_low[at], sums.moved_high[at])
    z_old = normalise_interval(old, walk.bounds.z_low[twin], walk.bounds.z_high[twin], walk.mode, old_rows)
    z_new = normalise_interval(layer, sums.z_low[at], sums.z_high[at], walk.mode, rows)
    own = {name: np.asarray(v, dtype=np.float64)[rows] for name, v in layer.values.items()}
    least, most = activation.slopes(np.minimum(z_old[0], z_new[0]), np.maximum(z_old[1], z_new[1]), own, layer.slope)
    by_low, by_high = times(least, most, n_low, n_high)
    low[at] = np.where(same, np.maximum(low[at], by_low), low[at])
    high[at] = np.where(same, np.minimum(high[at], by_high), high[at])
    soft[at] = same & kept & change.only_rounding() & sums.soft[at]
    if layer.norm == "layer" and not (soft[at].all() and len(layer) == len(old) == len(at)):
        soft[at] = False  # every vertex changes with every other
    if layer.norm == "none" and layer.pool is None:
        factor, error = activation.affine(walk.bounds.z_low[twin], walk.bounds.z_high[twin], own, layer.slope)
        linear[at] = np.where(same & (error == 0), factor, np.nan)


def _normed(
    walk: Walk, layer: Layer, old: Layer, sums: Sums, at: Array, old_rows: Array, d_low: Array, d_high: Array
) -> tuple[Array, Array, Array]:
    """Bounds of the change after the norm, and whether the norm's own parameters stayed."""
    rows, twin = sums.rows[at], sums.twin[at]
    if layer.norm == "none":
        return d_low, d_high, np.ones(len(at), dtype=bool)
    mine, theirs = parameters(layer)[rows], parameters(old)[old_rows]
    kept = (mine == theirs).all(axis=1)
    if layer.norm == "batch":
        return _batch_normed(walk.mode, layer, old, rows, old_rows, (d_low, d_high),
                             (walk.bounds.z_low[twin], walk.bounds.z_high[twin]), kept)  # fmt: skip
    size = np.full(len(at), np.inf)
    if len(layer) == len(old) == len(at) and kept.all():
        # z -> (z - mean) / sqrt(var + epsilon) stretches no distance by more than 1 / sqrt(epsilon).
        reach = np.maximum(np.abs(d_low), np.abs(d_high))
        largest = max(float(reach.max()), 1e-290)
        scale = np.abs(layer.values["scale"][rows].astype(np.float64))
        if np.isfinite(largest):
            norm = largest * np.sqrt(np.sum((reach / largest) ** 2)) / np.sqrt(layer.norm_epsilon) * (1 + 1e-9)
            size = np.where(scale == 0, 0.0, scale * norm + 1e-290)
    return -size, size, kept


def _batch_normed(
    mode: Mode, layer: Layer, old: Layer, rows: Array, old_rows: Array,
    change: tuple[Array, Array], z: tuple[Array, Array], kept: Array,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """Batch norm in eval mode is a factor and an offset per vertex: factor * change + (new factor - old) * z + ..."""
    if mode == "train":
        infinite = np.full(len(rows), np.inf)
        return -infinite, infinite, kept
    (f_new, o_new, e_new), (f_old, o_old, e_old) = _factor_offset(layer, rows), _factor_offset(old, old_rows)
    wide = np.abs(f_new) * 1e-14
    low, high = times(f_new - wide, f_new + wide, *change)
    # With the same parameters the difference of the factors is 0, not a difference of two rounded numbers.
    slack = (np.abs(f_new) + np.abs(f_old)) * 1e-14
    d_low, d_high = np.where(kept, 0.0, f_new - f_old - slack), np.where(kept, 0.0, f_new - f_old + slack)
    by_factor = times(d_low, d_high, *z)
    offset = np.where(kept, 0.0, o_new - o_old)
    with np.errstate(invalid="ignore"):
        sizes = sum(np.abs(part) for part in (low, high, *by_factor, offset))
        room = np.where(kept, 0.0, e_new + e_old + 1e-14 * sizes + 1e-290)
        return *widen(low + by_factor[0] + offset - room, high + by_factor[1] + offset + room), kept


def _factor_offset(layer: Layer, rows: Array) -> tuple[Array, Array, Array]:
    """Scale / sqrt(var + epsilon), shift - mean * factor, and a bound on the rounding of the latter."""
    scale, shift, mean, var = (layer.values[n][rows].astype(np.float64) for n in ("scale", "shift", "mean", "var"))
    factor = scale / np.sqrt(var + layer.norm_epsilon)
    return factor, shift - mean * factor, (np.abs(shift) + np.abs(mean * factor)) * 1e-14
