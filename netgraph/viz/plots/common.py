"""What the plots of structure have in common: colours, names of layers along an axis, numbers in words."""

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
"""Room that a name takes across the direction in which it is written."""
_LETTER_POINTS = 5.5
_MOST_CANDIDATES = 2000


def ordered(graph: Graph) -> list[Layer]:
    """The layers in topological order, inputs first."""
    return [graph.layer(i) for i in graph.topological_order]


def count(n: int, one: str, many: str) -> str:
    """A number with its noun."""
    return f"{n:,} {one if n == 1 else many}"


def sized(layer: Layer) -> str:
    """Name of a layer, and how many vertices it has."""
    return f"{literal(layer.name)} ({len(layer):,})"


def size_in_words(graph: Graph) -> str:
    """Edges and wires of a graph."""
    wires = len(graph.edges) - graph.num_edges
    return count(graph.num_edges, "edge", "edges") + (f" and {count(wires, 'wire', 'wires')}" if wires else "")


def line_color(role: str) -> str:
    """The colour of lines and bars of a role."""
    return colors.ROLES[role][1]


def sequential_map() -> Any:
    """From few (light) to many (dark)."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("netgraph", colors.SEQUENTIAL)


def diverging_map() -> Any:
    """Blue above 0, purple below, grey at 0."""
    from matplotlib.colors import LinearSegmentedColormap

    (near_up, up), (near_down, down) = colors.POSITIVE, colors.NEGATIVE
    return LinearSegmentedColormap.from_list("netgraph signed", [down, near_down, colors.FAINT, near_up, up])


def name_along(axes: Any, axis: str, names: Sequence[str], middles: Array, sizes: Array) -> int:
    """Write names beside an axis, wide ones first, and leave out those that would overlap.

    Args:
        axes: with the limits of the axis set.
        axis: "x" or "y"; names along x are written upwards unless all fit.
        names: text ready for matplotlib.
        middles, sizes: (names,) place and length of what is named, in the units of the axis.

    Returns:
        How many names were left out.
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
    # Lying names are read more easily, where each fits the place that it names.
    fits = all(_LETTER_POINTS / _LABEL_POINTS * room * len(names[k]) <= sizes[k] for k in chosen)
    options: dict[str, Any] = {"rotation": 90} if axis == "x" and not fits else {}
    set_ticks = axes.set_xticks if axis == "x" else axes.set_yticks
    set_ticks(middles[chosen], [names[k] for k in chosen], fontsize=8, **options)
    axes.tick_params(axis=axis, length=0)
    return len(names) - len(chosen)


def settled(axes: Any) -> bool:
    """Let the figure find its layout, where it has one of its own, and say whether it did."""
    figure = axes.figure.figure  # that of a part of a figure is the whole
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
    return engine is not None


def left_out(n: int) -> str:
    """A remark on names that found no room, or nothing."""
    return f"; {count(n, 'name', 'names')} left out" if n else ""


def say_instead(axes: Any, text: str) -> None:
    """Write in the middle of axes why there is nothing to see. Numbers at an empty axis would say nothing."""
    if not axes.images:
        axes.set(xticks=[], yticks=[])
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=colors.QUIET)


def log_limits(values: Array) -> tuple[float, float] | None:
    """Smallest and largest value above 0, the smallest at most 1e-8 of the largest; None when there are none."""
    positive = values[values > 0]
    if not len(positive):
        return None
    high = float(positive.max())
    return max(float(positive.min()), high * 1e-8), high


def spread_wide(values: Array, ratio: float) -> bool:
    """Whether positive values span more than a ratio, so that an axis should be logarithmic."""
    positive = np.asarray(values)[np.asarray(values) > 0]
    return bool(len(positive) and positive.max() > ratio * positive.min())


def whole_ticks(axis: Any) -> None:
    """Ticks of an axis at whole numbers only."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def plain_log(axis: Any) -> None:
    """Numbers of a logarithmic axis as 1, 10, 1,000, as far as they are short."""
    from matplotlib.ticker import FuncFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: plain_number(float(value))))


def round_ticks(axis: Any) -> None:
    """Ticks of a logarithmic axis of whole numbers: 0, 1, 2, 5, 10 and so on, of long axes the powers of ten alone."""
    from matplotlib.ticker import FixedLocator, NullLocator

    top = max(1.0, float(axis.get_view_interval()[1]))
    digits = (1, 2, 5) if top <= 500 else (1,)
    places = [digit * 10.0**k for k in range(int(math.log10(top)) + 1) for digit in digits]
    axis.set_major_locator(FixedLocator([0.0, *places] if axis.get_scale() == "symlog" else places))
    axis.set_minor_locator(NullLocator())
    plain_log(axis)


def plain_number(value: float) -> str:
    """A number with few characters."""
    if value and not 1e-3 <= abs(value) < 1e7:
        return f"1e{math.log10(abs(value)):.0f}" if value > 0 and math.log10(value) % 1 == 0 else f"{value:.2g}"
    return f"{value:,.0f}" if value == int(value) else f"{value:g}"
