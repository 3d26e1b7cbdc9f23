"""NAGN's criterion of too narrow layers: gradients at a layer that are larger than at the layers beside it."""

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
    """Thresholds and limits by which `expressiveness` turns contrasts into numbers of new vertices (NAGN).

    Attributes:
        threshold: a layer is under-expressive when its value exceeds the mean of its neighbours by more than this
            fraction of that mean.
        max_increment: largest number of vertices that a layer gains at once. The criterion itself at most doubles a
            layer.
        relative_to: the layers among which the largest excess is sought, to which all excesses are set in relation.
            With "all", an output layer, which cannot grow, may keep every other layer from growing.
        non_decreasing: whether a layer that is narrower than the layer before it is widened to the same width, by at
            most `max_increment`.
        fallback: whether one layer is doubled when no layer is under-expressive: the layer whose value rises most above
            that of the layer before it, or the only layer that may grow.
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
    """Values, contrasts and decisions of NAGN for a chain of layers; one entry per layer, from input to output.

    Attributes:
        names: names of the layers.
        values: NAGN values g.
        widths: numbers of vertices.
        growable: mask of the layers that may be widened.
        neighbours: means m of the values of the layers before and after, see `contrast`. NaN where there is no mean or
            it is not positive.
        contrast: r = g / m - 1; 0 without neighbours.
        excess: p = max(0, r - threshold).
        under: under-expressiveness s, from 0 to 1.
        increments: numbers of vertices to add.
        reasons: why each layer grows, or why it does not.
        fell_back: whether no layer is under-expressive and the fallback of `GrowthRule` was taken.
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
        """Format the profile as text, one line per layer."""
        columns = ("layer", "width", "NAGN", "neighbours", "contrast", "s", "grows by", "why")
        rows = [
            (
                name,
                f"{width}",
                f"{value:.3g}",
                f"{near:.3g}" if near == near else "-",
                f"{r:+.3f}",
                f"{s:.2f}",
                f"{more}" if more else "-",
                why,
            )
            for name, width, value, near, r, s, more, why in zip(
                self.names,
                self.widths,
                self.values,
                self.neighbours,
                self.contrast,
                self.under,
                self.increments,
                self.reasons,
                strict=True,
            )
        ]
        return Table("", columns, rows, left=(0, len(columns) - 1)).text()

    __str__ = table


def trainable_chain(graph: Graph) -> list[Layer]:
    """Layers with an incoming trainable edge, in topological order: the chain that NAGN compares along. O(edges)."""
    fed = {k.target for k in graph.links if not k.frozen.all()}
    return [graph.layer(i) for i in graph.topological_order if i in fed]


def nagn(graph: Graph, stats: Statistics, layers: Sequence[Layer] | None = None) -> Array:
    """Compute the normalised gradient of every layer: the RMS of `dL/dz` over samples, positions and vertices.

    z is the sum that arrives at a vertex, before norm and activation. L is the loss of one sample.

    Args:
        graph: the graph.
        stats: statistics of the topology of `graph`, with "vertex_signals".
        layers: the layers; those of `trainable_chain` by default.

    Returns:
        The values, `(layers,)` float64.

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
    """Compute the mean value of the neighbours of every layer, and the relative excess of the layer's value over it.

    At both ends of the chain the missing neighbour is extrapolated: the mean is the value of the one neighbour plus or
    minus the median slope of the chain. In a chain of two layers the mean is the value of the other layer. A mean that
    is not positive, which an extrapolated one may be, is replaced by NaN, and the contrast is then 0. The same holds
    for a chain of one layer.

    Args:
        values: values along the chain, `(layers,)`.

    Returns:
        The means m and the contrasts r = value / m - 1, each `(layers,)`.
    """
    g = real_numbers("values", values, infinite=True, nan=True)
    if g.ndim != 1:
        raise OptionError(f"values has shape {g.shape}; give one value for each layer of a chain.")
    near = np.full(len(g), np.nan)
    if len(g) > 1:
        slope = np.median(np.diff(g)) if len(g) > 2 else 0.0  # with the only slope every contrast would be 0
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
    """Decide which layers of a chain to widen, and by how many vertices.

    With values g, means of the neighbours m and r = g / m - 1: excess p = max(0, r - threshold), under-expressiveness
    s = p / max p, increment min(floor(s * width), `max_increment`).

    Args:
        values: NAGN values from input to output, `(layers,)`.
        widths: numbers of vertices, `(layers,)`.
        growable: mask of the layers that may grow, `(layers,)`; all but the last by default.
        groups: number of the group of each layer, `(layers,)`. Layers that identity wires tie together form a group and
            grow together. By default every layer is a group of its own.
        names: names of the layers.
        rule: thresholds and limits.

    Returns:
        The profile. All layers of a group get the largest increment among them.

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
    largest = counted.max(initial=0.0)
    s = counted / largest if largest > 0 else np.zeros(len(g))
    # The margin 1e-9: a product that rounding puts just below a whole number must not lose a vertex.
    more = np.where(free, np.minimum(np.floor(s * n + 1e-9), rule.max_increment), 0).astype(np.int64)
    chosen = _fallback(g, free) if rule.fallback and not p[free].any() else None
    fell_back = chosen is not None
    if chosen is not None:
        more[chosen] = min(n[chosen], rule.max_increment)
    own = more.copy()
    more = _raise_increments(more, n, free, group, rule)
    reasons = tuple(
        _reason(free=free[i], near=near[i], r=r[i], own=int(own[i]), more=int(more[i]), rule=rule, chosen=i == chosen)
        for i in range(len(g))
    )
    return ExpressivenessProfile(titles, g, n, free, near, r, p, s, more, reasons, fell_back)


def _fallback(g: Array, free: Array) -> int | None:
    """Index of the layer that the fallback of `GrowthRule` doubles, or None when there is none."""
    rises = free[1:] & (g[1:] > g[:-1])
    if rises.any():
        return 1 + int(np.argmax(np.where(rises, g[1:] / np.maximum(g[:-1], np.finfo(float).tiny), -np.inf)))
    return int(np.argmax(free)) if free.sum() == 1 else None


def _raise_increments(more: Array, widths: Array, free: Array, group: Array, rule: GrowthRule) -> Array:
    """Raise the increments so that groups grow together and, where the rule asks for it, widths do not fall."""
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
