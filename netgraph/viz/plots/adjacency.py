"""Plot of the adjacency matrix of a graph as an image."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from netgraph.checks import checked, choice
from netgraph.columns import Array
from netgraph.errors import OptionError
from netgraph.graph import Graph, Layer
from netgraph.viz import colors
from netgraph.viz.checks import check_graph
from netgraph.viz.plots import common
from netgraph.viz.plots.figures import axes_or_new

AdjacencyValue = Literal["count", "weight", "magnitude"]

_VALUES = ("count", "weight", "magnitude")
_EDGES_AT_ONCE = 2_000_000
_MOST_LINES = 120
"""Largest number of layers along an axis with lines between them. More lines would cover the edges."""
_MOST_CELLS = 30
"""Largest number of vertices along an axis with lines between all vertices."""


@checked
def plot_adjacency(graph: Graph, *, ax: Any = None, value: AdjacencyValue = "count", max_pixels: int = 600) -> Any:
    """Draw the adjacency matrix, with a row per source vertex and a column per target vertex.

    Layers stand in topological order. Outputs without outgoing links have no rows, and inputs have no columns. When an
    axis has more than `max_pixels` vertices, neighbouring vertices share a pixel. Taps of a convolution add up.

    Args:
        graph: any graph.
        ax: matplotlib axes to draw into; new ones by default.
        value: meaning of the colour of a pixel: "count", the number of its edges, with wires; "weight", the sum of
            their weights, blue above 0 and purple below; "magnitude", the sum of their absolute weights. A pixel
            without edges is white.
        max_pixels: largest number of pixels along an axis.

    Returns:
        The axes. Their only image has an array of shape `(source pixels, target pixels)`, masked where there is no
        edge.

    Raises:
        OptionError: for an unknown `value` or less than one pixel, or when matplotlib is not installed.

    Cost: O(edges + pixels).
    """
    choice("value", value, _VALUES)
    if max_pixels < 1:
        raise OptionError(f"max_pixels={max_pixels} is below 1.")
    check_graph(graph, "plot_adjacency")
    axes = axes_or_new(ax, 7.5, 6.8)
    layers = common.layers_in_order(graph)
    sources = [layer for layer in layers if layer.role != "output" or graph.outgoing[layer.id]]
    targets = [layer for layer in layers if not layer.is_source]
    rows, columns = sum(map(len, sources)), sum(map(len, targets))
    shape = (min(rows, max_pixels), min(columns, max_pixels))
    counts, values = _images(graph, sources, targets, shape, value)
    image = np.ma.masked_where(counts == 0, values)
    drawn = axes.imshow(
        image, extent=(0, columns, rows, 0), aspect="auto", interpolation="nearest", **_look(image, value)
    )
    _lines(axes, sources, targets)
    _color_bar(axes, drawn, image, value, (rows / shape[0], columns / shape[1]))
    _names(axes, sources, targets)
    if common.apply_layout(axes):
        _names(axes, sources, targets)  # the names make the axes smaller, so that fewer names fit
    if not len(graph.edges):
        common.write_reason(axes, "no edges")
    axes.set_title(f"{common.size_in_words(graph)} among {common.count(graph.num_vertices, 'vertex', 'vertices')}")
    return axes


def _images(
    graph: Graph, sources: list[Layer], targets: list[Layer], shape: tuple[int, int], value: str
) -> tuple[Array, Array]:
    """Number of edges of each pixel, and its value, both `(source pixels, target pixels)`."""
    row, column = _pixels(graph, sources, shape[0]), _pixels(graph, targets, shape[1])
    edges, cells = graph.edges, shape[0] * shape[1]
    counts, sums = np.zeros(cells, np.int64), np.zeros(cells)
    for start in range(0, len(edges), _EDGES_AT_ONCE):
        part = slice(start, start + _EDGES_AT_ONCE)
        at = row[edges.source_row[part]] * shape[1] + column[edges.target_row[part]]
        counts += np.bincount(at, minlength=cells)
        if value != "count":
            weight = edges.weight[part]
            sums += np.bincount(at, weight if value == "weight" else np.abs(weight), minlength=cells)
    return counts.reshape(shape), (counts if value == "count" else sums).reshape(shape)


def _pixels(graph: Graph, layers: list[Layer], pixels: int) -> Array:
    """Index of the pixel of each vertex on an axis with some layers, 0 for vertices of other layers, `(vertices,)`."""
    places = np.zeros(graph.num_vertices, np.int64)
    start, total = 0, sum(map(len, layers))
    for layer in layers:
        offset = graph.vertices.offset(layer.id)
        places[offset : offset + len(layer)] = np.arange(start, start + len(layer))
        start += len(layer)
    return places * pixels // total


def _look(image: Any, value: str) -> dict[str, Any]:
    """Colour map and norm for `imshow`; sets values below the scale to half its lower end."""
    from matplotlib.colors import ListedColormap, LogNorm, Normalize

    if not image.count():
        return {"cmap": common.sequential_map(), "norm": Normalize(0, 1)}
    if value == "weight":
        largest = float(np.abs(image).max()) or 1.0
        return {"cmap": common.diverging_map(), "norm": Normalize(-largest, largest)}
    high = float(image.max())
    if value == "count" and high <= 10:
        return {
            "cmap": ListedColormap([colors.ROLES["input"][1]]) if high == 1 else common.sequential_map(),
            "norm": Normalize(1, high),
        }
    low, high = common.log_limits(image.compressed()) or (0.5, 1.0)
    # A pixel whose edges all have the weight 0 gets the colour below the scale.
    map_ = common.sequential_map().with_extremes(under=colors.GRAY)
    image[image < low] = low / 2
    return {"cmap": map_, "norm": LogNorm(low, max(high, low * 1.001))}


def _color_bar(axes: Any, drawn: Any, image: Any, value: str, cell: tuple[float, float]) -> None:
    if not image.count() or (value == "count" and image.max() == 1):
        return  # every pixel has at most one edge
    what = {"count": "edges", "weight": "sum of weights", "magnitude": "sum of absolute weights"}[value]
    per = "pair of vertices" if cell == (1, 1) else f"pixel of {cell[0]:.3g} x {cell[1]:.3g} vertices"
    under = value == "magnitude" and bool((image < drawn.norm.vmin).any())
    bar = axes.figure.colorbar(drawn, ax=axes, extend="min" if under else "neither", fraction=0.05, pad=0.02)
    bar.set_label(f"{what} per {per}" + (" (grey: 0, or below the scale)" if under else ""))
    if value == "count" and image.max() <= 10:
        bar.set_ticks(np.arange(1, int(image.max()) + 1))
    elif value == "count":
        common.plain_log(bar.ax.yaxis)


def _lines(axes: Any, sources: list[Layer], targets: list[Layer]) -> None:
    """Draw lines between layers, and between all vertices when there are few."""
    for layers, draw_line in ((sources, axes.axhline), (targets, axes.axvline)):
        ends = np.cumsum([len(layer) for layer in layers]).tolist()
        if len(layers) <= _MOST_LINES:
            for cell in range(1, ends[-1]) if ends[-1] <= _MOST_CELLS else ():
                draw_line(cell, color=colors.FAINT, linewidth=0.5)
            for end in ends[:-1]:
                draw_line(end, color=colors.QUIET, linewidth=0.7)


def _names(axes: Any, sources: list[Layer], targets: list[Layer]) -> None:
    for axis, layers in (("y", sources), ("x", targets)):
        sizes = np.array([len(layer) for layer in layers])
        names = [common.name_with_size(layer) for layer in layers]
        missing = common.name_along(axes, axis, names, np.cumsum(sizes) - sizes / 2, sizes)
        label = f"{'sources' if axis == 'y' else 'targets'}, by layer (vertices){common.left_out_note(missing)}"
        axes.set(**{f"{axis}label": label})
