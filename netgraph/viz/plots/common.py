"""Parts that the plots of structure share: colour maps, names of layers along an axis, scales, numbers as text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from netgraph.columns import Array
from netgraph.graph import Graph, Layer
from netgraph.viz import colors
from netgraph.viz.plots.figures import literal

_LABEL_POINTS = 11.0
"""Height of a line of text, in points."""
_LETTER_POINTS = 5.5
"""Mean width of a letter, in points."""
_MOST_CANDIDATES = 2000


def layers_in_order(graph: Graph) -> list[Layer]:
    """Return the layers in topological order, inputs first."""
    return [graph.layer(i) for i in graph.topological_order]


def count(n: int, one: str, many: str) -> str:
    """Format a number with its noun."""
    return f"{n:,} {one if n == 1 else many}"


def name_with_size(layer: Layer) -> str:
    """Format the name of a layer with its number of vertices."""
    return f"{literal(layer.name)} ({len(layer):,})"


def size_in_words(graph: Graph) -> str:
    """Format the numbers of trainable edges and of wires of a graph."""
    wires = len(graph.edges) - graph.num_edges
    return count(graph.num_edges, "edge", "edges") + (f" and {count(wires, 'wire', 'wires')}" if wires else "")


def line_color(role: str) -> str:
    """Return the colour of lines and bars for a role of layers."""
    return colors.ROLES[role][1]


def sequential_map() -> Any:
    """Return the colour map from light (small values) to dark (large values)."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("netgraph", colors.SEQUENTIAL)


def diverging_map() -> Any:
    """Return the colour map with blue above 0, purple below 0 and grey at 0."""
    from matplotlib.colors import LinearSegmentedColormap

    (near_up, up), (near_down, down) = colors.POSITIVE, colors.NEGATIVE
    return LinearSegmentedColormap.from_list("netgraph signed", [down, near_down, colors.FAINT, near_up, up])


def name_along(axes: Any, axis: str, names: Sequence[str], middles: Array, sizes: Array) -> int:
    """Write the names of intervals beside an axis, and leave out names that would overlap others.

    Names of longer intervals have precedence.

    Args:
        axes: axes whose limits are set.
        axis: "x" or "y". Names along x are written upwards when one of them is wider than its interval.
        names: names, prepared by `literal`.
        middles, sizes: middle and length of each interval, in the units of the axis, `(names,)`.

    Returns:
        Number of names left out.
    """
    box = axes.get_window_extent()
    pixels = box.width if axis == "x" else box.height
    low, high = sorted(axes.get_xlim() if axis == "x" else axes.get_ylim())
    room = _LABEL_POINTS * axes.figure.dpi / 72 * (high - low) / pixels
    chosen: list[int] = []
    for k in np.argsort(-np.asarray(sizes), kind="stable")[:_MOST_CANDIDATES].tolist():
        if all(abs(middles[k] - middles[other]) >= room for other in chosen):
            chosen.append(k)
    chosen.sort()
    # Horizontal names are easier to read, but each has to fit into its interval.
    fits = all(_LETTER_POINTS / _LABEL_POINTS * room * len(names[k]) <= sizes[k] for k in chosen)
    options: dict[str, Any] = {"rotation": 90} if axis == "x" and not fits else {}
    set_ticks = axes.set_xticks if axis == "x" else axes.set_yticks
    set_ticks(middles[chosen], [names[k] for k in chosen], fontsize=8, **options)
    axes.tick_params(axis=axis, length=0)
    return len(names) - len(chosen)


def apply_layout(axes: Any) -> bool:
    """Run the layout engine of the figure, which resizes its axes. Return False when the figure has no engine."""
    figure = axes.figure.figure  # the whole figure, also when the axes are in a subfigure
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
    return engine is not None


def left_out_note(n: int) -> str:
    """Format a remark on the number of names left out, or ''."""
    return f"; {count(n, 'name', 'names')} left out" if n else ""


def write_reason(axes: Any, text: str) -> None:
    """Write in the middle of empty axes why they are empty. Their ticks are removed unless they show an image."""
    if not axes.images:
        axes.set(xticks=[], yticks=[])
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=colors.QUIET)


def log_limits(values: Array) -> tuple[float, float] | None:
    """Return the limits of a logarithmic scale for the values above 0, or None when no value is above 0.

    The lower limit is the smallest value above 0, but at least 1e-8 of the largest value.
    """
    positive = values[values > 0]
    if not len(positive):
        return None
    high = float(positive.max())
    return max(float(positive.min()), high * 1e-8), high


def spread_wide(values: Array, ratio: float) -> bool:
    """Whether the ratio of the largest to the smallest positive value exceeds `ratio`, for a logarithmic axis."""
    positive = np.asarray(values)[np.asarray(values) > 0]
    return bool(len(positive) and positive.max() > ratio * positive.min())


def whole_ticks(axis: Any) -> None:
    """Put ticks of an axis at whole numbers only."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def plain_log(axis: Any) -> None:
    """Write the numbers of a logarithmic axis as 1, 10, 1,000 unless they are long."""
    from matplotlib.ticker import FuncFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: plain_number(float(value))))


def round_ticks(axis: Any) -> None:
    """Put ticks of a logarithmic axis at 0, 1, 2, 5, 10 and so on, or on a long axis at powers of ten only."""
    from matplotlib.ticker import FixedLocator, NullLocator

    top = max(1.0, float(axis.get_view_interval()[1]))
    digits = (1, 2, 5) if top <= 500 else (1,)
    places = [digit * 10.0**k for k in range(int(math.log10(top)) + 1) for digit in digits]
    axis.set_major_locator(FixedLocator([0.0, *places] if axis.get_scale() == "symlog" else places))
    axis.set_minor_locator(NullLocator())
    plain_log(axis)


def plain_number(value: float) -> str:
    """Format a number with few characters."""
    if value and not 1e-3 <= abs(value) < 1e7:
        return f"1e{math.log10(abs(value)):.0f}" if value > 0 and math.log10(value) % 1 == 0 else f"{value:.2g}"
    return f"{value:,.0f}" if value == int(value) else f"{value:g}"
