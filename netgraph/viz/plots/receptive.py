"""Plot of the pixels that a network reads, and of the receptive fields of single vertices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from netgraph.analysis import PathMeasure, input_layer, reads, receptive_fields
from netgraph.checks import checked, whole_numbers
from netgraph.columns import Array
from netgraph.errors import OptionError
from netgraph.graph import Graph, Grid, Layer
from netgraph.viz import colors
from netgraph.viz.checks import check_graph
from netgraph.viz.layout import Pixels
from netgraph.viz.plots import common
from netgraph.viz.plots.figures import figure_or_new, literal

_MEASURES = {
    "weight": "sum of absolute path weights",
    "signed": "sum of path weights",
    "paths": "number of paths",
}
_LARGEST_LOG = 600.0
"""Largest logarithm of a factor that is multiplied into the values; beyond it they stay relative to the largest."""


@checked
def plot_receptive_fields(
    graph: Graph,
    *,
    pixels: Pixels | None = None,
    of: str | Sequence[int] | None = None,
    input: str | None = None,
    measure: PathMeasure = "weight",
    position: Grid | None = None,
    max_vertices: int = 24,
    figure: Any = None,
) -> Any:
    """Draw the number of reads of each input pixel, and the receptive fields of single vertices.

    The first image shows the number of edges out of each pixel; in a convolution an edge counts once per position at
    which it reads the pixel. Each other image shows the receptive field of a vertex, which is the sum over all paths
    from each pixel to the vertex (see `netgraph.analysis.receptive_fields`). Channels of a pixel add up. Grey pixels
    have no path, or paths of weight 0 only. All fields share one colour scale.

    Args:
        graph: any graph.
        pixels: shape of the input, `(height, width)` or `(channels, height, width)`. By default the grid of the input
            layer, or one row of pixels for a layer without a grid.
        of: vertices whose fields are drawn, as ids or as the name of a layer; by default all output vertices.
        input: name of the input layer; not needed for a graph with a single one.
        measure: contribution of a path: "weight", the product of absolute weights; "signed", the product of weights;
            "paths", the number 1.
        position: position of the vertices on their grid; by default its middle.
        max_vertices: largest number of vertices. When there are more, vertices at even distances are drawn.
        figure: matplotlib figure or subfigure to draw into; a new one by default.

    Returns:
        The figure. Its first axes show the reads, the following ones the vertices.

    Raises:
        GraphError: the graph does not have the layer or vertex.
        OptionError: `pixels` or `position` do not fit, an option is unknown, or matplotlib is not installed.

    Cost: O(edges * positions), and as much again for every vertex drawn.
    """
    if max_vertices < 1:
        raise OptionError(f"max_vertices={max_vertices} is below 1 vertex.")
    check_graph(graph, "plot_receptive_fields")
    source = input_layer(graph, input)
    shape = _shape(source, pixels)
    ids = _vertices(graph, of)
    shown = ids[np.unique(np.linspace(0, len(ids) - 1, min(max_vertices, len(ids))).round().astype(np.int64))]
    fields = receptive_fields(graph, shown, input=source.name, measure=measure, position=position)
    images = fields.values.reshape(len(shown), *shape).sum(axis=1)
    columns = math.ceil(math.sqrt(1.6 * len(shown)))
    rows = math.ceil(len(shown) / columns)
    figure = figure_or_new(figure, 4.2 + 1.35 * columns, max(3.6, 0.8 + 1.55 * rows))
    left, right = figure.subfigures(1, 2, width_ratios=(4.0, 0.2 + 1.35 * columns))
    _draw_reads(left, reads(graph, source.name).reshape(shape).sum(axis=0), bool(source.output_grid))
    panels = right.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels[len(shown) :]:
        axes.remove()
    _draw_fields(right, panels[: len(shown)], images, fields.log_scale, measure)
    for axes, vertex in zip(panels, shown.tolist(), strict=False):
        axes.set_title(_vertex_name(graph, vertex, position), fontsize=7)
    seen = "" if len(shown) == len(ids) else f"{len(shown)} of {len(ids):,} vertices; "
    right.suptitle(f"What vertices see ({seen}grey: nothing)", fontsize=10)
    return figure


def _shape(source: Layer, pixels: Pixels | None) -> tuple[int, int, int]:
    """Shape of an input layer as an image, `(channels, height, width)`, from `pixels` or from its grid."""
    grid, values = source.output_grid, len(source) * math.prod(source.output_grid)
    known = (len(source), *(1,) * (2 - len(grid)), *grid) if grid else (1, 1, len(source))
    if pixels is None:
        return (int(known[0]), int(known[1]), int(known[2]))
    pixels = tuple(whole_numbers("pixels", pixels).ravel().tolist())
    given = (values // math.prod(pixels) if math.prod(pixels) else 0, *pixels) if len(pixels) == 2 else tuple(pixels)
    if len(given) != 3 or min(given) < 1 or math.prod(given) != values or (grid and given != known):
        raise OptionError(
            f"pixels={pixels!r} do not fit the input layer {source.name!r} of {values:,} values"
            + (f" on the grid {grid}" if grid else "")
            + "; give (height, width) or (channels, height, width)."
        )
    return (int(given[0]), int(given[1]), int(given[2]))


def _vertices(graph: Graph, of: str | Sequence[int] | None) -> Array:
    """Ids of the vertices whose fields are drawn, `(vertices,)`."""
    if of is None:
        return np.concatenate([layer.vertex_ids for layer in graph.outputs])
    if isinstance(of, str):
        return graph.layer(of).vertex_ids
    ids = whole_numbers("of", of).ravel()
    if not len(ids):
        raise OptionError("of=[] names no vertex; give ids of vertices or the name of a layer.")
    return ids


def _vertex_name(graph: Graph, vertex: int, position: Grid | None) -> str:
    seen = graph.vertex(vertex)
    grid = seen.layer.output_grid
    place = position or tuple(side // 2 for side in grid)
    at = f" at {', '.join(map(str, place))}" if grid else ""
    return f"{literal(seen.layer.name, 14)} [{seen.row}]{at}"


def _draw_reads(figure: Any, image: Array, on_grid: bool) -> None:
    axes = figure.subplots()
    unused = int(np.count_nonzero(image == 0))
    drawn = axes.imshow(
        np.ma.masked_equal(image, 0),
        cmap=common.sequential_map().with_extremes(bad=colors.MISSING),
        vmin=0,
        vmax=max(image.max(), 1),
        interpolation="nearest",
        aspect=_aspect(image),
    )
    bar = figure.colorbar(drawn, ax=axes, shrink=0.75, label="edges times places that read" if on_grid else "edges")
    common.whole_ticks(bar.ax.yaxis)
    heading = "Reads of each pixel" if on_grid else "Edges out of each pixel"
    axes.set_title(f"{heading}\n{unused:,} of {image.size:,} pixels without (grey)", fontsize=10)
    _pixel_ticks(axes, image.shape)


def _draw_fields(figure: Any, panels: Any, images: Array, log: float, measure: str) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm, Normalize

    label = _MEASURES[measure]
    if abs(log) < _LARGEST_LOG:
        images = images * math.exp(log)
    elif log > -math.inf:
        label += ", over the largest"
    norm: Any
    if measure == "signed":
        # A quantile in place of the maximum, since a single large weight would make all other colours pale.
        sizes = np.abs(images[images != 0])
        largest = float(np.quantile(sizes, 0.995)) if len(sizes) else 1.0
        norm, map_ = Normalize(-largest, largest), common.diverging_map()
    else:
        low, high = common.log_limits(images) or (0.5, 1.0)
        wide = high > 100 * low
        norm = LogNorm(max(low, high * 1e-4), high) if wide else Normalize(0, high)
        map_ = common.sequential_map()
    map_ = map_.with_extremes(bad=colors.MISSING)
    for axes, image in zip(panels, images, strict=True):
        shown = np.ma.masked_equal(image, 0)
        axes.imshow(shown, cmap=map_, norm=norm, interpolation="nearest", aspect=_aspect(image))
        axes.set(xticks=[], yticks=[])
    beyond = {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}
    shown = images[images != 0]
    extend = beyond[bool((shown < norm.vmin).any()), bool((shown > norm.vmax * (1 + 1e-9)).any())]
    figure.colorbar(ScalarMappable(norm, map_), ax=list(panels), shrink=0.75, label=label, extend=extend)


def _aspect(image: Array) -> str:
    """Aspect of an image: square pixels, except in an image more than 8 times as long as it is wide."""
    return "auto" if max(image.shape) > 8 * min(image.shape) else "equal"


def _pixel_ticks(axes: Any, shape: tuple[int, ...]) -> None:
    axes.set(
        xlabel="column",
        ylabel="row",
        xticks=np.arange(0, shape[1], math.ceil(shape[1] / 8)),
        yticks=np.arange(0, shape[0], math.ceil(shape[0] / 8)),
    )
