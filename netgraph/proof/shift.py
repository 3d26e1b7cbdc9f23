"""Bounds on the difference of a new vertex and its twin, the old vertex of the same id, by intervals and slopes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netgraph.columns import Array
from netgraph.graph import NormChange, get_activation, get_norm
from netgraph.graph.bounds import norm_setting, normalise_interval, pool_interval, times, widen
from netgraph.proof.known import operation, parameters, plain

if TYPE_CHECKING:
    from netgraph.graph import Layer
    from netgraph.proof.sums import Sums
    from netgraph.proof.walk import Walk


@dataclass(frozen=True, eq=False)
class Shift:
    """Bounds of new value minus old value, for some vertices of a layer.

    Attributes:
        low, high: (k,) the interval; infinite where nothing is known.
        soft: (k,) whether the rounding of the weights explains the difference.
        comparable: (k,) whether the vertex has a twin on the same grid.
        linear_factor: (k,) factor of the twin from sum to value, NaN where the twin is not linear.
    """

    low: Array
    high: Array
    soft: Array
    comparable: Array
    linear_factor: Array

    @property
    def size(self) -> Array:
        """Largest magnitude of the difference, `(k,)`."""
        return np.maximum(np.abs(self.low), np.abs(self.high))


def shift_of(walk: Walk, layer: Layer, sums: Sums, bounds: tuple[Array, Array]) -> Shift:
    """Bound the differences of vertices and their twins, by the ranges of both and, for equal operations, by slopes.

    Args:
        walk: the proof.
        layer: the new layer.
        sums: sums of the vertices.
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
    walk: Walk,
    layer: Layer,
    old: Layer,
    sums: Sums,
    at: Array,
    old_rows: Array,
    low: Array,
    high: Array,
    soft: Array,
    linear: Array,
) -> None:
    """Narrow `low` and `high` by the slopes of the activation between both pre-activations; set `soft` and `linear`.

    These four arrays, `(k,)`, change in place at the indices `at`: the vertices with a twin, in the rows `old_rows` of
    the old layer. `linear` is the `linear_factor` of `Shift`.
    """
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
    by_low, by_high = pool_interval(layer, *times(least, most, n_low, n_high))
    low[at] = np.where(same, np.maximum(low[at], by_low), low[at])
    high[at] = np.where(same, np.minimum(high[at], by_high), high[at])
    soft[at] = same & kept & change.only_rounding() & sums.soft[at]
    norm = get_norm(layer.norm)
    if norm.couples_vertices and not (soft[at].all() and len(layer) == len(old) == len(at)):
        soft[at] = False  # the norm makes every vertex depend on all vertices of the layer
    if plain(layer):
        factor, error = activation.affine(walk.bounds.z_low[twin], walk.bounds.z_high[twin], own, layer.slope)
        linear[at] = np.where(same & (error == 0), factor, np.nan)


def _normed(
    walk: Walk, layer: Layer, old: Layer, sums: Sums, at: Array, old_rows: Array, d_low: Array, d_high: Array
) -> tuple[Array, Array, Array]:
    """Bounds of the change behind the norm; and whether the parameters of each vertex are those of its twin.

    Without a norm the bounds are those given, and the mask is True.
    """
    rows, twin = sums.rows[at], sums.twin[at]
    norm = get_norm(layer.norm)
    if norm.identity:
        return d_low, d_high, np.ones(len(at), dtype=bool)
    kept = (parameters(layer)[rows] == parameters(old)[old_rows]).all(axis=1)
    change = NormChange(
        d_low,
        d_high,
        walk.bounds.z_low[twin],
        walk.bounds.z_high[twin],
        norm_setting(old, walk.mode, old_rows),
        norm_setting(layer, walk.mode, rows),
        kept,
        whole=len(layer) == len(old) == len(at),
    )
    return *norm.change(change), kept
