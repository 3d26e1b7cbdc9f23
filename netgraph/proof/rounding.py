"""How far float64 evaluation of a graph may be from the real numbers that it stands for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from netgraph.columns import Array
from netgraph.errors import InputError
from netgraph.graph import Layer, Link, check_domain, get_activation, get_norm
from netgraph.graph.bounds import (
    EPS,
    Domains,
    Mode,
    add,
    add_bias,
    link_interval,
    norm_setting,
    normalise_interval,
    segments,
    used_edges,
)
from netgraph.interpret import Inputs, prepare_inputs

if TYPE_CHECKING:
    from netgraph.graph import Graph

TINY = 1e-300
"""More than underflow can lose in one operation."""


@dataclass(frozen=True)
class _State:
    """(vertices,) range of the real values of one layer, and how far computed ones may be from them."""

    low: Array
    high: Array
    error: Array

    @property
    def size(self) -> Array:
        """Largest magnitude of a computed value."""
        size: Array = np.maximum(np.abs(self.low), np.abs(self.high)) + self.error
        return size


def rounding_allowance(
    graph: Graph, x: Inputs | None = None, *, domain: Domains | None = None, train: bool = False
) -> dict[str, Array]:
    """Bound |interpret(graph, x) - the exact real value| for float64 evaluation in any order of summation.

    The allowance for comparing two graphs is the sum of theirs.

    Args:
        graph: the network; its weights count as exact as they are stored.
        x: inputs, as `interpret` takes them (but inside or outside the declared domains); the bound then holds for
            every batch of that size between the least and the largest value that each input vertex has in `x`.
        domain: ranges of the inputs as for `Graph.bounds`, instead of those of `x`; by default those declared.
        train: whether batch norm uses the statistics of the batch. Its error depends on the size of the batch, so
            without `x` it is infinite then.

    Returns:
        (vertices,) bounds by the name of the output layer; infinite where a range is. Layer norm, and batch norm in
        train mode, count as if no vertex varied (1 / sqrt(norm_epsilon)), so that after them the bound is coarse.

    Raises:
        InputError: when `x` or `domain` does not fit the graph, or `x` is empty or not finite.

    Cost: O(edges + vertices), in NumPy, and reading `x`.
    """
    batch = None
    if x is not None:
        values = prepare_inputs(graph, x, check_domain=False)
        batch = len(next(iter(values.values())))
        hull = {name: _hull(name, own) for name, own in values.items()}
        domain = hull if domain is None else domain
    states: dict[int, _State] = {}
    given = check_domain(graph, domain)
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows, or is 0 times infinity, becomes no bound
        for i in graph.topological_order:
            layer = graph.layer(i)
            if layer.role == "input":
                low, high = given[layer.name]
                states[i] = _State(low, high, np.zeros(len(layer)))
            else:
                z = _sums(graph, layer, states)
                states[i] = _pooled(layer, _activated(layer, _normalised(layer, z, train, batch)))
    return {layer.name: states[layer.id].error for layer in graph.outputs}


def _hull(name: str, values: Array) -> tuple[Array, Array]:
    """Least and largest value of each vertex in (batch, vertices, *grid)."""
    if not values.size or not np.isfinite(values).all():
        raise InputError(f"Input {name!r} of shape {values.shape} is empty or not finite; give finite samples.")
    by_vertex = np.moveaxis(values, 1, 0).reshape(values.shape[1], -1)
    return by_vertex.min(axis=1), by_vertex.max(axis=1)


def _state(low: Array, high: Array, error: Array, operations: float = 0.0) -> _State:
    """A state whose error is raised by what computing the error itself may have lost; never NaN."""
    error = error * (1 + (operations + 64) * EPS)
    return _State(low, high, np.where(np.isnan(error), np.inf, error))


def _sums(graph: Graph, layer: Layer, states: dict[int, _State]) -> _State:
    """The sums of a layer with their biases."""
    n = len(layer)
    z: tuple[Array, Array] | None = None
    error, size, terms = np.zeros(n), np.zeros(n), np.zeros(n)
    for link in graph.incoming[layer.id]:
        source = states[link.source]
        grid = graph.layer(link.source).output_grid
        part = link_interval(link, source.low, source.high, grid, n)
        z = part if z is None else add(*z, *part)
        for total, values in ((error, source.error), (size, source.size), (terms, None)):
            total += _weighted(link, values, n)
    terms += len(graph.incoming[layer.id]) * (terms > 0)
    if layer.bias is not None:
        size += np.abs(layer.bias.astype(np.float64))
        terms += 1
    # Computed products and their sum, in any order: the usual error of a scalar product, doubled.
    error += np.where(size > 0, terms * (EPS * size + TINY), 0.0)
    return _state(*add_bias(layer, z), error, float(terms.max(initial=0)))


def _weighted(link: Link, values: Array | None, targets: int) -> Array:
    """(targets,) sum of |weight| times a value of the source; without values, the number of edges of weight not 0."""
    result = np.zeros(targets)
    src, dst, weight, _tap = used_edges(link)
    if len(weight):
        starts, rows, count = segments(dst)
        result[rows] = count if values is None else np.add.reduceat(np.abs(weight) * values[src], starts)
    return result


def _normalised(layer: Layer, z: _State, train: bool, batch: int | None) -> _State:
    norm = get_norm(layer.norm)
    if norm.identity:
        return z
    mode: Mode = "train" if train else "eval"
    count = batch * math.prod(layer.grid) if batch is not None else None
    error = norm.rounding(z.low, z.high, z.error, norm_setting(layer, mode, count=count))
    low, high = normalise_interval(layer, z.low, z.high, mode, count=count)
    return _State(low, high, np.where(np.isnan(error), np.inf, error))


def _activated(layer: Layer, z: _State) -> _State:
    activation = get_activation(layer.activation)
    if activation.name == "identity":
        return z
    p: dict[str, Any] = {k: v.astype(np.float64) for k, v in layer.values.items()}
    # Computed arguments lie in the widened range.
    reach = z.error * (1 + 4 * EPS)
    wide = ~np.isfinite(reach)
    low, high = np.where(wide, -np.inf, z.low - reach), np.where(wide, np.inf, z.high + reach)
    low, high = np.nextafter(low, -np.inf), np.nextafter(high, np.inf)
    least, most = activation.slopes(low, high, p, layer.slope)
    steepest = np.maximum(np.abs(least), np.abs(most))
    moved = np.where((steepest == 0) | (z.error == 0), 0.0, steepest * z.error)
    terms = activation.terms(low, high, p, layer.slope)
    error = moved + np.where(terms > 0, 8 * EPS * terms + TINY, 0.0)
    return _state(*activation.interval(z.low, z.high, p, layer.slope), error)


def _pooled(layer: Layer, h: _State) -> _State:
    if layer.pool is None or layer.pool.kind == "max":
        return h
    window = math.prod(layer.pool.size)
    return _state(h.low, h.high, h.error + (window + 2) * EPS * h.size + TINY, window)
