"""Plots of growth: sizes and densities over the rewrites of a run."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Literal

import numpy as np

from netgraph.analysis import layer_tau_cores, path_analysis
from netgraph.checks import checked, choice
from netgraph.columns import Array
from netgraph.errors import OptionError
from netgraph.graph import Graph
from netgraph.rewriting import Journal
from netgraph.viz import colors
from netgraph.viz.checks import check_graph, check_history
from netgraph.viz.plots import common
from netgraph.viz.plots.figures import axes_or_new, figure_or_new, literal

History = Journal | Iterable[Graph]
Over = Literal["rewrite", "epoch"]
LayerValue = Literal["density", "edges", "vertices", "tau_core"]

_VALUES = {
    "density": ("density", "Density of the edges into each layer"),
    "edges": ("edges", "Edges into each layer"),
    "vertices": ("vertices", "Vertices of each layer"),
    "tau_core": ("share of the vertices", "τ-core of each layer (τ = {tau:g})"),
}
"""Label of the colour bar and title, by value."""
_SIZES = ("edges", "vertices", "layers")
_MOST_RULES = 8
_MOST_MARKS = 400
"""Largest number of rewrites with marks of their rules. More marks would cover the line."""


@checked
def plot_growth(history: History, *, over: Over = "rewrite", metric: str | None = None, figure: Any = None) -> Any:
    """Draw the numbers of edges, vertices and layers over the growth of a network, in one panel each.

    Args:
        history: the journal of a run, or graphs in order.
        over: the horizontal axis: "rewrite", the number of the rewrite, or "epoch", the number of epochs trained before
            it. Only a journal has epochs.
        metric: name of a metric of the journal for a further panel, with its values just before each rewrite; None
            for no such panel.
        figure: matplotlib figure or subfigure to draw into; a new one by default.

    Returns:
        The figure, with axes for edges, vertices, layers and the metric. For a journal of up to 400 rewrites, marks in
        the first panel show the rule of each rewrite, for the 8 rules applied most often.

    Raises:
        OptionError: an option is unknown or needs a journal, no graph is given, or matplotlib is not installed.
        JournalError: the journal is damaged.

    Cost: the cost of reading the journal. Its graphs are not rebuilt.
    """
    choice("over", over, ("rewrite", "epoch"))
    journal = history if isinstance(history, Journal) else None
    if journal is None and (over == "epoch" or metric is not None):
        raise OptionError(
            "Epochs and metrics are in a journal; graphs alone are drawn with over='rewrite' and no metric."
        )
    sizes, epochs, rules = _sizes(history)
    places = np.arange(len(sizes)) if over == "rewrite" else epochs
    panels = [*_SIZES, *([metric] if metric is not None else [])]
    figure = figure_or_new(figure, 8.0, 1.1 + 1.7 * len(panels))
    axes = figure.subplots(len(panels), 1, sharex=True)
    for panel, name, values in zip(axes, _SIZES, sizes.T, strict=False):
        mark = "." if len(values) <= _MOST_MARKS else None
        panel.step(places, values, where="post", color=colors.ROLES["input"][1], linewidth=1.4, marker=mark)
        panel.set_ylabel(name)
        panel.set_ylim(0, max(int(values.max()), 1) * 1.08)
        _thousands(panel.yaxis)
        panel.grid(alpha=0.3)
    _mark_rules(axes[0], places[1:], sizes[1:, 0], rules)
    if journal is not None and metric is not None:
        _metric(axes[-1], journal, metric, places[1:])
    common.whole_ticks(axes[-1].xaxis)
    axes[-1].set_xlabel("rewrite" if over == "rewrite" else "epochs trained")
    steps = (
        common.count(len(rules), "rewrite", "rewrites")
        if journal is not None
        else common.count(len(sizes), "graph", "graphs")
    )
    figure.suptitle(f"{steps}: {sizes[0, 0]:,} → {sizes[-1, 0]:,} edges")
    return figure


def _sizes(history: History) -> tuple[Array, Array, list[str]]:
    """Sizes of each graph, `(graphs, 3)`; epochs trained before it, `(graphs,)`; names of the rules between graphs."""
    if not isinstance(history, Journal):
        rows = [(graph.num_edges, graph.num_vertices, graph.num_layers) for graph in _graphs(history)]
        return np.array(rows), np.zeros(len(rows), np.int64), []
    first, entries = history.first(), history.entries()
    rows = [(first.num_edges, first.num_vertices, first.num_layers)]
    rows += [(entry.edges, entry.vertices, entry.layers) for entry in entries]
    return np.array(rows), np.array([0, *(entry.epoch for entry in entries)]), [entry.rule for entry in entries]


def _graphs(graphs: Iterable[Graph]) -> list[Graph]:
    if not isinstance(graphs, Iterable):
        raise OptionError(f"A plot of growth needs a Journal or graphs in their order, not {type(graphs).__name__}.")
    found = list(graphs)
    if not found:
        raise OptionError("There is no graph to draw; give a journal, or at least one graph.")
    for graph in found:
        check_graph(graph, "A plot of growth")
    return found


def _mark_rules(axes: Any, places: Array, edges: Array, rules: list[str]) -> None:
    names, counts = np.unique(np.array(rules, dtype=object), return_counts=True) if rules else ((), ())
    if not rules or len(rules) > _MOST_MARKS:
        return
    order = sorted(zip(names, counts, strict=True), key=lambda pair: (-pair[1], pair[0]))
    for k, (name, n) in enumerate(order[:_MOST_RULES]):
        at = np.array([rule == name for rule in rules])
        style = {"marker": "osD^vP*X"[k], "markersize": 4, "linestyle": "none", "color": f"C{k + 1}"}
        axes.plot(places[at], edges[at], label=f"{literal(name)} ({n:,} times)" if n > 1 else literal(name), **style)
    axes.legend(frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _metric(axes: Any, journal: Journal, metric: str, places: Array) -> None:
    entries = journal.entries()
    if not entries:
        raise OptionError(
            f"metric={metric!r} cannot be drawn: the journal knows metrics just before each rewrite, and has no "
            "rewrite yet. Leave metric out."
        )
    known = sorted({name for entry in entries for name in entry.metrics})
    choice("metric", metric, known)
    values = [float(entry.metrics.get(metric, math.nan)) for entry in entries]
    axes.plot(places, values, color=colors.ROLES["output"][1], marker="." if len(values) <= _MOST_MARKS else None)
    axes.set_ylabel(f"{literal(metric)}\nbefore it", fontsize="small")
    axes.grid(alpha=0.3)


@checked
def plot_density(history: History, *, value: LayerValue = "density", tau: float = 0.9, ax: Any = None) -> Any:
    """Draw a value of every layer over the growth of a network, as a heat map.

    The map has a row per layer, in topological order, and a column per graph. It is white where the graph does not have
    the layer, or the value is not defined.

    Args:
        history: the journal of a run, all of whose graphs are rebuilt, or graphs in order.
        value: "density", trainable edges into the layer over admissible edges; "edges", trainable edges into the layer;
            "vertices", its number of vertices; or "tau_core", the fraction of its vertices in its tau-core. A tau-core
            needs trained weights: with a journal its graphs are those just before each rewrite.
        tau: fraction of the path weight that a tau-core carries, above 0 and at most 1.
        ax: matplotlib axes to draw into; new ones by default.

    Returns:
        The axes. Their only image has an array of shape `(layers, graphs)`, masked where it is white.

    Raises:
        OptionError: `value` is unknown, `tau` is out of range, no graph is given, or matplotlib is not installed.
        JournalError: the journal is damaged.

    Cost: the cost of replaying the journal; for tau-cores, of `path_analysis` of every graph as well.
    """
    choice("value", value, _VALUES)
    trained = isinstance(history, Journal) and value == "tau_core"
    columns: list[dict[int, float]] = []
    order: list[int] = []
    names: dict[int, str] = {}
    for graph in _walk(history, trained):
        columns.append(_per_layer(graph, value, tau))
        _insert(order, graph)
        names.update({i: layer.name for i, layer in graph.layers_by_id.items()})
    rows = [i for i in order if any(i in column for column in columns)]
    image = np.array([[column.get(i, math.nan) for column in columns] for i in rows]).reshape(len(rows), len(columns))
    axes = axes_or_new(ax, 8.0, min(max(2.8, 1.5 + 0.3 * len(rows)), 8.0))
    _heat(axes, np.ma.masked_invalid(image), value, tau, 1 if trained else 0)
    if rows:
        texts = [literal(names[i]) for i in rows]
        missing = common.name_along(axes, "y", texts, np.arange(len(rows), dtype=float), np.ones(len(rows)))
        axes.set_ylabel(f"layer{common.left_out_note(missing)}")
    axes.set_xlabel("before rewrite" if trained else "after rewrite" if isinstance(history, Journal) else "graph")
    return axes


def _walk(history: History, trained: bool) -> Iterable[Graph]:
    """Graphs of a history in order, one at a time; with `trained` the graphs just before each rewrite."""
    if not isinstance(history, Journal):
        graphs = _graphs(history)
        check_history(*graphs)
        yield from graphs
    elif trained and len(history):
        yield from (history.before(number) for number in range(1, len(history) + 1))
    else:
        yield history.first()
        yield from (graph for _, graph in history.replay())


def _per_layer(graph: Graph, value: str, tau: float) -> dict[int, float]:
    """Value of each layer, by layer id, without layers for which it is not defined."""
    if value == "vertices":
        return {i: float(len(layer)) for i, layer in graph.layers_by_id.items()}
    if value == "tau_core":
        cores = layer_tau_cores(path_analysis(graph), tau)
        return {i: core.ratio for i, core in zip(graph.topological_order, cores, strict=True)}
    found = {}
    for i, links in graph.incoming.items():
        cells = sum(k.kind.admissible_edges(len(graph.layer(k.source)), len(graph.layer(i))) for k in links)
        edges = sum(len(k) - int(np.count_nonzero(k.frozen)) for k in links)
        if cells:
            found[i] = edges / cells if value == "density" else float(edges)
    return found


def _insert(order: list[int], graph: Graph) -> None:
    """Insert the new layers of a graph into `order`, each directly after the last of its source layers.

    The known targets of a new layer stand after these sources already, so the order stays topological.
    """
    place = {i: at for at, i in enumerate(order)}
    added: dict[int, list[int]] = {}
    for i in graph.topological_order:
        if i not in place:
            place[i] = max((place[link.source] for link in graph.incoming[i]), default=-1)
            added.setdefault(place[i], []).append(i)
    if added:
        merged = list(added.get(-1, []))
        for at, i in enumerate(order):
            merged += [i, *added.get(at, [])]
        order[:] = merged


def _heat(axes: Any, image: Any, value: str, tau: float, first: int) -> None:
    from matplotlib.colors import LogNorm, Normalize

    label, title = _VALUES[value]
    axes.set_title(title.format(tau=tau))
    layers, graphs = image.shape
    if not image.count():
        common.write_reason(axes, "no layer has edges")
        return
    norm: Any = Normalize(0, 1)
    if value in ("edges", "vertices"):
        low, high = common.log_limits(image.compressed()) or (0.5, 1.0)
        norm = LogNorm(low, high) if high > 50 * low else Normalize(0, high)
    map_ = common.sequential_map().with_extremes(bad=colors.PAPER, under=colors.GRAY)
    extent = (first - 0.5, first + graphs - 0.5, layers - 0.5, -0.5)
    drawn = axes.imshow(image, cmap=map_, norm=norm, aspect="auto", interpolation="nearest", extent=extent)
    axes.figure.colorbar(drawn, ax=axes, label=label, fraction=0.05, pad=0.02)
    common.whole_ticks(axes.xaxis)


def _thousands(axis: Any) -> None:
    common.whole_ticks(axis)
    axis.set_major_formatter(lambda value, _: f"{value:,.0f}")
