"""Columns of edges and vertices as colours and line widths, with samples for legends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from netgraph.columns import Array
from netgraph.errors import OptionError, unknown_name
from netgraph.graph import Graph
from netgraph.statistics import Statistics
from netgraph.viz.colors import diverging, sequential
from netgraph.viz.text import number

Choice = str | Array | None
"""Name of a column, an array with a value for each row, or None."""

THINNEST, THICKEST = 0.35, 2.6
"""Smallest and largest line width, in points."""
_SIGNED = frozenset({"weight", "bias", "shift", "mean"})


@dataclass(frozen=True, eq=False)
class Scale:
    """A column with the range of its values, which maps values to colours and widths.

    Attributes:
        name: name of the column in the legend.
        values: float64, NaN where a value is missing or not finite, `(rows,)`.
        low, high: smallest and largest finite value, of all rows or of the rows that `of` was given.
        signed: whether colours distinguish values above 0 from values below 0.
    """

    name: str
    values: Array
    low: float
    high: float
    signed: bool

    @classmethod
    def of(cls, name: str, values: Array, counting: Array | None = None) -> Scale:
        """Make the scale of a column.

        Args:
            name: name of the column.
            values: a number per row, `(rows,)`.
            counting: mask of the rows that determine the range; None for all.
        """
        values = np.asarray(values, dtype=np.float64)
        finite = values[np.isfinite(values) if counting is None else counting & np.isfinite(values)]
        low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 0.0)
        values = np.where(np.isfinite(values), values, np.nan)
        return cls(name, values, low, high, name in _SIGNED or low < 0)

    @property
    def largest(self) -> float:
        """Largest absolute value of `low` and `high`."""
        return max(abs(self.low), abs(self.high))

    @property
    def missing(self) -> int:
        """Number of rows without a finite value."""
        return int(np.count_nonzero(np.isnan(self.values)))

    def colors(self, values: Array) -> list[str]:
        """Colour of each value."""
        if self.signed:
            return diverging(values, self.largest)
        return sequential(values, self.low, self.high)

    def widths(self, values: Array) -> Array:
        """Line width of each value in points, which grows with the absolute value; the smallest width for NaN."""
        share = np.abs(np.nan_to_num(values)) / self.largest if self.largest else np.zeros(len(values))
        return np.asarray(THINNEST + (THICKEST - THINNEST) * np.clip(share, 0.0, 1.0))

    def samples(self) -> list[tuple[str, str]]:
        """Colours of a legend with their values as text, `(color, text)`."""
        if self.signed:
            stops = [-self.largest, -self.largest / 2, 0.0, self.largest / 2, self.largest]
        elif self.high - self.low < 2 and float(self.low).is_integer() and float(self.high).is_integer():
            stops = [self.low, self.high]
        else:
            stops = np.linspace(self.low, self.high, 5).tolist()
        stops = sorted(set(stops))
        return list(zip(self.colors(np.array(stops)), map(number, stops), strict=True))


def edge_scale(graph: Graph, choice: Choice, stats: Statistics | None, option: str) -> Scale | None:
    """Make the scale that an option selects for edges; return None when `choice` is None.

    Args:
        graph: the graph.
        choice: value of the option.
        stats: statistics of the graph, or None.
        option: name of the option, for messages.

    Raises:
        OptionError: the name is unknown, or the array has another length than `graph.edges`.
    """
    if choice is None:
        return None
    # The weight 1 of all wires would make the trained weights look small.
    trained = ~graph.edges.frozen if isinstance(choice, str) and choice == "weight" else None
    own = {name: getattr(graph.edges, name) for name in ("weight", "birth")}
    known = {**(stats.edges if stats else {}), **own}
    return _scale(option, "edge", choice, known, len(graph.edges), trained)


def vertex_scale(graph: Graph, choice: Choice, stats: Statistics | None) -> Scale | None:
    """Make the scale that `vertex_color` selects, or None for the colours of roles.

    Raises:
        OptionError: the name is unknown, or the array has another length than `graph.vertices`.
    """
    if choice is None or (isinstance(choice, str) and choice == "layer"):
        return None
    known: dict[str, Any] = {"birth": graph.vertices.birth}
    if isinstance(choice, str) and choice != "birth":
        parameters = {name for layer in graph.layers_by_id.values() for name in layer.values}
        known = {**(stats.vertices if stats else {}), **dict.fromkeys(sorted(parameters)), **known, "layer": None}
        if choice in parameters:
            known[choice] = graph.vertices.column(choice)
    return _scale("vertex_color", "vertex", choice, known, graph.num_vertices, None)


def _scale(option: str, kind: str, choice: Any, known: dict[str, Any], n: int, counting: Array | None) -> Scale:
    if isinstance(choice, str):
        if choice not in known:
            more = " Further columns come with stats=, the statistics of this graph."
            raise OptionError(f"{option}: {unknown_name(f'{kind} column', choice, known)}{more}")
        return Scale.of(choice, known[choice], counting)
    try:
        values = np.asarray(choice, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise OptionError(f"{option}={choice!r} is neither the name of a column nor an array of numbers.") from None
    if values.shape != (n,):
        rows = "graph.edges" if kind == "edge" else "graph.vertices"
        raise OptionError(f"{option} has shape {values.shape}, expected ({n},): a value for each row of {rows}.")
    return Scale.of("given values", values)
