"""Plots of path weight: its distribution over edges, and the sizes of tau-cores."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from netgraph.analysis import PathAnalysis, TauCore, layer_tau_cores, path_analysis
from netgraph.checks import checked
from netgraph.columns import Array
from netgraph.graph import Graph
from netgraph.viz import colors
from netgraph.viz.checks import check_graph
from netgraph.viz.plots import common
from netgraph.viz.plots.figures import axes_or_new, figure_or_new, literal

QUANTILES = (0.0, 0.1, 0.5, 0.9, 1.0)
_MOST_POINTS = 2000
"""Largest number of points of a curve. More would not be visible."""
_MOST_NUMBERS = 24
"""Largest number of layers that are drawn as bars with their numbers. More layers are drawn as a curve."""
_MARKED = (0.01, 0.1, 0.5)
"""Fractions of the edges that are marked in the cumulative curve."""


def plot_paths(graph: Graph | PathAnalysis, *, figure: Any = None) -> Any:
    """Draw the distribution of path weight over the trainable edges.

    The share of an edge is the fraction of the weight of all paths that goes through it. The left panel shows quantiles
    of the shares of the edges into each layer. The right panel shows the cumulative sum of the shares, largest first,
    relative to the sum of all shares.

    Args:
        graph: any graph, or a `PathAnalysis` of it, which saves its computation or has other options.
        figure: matplotlib figure or subfigure to draw into; a new one by default.

    Returns:
        The figure, with both axes.

    Raises:
        OptionError: when matplotlib is not installed.

    Cost: the cost of `path_analysis` and its `edge_share`, and O(edges log edges).
    """
    paths = _analyse(graph)
    figure = figure_or_new(figure, 10.0, 4.4)
    left, right = figure.subplots(1, 2)
    figure.suptitle(f"Path weight of {common.size_in_words(paths.graph)} (total: {_total(paths.log_total)})")
    if paths.log_total == -math.inf:
        for axes in (left, right):
            common.write_reason(axes, "no path with a weight\nleads from inputs to outputs")
        return figure
    free = ~paths.graph.edges.frozen
    _by_layer(left, paths, free)
    _lorenz(right, paths.edge_share[free])
    return figure


def _total(log: float) -> str:
    return f"{math.exp(log):.3g}" if log == -math.inf or abs(log) < 700 else f"10^{log / math.log(10):.0f}"


def _by_layer(axes: Any, paths: PathAnalysis, free: Array) -> None:
    graph = paths.graph
    names, rows, unused = [], [], 0
    share = paths.edge_share
    for layer in common.layers_in_order(graph):
        links = graph.incoming[layer.id]
        parts = [slice(start := graph.edges.offset(k.key), start + len(k)) for k in links]
        own = np.concatenate([share[part][free[part]] for part in parts]) if parts else np.empty(0)
        unused += int(np.count_nonzero(own == 0))
        if (own > 0).any():
            names.append(literal(layer.name))
            rows.append(np.quantile(own[own > 0], QUANTILES))
    if not rows:
        common.write_reason(axes, "all path weight goes through wires")
        return
    table, places = np.array(rows), np.arange(len(rows))
    color = colors.ROLES["input"][1]
    few = len(rows) <= _MOST_NUMBERS
    for (low, high), alpha, label in (((0, 4), 0.15, "all edges"), ((1, 3), 0.35, "80 % of them")):
        style = {"color": color, "alpha": alpha, "linewidth": 0, "label": label}
        if few:
            axes.bar(places, table[:, high] - table[:, low], 0.6, bottom=table[:, low], **style)
        else:
            axes.fill_between(places, table[:, low], table[:, high], **style)
    marks = {"marker": "_", "markersize": 14, "linestyle": "none", "markeredgewidth": 2} if few else {}
    axes.plot(places, table[:, 2], color=color, label="median", **marks)
    axes.set_yscale("log")
    largest = float(table[:, 4].max())
    smallest = max(float(table[:, 0].min()), largest * 1e-30)
    axes.set_ylim(smallest / 1.5, 3 * largest * (largest / smallest) ** 0.12)  # the legend stands above the bars
    axes.set_xlim(-0.5, len(names) - 0.5)
    missing = common.name_along(axes, "x", names, places.astype(float), np.ones(len(names)))
    axes.set_xlabel(f"edges into layer{common.left_out_note(missing)}")
    axes.set_ylabel("share of all path weight through an edge")
    axes.set_title(
        f"{unused:,} edges carry no path weight (not shown)" if unused else "Every edge carries path weight",
        fontsize=10,
    )
    axes.legend(frameon=False, fontsize="small", loc="upper center", ncols=3)
    axes.grid(alpha=0.3)


def _lorenz(axes: Any, share: Array) -> None:
    """Draw the cumulative sum of the shares, largest first, relative to the sum of all shares (a Lorenz curve)."""
    held = np.cumsum(np.sort(share)[::-1])
    if not len(held) or not held[-1] > 0:
        common.write_reason(axes, "no trainable edge carries path weight")
        return
    n, held = len(held), np.concatenate([[0.0], held / held[-1]])
    shown = np.unique(np.linspace(0, n, min(n + 1, _MOST_POINTS)).round().astype(np.int64))
    axes.plot(100 * shown / n, 100 * held[shown], color=colors.ROLES["input"][1], label="edges, largest share first")
    axes.plot([0, 100], [0, 100], color=colors.GRAY, linestyle="--", linewidth=1, label="if all had the same")
    lines = []
    for top in sorted({math.ceil(part * n) for part in _MARKED}):
        edges, weight = 100 * top / n, 100 * float(held[top])
        axes.plot([edges], [weight], marker="o", color=colors.ROLES["output"][1])
        lines.append(f"{round(edges, 1):g} % of the edges hold {round(weight, 1):g} %")
    axes.text(0.97, 0.05, "\n".join(lines), transform=axes.transAxes, ha="right", fontsize="small")
    axes.set(xlabel="edges (% of all trainable)", ylabel="share of path weight held (%)", xlim=(0, 100), ylim=(0, 102))
    axes.set_title("Share held by the top edges", fontsize=10)
    axes.legend(frameon=False, fontsize="small", loc="center right")
    axes.grid(alpha=0.3)


def _analyse(graph: Graph | PathAnalysis) -> PathAnalysis:
    if isinstance(graph, PathAnalysis):
        return graph
    check_graph(graph, "A plot of paths")
    return path_analysis(graph)


@checked
def plot_tau_core(graph: Graph | PathAnalysis, *, tau: float = 0.9, ax: Any = None) -> Any:
    """Draw the size of the tau-core of every layer beside its number of vertices.

    The tau-core of a layer is the smallest set of its vertices that carry a fraction tau of the weight of its paths.

    Args:
        graph: any graph, or a `PathAnalysis` of it, which saves its computation or has other options.
        tau: the fraction, above 0 and at most 1.
        ax: matplotlib axes to draw into; new ones by default.

    Returns:
        The axes.

    Raises:
        OptionError: for a tau outside (0, 1], or when matplotlib is not installed.

    Cost: the cost of `path_analysis` and `layer_tau_cores`.
    """
    paths = _analyse(graph)
    cores = layer_tau_cores(paths, tau)
    layers = common.layers_in_order(paths.graph)
    axes = axes_or_new(ax, min(max(5.0, 0.55 * len(cores) + 2), 11.0), 4.2)
    widths, sizes = np.array([core.candidates for core in cores]), np.array([core.size for core in cores])
    places = np.arange(len(cores))
    fills, lines = zip(*(colors.ROLES[layer.role] for layer in layers), strict=True)
    if len(cores) <= _MOST_NUMBERS:
        axes.bar(places, widths, 0.8, color=fills, edgecolor=lines, linewidth=1, label="all vertices")
        axes.bar(places, sizes, 0.5, color=lines, label="in the core")
        for at, (size, width) in enumerate(zip(sizes.tolist(), widths.tolist(), strict=True)):
            axes.annotate(
                f"{size} of {width}", (at, width), (0, 2), textcoords="offset points", ha="center", fontsize=8
            )
    else:
        axes.fill_between(places, widths, step="mid", color=colors.ROLES["hidden"][0], label="all vertices")
        axes.step(places, widths, where="mid", color=colors.ROLES["hidden"][1], linewidth=1)
        axes.fill_between(places, sizes, step="mid", color=colors.ROLES["input"][1], label="in the core")
    top = int(widths.max())
    if common.spread_wide(widths, 50):
        axes.set_yscale("log")
        common.plain_log(axes.yaxis)
        axes.set_ylim(0.5, top * 2)
    else:
        axes.set_ylim(0, top * 1.12)
        common.whole_ticks(axes.yaxis)
    axes.set_xlim(-0.6, len(cores) - 0.4)
    names = [literal(layer.name) for layer in layers]
    missing = common.name_along(axes, "x", names, places.astype(float), np.ones(len(cores)))
    axes.set(xlabel=f"layer{common.left_out_note(missing)}", ylabel="vertices")
    axes.set_title(_core_title(paths, cores, tau), fontsize=10)
    axes.legend(frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1.0, 1))
    return axes


def _core_title(paths: PathAnalysis, cores: tuple[TauCore, ...], tau: float) -> str:
    if paths.log_total == -math.inf:
        return f"τ-cores (τ = {tau:g}): no path with a weight"
    hidden = [core.ratio for core in cores if paths.graph.layer(str(core.layer)).role == "hidden"]
    return f"τ-cores (τ = {tau:g})" + (
        f"\non average {100 * np.mean(hidden):.0f} % of a hidden layer" if hidden else ""
    )
