"""What the vertices of a layer read: edges of the old and the new graph, as terms over known values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netgraph.columns import Array, spans
from netgraph.graph.bounds import sum_bounds
from netgraph.proof.forms import Rows, Terms
from netgraph.proof.operators import UNKNOWN, ZERO, Operators

if TYPE_CHECKING:
    from netgraph.graph import Graph, Link


@dataclass(frozen=True, eq=False)
class Values:
    """The values of one new layer's vertices, each a known symbol or a form, plus an error.

    Attributes:
        symbol: (vertices,) number of the symbol that the value is; -1 where it is a form.
        low, high: (vertices,) interval of what is to be added to it.
        soft: (vertices,) whether that is no more than rounding of weights explains.
        place: (vertices,) row in `forms`; only where `symbol` is -1.
        forms: the values that are forms.
    """

    symbol: Array
    low: Array
    high: Array
    soft: Array
    place: Array
    forms: Rows | None = None

    @classmethod
    def known(cls, symbol: Array) -> Values:
        """Values that are symbols, without error."""
        n = len(symbol)
        return cls(symbol, np.zeros(n), np.zeros(n), np.ones(n, dtype=bool), np.full(n, -1))

    @property
    def certain(self) -> Array:
        """(vertices,) whether a value is a symbol and nothing else."""
        return np.asarray((self.symbol >= 0) & (self.low == 0) & (self.high == 0))


class Space:
    """Symbols and columns of a proof: old vertices, the constant 1, the new vertices' own values, and their pure ones.

    A pure value is what a vertex would have if nothing but its form arrived, without the error of its sum.
    """

    def __init__(self, old_vertices: int, new_vertices: int) -> None:
        self.operators = Operators()
        self.one = old_vertices
        self.own = old_vertices + 1
        self.pure = self.own + new_vertices
        self.size = self.pure + new_vertices
        self.low = np.zeros(self.size)
        self.high = np.zeros(self.size)
        self.low[self.one] = self.high[self.one] = 1.0

    @property
    def columns(self) -> int:
        """Upper limit of column numbers."""
        return len(self.operators) * self.size

    def interval(self, rows: Rows) -> tuple[Array, Array]:
        """(entries,) bounds of each entry's column; the zeros around a grid count where they are read."""
        if len(self.operators) == 1:  # without grids a column is a symbol
            return self.low[rows.column], self.high[rows.column]
        operator, symbol = np.divmod(rows.column, self.size)
        low, high = self.low[symbol], self.high[symbol]
        outside = self.operators.reads_outside[operator]
        if outside.any():
            low, high = np.where(outside, np.minimum(low, 0), low), np.where(outside, np.maximum(high, 0), high)
        return low, high

    def composed(self, outer: Array, column: Array) -> Array:
        """Columns read through another operator; `ZERO` or `UNKNOWN` where they are no columns."""
        inner, symbol = np.divmod(column, self.size)
        operator = self.operators.compose_all(outer, inner)
        constant = (symbol == self.one) & (operator > 0)
        if constant.any():  # the constant 1 looks the same from everywhere inside
            operator = np.where(constant & ~self.operators.reads_outside[np.maximum(operator, 0)], 0, operator)
        return np.where(operator < 0, operator, operator * self.size + symbol)


@dataclass(frozen=True, eq=False)
class Edges:
    """Some edges of one link that carry something: source row, row asked for, weight and operator."""

    link: Link
    source: Array
    row: Array
    weight: Array
    operator: Array

    @classmethod
    def of(cls, graph: Graph, link: Link, rows: Array, space: Space, chosen: Array | None = None) -> Edges:
        """Edges into the target rows r with rows[r] >= 0, which become row rows[r]; weights of 0 are left out."""
        source, target = graph.layer(link.source), graph.layer(link.target)
        operators = space.operators.of_link(link.kind, source.output_grid, target.grid)
        row = rows[link.dst]
        use = (row >= 0) & (link.weight != 0)
        if chosen is not None:
            use &= chosen
        if (operators == ZERO).any():
            use &= operators[link.tap] != ZERO
        at = np.flatnonzero(use)
        return cls(link, link.src[at].astype(np.int64), row[at], link.weight[at].astype(np.float64),
                   operators[link.tap[at]])  # fmt: skip

    def over(self, symbol: Array, space: Space) -> Terms:
        """Terms over one symbol per source row."""
        column = self.operator * space.size + symbol[self.source]
        if space.one in symbol:
            constant = (symbol[self.source] == space.one) & ~space.operators.reads_outside[self.operator]
            column = np.where(constant, space.one, column)
        return Terms.of(self.row, column, self.weight)

    def take(self, chosen: Array) -> Edges:
        """Some of the edges."""
        return Edges(self.link, self.source[chosen], self.row[chosen], self.weight[chosen], self.operator[chosen])

    def through(self, values: Values, space: Space) -> tuple[list[Terms], Terms | None]:
        """Terms with every source replaced by its value; and the terms that no column can hold, if any.

        Those are given over the column of the value itself, so that they can be bounded.
        """
        is_form = values.symbol[self.source] < 0
        if not is_form.any():
            return [self.over(values.symbol, space)], None
        plain, rest = self.take(~is_form), self.take(is_form)
        assert values.forms is not None
        place = values.place[rest.source]
        counts = values.forms.counts[place]
        entries = spans(values.forms.start[:-1][place], counts)
        outer, row, weight = (np.repeat(x, counts) for x in (rest.operator, rest.row, rest.weight))
        column = space.composed(outer, values.forms.column[entries])
        forms = values.forms
        value, error, softly = forms.value[entries], forms.error[entries], forms.rounding[entries]
        known, lost = column >= 0, column == UNKNOWN
        parts = [plain.over(values.symbol, space)]
        parts.append(Terms.product(row[known], column[known], weight[known], value[known], error[known],
                                   softly[known]))  # fmt: skip
        if not lost.any():
            return parts, None
        bare = values.forms.column[entries][lost] % space.size
        return parts, Terms.product(row[lost], bare, weight[lost], value[lost], error[lost], softly[lost])

    def errors(self, values: Values, space: Space, rows: int) -> tuple[Array, Array, Array]:
        """(rows,) interval that the errors of the sources add, and whether only rounding is behind it."""
        low, high = values.low[self.source], values.high[self.source]
        some = np.flatnonzero((low != 0) | (high != 0))
        soft = np.ones(rows, dtype=bool)
        if not len(some):
            return np.zeros(rows), np.zeros(rows), soft
        row, weight, low, high = self.row[some], self.weight[some], low[some], high[some]
        outside = space.operators.reads_outside[self.operator[some]]
        low, high = np.where(outside, np.minimum(low, 0), low), np.where(outside, np.maximum(high, 0), high)
        with np.errstate(invalid="ignore", over="ignore", under="ignore"):
            one, two = np.where(low == 0, 0.0, weight * low), np.where(high == 0, 0.0, weight * high)
        least, most = np.minimum(one, two), np.maximum(one, two)
        soft[row[~values.soft[self.source[some]]]] = False
        return *sum_bounds(row, least, most, rows), soft
