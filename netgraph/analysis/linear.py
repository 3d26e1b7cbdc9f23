"""The linear network of absolute weights that a graph holds: maps of links and layers, and their transposes.

All arrays are float64, and never negative unless the signs of weights are asked for. Each is carried as values of at
most 1 and the logarithm of their scale, so that depth and wild weights neither overflow nor vanish.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from netgraph.columns import Array
from netgraph.graph import Graph, Grid, Layer, Link, LinkKey, LinkKind, Pool, get_norm, windows
from netgraph.graph.bounds import norm_setting

DENSE_FROM = 0.2
"""From this share of its cells on, a link at many positions is multiplied as a dense matrix."""

DENSE_POSITIONS = 8
"""At fewer positions a sparse product is faster than filling a dense matrix."""


class Scaled(NamedTuple):
    """Values of at most 1 and the logarithm of what they are multiplied by; -inf when all are 0."""

    values: Any
    log: float


def scaled(values: Array, log: float = 0.0) -> Scaled:
    """Bring the largest absolute value to 1. The array may be changed in place."""
    largest = max(float(values.max(initial=0.0)), -float(values.min(initial=0.0)))
    if largest == 0.0 or log == -math.inf:
        return Scaled(values, -math.inf)
    if largest != 1.0:
        values = np.divide(values, largest, out=values if values.flags.writeable else None)
    return Scaled(values, log + math.log(largest))


def combined(parts: Iterable[Scaled], shape: tuple[int, ...]) -> Scaled:
    """The sum of arrays of different scales, added up at the largest one; zeros when there are none."""
    there = [part for part in parts if part.log > -math.inf]
    if not there:
        return Scaled(np.zeros(shape), -math.inf)
    top = max(part.log for part in there)
    if len(there) == 1:
        return scaled(there[0].values.reshape(shape), top)
    total = np.zeros(shape)
    for part in there:
        total += part.values.reshape(shape) * math.exp(part.log - top)
    return scaled(total, top)


def powers(values: Array, power: int) -> Scaled:
    """|values| to a power; scaled before it is taken, where it could overflow. To the power 0 every value is 1."""
    if power == 0:
        return Scaled(np.ones(values.shape), 0.0)
    size = np.abs(values.astype(np.float64))
    result = scaled(size)
    if power == 1:
        return result
    return Scaled(result.values**power, power * result.log)


class LinearModel:
    """The maps of a graph without biases, means and activations, every weight by its absolute value to a power.

    Args:
        graph: any graph.
        power: of absolute weights and of all other factors; at 0 it counts paths.
        norm: "scale" multiplies by |scale| of a norm, over the running standard deviation in batch norm; "ignore"
            leaves both out.
        keep: hold the matrices of links, for more than one pass.
        signed: weights and scales of norms keep their signs; for a power of 1.
    """

    def __init__(self, graph: Graph, power: int, norm: str, *, keep: bool = False, signed: bool = False) -> None:
        self.graph, self.power, self.norm, self.signed = graph, power, norm, signed
        self._kept: dict[LinkKey, Scaled] | None = {} if keep else None

    # -- links ------------------------------------------------------------------------------------

    def matrix(self, link: Link) -> Scaled:
        """(targets, sources * taps) weights of a link to the power, as an array or in SciPy's CSR."""
        if self._kept is None:
            return self._matrix(link)
        if link.key not in self._kept:
            self._kept[link.key] = self._matrix(link)
        return self._kept[link.key]

    def _matrix(self, link: Link) -> Scaled:
        source, target = self.graph.layer(link.source), self.graph.layer(link.target)
        taps, shape = link.kind.taps, (len(target), len(source) * link.kind.taps)
        weight, log = self._factors(link.weight)
        if math.prod(target.grid) >= DENSE_POSITIONS and len(link) > DENSE_FROM * math.prod(shape):
            dense = np.zeros(shape)
            dense.reshape(-1)[link.dst.astype(np.int64) * shape[1] + columns_of(link)] = weight
            return Scaled(dense, log)
        from scipy.sparse import csr_array  # takes long to import

        starts = np.zeros(len(target) + 1, np.int64)
        np.cumsum(np.bincount(link.dst, minlength=len(target)), out=starts[1:])
        columns = link.src if taps == 1 else columns_of(link)
        return Scaled(csr_array((weight, columns, starts), shape=shape), log)

    def forward(self, link: Link, source: Scaled) -> Scaled:
        """(targets, positions) what a link adds to the sums of its target."""
        matrix = self.matrix(link)
        log = matrix.log + source.log
        if log == -math.inf:
            return Scaled(None, log)
        return Scaled(matrix.values @ patches(link.kind, source.values), log)

    def backward(self, link: Link, target: Scaled) -> Scaled:
        """(sources, *grid) what a link takes from the sums of its target to what its source gives out."""
        matrix = self.matrix(link)
        log = matrix.log + target.log
        if log == -math.inf:
            return Scaled(None, log)
        columns = matrix.values.T @ target.values.reshape(len(target.values), -1)
        return Scaled(folded(link.kind, columns, self.graph.layer(link.source)), log)

    def _factors(self, values: Array) -> Scaled:
        """What paths are multiplied by at edges and vertices with these values."""
        return scaled(values.astype(np.float64)) if self.signed else powers(values, self.power)

    # -- layers -----------------------------------------------------------------------------------

    def given_out(self, layer: Layer, sums: Scaled) -> Scaled:
        """(width, *output grid) from the (width, *grid) sums that arrive at a layer: norm, then pool."""
        values, log = self._normed(layer, sums)
        if layer.pool is None or log == -math.inf:
            return combined([Scaled(values, log)], (len(layer), *layer.output_grid))
        pool = layer.pool
        pooled = sum(windows(values, pool.size, _stride(pool), _pooled_grid(layer)))
        return scaled(np.reshape(pooled, (len(layer), *layer.output_grid)), log + self._share(pool))

    def taken_back(self, layer: Layer, out: Scaled) -> Scaled:
        """(width, *grid) at the sums of a layer from (width, *output grid): the transpose of `given_out`."""
        shape = (len(layer), *layer.grid)
        if layer.pool is None or out.log == -math.inf:
            return combined([self._normed(layer, out)], shape)
        pool, grid = layer.pool, _pooled_grid(layer)
        spread = np.zeros(shape)
        each = out.values.reshape(len(layer), *grid)
        for window in windows(spread, pool.size, _stride(pool), grid):
            window += each
        return combined([self._normed(layer, scaled(spread, out.log + self._share(pool)))], shape)

    def _share(self, pool: Pool) -> float:
        """Logarithm of the factor of each position of a pool's window; the largest is taken to be any of them."""
        return -self.power * math.log(math.prod(pool.size))

    def _normed(self, layer: Layer, array: Scaled) -> Scaled:
        norm = get_norm(layer.norm)
        if norm.factor is None or self.norm == "ignore" or array.log == -math.inf:
            return array
        setting = norm_setting(layer, "eval")
        size, log = self._factors(norm.factor(setting.columns, setting.epsilon))
        if log == -math.inf:
            return Scaled(np.zeros_like(array.values), log)
        # A product of its own: the array may be that of a neighbour, seen through a wire.
        product = array.values * size.reshape(-1, *(1,) * (array.values.ndim - 1))
        return scaled(product, array.log + log)


def columns_of(link: Link) -> Array:
    """(edges,) column of each edge in the matrix of its link: source row times taps, plus tap."""
    return np.asarray(link.src.astype(np.int64) * link.kind.taps + link.tap)


def patches(kind: LinkKind, values: Array) -> Array:
    """(sources * taps, positions) what every tap of a link reads at each position of the target."""
    grid = values.shape[1:]
    if _reads_all(kind, grid):
        return values.reshape(len(values) * kind.taps, -1)
    read = np.empty((len(values), kind.taps, *kind.output_grid(grid)))
    for tap, window in enumerate(kind.read(values)):
        read[:, tap] = window
    return read.reshape(len(values) * kind.taps, -1)


def folded(kind: LinkKind, columns: Array, source: Layer) -> Array:
    """(sources, *output grid): the transpose of `patches`, which adds up what is read more than once."""
    n, grid = len(source), source.output_grid
    if _reads_all(kind, grid):
        return columns.reshape(n, *grid)
    by_tap = columns.reshape(n, kind.taps, *kind.output_grid(grid))
    return kind.spread(np.moveaxis(by_tap, 1, 0), grid)


def _reads_all(kind: LinkKind, grid: Grid) -> bool:
    """Whether the taps of a link are the positions of the grid, or its only tap reads all of them as they are."""
    return kind.pointwise or (kind.kernel == tuple(grid) and not kind.padded)


def _stride(pool: Pool) -> tuple[int, int]:
    return pool.stride or pool.size


def _pooled_grid(layer: Layer) -> tuple[int, int]:
    """The two axes of the grid after pooling, also where one position is left and counts as no grid."""
    h, w = layer.output_grid or (1, 1)
    return h, w
