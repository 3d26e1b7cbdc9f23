"""GradMax: outgoing weights that give new vertices with incoming weights 0 the largest gradient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from netgraph.checks import Count, checked, real_numbers
from netgraph.columns import Array
from netgraph.errors import OptionError
from netgraph.graph import Conv2d, Graph, Link, LinkKey, LinkKind, get_norm, weighted

MAX_ENTRIES = 1 << 24
"""Largest number of entries of a growth matrix; a larger one would take too long to decompose."""


class GradMaxRows(NamedTuple):
    """Outgoing weights of new vertices.

    Attributes:
        weights: one row per new vertex, `(count, columns)`.
        values: singular values of the first rows, `(directions,)`. The rows after them are random.
    """

    weights: Array
    values: Array


@checked
def gradmax_outgoing(
    growth: Array | None, count: Count, norm: float, columns: Count, rng: np.random.Generator
) -> GradMaxRows:
    """Compute the first right singular vectors of a growth matrix, scaled to a norm; rows beyond its rank are random.

    For new vertices with incoming weights 0 and f(0) = 0, the gradient of the incoming weights is f'(0) times the
    growth matrix times the outgoing weights. Among all orthogonal rows of the given norm, these rows make the sum of
    its squares largest: the gradient of the i-th new vertex has the norm |f'(0)| * `norm` * (i-th singular value).

    Args:
        growth: mean of h dL/dz' over samples, `(inputs, columns)`: h are the values that the new vertices will read, z'
            the sums that will read the new vertices. None makes all rows random.
        count: number of new vertices.
        norm: norm of every row.
        columns: number of columns of the matrix.
        rng: random numbers, for the random directions.

    Returns:
        The rows. The sign of a singular vector is chosen so that its largest entry is positive.

    Raises:
        OptionError: when `count` is below 1, or the matrix has another width or a value that is not finite.

    Source: Evci et al. 2022, "GradMax: growing neural networks using gradient information", section 3.2.
    Cost: O(inputs * columns * min(inputs, columns)).
    """
    rows, values = rng.standard_normal((count, columns)), np.empty(0)
    if growth is not None:
        growth = real_numbers("growth", growth, nan=True)
        if growth.ndim != 2 or growth.shape[1] != columns or not np.isfinite(growth).all():
            raise OptionError(f"The growth matrix has shape {growth.shape}, not (inputs, {columns}), or is not finite.")
        _, values, right = np.linalg.svd(growth.astype(np.float64), full_matrices=False)
        kept = min(count, int(np.count_nonzero(values > 1e-12 * values.max(initial=0.0))))
        top, values = right[:kept], values[:kept]
        largest = np.abs(top).argmax(axis=1)
        rows[:kept] = top * np.sign(top[np.arange(kept), largest])[:, None]
    return GradMaxRows(norm * rows / np.linalg.norm(rows, axis=1, keepdims=True), values)


@checked
def outgoing_norm(graph: Graph, layer: int) -> float:
    """Mean, over the vertices of a layer, of the norm of a vertex's outgoing weights, all links taken together."""
    squares = np.zeros(len(graph.layer(layer)))
    for link in weighted(graph.outgoing[layer]):
        squares += np.bincount(link.src, link.weight.astype(np.float64) ** 2, len(squares))
    return float(np.sqrt(squares).mean())


def outgoing_size(graph: Graph, layer: int) -> int:
    """Number of outgoing weights that a vertex of a layer may have: the columns of its growth matrix."""
    return sum(_columns(graph, link) for link in weighted(graph.outgoing[layer]))


def outgoing_by_link(graph: Graph, layer: int, rows: Array) -> dict[LinkKey, Array]:
    """Split outgoing weights, `(count, columns)`, by link, for `WidenLayer`: `(count, targets, taps)` each."""
    links = weighted(graph.outgoing[layer])
    ends = np.cumsum([_columns(graph, link) for link in links])[:-1]
    parts = np.split(rows, ends, axis=1)
    return {
        link.key: part.reshape(len(rows), -1, link.kind.taps).copy() for link, part in zip(links, parts, strict=True)
    }


@checked
def growth_requests(graph: Graph, layer: int) -> tuple[list[Mapping[str, Any]], str]:
    """List the cross moments from which `growth_matrix` builds the growth matrix of a layer.

    Around a layer of maps, the incoming and the outgoing convolution act as one with a larger kernel. At positions that
    the second one pads, and only there, its moments count values of the layer outside its grid. Without padding they
    are exact.

    Args:
        graph: the graph.
        layer: id of the layer to grow.

    Returns:
        Options for requests of "cross_moments"; and '', or the reason for an empty list: a norm or a pool lies between,
        wires lead into or out of the layer, or the matrix would be too large.
    """
    own, into, out = graph.layer(layer), graph.incoming[layer], graph.outgoing[layer]
    if label := get_norm(own.norm).label:
        return [], f"{label} lies between"
    if own.pool is not None:
        return [], "a pool lies between"
    if not into or not out or len(weighted(into)) < len(into) or len(weighted(out)) < len(out):
        return [], "wires lead into or out of it"
    inputs = sum(len(graph.layer(link.source)) * link.kind.taps for link in into)
    if inputs * outgoing_size(graph, layer) > MAX_ENTRIES:
        return [], f"the growth matrix would have more than {MAX_ENTRIES:,} entries"
    found: list[Mapping[str, Any]] = []
    for first in into:
        for second in out:
            source, target = graph.layer(first.source), graph.layer(second.target)
            options: dict[str, Any] = {"source": source.name, "target": target.name}
            if source.output_grid:
                options["kind"] = _through(first.kind, second.kind)
            found.append(options)
    return found, ""


@checked
def growth_matrix(graph: Graph, layer: int, stats: Mapping[tuple[str, str], Array]) -> Array:
    """Build the growth matrix of a layer from its cross moments.

    Args:
        graph: the graph to which the moments belong.
        layer: id of the layer to grow.
        stats: moments by names of source and target, see `Statistics.cross`.

    Returns:
        The matrix, `(inputs, columns)`: one row for each vertex and tap that a new vertex can read, one column for each
        vertex and tap that can read a new vertex, link by link.
    """
    name = {i: own.name for i, own in graph.layers_by_id.items()}
    into, out = weighted(graph.incoming[layer]), weighted(graph.outgoing[layer])
    return np.block([[_block(a.kind, b.kind, stats[name[a.source], name[b.target]]) for b in out] for a in into])


def _block(first: LinkKind, second: LinkKind, cross: Array) -> Array:
    """Block of the growth matrix for two successive links, from their moments, `(sources * taps, targets * taps)`."""
    if cross.ndim == 2:
        return cross
    a, b, whole = first, second, _through(first, second)
    maps = cross.reshape(*cross.shape[:2], *whole.kernel)
    # Tap u of the first kernel below tap v of the second one is tap stride * v + u of the joint kernel.
    rows, columns = (
        np.arange(a.kernel[axis])[:, None] + a.stride[axis] * np.arange(b.kernel[axis])[None, :] for axis in (0, 1)
    )
    found = maps[:, :, rows[:, None, :, None], columns[None, :, None, :]]  # source, target, u, u', v, v'
    return found.transpose(0, 2, 3, 1, 4, 5).reshape(cross.shape[0] * a.taps, cross.shape[1] * b.taps)


def _through(first: LinkKind, second: LinkKind) -> LinkKind:
    """Kind of the one link that reads the same values as two links in a row."""
    if not (first.tap_axes or second.tap_axes):
        return first
    stride, second_kernel, second_padding = np.array([first.stride, second.kernel, second.padding])
    kernel, padding = stride * (second_kernel - 1) + first.kernel, stride * second_padding + first.padding
    return Conv2d(*(tuple(pair.tolist()) for pair in (kernel, stride * second.stride, padding)))


def _columns(graph: Graph, link: Link) -> int:
    return len(graph.layer(link.target)) * link.kind.taps
