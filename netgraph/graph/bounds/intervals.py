"""Intervals that contain the value of every vertex, for all inputs in the domain.

All bounds are rounded outward, so that they hold in real arithmetic for the numbers as stored. They are never NaN;
a lower bound may be -inf, and an upper bound inf. An interval holds at every position of the grid of a layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from netgraph.columns import Array
from netgraph.errors import unknown_name
from netgraph.graph.activations import get_activation
from netgraph.graph.bounds.tables import chosen_interval
from netgraph.graph.grid import Grid
from netgraph.graph.kinds import LinkKind
from netgraph.graph.layer import Layer
from netgraph.graph.link import Link
from netgraph.graph.norms import Mode, NormSetting, get_norm
from netgraph.graph.outward import EPS, NORMAL, Pair, add, sum_bounds

Domains = Mapping[str, Any] | tuple[Any, Any]


@dataclass(frozen=True, eq=False)
class Bounds:
    """Interval of every vertex, in the order of `graph.vertices`, as `(vertices,)` float64 arrays.

    `bounds["hidden"]` is the pair `(low, high)` of one layer.

    Attributes:
        low, high: bounds of the value that other layers read, after norm, activation and pool.
        z_low, z_high: bounds of the sum of the inputs and the bias, before the norm; for inputs, the domain.
    """

    low: Array
    high: Array
    z_low: Array
    z_high: Array
    _places: Mapping[str, slice] = field(repr=False)

    def __getitem__(self, layer: str) -> Pair:
        if layer not in self._places:
            raise KeyError(unknown_name("layer", layer, self._places))
        place = self._places[layer]
        return self.low[place], self.high[place]

    def __repr__(self) -> str:
        finite = int(np.count_nonzero(np.isfinite(self.low) & np.isfinite(self.high)))
        nonnegative = int(np.count_nonzero(self.low >= 0))
        return f"Bounds({len(self.low):,} vertices, {finite:,} bounded, {nonnegative:,} never negative)"


def link_interval(link: Link, low: Array, high: Array, source: Layer, target: Layer) -> tuple[Array, Array]:
    """Interval of the sum over the edges of one link, for each of its target vertices.

    The interval of a tap that reads padding at some positions contains 0; a tap that reads only padding gives 0.

    Args:
        link: the link; edges of weight 0 add 0, even where their source is unbounded.
        low, high: intervals of the source vertices, `(sources,)`.
        source, target: layers of the ends. Of a source that is a table exactly one vertex is 1 at each position.

    Returns:
        Lower and upper bounds, `(vertices of the target,)` each; 0 for vertices without edges.

    Cost: O(edges + vertices of both layers).
    """
    targets = len(target)
    z_low, z_high = np.zeros(targets), np.zeros(targets)
    dst = link.dst
    if link.kind.wires and not link.kind.padded and not (dst[1:] == dst[:-1]).any():
        z_low[dst], z_high[dst] = low[link.src], high[link.src]
        return z_low, z_high
    src, dst, weight, tap = used_edges(link)
    if not len(weight):
        return z_low, z_high
    if source.is_table:
        return _table_interval(link, high, source, target)
    if link.kind.padded:
        low, high, src = _with_padding(link.kind, (source.output_grid, target.grid), low, high, src, tap)
    with np.errstate(over="ignore", invalid="ignore"):  # `_sum_outward` turns inf and NaN into infinite bounds
        a, b = low[src], high[src]
        careful = _may_underflow(weight, low, high)
        zeros = ((a == 0), (b == 0)) if careful else None
        a *= weight
        b *= weight
        if zeros is not None:
            ends = [_around(a, zeros[0]), _around(b, zeros[1])]
            t_low, t_high = np.minimum(ends[0][0], ends[1][0]), np.maximum(ends[0][1], ends[1][1])
        else:
            t_low = np.minimum(a, b)
            t_high = np.maximum(a, b, out=b)
        starts, rows, terms = segments(dst)
        # Twice the usual error of a sum of products, `terms * EPS`, covers the rounding of the bound itself.
        gamma = (terms + 4) * EPS
        gamma[(terms == 1) & (np.abs(weight[starts]) == 1)] = 0.0
        z_low[rows] = _sum_outward(t_low, starts, gamma, -1)
        z_high[rows] = _sum_outward(t_high, starts, gamma, 1)
    return z_low, z_high


def _table_interval(link: Link, high: Array, source: Layer, target: Layer) -> Pair:
    """Interval of the sum over the edges of a link from a table, as `link_interval` describes it."""
    src, dst, weight, tap = used_edges(link)
    possible = high >= 1  # of a batch in which a symbol does not occur, its vertex is 0
    state = link.kind.padding_states(source.output_grid, target.grid) if link.kind.padded else np.zeros(link.kind.taps)
    used = np.flatnonzero(possible[src] & (state[tap] < 2))
    place = dst[used].astype(np.int64) * link.kind.taps + tap[used]
    if link.kind.taps > 1:
        order = np.argsort(place, kind="stable")
        used, place = used[order], place[order]
    z_low, z_high = np.zeros(len(target)), np.zeros(len(target))
    if not len(used):
        return z_low, z_high
    found, group, count = np.unique(place, return_inverse=True, return_counts=True)
    row, tap = np.divmod(found, link.kind.taps)
    complete = (count == np.count_nonzero(possible)) & (state[tap] == 0)
    least, most = chosen_interval(group, weight[used], weight[used], complete)
    if link.kind.taps > 1:
        return sum_bounds(row, least, most, len(target))
    z_low[row], z_high[row] = least, most
    return z_low, z_high


def _sum_outward(terms: Array, starts: Array, gamma: Array, direction: int) -> Array:
    """Sum each segment and move the sum outward by `gamma` times the sum of magnitudes; a sum of zeros stays 0."""
    total = np.add.reduceat(terms, starts)
    size = np.add.reduceat(np.abs(terms, out=terms), starts)
    moved = total + direction * (gamma * size)
    moved[~np.isfinite(size)] = direction * np.inf
    return np.asarray(moved)


def _around(product: Array, zero: Array) -> Pair:
    """Interval of each product, wider where underflow may have lost digits; `zero` is the mask of zero factors."""
    tiny = (np.abs(product) < NORMAL) & ~zero
    sign = np.signbit(product)
    down, up = np.nextafter(product, -np.inf), np.nextafter(product, np.inf)
    # The sign of a product is right even when it rounds to 0.
    down, up = np.where(sign, down, np.maximum(down, 0.0)), np.where(sign, np.minimum(up, 0.0), up)
    return np.where(tiny, down, product), np.where(tiny, up, product)


def _may_underflow(weight: Array, low: Array, high: Array) -> bool:
    """Return whether a product of a weight and a bound may underflow; usually not, which saves the exact treatment."""
    least = min(float(np.abs(values).min(where=values != 0, initial=1.0)) for values in (low, high))
    if least > 1e-240:  # the smallest float32 is above 1e-45
        return float(np.abs(weight).min()) * least < NORMAL
    return True


def used_edges(link: Link) -> tuple[Array, Array, Array, Array]:
    """Columns `(src, dst, weight, tap)` of the edges with weights other than 0, in order; weights as float64."""
    used = link.weight != 0
    src, dst, weight, tap = link.src, link.dst, link.weight, link.tap
    if not used.all():
        src, dst, weight, tap = src[used], dst[used], weight[used], tap[used]
    return src, dst, weight.astype(np.float64), tap


def segments(dst: Array) -> tuple[Array, Array, Array]:
    """Runs of equal target rows in a sorted, non-empty column: first edge, target row and number of edges of each."""
    ends = np.append(np.flatnonzero(dst[1:] != dst[:-1]) + 1, len(dst))
    starts = np.append(0, ends[:-1])
    return starts, dst[starts], ends - starts


def _with_padding(
    kind: LinkKind, grids: tuple[Grid, Grid], low: Array, high: Array, src: Array, tap: Array
) -> tuple[Array, Array, Array]:
    """Intervals of sources for each of three padding states, and the row of each edge in them.

    `grids` are those of the source and of the target.

    A tap of state 0 never reads padding, one of state 1 at some positions, one of state 2 at all positions. Rows are
    `state * sources + source`.
    """
    state = kind.padding_states(*grids)
    zeros = np.zeros(len(low))
    low, high = (np.concatenate([v, limit(v, 0.0), zeros]) for v, limit in ((low, np.minimum), (high, np.maximum)))
    return low, high, src + state[tap] * (len(zeros))


def add_bias(layer: Layer, z: Pair | None, rows: Array | None = None) -> Pair:
    """Add the biases of the chosen rows to the intervals of the sums; `z` is None for a layer without links."""
    if z is None:
        n = len(layer) if rows is None else len(rows)
        z = (np.zeros(n), np.zeros(n))
    bias = layer.bias
    if bias is None:
        return z
    bias = bias.astype(np.float64) if rows is None else bias[rows].astype(np.float64)
    return add(z[0], z[1], bias, bias)


# -- operations of a layer ------------------------------------------------------------------------


def operate_interval(
    layer: Layer, z_low: Array, z_high: Array, mode: Mode, rows: Array | None = None
) -> tuple[Array, Array]:
    """Interval after norm, activation and pool; arguments as for `normalise_interval`."""
    low, high = normalise_interval(layer, z_low, z_high, mode, rows)
    if layer.activation != "identity":
        low, high = get_activation(layer.activation).interval(low, high, _columns(layer, rows), layer.slope)
    return pool_interval(layer, low, high)


def pool_interval(layer: Layer, low: Array, high: Array) -> Pair:
    """Interval of a value, or of a change of it, behind the pool: with 0 where zeros around the grid are averaged."""
    if layer.pool is None or layer.pool.kind == "max" or layer.pool.padding is None:
        return low, high  # a maximum or a mean lies within the interval of its arguments
    return np.minimum(low, 0.0), np.maximum(high, 0.0)


def normalise_interval(
    layer: Layer, z_low: Array, z_high: Array, mode: Mode, rows: Array | None = None, count: int | None = None
) -> tuple[Array, Array]:
    """Interval after the norm alone.

    Args:
        layer: the layer.
        z_low, z_high: intervals of the sums with bias, of the chosen rows, `(n,)`.
        mode: source of batch statistics, see `Mode`.
        rows: rows of vertices of the layer; None for all of them, in order.
        count: number of values per vertex in a batch; None for an unknown batch.
    """
    norm = get_norm(layer.norm)
    if norm.identity:
        return z_low, z_high
    return norm.interval(z_low, z_high, norm_setting(layer, mode, rows, count))


def norm_setting(layer: Layer, mode: Mode, rows: Array | None = None, count: int | None = None) -> NormSetting:
    """Setting of the norm of some vertices; arguments as for `normalise_interval`."""
    columns = {
        name: (layer.values[name] if rows is None else layer.values[name][rows]).astype(np.float64)
        for name in get_norm(layer.norm).columns
    }
    return NormSetting(columns, layer.norm_epsilon, len(layer), mode, count)


def _columns(layer: Layer, rows: Array | None) -> dict[str, Array]:
    """Vertex columns of the chosen rows as float64."""
    return {k: (v if rows is None else v[rows]).astype(np.float64) for k, v in layer.values.items()}
