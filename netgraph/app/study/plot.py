"""Pictures of a study: score over density, score over cost, and metrics of topologies over growth."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from netgraph.columns import Array
from netgraph.errors import OptionError
from netgraph.storage import write_atomically
from netgraph.viz.plots import literal, new_figure

if TYPE_CHECKING:
    from netgraph.app.study.jobs import GrowthStep
    from netgraph.app.study.report import StudyReport, StudyRow

MARKERS = "osD^vP*Xhd<>p"

TOPOLOGY = {"log_path_weight": "total path weight (natural logarithm)", "tau_core_ratio": "τ-core ratio (τ = 0.9)"}
"""Titles of the metrics of topologies that are drawn, by name."""


def draw_all(report: StudyReport, directory: Path) -> tuple[str, ...]:
    """Write the pictures of a study as SVG files; the picture of topologies only for studies with growth.

    Args:
        report: results of the study.
        directory: directory of the files.

    Returns:
        Names of the files.

    Raises:
        OptionError: when matplotlib is not installed.
    """
    figures = {"accuracy.svg": _scores(report, _density_axis), "cost.svg": _scores(report, _cost_axis)}
    if any(outcome.trajectory for outcome in report.outcomes):
        figures["topology.svg"] = _topology(report)
    from matplotlib import rc_context

    # These settings keep letters as text, and give equal files for equal results.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "netgraph"}):
        for name, figure in figures.items():
            svg = BytesIO()
            figure.savefig(svg, format="svg", metadata={"Date": None})
            write_atomically(directory / name, svg.getvalue())
    return tuple(figures)


def _figure(width: float, height: float) -> Any:
    try:
        return new_figure(width, height)
    except OptionError as error:
        raise OptionError(f"{error} Then the same command draws them, and trains nothing again.") from None


def _scores(report: StudyReport, axis: Callable[[Any, StudyReport], Callable[[StudyRow], float]]) -> Any:
    """Draw test scores with standard deviations: a line per method, a point for a method with its own density."""
    figure = _figure(8.4, 4.6)
    axes = figure.subplots()
    place = axis(axes, report)
    levels = [row for row in report.rows if row.target == 1 and report.prunes(row.method)]
    for number, method in enumerate(report.methods):
        # The dense level of pruning is no density of the study; it is drawn as a horizontal line.
        rows = [row for row in report.rows if row.method == method and row not in levels]
        rows = rows or [row for row in report.rows if row.method == method]
        axes.errorbar(
            [place(row) for row in rows],
            [row.test for row in rows],
            yerr=[row.test_std or 0.0 for row in rows],
            label=literal(method),
            capsize=3,
            markersize=5,
            linewidth=1.3,
            **_look(number),
        )
    if levels:
        axes.axhline(levels[0].test, color="0.5", linestyle="--", linewidth=1, label="dense")
    axes.set_ylabel(f"test {literal(report.study.metric)}")
    axes.set_title(literal(report.study.name, 80))
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper", frameon=False, fontsize="small")  # Inside the axes it could hide lines.
    return figure


def _density_axis(axes: Any, report: StudyReport) -> Callable[[StudyRow], float]:
    axes.set_xlabel("density")
    _log_axis(axes, [row.density for row in report.rows], [t for t in report.targets if t < 1])
    return lambda row: row.density


def _cost_axis(axes: Any, report: StudyReport) -> Callable[[StudyRow], float]:
    axes.set_xlabel("cost, all that led to the network included (dense trainings)")
    _log_axis(axes, [row.cost for row in report.rows], [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50])
    return lambda row: row.cost


def _log_axis(axes: Any, values: list[float], ticks: list[float]) -> None:
    """Make the axis logarithmic, with plain numbers at all `ticks` in the range of the values."""
    axes.set_xscale("log")
    low, high = min(values) / 1.15, max(values) * 1.15
    shown = [tick for tick in ticks if low <= tick <= high]
    if shown:
        axes.set_xticks(shown, [f"{tick:g}" for tick in shown])
        axes.set_xticks([], minor=True)


def _look(number: int) -> dict[str, Any]:
    style = {"color": f"C{number % 10}", "marker": MARKERS[number % len(MARKERS)]}
    return {**style, "linestyle": ("-", ":")[number // 10 % 2]}


def _topology(report: StudyReport) -> Any:
    """Draw metrics over density, per method: a line for the mean over seeds, a band for their range."""
    figure = _figure(9.0, 4.2)
    panels = figure.subplots(1, len(TOPOLOGY))
    for axes, (metric, name) in zip(panels, TOPOLOGY.items(), strict=True):
        seen: list[float] = []
        for number, method in enumerate(report.methods):
            runs = [o.trajectory for o in report.outcomes if o.job.method == method and o.trajectory]
            curves = [curve for run in runs if len((curve := _curve(run, metric))[0])]
            if not curves:
                continue
            densities = curves[0][0]
            values = np.array([np.interp(np.log(densities), np.log(x), y) for x, y in curves])
            axes.plot(
                densities, values.mean(axis=0), label=literal(method), markersize=4, linewidth=1.3, **_look(number)
            )
            axes.fill_between(densities, values.min(axis=0), values.max(axis=0), color=f"C{number % 10}", alpha=0.15)
            seen.extend(densities)
        if seen:
            _log_axis(axes, seen, [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.0])
        axes.set_xlabel("density")
        axes.set_title(name, fontsize="medium")
        axes.grid(alpha=0.3)
    panels[0].legend(frameon=False, fontsize="small")
    return figure


def _curve(trajectory: tuple[GrowthStep, ...], metric: str) -> tuple[Array, Array]:
    """Densities and finite values of a metric during growth, `(states,)` each."""
    pairs = [(step.density, value) for step in trajectory if (value := step.topology.get(metric)) is not None]
    densities, values = (np.array(column) for column in zip(*pairs, strict=True)) if pairs else (np.zeros(0),) * 2
    return densities, values
