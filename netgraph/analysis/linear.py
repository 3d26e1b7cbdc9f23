"""Linear network of the absolute weights of a graph: linear maps of its links and layers, and their transposes.

All arrays are float64, and never negative unless the signs of weights are asked for. Each array is held as values of
magnitude at most 1 and the logarithm of their scale, so that neither depth nor extreme weights overflow or vanish.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from netgraph.analysis.carrying import carries, mixed, unmixed
from netgraph.columns import Array
from netgraph.graph import Graph, Grid, Layer, Link, LinkKey, LinkKind, Pool, get_norm, windows
from netgraph.graph.bounds import norm_setting

DENSE_FROM = 0.2
"""Smallest density at which a link with many positions is multiplied as a dense matrix."""

DENSE_POSITIONS = 8
"""Smallest number of positions at which a link becomes a dense matrix; below it, filling the matrix costs too much."""


class Scaled(NamedTuple):
    """Array of the value `values * exp(log)`, with magnitudes of `values` at most 1; `log` is -inf when all are 0."""

    values: Any
    log: float


def rescale(values: Array, log: float = 0.0) -> Scaled:
    """Divide values by their largest magnitude and add its logarithm to `log`. The array may be changed in place."""
    largest = max(float(values.max(initial=0.0)), -float(values.min(initial=0.0)))
    if largest == 0.0 or log == -math.inf:
        return Scaled(values, -math.inf)
    if largest != 1.0:
        values = np.divide(values, largest, out=values if values.flags.writeable else None)
    return Scaled(values, log + math.log(largest))


def add_scaled(parts: Iterable[Scaled], shape: tuple[int, ...]) -> Scaled:
    """Add arrays of different scales at the largest scale; the sum is 0 when there are none."""
    there = [part for part in parts if part.log > -math.inf]
    if not there:
        return Scaled(np.zeros(shape), -math.inf)
    top = max(part.log for part in there)
    if len(there) == 1:
        return rescale(there[0].values.reshape(shape), top)
    total = np.zeros(shape)
    for part in there:
        total += part.values.reshape(shape) * math.exp(part.log - top)
    return rescale(total, top)


def powers(values: Array, power: int) -> Scaled:
    """Raise |values| to a power without overflow: they are rescaled first. To the power 0 every value is 1."""
    if power == 0:
        return Scaled(np.ones(values.shape), 0.0)
    size = np.abs(values.astype(np.float64))
    result = rescale(size)
    if power == 1:
        return result
    return Scaled(result.values**power, power * result.log)


class LinearModel:
    """Linear maps of a graph: no biases, means or activations, and every weight as its absolute value to a power.

    Args:
        graph: any graph.
        power: exponent of the absolute weights and of all other factors; with 0 the maps count paths.
        norm: "scale" multiplies by |scale| of a norm, and divides by the running standard deviation in batch norm;
            "ignore" leaves both out.
        keep: whether to hold the matrices of links, for more than one pass.
        signed: whether weights and scales of norms keep their signs; only with a power of 1.
    """

    def __init__(self, graph: Graph, power: int, norm: str, *, keep: bool = False, signed: bool = False) -> None:
        self.graph, self.power, self.norm, self.signed = graph, power, norm, signed
        self._kept: dict[LinkKey, Scaled] | None = {} if keep else None

    # -- links ------------------------------------------------------------------------------------

    def matrix(self, link: Link) -> Scaled:
        """Matrix of a link's weights to the power, `(targets, sources * taps)`, an array or SciPy's CSR."""
        if self._kept is None:
            return self._matrix(link)
        if link.key not in self._kept:
            self._kept[link.key] = self._matrix(link)
        return self._kept[link.key]

    def _matrix(self, link: Link) -> Scaled:
        source, target = self.graph.layer(link.source), self.graph.layer(link.target)
        shape = (len(target), len(source) * link.kind.taps)
        weight, log = self._factors(link.weight)
        if math.prod(target.grid) >= DENSE_POSITIONS and len(link) > DENSE_FROM * math.prod(shape):
            dense = np.zeros(shape)
            dense.reshape(-1)[link.dst.astype(np.int64) * shape[1] + columns_of(link)] = weight
            return Scaled(dense, log)
        from scipy.sparse import csr_array  # takes long to import

        starts = np.zeros(len(target) + 1, np.int64)
        np.cumsum(np.bincount(link.dst, minlength=len(target)), out=starts[1:])
        return Scaled(csr_array((weight, columns_of(link), starts), shape=shape), log)

    def forward(self, link: Link, source: Scaled) -> Scaled:
        """Map the output of a link's source to the link's summand of the target's sums, `(targets, positions)`.

        Nothing arrives at ports of merges that carry no paths. Over attention the summand is a mean over the keys.
        """
        if not carries(self.graph, link.key):
            return Scaled(None, -math.inf)
        matrix, target = self.matrix(link), self.graph.layer(link.target)
        log = matrix.log + source.log
        if log == -math.inf:
            return Scaled(None, log)
        read = matrix.values @ patches(link.kind, source.values, target.grid)
        return Scaled(mixed(self.graph, target, read, self.power), log)

    def backward(self, link: Link, target: Scaled) -> Scaled:
        """Apply the transpose of `forward`: from the target's sums to the source's output, `(sources, *grid)`."""
        if not carries(self.graph, link.key):
            return Scaled(None, -math.inf)
        matrix = self.matrix(link)
        log = matrix.log + target.log
        if log == -math.inf:
            return Scaled(None, log)
        ends = self.graph.layer(link.source), self.graph.layer(link.target)
        read = unmixed(self.graph, ends[1], target.values.reshape(len(target.values), -1), self.power)
        return Scaled(fold_patches(link.kind, matrix.values.T @ read, ends[0], ends[1].grid), log)

    def _factors(self, values: Array) -> Scaled:
        """Return the factors by which edges or vertices with these weights or scales multiply a path."""
        return rescale(values.astype(np.float64)) if self.signed else powers(values, self.power)

    # -- layers -----------------------------------------------------------------------------------

    def forward_layer(self, layer: Layer, sums: Scaled) -> Scaled:
        """Apply norm and pool of a layer: from its sums, `(width, *grid)`, to its output, `(width, *output grid)`.

        A pool acts as an average, also where it takes the maximum.
        """
        values, log = self._apply_norm(layer, sums)
        if layer.pool is None or log == -math.inf:
            return add_scaled([Scaled(values, log)], (len(layer), *layer.output_grid))
        pool = layer.pool
        padded = np.pad(values, [(0, 0), *((p, p) for p in pool.pads)])
        pooled = sum(windows(padded, pool.size, pool.strides, _pooled_grid(layer)))
        return rescale(np.reshape(pooled, (len(layer), *layer.output_grid)), log + self._share(pool))

    def backward_layer(self, layer: Layer, out: Scaled) -> Scaled:
        """Apply the transpose of `forward_layer`: from the output to the sums, `(width, *grid)`."""
        shape = (len(layer), *layer.grid)
        if layer.pool is None or out.log == -math.inf:
            return add_scaled([self._apply_norm(layer, out)], shape)
        pool, grid = layer.pool, _pooled_grid(layer)
        padded = np.zeros((len(layer), *(g + 2 * p for g, p in zip(layer.grid, pool.pads, strict=True))))
        each = out.values.reshape(len(layer), *grid)
        for window in windows(padded, pool.size, pool.strides, grid):
            window += each
        inner = (slice(p, p + g) for g, p in zip(layer.grid, pool.pads, strict=True))
        spread = np.ascontiguousarray(padded[(slice(None), *inner)])
        return add_scaled([self._apply_norm(layer, rescale(spread, out.log + self._share(pool)))], shape)

    def _share(self, pool: Pool) -> float:
        """Logarithm of the factor of each position in the window of a pool. A maximum is treated as an average."""
        return -self.power * math.log(math.prod(pool.size))

    def _apply_norm(self, layer: Layer, array: Scaled) -> Scaled:
        norm = get_norm(layer.norm)
        if norm.factor is None or self.norm == "ignore" or array.log == -math.inf:
            return array
        setting = norm_setting(layer, "eval")
        size, log = self._factors(norm.factor(setting.columns, setting.epsilon))
        if log == -math.inf:
            return Scaled(np.zeros_like(array.values), log)
        # Not in place: through a wire, the array may be that of a neighbouring layer.
        product = array.values * size.reshape(-1, *(1,) * (array.values.ndim - 1))
        return rescale(product, array.log + log)


def columns_of(link: Link) -> Array:
    """Return the column of each edge in the matrix of its link, `source row * taps + tap`, `(edges,)`."""
    if link.kind.taps == 1:
        return link.src  # taps of wires into heads are slots, not columns
    return np.asarray(link.src.astype(np.int64) * link.kind.taps + link.tap)


def patches(kind: LinkKind, values: Array, target: Grid) -> Array:
    """Return the values that each tap of a link reads at each position of the target, `(sources * taps, positions)`.

    `values` has the shape `(sources, *grid)`; `target` is the grid of the target.
    """
    grid = values.shape[1:]
    if _reads_all(kind, grid):
        return values.reshape(len(values) * kind.taps, -1)
    read = np.stack(list(kind.read(values, grid, target)), axis=1)
    return read.reshape(len(values) * kind.taps, -1)


def fold_patches(kind: LinkKind, columns: Array, source: Layer, target: Grid) -> Array:
    """Apply the transpose of `patches`: each source position gets the sum over its reads, `(sources, *output grid)`."""
    n, grid = len(source), source.output_grid
    if _reads_all(kind, grid):
        return columns.reshape(n, *grid)
    read = target if kind.places else kind.output_grid(grid)
    by_tap = columns.reshape(n, kind.taps, *read)
    return kind.spread(np.moveaxis(by_tap, 1, 0), grid, target)


def _reads_all(kind: LinkKind, grid: Grid) -> bool:
    """Whether `patches` only reshapes: each tap is one position of the grid, or the only tap reads all positions."""
    return kind.pointwise or (kind.kernel == tuple(grid) and not kind.padded)


def _pooled_grid(layer: Layer) -> Grid:
    """Both axes of the grid after pooling, even where only one position is left and the layer has no grid."""
    return layer.output_grid or (1,) * len(layer.grid)
