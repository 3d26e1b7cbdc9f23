"""Bounds on the rounding error of the float64 evaluation of a graph."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from netgraph.columns import Array
from netgraph.errors import InputError
from netgraph.graph import ComputedRead, Layer, Link, check_domain, get_activation, get_norm, port_wires
from netgraph.graph.bounds import (
    EPS,
    Domains,
    Mode,
    add,
    add_bias,
    link_interval,
    norm_setting,
    normalise_interval,
    pool_interval,
    segments,
    used_edges,
)
from netgraph.interpret import Inputs, prepare_inputs

if TYPE_CHECKING:
    from netgraph.graph import Graph

TINY = 1e-300
"""Upper bound on the error by underflow of one operation."""


@dataclass(frozen=True)
class _State:
    """Range of the exact values of one layer, and bounds on the errors of the computed values, `(vertices,)` each.

    For heads, `spread` bounds the sum of the errors over the last axis of the grid; for others it is None.
    """

    low: Array
    high: Array
    error: Array
    spread: Array | None = None

    @property
    def size(self) -> Array:
        """Largest magnitude of a computed value."""
        size: Array = np.maximum(np.abs(self.low), np.abs(self.high)) + self.error
        return size


def rounding_allowance(
    graph: Graph, x: Inputs | None = None, *, domain: Domains | None = None, train: bool = False
) -> dict[str, Array]:
    """Bound the rounding error of the outputs, for float64 evaluation with any order of summation.

    The error is `|interpret(graph, x) - exact|`, where `exact` is the value in real arithmetic. To compare two graphs,
    add both bounds.

    Args:
        graph: the graph; its weights count as exact as they are stored.
        x: inputs, as `interpret` takes them, but inside or outside of the declared domains. The bound then holds for
            every batch of this size whose values lie between the least and the largest value of each input vertex in
            `x`.
        domain: ranges of the inputs as for `Graph.bounds`, instead of the ranges of `x`; by default the declared
            domains.
        train: whether batch norm uses the statistics of the batch. Its error depends on the size of the batch, so
            the bound is infinite without `x`.

    Returns:
        (vertices,) bounds by the name of the output layer; infinite where a range is infinite. For layer norm, RMS
        norm, and batch norm in train mode, the variance counts as 0 (a factor of 1 / sqrt(norm_epsilon)), so the bound
        behind them is coarse.

    Raises:
        InputError: when `x` or `domain` does not fit the graph, or `x` is empty or not finite.

    Costs O(edges + vertices) in NumPy, and one pass over `x`.
    """
    batch = None
    if x is not None:
        values = prepare_inputs(graph, x, check_domain=False)
        batch = len(next(iter(values.values())))
        hull = {name: _hull(name, own) for name, own in values.items()}
        domain = hull if domain is None else domain
    states: dict[int, _State] = {}
    given = check_domain(graph, domain)
    with np.errstate(over="ignore", invalid="ignore"):  # overflow and 0 * infinity end as infinite bounds
        for i in graph.topological_order:
            layer = graph.layer(i)
            if layer.role == "input":
                low, high = given[layer.name]
                states[i] = _State(low, high, np.zeros(len(layer)))
            elif layer.role == "position":
                states[i] = _State(np.zeros(len(layer)), np.ones(len(layer)), np.zeros(len(layer)))
            elif layer.merge is not None and layer.merge.gives_heads:
                states[i] = _merged(graph, layer, states)
            else:
                z = (_sums if layer.merge is None else _merged)(graph, layer, states)
                states[i] = _pool(layer, _activate(layer, _normalise(layer, z, train, batch)))
    return {layer.name: states[layer.id].error for layer in graph.outputs}


def _hull(name: str, values: Array) -> tuple[Array, Array]:
    """Least and largest value of each vertex in `values`, `(batch, vertices, *grid)`."""
    if not values.size or not np.isfinite(values).all():
        raise InputError(f"Input {name!r} of shape {values.shape} is empty or not finite; give finite samples.")
    by_vertex = np.moveaxis(values, 1, 0).reshape(values.shape[1], -1)
    return by_vertex.min(axis=1), by_vertex.max(axis=1)


def _state(low: Array, high: Array, error: Array, operations: float = 0.0) -> _State:
    """Build a state; its error is raised by the rounding of the error itself, in `operations` steps, and never NaN."""
    error = error * (1 + (operations + 64) * EPS)
    return _State(low, high, np.where(np.isnan(error), np.inf, error))


def _merged(graph: Graph, layer: Layer, states: dict[int, _State]) -> _State:
    """Ranges of the merged reads of a layer with their biases, and bounds on their errors."""
    assert layer.merge is not None
    reads = []
    for wires in port_wires(graph, layer.id):
        sources = [states[i] for i in wires.sources]
        starts = np.cumsum([0, *(len(source.low) for source in sources)])[:-1]
        at = starts[wires.source] + wires.src
        columns = [(s.low, s.high, s.error, s.error if s.spread is None else s.spread) for s in sources]
        low, high, error, spread = (np.concatenate(parts)[at] for parts in zip(*columns, strict=True))
        positions = (1, *graph.layer(wires.sources[0]).output_grid)[-1]
        reads.append(ComputedRead(wires.dst, wires.slot, low, high, error, spread, positions))
    pairs = [(read.low, read.high) for read in reads]
    low, high = layer.merge.interval(pairs[0], pairs[1], len(layer))
    error, spread = layer.merge.rounding(reads[0], reads[1], len(layer))
    if layer.bias is not None:
        bias = np.abs(layer.bias.astype(np.float64))
        error = error + EPS * (np.maximum(np.abs(low), np.abs(high)) + error + bias) + TINY
    return replace(_state(*add_bias(layer, (low, high)), error), spread=spread)


def _sums(graph: Graph, layer: Layer, states: dict[int, _State]) -> _State:
    """Ranges of the sums of a layer with their biases, and bounds on their errors."""
    n = len(layer)
    z: tuple[Array, Array] | None = None
    error, size, terms = np.zeros(n), np.zeros(n), np.zeros(n)
    for link in graph.incoming[layer.id]:
        source, read = states[link.source], graph.layer(link.source)
        part = link_interval(link, source.low, source.high, read, layer)
        z = part if z is None else add(*z, *part)
        if read.is_table and link.kind.taps == 1:  # the value that is read, and zeros, which add without an error
            size += np.maximum(np.abs(part[0]), np.abs(part[1]))
            terms += 1
            continue
        for total, values in ((error, source.error), (size, source.size), (terms, None)):
            total += _sum_weighted(link, values, n)
    terms += len(graph.incoming[layer.id]) * (terms > 0)
    if layer.bias is not None:
        size += np.abs(layer.bias.astype(np.float64))
        terms += 1
    # Error of a scalar product of n terms in any order: at most n u sum |w x| to first order. EPS = 2 u is the double.
    error += np.where(size > 0, terms * (EPS * size + TINY), 0.0)
    return _state(*add_bias(layer, z), error, float(terms.max(initial=0)))


def _sum_weighted(link: Link, values: Array | None, targets: int) -> Array:
    """Sum of `|weight| * value of the source` over the edges into each target, `(targets,)`.

    Without `values`, the number of edges with a weight other than 0.
    """
    result = np.zeros(targets)
    src, dst, weight, _tap = used_edges(link)
    if len(weight):
        starts, rows, count = segments(dst)
        result[rows] = count if values is None else np.add.reduceat(np.abs(weight) * values[src], starts)
    return result


def _normalise(layer: Layer, z: _State, train: bool, batch: int | None) -> _State:
    norm = get_norm(layer.norm)
    if norm.identity:
        return z
    mode: Mode = "train" if train else "eval"
    count = batch * math.prod(layer.grid) if batch is not None else None
    error = norm.rounding(z.low, z.high, z.error, norm_setting(layer, mode, count=count))
    low, high = normalise_interval(layer, z.low, z.high, mode, count=count)
    return _State(low, high, np.where(np.isnan(error), np.inf, error))


def _activate(layer: Layer, z: _State) -> _State:
    activation = get_activation(layer.activation)
    if activation.name == "identity":
        return z
    p: dict[str, Any] = {k: v.astype(np.float64) for k, v in layer.values.items()}
    # The computed arguments lie in the range widened by their errors, so slopes are taken there.
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


def _pool(layer: Layer, h: _State) -> _State:
    if layer.pool is None or layer.pool.kind == "max":
        return h
    window = math.prod(layer.pool.size)
    return _state(*pool_interval(layer, h.low, h.high), h.error + (window + 2) * EPS * h.size + TINY, window)
