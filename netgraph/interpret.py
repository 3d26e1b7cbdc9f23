"""Reference evaluation of a graph in float64, slow and simple. Tests compare faster evaluations with it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from netgraph.checks import checked, whole_numbers
from netgraph.columns import Array
from netgraph.errors import InputError
from netgraph.graph import (
    Graph,
    Grid,
    Layer,
    Link,
    LinkKind,
    Pool,
    PortRead,
    PortWires,
    get_activation,
    get_norm,
    port_wires,
)

Inputs = Mapping[str, Any] | Any

MANY_PRODUCTS = 1_000_000
"""Smallest number of products, weight times value, for which matrices are multiplied: they never hold all products.

The matrix of weights is a sparse one of SciPy, unless all edges exist.
"""

MANY_VALUES = 1 << 17
"""Number of float64 values that `_sum_windows` reads at a time; they take 1 MiB."""


@checked
def interpret(graph: Graph, x: Inputs, *, train: bool = False, check_domain: bool = True) -> Any:
    """Evaluate a graph in float64.

    Args:
        graph: the network.
        x: values of the input layer, `(batch, vertices, *grid)`, or a dict of such arrays by layer name. An input with
            encoding "index" takes whole numbers, `(batch, *grid)`.
        train: whether norms that couple samples, such as batch norm, use the statistics of the batch instead of the
            running ones.
        check_domain: whether to refuse values outside the declared domain of an input.

    Returns:
        Values of the output layer, `(batch, vertices, *grid)`; a dict by layer name when there are several.

    Raises:
        InputError: when an input is missing, has another shape, is not finite or leaves its domain.

    Cost: O(batch * edges * positions); memory for the values that are still to be read by later layers.
    """
    values = _evaluate(graph, x, train, check_domain, keep=False)
    out = {layer.name: values[layer.id] for layer in graph.outputs}
    return next(iter(out.values())) if len(out) == 1 else out


@checked
def interpret_layers(graph: Graph, x: Inputs, *, train: bool = False, check_domain: bool = True) -> dict[str, Array]:
    """Evaluate a graph like `interpret` and return the outputs of all layers, after norm and pool, by layer name."""
    values = _evaluate(graph, x, train, check_domain, keep=True)
    return {graph.layer(i).name: value for i, value in values.items()}


def _evaluate(graph: Graph, x: Inputs, train: bool, check_domain: bool, *, keep: bool) -> dict[int, Array]:
    """Compute the outputs of layers, by id.

    Args:
        graph, x, train, check_domain: see `interpret`.
        keep: whether to keep all outputs; else only those of output layers are kept after their last reader.
    """
    inputs = prepare_inputs(graph, x, check_domain=check_domain)
    batch = len(next(iter(inputs.values())))
    values: dict[int, Array] = {}
    readers = {i: len(links) for i, links in graph.outgoing.items()}
    for i in graph.topological_order:
        layer = graph.layer(i)
        if layer.is_source:
            values[i] = inputs[layer.name] if layer.role == "input" else positions(layer, batch)
            continue
        if layer.merge is None:
            z = np.zeros((batch, len(layer), *layer.grid))
            for link in graph.incoming[i]:
                z += _contribution(link, values[link.source], graph.layer(link.source).output_grid, layer)
        else:
            reads = [_port_read(wires, values) for wires in port_wires(graph, i)]
            z = layer.merge.evaluate((reads[0], reads[1]), len(layer))
        for link in graph.incoming[i]:
            readers[link.source] -= 1
            if not (keep or readers[link.source] or graph.layer(link.source).role == "output"):
                del values[link.source]
        values[i] = _operate(layer, z, train)
    return values


def _port_read(wires: PortWires, values: Mapping[int, Array]) -> PortRead:
    """Gather the values that a merging layer reads at one port."""
    sources = [values[i] for i in wires.sources]
    starts = np.cumsum([0, *(value.shape[1] for value in sources)])
    joined = sources[0] if len(sources) == 1 else np.concatenate(sources, axis=1)
    return PortRead(joined, starts[wires.source] + wires.src, wires.dst, wires.slot)


def positions(layer: Layer, batch: int) -> Array:
    """Values of a layer of positions, `(batch, vertices, *grid)`, read-only: 1 at the position of each vertex."""
    one = np.eye(len(layer)).reshape(1, len(layer), *layer.grid)
    return np.broadcast_to(one, (batch, *one.shape[1:]))


def prepare_inputs(graph: Graph, x: Inputs, *, check_domain: bool = True) -> dict[str, Array]:
    """Check inputs against a graph and convert them to float64 arrays by layer name.

    Whole numbers of inputs with encoding "index" become zeros and ones, `(batch, vertices, *grid)`.

    Raises:
        InputError: when an input is missing, has another shape, is not finite or leaves its domain.
    """
    given = x if isinstance(x, Mapping) else {graph.inputs[0].name: x}
    names = [layer.name for layer in graph.inputs]
    if set(given) != set(names):
        raise InputError(f"Inputs are given for {sorted(given)}, the graph has the input layers {sorted(names)}.")
    result = {}
    for layer in graph.inputs:
        if layer.encoding == "index":
            result[layer.name] = _one_hot(layer, given[layer.name])
            continue
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


def _one_hot(layer: Layer, given: Any) -> Array:
    """Convert indices, `(batch, *grid)`, to zeros and ones, `(batch, vertices, *grid)`."""
    where = f"Input {layer.name!r}"
    index = whole_numbers(where, given, least=0, most=len(layer) - 1, error=InputError)
    if index.shape[1:] != layer.grid:
        wanted = ", ".join(map(str, ("batch", *layer.grid)))
        raise InputError(f"{where} has shape {index.shape}, expected ({wanted}): one index per position.")
    return np.moveaxis(np.eye(len(layer))[index], -1, 1)


def check_in_domain(layer: Layer, values: Array) -> None:
    """Check values of an input layer, `(batch, vertices, *grid)`, against its domain.

    Raises:
        InputError: naming the first value outside the domain.
    """
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


def _contribution(link: Link, source: Array, grid: Grid, target: Layer) -> Array:
    """Compute the sum over the edges of one link, `(batch, targets, *grid)`; `grid` is that of the source."""
    if link.kind.tap_axes:
        mixed = _convolve(link, link.kind, source, len(target))
    else:
        (read,) = link.kind.read(source, grid, target.grid)
        mixed = _mix(link, slice(None), read, len(target))
    return mixed.reshape(len(source), len(target), *target.grid)  # convolutions to a grid of () give (1, 1)


def _convolve(link: Link, kind: LinkKind, source: Array, targets: int) -> Array:
    (sh, sw), (h, w) = kind.stride, kind.output_grid(source.shape[2:])
    out = np.zeros((len(source), targets, h, w))
    if len(link) * len(source) * h * w >= MANY_PRODUCTS:
        padded = kind.pad(source)
        windows = np.lib.stride_tricks.sliding_window_view(padded, kind.kernel, axis=(2, 3))[:, :, ::sh, ::sw]
        _sum_windows(link, windows, out)
        return out
    read = list(kind.read(source, source.shape[2:], (h, w)))
    for tap in np.unique(link.tap):
        out += _mix(link, link.tap == tap, read[tap], targets)
    return out


def _sum_windows(link: Link, windows: Array, out: Array) -> None:
    """Add the sum over all taps of a link to `out`, from views `(batch, sources, *grid, *kernel)`.

    A few samples are summed at a time: the values that they read, copied for every tap, then stay in the cache of a
    processor, and memory is no limit.
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
    """Sum weight times source value over the chosen edges, for each target and position."""
    src, dst, weight = link.src[chosen], link.dst[chosen], link.weight[chosen].astype(np.float64)
    if len(src) * source[:, 0].size >= MANY_PRODUCTS:
        by_vertex = np.moveaxis(source, 1, 0)
        shape = (targets, len(by_vertex))
        if len(src) == math.prod(shape):  # edges are ordered by target, then by source
            matrix: Any = weight.reshape(shape)
        else:
            from scipy.sparse import csr_array  # takes long to import

            matrix = csr_array((weight, (dst, src)), shape=shape)
        mixed = matrix @ by_vertex.reshape(len(by_vertex), -1)
        return np.moveaxis(mixed.reshape(targets, *by_vertex.shape[1:]), 0, 1)
    by_position = np.moveaxis(source, 1, -1)
    mixed = np.zeros((*by_position.shape[:-1], targets))
    if len(src):
        products = np.take(by_position, src, axis=-1)
        products *= weight
        first = np.flatnonzero(np.diff(dst, prepend=-1))  # edges are ordered by target
        mixed[..., dst[first]] = np.add.reduceat(products, first, axis=-1)
    return np.moveaxis(mixed, -1, 1)


def _operate(layer: Layer, z: Array, train: bool) -> Array:
    """Apply bias, norm, activation and pool of a layer to its sums, `(batch, vertices, *grid)`, which it overwrites."""
    shape = (len(layer),) + (1,) * len(layer.grid)
    p = {name: column.astype(np.float64).reshape(shape) for name, column in layer.values.items()}
    if "bias" in p:
        z += p["bias"]
    z = get_norm(layer.norm).function(z, p, layer.norm_epsilon, train)
    h = get_activation(layer.activation).function(z, p, layer.slope)
    return _pool(h, layer.pool) if layer.pool else h


def _pool(h: Array, pool: Pool) -> Array:
    grid = h.shape[2:]
    if pool.padding is not None:
        outside = -np.inf if pool.kind == "max" else 0.0
        h = np.pad(h, [(0, 0), (0, 0), *((p, p) for p in pool.pads)], constant_values=outside)
    axes = tuple(range(2, h.ndim))
    windows = np.lib.stride_tricks.sliding_window_view(h, pool.size, axis=axes)
    every: tuple[Any, ...] = (slice(None), slice(None), *(slice(None, None, s) for s in pool.strides))
    windows = windows[every]
    if pool.kind == "max":  # a loop over the window is much faster than a maximum over two such short axes
        pooled: Array = np.full(windows.shape[: h.ndim], -np.inf)
        for at in np.ndindex(*pool.size):
            inside: Any = (..., *at)
            np.maximum(pooled, windows[inside], out=pooled)
    else:
        pooled = windows.mean(axis=tuple(-1 - i for i in range(len(axes))))
    return pooled.reshape(*pooled.shape[:2], *pool.output_grid(grid))
