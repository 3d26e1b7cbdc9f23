"""Receptive fields: the weight of all paths from every input position to a vertex."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal, NamedTuple

import numpy as np

from netgraph.analysis.linear import LinearModel, Scaled, add_scaled, columns_of, fold_patches
from netgraph.checks import checked, choice, whole_numbers
from netgraph.columns import Array
from netgraph.errors import OptionError, unknown_name
from netgraph.graph import Graph, Grid, Layer

PathMeasure = Literal["weight", "signed", "paths"]

_MEASURES = ("weight", "signed", "paths")


class ReceptiveFields(NamedTuple):
    """Receptive fields of some vertices in an input layer.

    Attributes:
        values: values of magnitude at most 1, `(vertices, width of the input, *its grid)`. Times exp(`log_scale`) they
            are the measured sums over paths.
        log_scale: logarithm of the common factor; -inf when all values are 0.
    """

    values: Array
    log_scale: float


@checked
def receptive_fields(
    graph: Graph,
    vertices: Iterable[int],
    *,
    input: str | None = None,
    measure: PathMeasure = "weight",
    position: Grid | None = None,
) -> ReceptiveFields:
    """Compute the sum over all paths from every input vertex, at every position of its grid, to some vertices.

    Biases, means and activations are left out, as in `path_analysis`; norms, pools and merges count as there. So
    through attention a vertex reads every position, or under a causal mask those up to its own. Of a vertex on a grid
    only one position of its output, after its pool, is looked at.

    Args:
        graph: any graph.
        vertices: ids of the vertices.
        input: name of the input layer; may be left out where there is only one.
        measure: summand of a path. "weight": the product of absolute weights; "signed": the product of weights, so that
            the sum is the derivative of the graph with identities for activations, equal attention to all keys, and 1
            for the other factor of products; "paths": 1, so that the sum is the
            number of paths.
        position: (row, column) or (token,) on the grid of the vertices; the middle by default.

    Returns:
        The fields, in the order of `vertices`.

    Raises:
        GraphError: for a vertex that is not in the graph.
        OptionError: for an unknown input or measure, or a position outside the grid of one of the vertices.

    Cost: a backward pass over the graph for every vertex, O(edges * positions).
    """
    choice("measure", measure, _MEASURES)
    source = input_layer(graph, input)
    norm = "ignore" if measure == "paths" else "scale"
    model = LinearModel(graph, 0 if measure == "paths" else 1, norm, keep=True, signed=measure == "signed")
    shape = (len(source), *source.output_grid)
    fields = [_field(model, i, source, position) for i in whole_numbers("vertices", list(vertices)).tolist()]
    top = max((field.log for field in fields), default=-math.inf)
    values = np.zeros((len(fields), *shape))
    for row, field in zip(values, fields, strict=True):
        if field.log > -math.inf:
            row[...] = field.values * math.exp(field.log - top)
    return ReceptiveFields(values, top)


@checked
def reads(graph: Graph, input: str | None = None) -> Array:
    """Count the reads of each position of an input layer, one per edge and target position, `(width, *grid)`.

    In a layer without a grid this is the number of edges out of each vertex. Wires count; into a merge, they read each
    position once.

    Args:
        graph: any graph.
        input: name of the input layer; may be left out where there is only one.

    Raises:
        OptionError: for an unknown input.

    Cost: O(edges * positions).
    """
    source = input_layer(graph, input)
    total = np.zeros((len(source), *source.output_grid), np.int64)
    for link in graph.outgoing[source.id]:
        target = graph.layer(link.target)
        positions = math.prod(target.grid if target.merge is None else source.output_grid)
        per_tap = np.bincount(columns_of(link), minlength=len(source) * link.kind.taps)
        columns = np.repeat(per_tap[:, None].astype(np.float64), positions, axis=1)
        total += np.rint(fold_patches(link.kind, columns, source, target.grid)).astype(np.int64)
    return total


def input_layer(graph: Graph, name: str | None) -> Layer:
    """Return the input layer with this name, or the only one for None.

    Raises:
        OptionError: when there is no such layer, or there are several and no name.
    """
    names = {layer.name: layer for layer in graph.inputs}
    if name is None and len(names) == 1:
        return graph.inputs[0]
    if name is None:
        raise OptionError(f"The graph has {len(names)} input layers; give the name of one: {', '.join(names)}.")
    if name not in names:
        raise OptionError(unknown_name("input layer", name, names))
    return names[name]


def _field(model: LinearModel, vertex: int, source: Layer, position: Grid | None) -> Scaled:
    """Compute the receptive field of one vertex in an input layer."""
    graph = model.graph
    seen = graph.vertex(vertex)
    shape = (len(seen.layer), *seen.layer.output_grid)
    start = np.zeros(shape)
    start[(seen.row, *_place(seen.layer, position))] = 1.0
    out = {seen.layer.id: Scaled(start, 0.0)}
    sums: dict[int, Scaled] = {}
    order = graph.topological_order
    for i in reversed(order[: order.index(seen.layer.id) + 1]):
        layer = graph.layer(i)
        if i not in out:
            back = [model.backward(link, sums[link.target]) for link in graph.outgoing[i] if link.target in sums]
            out[i] = add_scaled(back, (len(layer), *layer.output_grid))
        if out[i].log > -math.inf and not layer.is_source:
            sums[i] = model.backward_layer(layer, out[i])
    return out.get(source.id, Scaled(None, -math.inf))


def _place(layer: Layer, position: Grid | None) -> Grid:
    grid = layer.output_grid
    if position is None:
        return tuple(side // 2 for side in grid)
    position = tuple(whole_numbers("position", position).ravel().tolist())
    if len(position) != len(grid) or not all(0 <= p < side for p, side in zip(position, grid, strict=True)):
        raise OptionError(f"position={position} is not on the grid {grid} of layer {layer.name!r}.")
    return position
