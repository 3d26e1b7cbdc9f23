"""The oracle: a plain float64 evaluation of a graph, slow and obvious."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from netgraph.checks import checked
from netgraph.columns import Array
from netgraph.errors import InputError
from netgraph.graph import Graph, Layer, Link, LinkKind, Pool, get_activation, get_norm

Inputs = Mapping[str, Any] | Any

MANY_PRODUCTS = 1_000_000
"""From so many products of weight and value on, SciPy sums them, which does not hold them all in memory."""

MANY_VALUES = 1 << 17
"""Values, a megabyte of them, that a convolution of so many products reads at once."""


@checked
def interpret(graph: Graph, x: Inputs, *, train: bool = False, check_domain: bool = True) -> Any:
    """Evaluate a graph in float64.

    Args:
        graph: the network.
        x: (batch, vertices, *grid) values of the input layer, or a dict of such arrays by layer name.
        train: norms that couple samples, such as batch norm, take the statistics of the batch, not the running ones.
        check_domain: refuse values outside the declared domain of an input.

    Returns:
        (batch, vertices, *grid) array of the output layer; a dict by name when there are several.

    Raises:
        InputError: when an input is missing, has another shape, is not finite or leaves its domain.

    Cost: O(batch * edges * positions), and memory for the values that layers still to come read.
    """
    values = _evaluated(graph, x, train, check_domain, keep=False)
    out = {layer.name: values[layer.id] for layer in graph.outputs}
    return next(iter(out.values())) if len(out) == 1 else out


@checked
def interpret_layers(graph: Graph, x: Inputs, *, train: bool = False, check_domain: bool = True) -> dict[str, Array]:
    """The value of every layer, as `interpret` computes it: what other layers read, by layer name."""
    values = _evaluated(graph, x, train, check_domain, keep=True)
    return {graph.layer(i).name: value for i, value in values.items()}


def _evaluated(graph: Graph, x: Inputs, train: bool, check_domain: bool, *, keep: bool) -> dict[int, Array]:
    """Values of layers by id; without `keep`, those that all readers have read are gone, unless of outputs."""
    inputs = prepare_inputs(graph, x, check_domain=check_domain)
    batch = len(next(iter(inputs.values())))
    values: dict[int, Array] = {}
    readers = {i: len(links) for i, links in graph.outgoing.items()}
    for i in graph.topological_order:
        layer = graph.layer(i)
        if layer.role == "input":
            values[i] = inputs[layer.name]
            continue
        z = np.zeros((batch, len(layer), *layer.grid))
        for link in graph.incoming[i]:
            z += _contribution(link, values[link.source], layer)
            readers[link.source] -= 1
            if not (keep or readers[link.source] or graph.layer(link.source).role == "output"):
                del values[link.source]
        values[i] = _operate(layer, z, train)
    return values


def prepare_inputs(graph: Graph, x: Inputs, *, check_domain: bool = True) -> dict[str, Array]:
    """Check inputs against a graph and return them as float64 arrays by layer name. Raises `InputError`."""
    given = x if isinstance(x, Mapping) else {graph.inputs[0].name: x}
    names = [layer.name for layer in graph.inputs]
    if set(given) != set(names):
        raise InputError(f"Inputs are given for {sorted(given)}, the graph has the input layers {sorted(names)}.")
    result = {}
    for layer in graph.inputs:
        try:
            values = np.asarray(given[layer.name], dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise InputError(f"Input {layer.name!r} is no array of numbers: {error}.") from error
        shape = (len(layer), *layer.grid)
        if values.shape[1:] != shape:
            raise InputError(f"Input {layer.name!r} has shape {values.shape}, expected (batch, {str(shape)[1:-1]}).")
        if check_domain:
            check_in_domain(layer, values)
        result[layer.name] = values
    if len({len(values) for values in result.values()}) != 1:
        raise InputError(f"Inputs have different batch sizes: { {k: len(v) for k, v in result.items()} }.")
    return result


def check_in_domain(layer: Layer, values: Array) -> None:
    """Raise `InputError` naming the first value of (batch, vertices, *grid) outside the layer's domain."""
    shape = (len(layer),) + (1,) * len(layer.grid)
    low, high = (layer.values[k].reshape(shape) for k in ("low", "high"))
    outside = ~((values >= low) & (values <= high) & np.isfinite(values))
    if outside.any():
        at = tuple(int(i) for i in np.argwhere(outside)[0])
        row = at[1]
        raise InputError(
            f"Input {layer.name!r} has the value {values[at]} at sample {at[0]}, vertex row {row}, outside its domain "
            f"[{layer.values['low'][row]:g}, {layer.values['high'][row]:g}]; scale the data or declare a wider domain."
        )


def _contribution(link: Link, source: Array, target: Layer) -> Array:
    """(batch, targets, *grid) sum over the edges of one link."""
    if link.kind.tap_axes:
        mixed = _convolve(link, link.kind, source, len(target))
    else:
        (read,) = link.kind.read(source)
        mixed = _mix(link, slice(None), read, len(target))
    return mixed.reshape(len(source), len(target), *target.grid)  # a grid of one position is no grid


def _convolve(link: Link, kind: LinkKind, source: Array, targets: int) -> Array:
    (sh, sw), (h, w) = kind.stride, kind.output_grid(source.shape[2:])
    out = np.zeros((len(source), targets, h, w))
    if len(link) * len(source) * h * w >= MANY_PRODUCTS:
        padded = kind.pad(source)
        windows = np.lib.stride_tricks.sliding_window_view(padded, kind.kernel, axis=(2, 3))[:, :, ::sh, ::sw]
        _sum_windows(link, windows, out)
        return out
    read = list(kind.read(source))
    for tap in np.unique(link.tap):
        out += _mix(link, link.tap == tap, read[tap], targets)
    return out


def _sum_windows(link: Link, windows: Array, out: Array) -> None:
    """The same for all taps at once, from (batch, sources, *grid, *kernel) views, a few samples at a time.

    What those read, written out tap by tap, then stays in the cache of a processor, and memory is not the limit.
    """
    from scipy.sparse import csr_array  # takes long to import

    batch, sources, *grid, _, _ = windows.shape
    taps = link.kind.taps
    weights = csr_array(
        (link.weight.astype(np.float64), (link.dst, link.src.astype(np.int64) * taps + link.tap)),
        shape=(out.shape[1], sources * taps),
    )
    by_tap = windows.transpose(1, 4, 5, 0, 2, 3)
    step = max(1, MANY_VALUES // (sources * taps * math.prod(grid)))
    for start in range(0, batch, step):
        read = by_tap[:, :, :, start : start + step]
        mixed = weights @ read.reshape(sources * taps, -1)
        out[start : start + step] = np.moveaxis(mixed.reshape(-1, *read.shape[3:]), 0, 1)


def _mix(link: Link, chosen: Array | slice, source: Array, targets: int) -> Array:
    """Sum weight times source value into each target, position by position, over the chosen edges."""
    src, dst, weight = link.src[chosen], link.dst[chosen], link.weight[chosen].astype(np.float64)
    if len(src) * source[:, 0].size >= MANY_PRODUCTS:
        from scipy.sparse import csr_array  # takes long to import

        by_vertex = np.moveaxis(source, 1, 0)
        mixed = csr_array((weight, (dst, src)), shape=(targets, len(by_vertex))) @ by_vertex.reshape(len(by_vertex), -1)
        return np.moveaxis(mixed.reshape(targets, *by_vertex.shape[1:]), 0, 1)
    by_position = np.moveaxis(source, 1, -1)
    mixed = np.zeros((*by_position.shape[:-1], targets))
    if len(src):
        products = np.take(by_position, src, axis=-1)
        products *= weight
        first = np.flatnonzero(np.diff(dst, prepend=-1))  # edges are in the order of their targets
        mixed[..., dst[first]] = np.add.reduceat(products, first, axis=-1)
    return np.moveaxis(mixed, -1, 1)


def _operate(layer: Layer, z: Array, train: bool) -> Array:
    """Bias, norm, activation and pool of one layer on (batch, vertices, *grid), which are lost."""
    shape = (len(layer),) + (1,) * len(layer.grid)
    p = {name: column.astype(np.float64).reshape(shape) for name, column in layer.values.items()}
    if "bias" in p:
        z += p["bias"]
    z = get_norm(layer.norm).function(z, p, layer.norm_epsilon, train)
    h = get_activation(layer.activation).function(z, p, layer.slope)
    return _pool(h, layer.pool) if layer.pool else h


def _pool(h: Array, pool: Pool) -> Array:
    sh, sw = pool.stride or pool.size
    windows = np.lib.stride_tricks.sliding_window_view(h, pool.size, axis=(2, 3))[:, :, ::sh, ::sw]
    if pool.kind == "max":  # position by position of the window: many times as fast as over axes so short
        pooled: Array = np.array(windows[..., 0, 0])
        for y, x in np.ndindex(pool.size):
            np.maximum(pooled, windows[..., y, x], out=pooled)
    else:
        pooled = windows.mean(axis=(-2, -1))
    return pooled[:, :, 0, 0] if h.shape[2:] == pool.size else pooled
