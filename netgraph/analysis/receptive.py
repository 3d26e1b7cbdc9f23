"""What a vertex sees of the inputs: the paths from every input to it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal, NamedTuple

import numpy as np

from netgraph.analysis.linear import LinearModel, Scaled, columns_of, combined, folded
from netgraph.checks import checked, whole_numbers
from netgraph.columns import Array
from netgraph.errors import OptionError, unknown_name
from netgraph.graph import Graph, Grid, Layer

PathMeasure = Literal["weight", "signed", "paths"]

_MEASURES = ("weight", "signed", "paths")


class ReceptiveFields(NamedTuple):
    """What vertices see of an input layer.

    Attributes:
        values: (vertices, width of the input, *its grid) of at most 1 in absolute value; times exp(`log_scale`) they
            are what was measured.
        log_scale: logarithm of the factor of all values; -inf when all are 0.
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
    """What arrives at vertices over all paths from every input vertex, at every position of its grid.

    Biases, means and activations are left out, as in `path_analysis`; norms and pools count as there. A vertex on a
    grid is looked at in one position of what it gives out, after its pool.

    Args:
        graph: any graph.
        vertices: ids of vertices.
        input: name of the input layer; may be left out where there is only one.
        measure: sum over paths of: "weight", the product of absolute weights; "signed", the product of weights, which
            is the derivative of the graph with identities for activations; "paths", 1, how many there are.
        position: (row, column) or (token,) on the grid of the vertices; the middle by default.

    Returns:
        The fields, in the order of `vertices`.

    Raises:
        GraphError: for a vertex that is not in the graph.
        OptionError: for an unknown input or measure, or a position outside the grid of one of the vertices.

    Cost: a pass back over the graph for every vertex, O(edges * positions).
    """
    if measure not in _MEASURES:
        raise OptionError(unknown_name("measure", measure, _MEASURES))
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
    """(width, *grid) how often each position of an input layer is read: by how many edges, in how many places each.

    In a layer without a grid that is the number of edges out of each vertex. Wires count.

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
        positions = math.prod(graph.layer(link.target).grid)
        per_tap = np.bincount(columns_of(link), minlength=len(source) * link.kind.taps)
        columns = np.repeat(per_tap[:, None].astype(np.float64), positions, axis=1)
        total += np.rint(folded(link.kind, columns, source)).astype(np.int64)
    return total


def input_layer(graph: Graph, name: str | None) -> Layer:
    """The input layer with this name, or the only one; raises `OptionError` when there is no such."""
    names = {layer.name: layer for layer in graph.inputs}
    if name is None and len(names) == 1:
        return graph.inputs[0]
    if name is None:
        raise OptionError(f"The graph has {len(names)} input layers; give the name of one: {', '.join(names)}.")
    if name not in names:
        raise OptionError(unknown_name("input layer", name, names))
    return names[name]


def _field(model: LinearModel, vertex: int, source: Layer, position: Grid | None) -> Scaled:
    """What one vertex sees of an input layer."""
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
            out[i] = combined(back, (len(layer), *layer.output_grid))
        if out[i].log > -math.inf and layer.role != "input":
            sums[i] = model.taken_back(layer, out[i])
    return out.get(source.id, Scaled(None, -math.inf))


def _place(layer: Layer, position: Grid | None) -> Grid:
    grid = layer.output_grid
    if position is None:
        return tuple(side // 2 for side in grid)
    position = tuple(whole_numbers("position", position).ravel().tolist())
    if len(position) != len(grid) or not all(0 <= p < side for p, side in zip(position, grid, strict=True)):
        raise OptionError(f"position={position} is not on the grid {grid} of layer {layer.name!r}.")
    return position
