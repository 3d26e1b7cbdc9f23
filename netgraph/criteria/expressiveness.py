"""Which layers are too narrow: the size of the gradients that arrive at a layer, against those of its neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from netgraph.checks import Checked, checked, real_numbers, truth_values, whole_numbers
from netgraph.columns import Array
from netgraph.errors import OptionError, StatisticsError
from netgraph.graph import Graph
from netgraph.statistics import Statistics
from netgraph.tables import Table

if TYPE_CHECKING:
    from netgraph.graph import Layer


@dataclass(frozen=True, kw_only=True)
class GrowthRule(Checked):
    """How contrasts become widths (NAGN).

    Attributes:
        threshold: a layer is under-expressive when its value is more than this share above its neighbours.
        max_increment: most vertices that a layer gains at once; by its own value it at most doubles, too.
        relative_to: the largest excess, to which all are set in relation, is looked for among the "growable" layers, or
            among "all": then an output layer, which cannot grow, may hold back every other.
        non_decreasing: raise layers to the width of the one before them, by `max_increment` at most.
        fallback: when no layer is under-expressive, double the one that rises most above the layer before it, or the
            only one that may grow.
    """

    threshold: float = 0.05
    max_increment: int = 8
    relative_to: Literal["growable", "all"] = "growable"
    non_decreasing: bool = True
    fallback: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.threshold < 0:
            raise OptionError(f"threshold={self.threshold} is negative.")
        if self.max_increment < 1:
            raise OptionError(f"max_increment={self.max_increment} is below 1 vertex.")


@dataclass(frozen=True, eq=False)
class ExpressivenessProfile:
    """What NAGN sees in a chain of layers, and what it decides; one entry per layer.

    Attributes:
        names: of the layers, input to output.
        values: NAGN value of each.
        widths: vertices of each.
        growable: whether it may be widened.
        neighbours: mean of the values of its neighbours; at the ends that of the one neighbour, moved on by the median
            slope of the chain. NaN where that is not positive, and says nothing.
        contrast: r, by how much of its neighbours' mean a value lies above it; 0 without neighbours.
        excess: p, what of that exceeds the threshold.
        under: s, under-expressiveness, from 0 to 1.
        increments: vertices to add.
        reasons: why it grows, or not.
        fell_back: whether no layer is under-expressive and the fallback was taken.
    """

    names: tuple[str, ...]
    values: Array
    widths: Array
    growable: Array
    neighbours: Array
    contrast: Array
    excess: Array
    under: Array
    increments: Array
    reasons: tuple[str, ...]
    fell_back: bool

    def table(self) -> str:
        """A line per layer, as text."""
        columns = ("layer", "width", "NAGN", "neighbours", "contrast", "s", "grows by", "why")
        rows = [
            (name, f"{width}", f"{value:.3g}", f"{near:.3g}" if near == near else "-", f"{r:+.3f}", f"{s:.2f}",
             f"{more}" if more else "-", why)
            for name, width, value, near, r, s, more, why in zip(
                self.names, self.widths, self.values, self.neighbours, self.contrast, self.under, self.increments,
                self.reasons, strict=True,
            )
        ]  # fmt: skip
        return Table("", columns, rows, left=(0, len(columns) - 1)).text()

    __str__ = table


def trainable_chain(graph: Graph) -> list[Layer]:
    """The layers that trainable edges lead into, in topological order: the chain that NAGN looks along. O(edges)."""
    fed = {k.target for k in graph.links if not k.frozen.all()}
    return [graph.layer(i) for i in graph.topological_order if i in fed]


def nagn(graph: Graph, stats: Statistics, layers: Sequence[Layer] | None = None) -> Array:
    """The normalised gradient of every layer: RMS of dL/dz over samples, positions and vertices.

    z is the sum that arrives at a vertex, before norm and activation; L the loss of one sample.

    Args:
        graph: the graph.
        stats: with "vertex_signals" of its topology.
        layers: which layers; those of `trainable_chain` by default.

    Returns:
        (layers,) float64.

    Raises:
        StatisticsError: when the statistic was not requested, or belongs to another topology.
    """
    stats.check(graph)
    column = stats.vertex("rms_gradient")
    values = []
    for layer in trainable_chain(graph) if layers is None else layers:
        start = graph.vertices.offset(layer.id)
        values.append(np.sqrt(np.mean(np.square(column[start : start + len(layer)]))))
    found = np.asarray(values, dtype=np.float64)
    if not np.isfinite(found).all():
        raise StatisticsError("Gradients of some layer are not finite or were not collected; train on finite data.")
    return found


def contrast(values: Array) -> tuple[Array, Array]:
    """Mean of the neighbours of every layer, and how far its value lies above it.

    At the ends the missing neighbour is extrapolated: the mean is the value of the one neighbour, moved on by the
    median of all slopes. Two layers have each other's values as means. Where a mean is not positive, which an
    extrapolation may be, it says nothing: it is NaN and the contrast 0. A chain of one layer has no neighbours either.

    Args:
        values: (layers,) along the chain.

    Returns:
        (neighbours, r), each (layers,); r = value / neighbours - 1.
    """
    g = real_numbers("values", values, infinite=True, nan=True)
    if g.ndim != 1:
        raise OptionError(f"values has shape {g.shape}; give one value for each layer of a chain.")
    near = np.full(len(g), np.nan)
    if len(g) > 1:
        slope = np.median(np.diff(g)) if len(g) > 2 else 0.0  # the one slope would make every contrast 0
        near[1:-1] = (g[:-2] + g[2:]) / 2
        near[0], near[-1] = g[1] - slope, g[-2] + slope
    near[~(near > 0)] = np.nan
    return near, np.where(np.isnan(near), 0.0, g / near - 1)


@checked
def expressiveness(
    values: Any,
    widths: Any,
    *,
    growable: Any = None,
    groups: Any = None,
    names: Sequence[str] | None = None,
    rule: GrowthRule | None = None,
) -> ExpressivenessProfile:
    """Decide which layers of a chain to widen, and by how much.

    With values g, neighbours' means m and r = g / m - 1: excess p = max(0, r - threshold), under-expressiveness
    s = p / max p, increment min(floor(s * width), `max_increment`).

    Args:
        values: (layers,) NAGN values, input to output.
        widths: (layers,) numbers of vertices.
        growable: (layers,) which may grow; all but the last by default.
        groups: (layers,) number of the group that a layer is tied to by identity wires, and grows with; each layer is
            its own by default.
        names: of the layers.
        rule: thresholds and limits.

    Returns:
        The profile. Layers of a group get the largest increment of any of them.

    Source: "NAGN", criterion and width rule.
    """
    rule = rule or GrowthRule()
    g, n = real_numbers("values", values, infinite=True), whole_numbers("widths", widths, least=0)
    free = np.arange(g.size) < g.size - 1 if growable is None else truth_values("growable", growable)
    tied = np.arange(g.size) if groups is None else whole_numbers("groups", groups)
    titles = tuple(names) if names is not None else tuple(f"layer {i + 1}" for i in range(g.size))
    lengths = [x.size for x in (g, n, free, tied)] + [len(titles)]
    if {x.ndim for x in (g, n, free, tied)} != {1} or len(set(lengths)) > 1:
        raise OptionError(
            f"values, widths, growable, groups and names have lengths {lengths}; give one of each per layer."
        )
    _, group = np.unique(tied, return_inverse=True)
    may = np.ones(len(g), dtype=bool)
    np.logical_and.at(may, group, free)
    free = may[group]  # a group grows as a whole, or not at all
    near, r = contrast(g)
    p = np.maximum(r - rule.threshold, 0.0)
    p[~(g > 0)] = 0.0
    counted = np.where(free, p, 0.0) if rule.relative_to == "growable" else p
    most = counted.max(initial=0.0)
    s = counted / most if most > 0 else np.zeros(len(g))
    # The margin keeps a product that is whole but for rounding from losing a vertex.
    more = np.where(free, np.minimum(np.floor(s * n + 1e-9), rule.max_increment), 0).astype(np.int64)
    chosen = _fallback(g, free) if rule.fallback and not p[free].any() else None
    fell_back = chosen is not None
    if chosen is not None:
        more[chosen] = min(n[chosen], rule.max_increment)
    own = more.copy()
    more = _tied_and_ordered(more, n, free, group, rule)
    reasons = tuple(
        _reason(free=free[i], near=near[i], r=r[i], own=int(own[i]), more=int(more[i]), rule=rule, chosen=i == chosen)
        for i in range(len(g))
    )
    return ExpressivenessProfile(titles, g, n, free, near, r, p, s, more, reasons, fell_back)


def _fallback(g: Array, free: Array) -> int | None:
    """The layer that rises most above the one before it, or the only one that may grow; None when there is none."""
    rises = free[1:] & (g[1:] > g[:-1])
    if rises.any():
        return 1 + int(np.argmax(np.where(rises, g[1:] / np.maximum(g[:-1], np.finfo(float).tiny), -np.inf)))
    return int(np.argmax(free)) if free.sum() == 1 else None


def _tied_and_ordered(more: Array, widths: Array, free: Array, group: Array, rule: GrowthRule) -> Array:
    """Increments by which groups grow together, and widths do not fall along the chain."""
    while True:
        largest = np.zeros(len(more), dtype=np.int64)
        np.maximum.at(largest, group, more)
        raised = largest[group]
        for i in range(1, len(raised) if rule.non_decreasing else 0):
            if free[i]:
                lacking = widths[i - 1] + raised[i - 1] - widths[i]
                raised[i] = max(raised[i], min(lacking, rule.max_increment))
        if np.array_equal(raised, more):
            return raised
        more = raised


def _reason(*, free: bool, near: float, r: float, own: int, more: int, rule: GrowthRule, chosen: bool) -> str:
    if not free:
        return "cannot grow"
    if chosen:
        return "chosen since no layer stands out: it rises most above the one before it, or is the only one"
    if own:
        return f"{100 * r:.0f} % above its neighbours"
    if more:
        return "follows the layer before it, or one that it is tied to"
    if np.isnan(near):
        return "nothing to compare it with"
    if r > rule.threshold:
        return f"{100 * r:.0f} % above its neighbours, too little for a vertex beside the largest"
    if r > 0:
        return f"{100 * r:.0f} % above its neighbours, no more than {100 * rule.threshold:g} %"
    return f"{100 * abs(r):.0f} % below its neighbours"
