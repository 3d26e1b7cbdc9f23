"""Histograms of the degrees of vertices and of the weights of edges."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from netgraph.checks import checked, choice
from netgraph.columns import Array
from netgraph.errors import OptionError
from netgraph.graph import Graph
from netgraph.viz import colors
from netgraph.viz.checks import check_graph
from netgraph.viz.plots import common
from netgraph.viz.plots.figures import axes_or_new, figure_or_new, literal

WeightGroups = Literal["layer", "link", "birth"]

_GROUPS = ("layer", "link", "birth")
_UNIT_BINS = 60
"""Largest degree of a graph that gets a bin for every degree.

A graph with a larger degree gets bins of equal ratio, on a logarithmic axis.
"""
_WIDE = 50.0
"""Ratio of counts above which their axis is logarithmic."""
_MOST_WEIGHT_BINS = 81


def plot_degrees(graph: Graph, *, figure: Any = None) -> Any:
    """Draw histograms of the numbers of edges into and out of a vertex, with a line per role of layers.

    Every tap of a convolution is an edge. Wires count too.

    Args:
        graph: any graph.
        figure: matplotlib figure or subfigure to draw into; a new one by default.

    Returns:
        The figure, with axes for edges in and edges out.

    Raises:
        OptionError: when matplotlib is not installed.

    Cost: O(edges + vertices).
    """
    check_graph(graph, "plot_degrees")
    figure = figure_or_new(figure, 9.5, 4.0)
    table = graph.edges
    layers = list(graph.layers_by_id.values())
    roles = np.repeat([layer.role for layer in layers], np.diff(graph.vertices.offsets))
    sides = (
        ("edges into a vertex", table.target_row, ("hidden", "output")),
        ("edges out of a vertex", table.source_row, ("input", "position", "hidden")),
    )
    panels = []
    for _label, rows, shown in sides:
        degrees = np.bincount(rows, minlength=graph.num_vertices)
        panels.append({role: degrees[roles == role] for role in shown if (roles == role).any()})
    # Both panels have scales of the same kind, so that a reader can compare them.
    tops = [max(int(values.max()) for values in panel.values()) for panel in panels]
    bins = [_degree_bins(max(top, 1), unit=max(tops) <= _UNIT_BINS) for top in tops]
    counts = [
        {role: np.histogram(values, own)[0] for role, values in panel.items()}
        for panel, own in zip(panels, bins, strict=True)
    ]
    log_counts = any(common.spread_wide(np.concatenate(list(own.values())), _WIDE) for own in counts)
    for k, (axes, (label, _, _)) in enumerate(zip(figure.subplots(1, 2), sides, strict=True)):
        _degree_panel(axes, panels[k], counts[k], bins[k])
        _degree_scales(axes, max(tops) > _UNIT_BINS, log_counts)
        remarks = ["every tap is one"] if any(kind.taps > 1 for kind in table.link_kinds) else []
        remarks += ["logarithmic"] if max(tops) > _UNIT_BINS else []
        axes.set_xlabel(label + (f" ({', '.join(remarks)})" if remarks else ""))
        axes.set_ylabel("vertices (logarithmic)" if log_counts else "vertices")
    figure.suptitle(f"Degrees: {common.size_in_words(graph)}")
    return figure


def _degree_panel(axes: Any, degrees: dict[str, Array], counts: dict[str, Array], bins: Array) -> None:
    for role, values in degrees.items():
        label = f"{role} ({common.count(len(values), 'vertex', 'vertices')}, {values.mean():.3g} on average)"
        axes.stairs(counts[role], bins, fill=True, alpha=0.35, color=common.line_color(role), label=label)
        axes.stairs(counts[role], bins, color=common.line_color(role), linewidth=1.2)


def _degree_scales(axes: Any, log_degrees: bool, log_counts: bool) -> None:
    if log_degrees:
        axes.set_xscale("symlog", linthresh=1.0, linscale=0.4)
        common.round_ticks(axes.xaxis)
    else:
        common.whole_ticks(axes.xaxis)
    if log_counts:
        axes.set_yscale("log")
        axes.set_ylim(0.7, 4 * axes.dataLim.ymax)  # room for the legend
        common.round_ticks(axes.yaxis)
    else:
        axes.margins(y=0.25)
        common.whole_ticks(axes.yaxis)
    axes.legend(frameon=False, fontsize="small", loc="upper right")


def _degree_bins(top: int, *, unit: bool) -> Array:
    """Borders of bins, halfway between whole numbers: a bin per number, or a bin for 0 and bins of equal ratio."""
    if unit:
        return np.arange(top + 2) - 0.5
    firsts = np.unique(np.rint(np.geomspace(1, top + 1, 40)).astype(np.int64))
    return np.concatenate([[-0.5], firsts - 0.5])


@checked
def plot_weights(
    graph: Graph, *, ax: Any = None, by: WeightGroups = "layer", magnitude: bool = False, max_lines: int = 10
) -> Any:
    """Draw histograms of the weights of trainable edges, one line per group.

    Many rules give new edges the weight 0. The number of such edges is a dot, apart from the histogram.

    Args:
        graph: any graph.
        ax: matplotlib axes to draw into; new ones by default.
        by: groups of edges: "layer", by target layer; "link"; or "birth", by the rewrite that made them.
        magnitude: draw absolute weights on a logarithmic axis, which separates small weights from 0.
        max_lines: largest number of lines. When there are more groups, the largest ones (for births, the latest ones)
            have a line of their own, and all others share one.

    Returns:
        The axes.

    Raises:
        OptionError: for an unknown `by` or `max_lines` below 1, or when matplotlib is not installed.

    Cost: O(edges).
    """
    choice("by", by, _GROUPS)
    if max_lines < 1:
        raise OptionError(f"max_lines={max_lines} is below 1 line.")
    check_graph(graph, "plot_weights")
    axes = axes_or_new(ax, 8.0, 4.8)
    free = ~graph.edges.frozen
    weights = graph.edges.weight[free].astype(np.float64)
    group, names = _merge(*_groups(graph, by, free), by, max_lines)
    bins = _weight_bins(weights, magnitude)
    ordered, ends = weights[np.argsort(group, kind="stable")], np.cumsum(np.bincount(group, minlength=len(names)))
    parts = np.split(ordered, ends[:-1]) if names else []
    for k, (name, own) in enumerate(zip(names, parts, strict=True)):
        zeros = int(np.count_nonzero(own == 0))
        sizes = np.abs(own[own != 0]) if magnitude else own[own != 0]
        label = f"{name}: {common.count(len(own), 'edge', 'edges')}" + (f", {zeros:,} of weight 0" if zeros else "")
        color = f"C{k % 10}"
        axes.stairs(np.histogram(sizes, bins)[0], bins, color=color, linewidth=1.3, label=label)
        if zeros:
            at = bins[0] * (bins[0] / bins[1]) ** (1 + k) if magnitude else 0.0
            axes.plot([at], [zeros], marker="o", color=color, markersize=5, linestyle="none")
    _weight_axes(axes, weights, magnitude)
    if names:
        axes.legend(frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1.01, 1), title=_heading(by))
    axes.set_title(f"Weights of {common.count(len(weights), 'trainable edge', 'trainable edges')}")
    return axes


def _groups(graph: Graph, by: str, free: Array) -> tuple[Array, dict[int, str]]:
    """Group number of each trainable edge, `(trainable edges,)`, and names by number in the order of the legend."""
    layers = common.layers_in_order(graph)
    if by == "birth":
        births, group = np.unique(graph.edges.birth[free], return_inverse=True)
        return group, {k: f"rewrite {b}" if b else "start" for k, b in enumerate(births.tolist())}
    links = list(graph.links_by_key.values())
    of_edge = graph.edges.link[free]
    if by == "link":
        name = {i: literal(layer.name, 16) for i, layer in graph.layers_by_id.items()}
        port = {k.key: f" at port {k.port}" if k.port else "" for k in links}
        return of_edge, {i: f"{name[k.source]} → {name[k.target]}{port[k.key]}" for i, k in enumerate(links)}
    place = {layer.id: at for at, layer in enumerate(layers)}
    target = np.array([place[k.target] for k in links], dtype=np.int64)
    return target[of_edge], {at: literal(layer.name) for at, layer in enumerate(layers)}


def _merge(group: Array, names: dict[int, str], by: str, max_lines: int) -> tuple[Array, list[str]]:
    """Line index of each edge, `(edges,)`, and names of the lines. Groups beyond the limit share the last line."""
    sizes = np.bincount(group)
    own = present = np.flatnonzero(sizes)
    if len(present) > max_lines:
        rank = np.argsort(-present if by == "birth" else -sizes[present], kind="stable")
        own = np.sort(present[rank[: max_lines - 1]])
    rest = len(present) - len(own)
    # NumPy sorts 16-bit integers in linear time.
    line = np.full(len(sizes), len(own), np.uint16)
    line[own] = np.arange(len(own))
    kind = {"birth": "earlier rewrites", "layer": "other layers", "link": "other links"}[by]
    more = [f"{rest:,} {kind}"] if rest else []
    return line[group], [names[int(k)] for k in own] + more


def _weight_bins(weights: Array, magnitude: bool) -> Array:
    """Borders of the bins. The weight 0 lies in the middle of a bin, or with `magnitude` below all bins."""
    bins = min(2 * int(np.sqrt(len(weights))) + 5, _MOST_WEIGHT_BINS)  # odd
    if magnitude:
        sizes = np.abs(weights[weights != 0])
        low, high = (float(sizes.min()), float(sizes.max())) if len(sizes) else (0.1, 1.0)
        return np.geomspace(low * 0.999, max(high, low * 10) * 1.001, bins + 1)
    largest = float(np.abs(weights).max(initial=0.0)) or 1.0
    return np.linspace(-largest, largest, bins + 1)


def _weight_axes(axes: Any, weights: Array, magnitude: bool) -> None:
    axes.set_xlabel(("|weight|" if magnitude else "weight") + (" (dots: weight 0)" if (weights == 0).any() else ""))
    axes.set_ylabel("edges")
    if not len(weights):
        common.write_reason(axes, "no trainable edges")
        return
    if magnitude:
        axes.set_xscale("log")
    else:
        axes.axvline(0, color=colors.FAINT, linewidth=0.8, zorder=0)
    if axes.get_ylim()[1] > _WIDE:
        axes.set_yscale("log")
        common.plain_log(axes.yaxis)
        axes.set_ylim(bottom=0.7)
    else:
        common.whole_ticks(axes.yaxis)
    axes.grid(alpha=0.3)


def _heading(by: str) -> str:
    return {"layer": "edges into", "link": "edges of", "birth": "edges made by"}[by]
