"""Curves of a run over its epochs, as SVG pictures in the colours of their page."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netgraph.app.report.data import Mark, RunFacts
from netgraph.app.report.svg import inline_svg
from netgraph.columns import Array
from netgraph.viz.plots import import_matplotlib

_SIZE = (4.6, 2.7)  # Inches of 72 units. At a width of 310 pixels, as on a small phone, letters are 10 pixels high.
_LETTERS = 11
_MAX_TICKS = 250  # The axis is 267 units long, so that ticks do not touch.
# matplotlib cannot draw in CSS variables: it draws in these colours, which are replaced afterwards.
_COLORS = {
    "#0000a1": "var(--training)",
    "#0000a2": "var(--validation)",
    "#0000a3": "var(--edges)",
    "#0000a4": "var(--rate)",
    "#0000b1": "var(--grew)",
    "#0000b2": "var(--shrank)",
    "#0000b3": "var(--changed)",
    "#0000c1": "currentColor",
    "#0000c2": "var(--line)",
}
_OF = {name[6:-1]: color for color, name in _COLORS.items() if name.startswith("var")}
_INK, _LINE = "#0000c1", "#0000c2"

_LEAST = 1e-100
"""Smallest magnitude that is drawn; smaller values are drawn as 0, values above its inverse as gaps."""


@dataclass(frozen=True)
class Curve:
    """One line of a picture.

    Attributes:
        name: name in the legend.
        color: name of a colour of the page.
        values: one value per epoch, `(epochs,)`; values that are not finite are gaps.
        last: the last value as text.
    """

    name: str
    color: str
    values: Array
    last: str


@dataclass(frozen=True)
class Panel:
    """A picture of curves with its legend.

    Attributes:
        key: name of the quantity, unique on the page.
        title: heading.
        curves: lines of the picture.
        svg: the picture as an SVG element.
        gaps: number of values that are not finite.
    """

    key: str
    title: str
    curves: tuple[Curve, ...]
    svg: str
    gaps: int


def require_matplotlib() -> None:
    """Raise `OptionError` when matplotlib is not installed."""
    import_matplotlib("The report needs")


def panels(facts: RunFacts) -> list[Panel]:
    """Draw loss, score, edges and learning rate of a run over its epochs; none before its first epoch has ended.

    Raises:
        OptionError: when matplotlib is not installed.
    """
    if not facts.metrics:
        return []
    marks = facts.marks()
    score, trained = f"val_{facts.metric}", facts.training_loss
    quantities: tuple[tuple[str, str, tuple[tuple[str, str, str], ...]], ...] = (
        ("loss", "Loss", (("train_loss", trained, "training"), ("val_loss", "validation", "validation"))),
        ("score", _score_title(facts.metric), ((score, "validation", "validation"),)),
        ("edges", "Trainable edges", (("edges", "edges", "edges"),)),
        ("rate", "Learning rate", (("learning_rate", "learning rate", "rate"),)),
    )
    result = []
    for key, title, columns in quantities:
        curves = tuple(_curve(facts.metrics, *column) for column in columns)
        curves = tuple(curve for curve in curves if len(curve.values))
        if curves:
            result.append(_panel(key, title, curves, marks, facts.epochs))
    return result


def _score_title(metric: str) -> str:
    # Targets are standardised for training, and scores of epochs are not converted back.
    return "Accuracy" if metric == "accuracy" else "Root mean squared error, of standardised targets"


def _curve(metrics: Sequence[Mapping[str, float]], column: str, name: str, color: str) -> Curve:
    if not any(column in line for line in metrics):
        return Curve(name, color, np.empty(0), "")
    values = np.array([float(line.get(column, math.nan)) for line in metrics])
    last = _number(values[-1])
    # The scales of matplotlib overflow for larger values.
    values = np.where(np.abs(values) > 1 / _LEAST, np.inf, np.where(np.abs(values) < _LEAST, 0.0, values))
    return Curve(name, color, values, last)


def _number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) >= 10 else f"{value:.4g}"


def _short(count: float, largest: float) -> str:
    """Format a number of edges briefly, in the unit that suits the largest one: 800, 4,000; 4k, 12k; 0.5M, 1.5M."""
    size, letter = (1e6, "M") if largest >= 1e6 else (1e3, "k") if largest >= 1e4 else (1.0, "")
    return f"{count / size:g}{letter}" if letter and count else f"{count:,.0f}"


def _panel(key: str, title: str, curves: tuple[Curve, ...], marks: Sequence[Mark], epochs: int) -> Panel:
    label = f"{title} over {len(curves[0].values)} epochs: " + "; ".join(_spoken(curve) for curve in curves)
    svg = inline_svg(_draw(key, curves, marks, epochs), f"curve-{key}", label, _COLORS)
    gaps = sum(int(np.count_nonzero(~np.isfinite(curve.values))) for curve in curves)
    return Panel(key, title, curves, svg, gaps)


def _spoken(curve: Curve) -> str:
    finite = curve.values[np.isfinite(curve.values)]
    if not len(finite):
        return f"{curve.name} never finite"
    first, last, low, high = (_number(v) for v in (finite[0], finite[-1], finite.min(), finite.max()))
    return f"{curve.name} from {first} to {last}, lowest {low}, highest {high}"


def _draw(key: str, curves: Iterable[Curve], marks: Sequence[Mark], epochs: int) -> str:
    """Draw curves and marks of rewrites as the text of an SVG file; equal curves give equal text.

    Args:
        key: name of the quantity, which decides about the scales of the axes.
        curves: lines of the picture.
        marks: groups of rewrites.
        epochs: number of epochs of the run, the length of the horizontal axis.
    """
    require_matplotlib()
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    style: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": "netgraph",
        "font.size": _LETTERS,
        "font.family": "sans-serif",
        "axes.formatter.useoffset": False,
        "text.color": _INK,
        "axes.labelcolor": _INK,
        "xtick.color": _INK,
        "ytick.color": _INK,
        "axes.edgecolor": _LINE,
    }
    with rc_context(style):
        figure = Figure(figsize=_SIZE)
        figure.patch.set_visible(False)
        # All pictures have the same frame, so that equal epochs stand below each other.
        axes = figure.add_axes((0.15, 0.19, 0.805, 0.77))
        axes.patch.set_visible(False)
        for curve in curves:
            _draw_curve(axes, curve, steps=key == "edges")
        _furnish(axes, key, curves, epochs)
        for mark in marks:
            _draw_mark(axes, mark, epochs)
        text = io.StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    # Without a font of its own the picture takes the font of the page.
    return re.sub(r" font-family: [^;\"]*;", "", text.getvalue())


def _draw_curve(axes: Any, curve: Curve, *, steps: bool) -> None:
    values = np.where(np.isfinite(curve.values), curve.values, np.nan)
    x = np.arange(1, len(values) + 1)
    # A single value between two gaps makes no line, so it is drawn as a dot.
    lonely = np.isfinite(values) & ~np.isfinite(np.r_[np.nan, values[:-1]]) & ~np.isfinite(np.r_[values[1:], np.nan])
    look = {"color": _OF[curve.color], "linewidth": 1.8, "solid_joinstyle": "round"}
    axes.plot(x, values, drawstyle="steps-mid" if steps else "default", **look)
    if lonely.any():
        axes.plot(x[lonely], values[lonely], "o", markersize=4, color=_OF[curve.color])


def _furnish(axes: Any, key: str, curves: Iterable[Curve], epochs: int) -> None:
    """Set scales, ticks and grid of the axes for the quantity `key`."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.set_xlim(0.5, max(epochs, 1) + 0.5)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
    finite = np.concatenate([curve.values[np.isfinite(curve.values)] for curve in curves] or [np.empty(0)])
    axes.margins(y=0.08)
    if key == "loss" and len(finite) and finite.min() > 0 and finite.max() > 50 * finite.min():
        axes.set_yscale("log")
    elif key in ("edges", "rate"):
        axes.set_ylim(0, 1.08 * finite.max() if len(finite) and finite.max() > 0 else 1)
    if key == "edges":
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _place: _short(value, axes.get_ylim()[1])))
    axes.grid(axis="y", color=_LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def _draw_mark(axes: Any, mark: Mark, epochs: int) -> None:
    """Draw a vertical line for rewrites after one epoch, or a band for several epochs with a tick for each at its foot.

    Only one of several ticks that would touch is drawn.
    """
    color = _OF[mark.change]
    if len(mark.epochs) == 1:
        axes.axvline(_after(mark.epochs[0]), color=color, linewidth=1.2, linestyle=(0, (3, 2)))
        return
    axes.axvspan(_after(mark.epochs[0]), _after(mark.epochs[-1]), color=color, alpha=0.13, linewidth=0)
    slots = {epoch * _MAX_TICKS // max(epochs, _MAX_TICKS): epoch for epoch in mark.epochs}
    places = [_after(epoch) for epoch in slots.values()]
    axes.vlines(places, 0, 0.05, color=color, linewidth=1.2, transform=axes.get_xaxis_transform())


def _after(epoch: int) -> float:
    """Place on the axis of rewrites after an epoch, halfway to the next epoch."""
    return epoch + 0.5
