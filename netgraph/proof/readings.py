"""Reading of values through edges: the symbols of a proof, the values of a layer, and edges as terms over values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from netgraph.columns import Array, spans
from netgraph.graph.bounds import UNIT, chosen_interval, sum_bounds, times, widen
from netgraph.proof.forms import Rows, Terms, form_interval, grown
from netgraph.proof.operators import UNKNOWN, ZERO, Operators

if TYPE_CHECKING:
    from netgraph.graph import Graph, Link
    from netgraph.proof.folding import Fold


@dataclass(frozen=True, eq=False)
class Values:
    """Values of the vertices of one new layer: each a symbol or a form, plus an error in an interval.

    Attributes:
        symbol: (vertices,) number of the symbol; -1 where the value is a form.
        low, high: (vertices,) interval of the error that is added to the symbol or form.
        soft: (vertices,) whether the rounding of the weights explains the error.
        place: (vertices,) row in `forms`; only where `symbol` is -1.
        forms: the values that are forms, or None when all are symbols.
    """

    symbol: Array
    low: Array
    high: Array
    soft: Array
    place: Array
    forms: Rows | None = None

    @classmethod
    def known(cls, symbol: Array) -> Values:
        """Values that are symbols, with errors of 0."""
        n = len(symbol)
        return cls(symbol, np.zeros(n), np.zeros(n), np.ones(n, dtype=bool), np.full(n, -1))

    @property
    def certain(self) -> Array:
        """Whether each value is a symbol with an error of 0, `(vertices,)`."""
        return np.asarray((self.symbol >= 0) & (self.low == 0) & (self.high == 0))


class Space:
    """Symbols of a proof with their intervals, and columns of its forms. A column is a symbol read by an operator.

    The symbols are, in this order: the values of the old vertices, the constant 1 (number `one`), the values of the
    new vertices (from `own`), and the pure values of the new vertices (from `pure`). The pure value of a vertex is the
    value for its form alone, without the error of its sum.

    Attributes:
        operators: the operators of the proof.
        one, own, pure: first symbol of each group.
        size: number of symbols.
        low, high: (size,) interval of each symbol.
        table: (size,) number of the table of each symbol, -1 for symbols of no table; None without tables.
        table_size: (tables,) number of vertices of each table.
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
        self.table: Array | None = None
        self.table_size = np.zeros(0, dtype=np.int64)

    def add_table(self, start: int, vertices: int) -> None:
        """Note that of the symbols from `start` on, one for each of the vertices, one is 1 at each position."""
        if self.table is None:
            self.table = np.full(self.size, -1, dtype=np.int64)
        self.table[start : start + vertices] = len(self.table_size)
        self.table_size = np.append(self.table_size, vertices)

    @property
    def columns(self) -> int:
        """Number of columns, one per operator and symbol; it grows with every new operator."""
        return len(self.operators) * self.size

    def interval(self, rows: Rows) -> tuple[Array, Array]:
        """Bounds of the column of each entry, `(entries,)` each; they include 0 where zeros around a grid are read."""
        if len(self.operators) == 1:  # without grids a column is a symbol
            return self.low[rows.column], self.high[rows.column]
        operator, symbol = np.divmod(rows.column, self.size)
        low, high = self.low[symbol], self.high[symbol]
        outside = self.operators.reads_outside[operator]
        if outside.any():
            low, high = np.where(outside, np.minimum(low, 0), low), np.where(outside, np.maximum(high, 0), high)
        return low, high

    def bounds(self, forms: Rows) -> tuple[Array, Array]:
        """Bounds of the values of forms, rounded outward, `(rows,)` each."""
        low, high = form_interval(forms, *self.interval(forms))
        if self.table is not None:
            picked = self.table[forms.column % self.size] >= 0
            if picked.any():
                rest = forms.filter(~picked)
                least, most = form_interval(rest, *self.interval(rest))
                read = self._read(forms.filter(picked))
                least, most = widen(least + read[0], most + read[1])
                low, high = np.maximum(low, least), np.minimum(high, most)
        return low, high

    def _read(self, forms: Rows) -> tuple[Array, Array]:
        """Bounds of forms over vertices of tables: of each table an operator reads one coefficient at each position."""
        assert self.table is not None
        row = forms.row
        first = np.flatnonzero((np.diff(row, prepend=-1) != 0) | (np.diff(forms.column, prepend=-1) != 0))
        value, error = np.add.reduceat(forms.value, first), np.add.reduceat(forms.error, first)
        least, most = widen(value - error, value + error)
        row, (operator, symbol) = row[first], np.divmod(forms.column[first], self.size)
        table = self.table[symbol]
        starts = np.diff(row, prepend=-1) != 0
        starts |= (np.diff(operator, prepend=-1) != 0) | (np.diff(table, prepend=-1) != 0)
        group = np.cumsum(starts) - 1
        first = np.flatnonzero(starts)
        whole = np.diff(first, append=len(row)) == self.table_size[table[first]]
        complete = whole & ~self.operators.reads_outside[operator[first]]
        return sum_bounds(row[first], *chosen_interval(group, least, most, complete), len(forms))

    def composed(self, outer: Array, column: Array) -> Array:
        """Columns that result when `outer` reads each column; `ZERO` or `UNKNOWN` where the result is no column."""
        inner, symbol = np.divmod(column, self.size)
        operator = self.operators.compose_all(outer, inner)
        constant = (symbol == self.one) & (operator > 0)
        if constant.any():  # the constant 1 has the same value at every position inside of the grid
            known = np.maximum(operator, 0)
            operator = np.where(constant & ~self.operators.reads_outside[known], self.operators.bare[known], operator)
        return np.where(operator < 0, operator, operator * self.size + symbol)


@dataclass(frozen=True, eq=False)
class Edges:
    """Edges of one link with weights other than 0: source row, row of the form, weight and operator of each.

    `error` has bounds on the errors of the weights, or is None where these are exact.
    """

    link: Link
    source: Array
    row: Array
    weight: Array
    operator: Array
    error: Array | None = None

    @classmethod
    def of(
        cls, graph: Graph, link: Link, rows: Array, space: Space, chosen: Array | None = None, fold: Fold | None = None
    ) -> Edges:
        """Select the edges into the target rows r with `rows[r] >= 0`, where `rows[r]` is the row of the form.

        Edges with weight 0 and edges that read nothing but zeros are left out. `chosen` is a mask of the edges of the
        link, or None for all. Wires into a merge have the factor of their port for a weight. `fold` is the folded norm
        of the target, whose factors the weights get, or None.
        """
        source, target = graph.layer(link.source), graph.layer(link.target)
        if target.merge is None:
            operators = space.operators.of_link(link.kind, source.output_grid, target.grid)
            factor = 1.0
        else:
            operators, factor = (
                space.operators.of_merge(target.merge, link.port, link.tap),
                target.merge.factor(link.port),
            )
        at: Any = slice(0, None if factor != 0 else 0) if chosen is None else np.flatnonzero(chosen & (factor != 0))
        row = rows[link.dst[at]]
        use = (row >= 0) & (link.weight[at] != 0)
        if (operators == ZERO).any():
            use &= operators[link.tap[at]] != ZERO
        if fold is not None:
            use &= ((fold.factor != 0) | (fold.error != 0))[link.dst[at]]
        used = np.flatnonzero(use)
        at, row = used if chosen is None else at[used], row[used]
        weight = link.weight[at].astype(np.float64)
        weight = weight if factor == 1 else weight * factor  # wires have weight 1
        source_row, operator = link.src[at].astype(np.int64), operators[link.tap[at]]
        if fold is None:
            return cls(link, source_row, row, weight, operator)
        dst = link.dst[at]
        error = grown(weight, fold.error[dst])
        weight = weight * fold.factor[dst]
        return cls(link, source_row, row, weight, operator, error * (1 + UNIT) + np.abs(weight) * UNIT + 1e-300)

    def over(self, symbol: Array, space: Space) -> Terms:
        """Terms of the edges over the symbols of the source rows, `(rows of the source,)`."""
        column = self.operator * space.size + symbol[self.source]
        if space.one in symbol:
            constant = (symbol[self.source] == space.one) & ~space.operators.reads_outside[self.operator]
            column = np.where(constant, space.operators.bare[self.operator] * space.size + space.one, column)
        return Terms.of(self.row, column, self.weight, self.error)

    def take(self, chosen: Array) -> Edges:
        """Return some of the edges, by mask or indices."""
        error = None if self.error is None else self.error[chosen]
        columns = (self.source[chosen], self.row[chosen], self.weight[chosen], self.operator[chosen])
        return Edges(self.link, *columns, error)

    def through(self, values: Values, space: Space) -> tuple[list[Terms], Terms | None]:
        """Terms of the edges over the values of their sources, without the errors of these values.

        Returns:
            Lists of terms; and the terms whose operators have no composition, or None. The latter stand over the plain
            symbol, so that they can be bounded.
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
        parts.append(Terms.product(row[known], column[known], weight[known], value[known], error[known], softly[known]))
        extra = None
        if rest.error is not None:
            extra = grown(np.abs(value) + error, np.repeat(rest.error, counts))
            parts.append(Terms.of(row[known], column[known], np.zeros(len(row[known])), extra[known], softly[known]))
        if not lost.any():
            return parts, None
        bare = values.forms.column[entries][lost] % space.size
        stuck = Terms.product(row[lost], bare, weight[lost], value[lost], error[lost], softly[lost])
        if extra is not None:
            more = Terms.of(row[lost], bare, np.zeros(len(bare)), extra[lost], softly[lost])
            stuck = Terms.join([stuck, more])
        return parts, stuck

    def errors(self, values: Values, space: Space, rows: int) -> tuple[Array, Array, Array]:
        """Interval that the errors of the sources add to each row, and whether rounding explains it, `(rows,)` each."""
        low, high = values.low[self.source], values.high[self.source]
        some = np.flatnonzero((low != 0) | (high != 0))
        soft = np.ones(rows, dtype=bool)
        if not len(some):
            return np.zeros(rows), np.zeros(rows), soft
        row, weight, low, high = self.row[some], self.weight[some], low[some], high[some]
        outside = space.operators.reads_outside[self.operator[some]]
        low, high = np.where(outside, np.minimum(low, 0), low), np.where(outside, np.maximum(high, 0), high)
        if self.error is None:
            with np.errstate(invalid="ignore", over="ignore", under="ignore"):
                one, two = np.where(low == 0, 0.0, weight * low), np.where(high == 0, 0.0, weight * high)
            least, most = np.minimum(one, two), np.maximum(one, two)
        else:
            least, most = times(*widen(weight - self.error[some], weight + self.error[some]), low, high)
        soft[row[~values.soft[self.source[some]]]] = False
        return *sum_bounds(row, least, most, rows), soft
