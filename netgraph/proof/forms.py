"""Affine forms over known values, one sparse row per vertex.

A column stands for a symbol (a known value) read by an operator (a shift on the grid); its number is
`operator * symbols + symbol`. Every coefficient has a bound on its error, which is 0 as long as no operation rounded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netgraph.columns import Array, spans
from netgraph.graph.bounds import UNIT
from netgraph.proof.exact_sums import sum_groups, two_product
from netgraph.proof.growing import Growing

ROUNDINGS = 64
"""Largest distance from 0 of a sum that counts as rounding, in units of `epsilon` times the sum of its magnitudes."""


@dataclass(frozen=True, eq=False)
class Terms:
    """Terms of affine forms, not yet summed: any number of terms may share a row and a column.

    Attributes:
        row, column: (terms,) place of each term in the forms.
        value: (terms,) coefficients.
        error: (terms,) bounds on the errors of the coefficients.
        rounding: (terms,) bool: whether a term is the remainder of larger terms that cancelled.
    """

    row: Array
    column: Array
    value: Array
    error: Array
    rounding: Array

    @classmethod
    def of(
        cls, row: Array, column: Array, value: Array, error: Array | None = None, rounding: Array | None = None
    ) -> Terms:
        """Terms with errors of 0 and `rounding` False, unless these are given."""
        n = len(value)
        error = np.zeros(n) if error is None else error
        return cls(row, column, value, error, np.zeros(n, dtype=bool) if rounding is None else rounding)

    @classmethod
    def join(cls, parts: list[Terms]) -> Terms:
        """Concatenate several lists of terms."""
        parts = [part for part in parts if len(part.row)]
        if len(parts) == 1:
            return parts[0]
        if not parts:
            return cls.of(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
        names = ("row", "column", "value", "error", "rounding")
        return cls(*(np.concatenate([getattr(p, n) for p in parts]) for n in names))

    @classmethod
    def product(
        cls, row: Array, column: Array, a: Array, b: Array, error: Array | None = None, rounding: Array | None = None
    ) -> Terms:
        """Exact products `a * b`, with one term each, or two terms where one float64 cannot hold the product.

        `error` bounds the errors of `b`. `rounding` is True where a value of `b` is the remainder of larger terms that
        cancelled.
        """
        high, low, missing = two_product(a, b)
        if error is not None:
            missing = missing + grown(a, error)
        terms = cls.of(row, column, high, missing, rounding)
        split = np.flatnonzero(low)
        if not len(split):
            return terms
        return cls.join([terms, cls.of(row[split], column[split], low[split], None, terms.rounding[split])])

    def negated(self) -> Terms:
        """Return the terms with the opposite sign."""
        return Terms(self.row, self.column, -self.value, self.error, self.rounding)


@dataclass(frozen=True, eq=False)
class Rows:
    """Affine forms as sparse rows in canonical order.

    Attributes:
        start: (rows + 1,) first entry of each row, then the number of entries.
        column: (entries,) column of each entry, ascending within a row. A coefficient that takes two float64 numbers
            has two entries, the larger one first.
        value: (entries,) coefficients; entries that are provably 0 are left out.
        error: (entries,) bound on the error of each coefficient.
        rounding: (entries,) bool: whether the entry is the remainder of larger terms that cancelled.
    """

    start: Array
    column: Array
    value: Array
    error: Array
    rounding: Array

    def __len__(self) -> int:
        return len(self.start) - 1

    @property
    def row(self) -> Array:
        """Row of each entry, `(entries,)`."""
        return np.repeat(np.arange(len(self)), np.diff(self.start))

    @property
    def counts(self) -> Array:
        """Number of entries of each row, `(rows,)`."""
        return np.asarray(np.diff(self.start))

    @property
    def empty(self) -> Array:
        """Whether each form is 0, `(rows,)`."""
        return np.asarray(self.start[1:] == self.start[:-1])

    def sums(self, values: Array) -> Array:
        """Sum `values`, one per entry, over each row: `(entries,)` -> `(rows,)`."""
        result = np.zeros(len(self))
        some = np.flatnonzero(self.counts)
        if len(some):
            result[some] = np.add.reduceat(values, self.start[some], dtype=np.float64)
        return result

    def only_rounding(self) -> Array:
        """Whether every entry of a form is a remainder of larger terms that rounding explains, `(rows,)`."""
        return np.asarray(self.sums(~self.rounding) == 0)

    def take(self, rows: Array) -> Rows:
        """Return some rows, in the given order."""
        counts = self.counts[rows]
        entries = spans(self.start[:-1][rows], counts)
        start = np.concatenate([[0], np.cumsum(counts)])
        return Rows(start, self.column[entries], self.value[entries], self.error[entries], self.rounding[entries])

    def between(self, first: int, stop: int) -> Rows:
        """Return the consecutive rows from `first` to `stop - 1`, without a copy of their entries."""
        start = self.start[first : stop + 1]
        entries = slice(int(start[0]), int(start[-1]))
        columns = (getattr(self, name)[entries] for name in ("column", "value", "error", "rounding"))
        return Rows(start - start[0], *columns)

    def filter(self, entries: Array) -> Rows:
        """Return the forms with only the entries of a mask, `(entries,)`."""
        start = np.concatenate([[0], np.cumsum(np.bincount(self.row[entries], minlength=len(self)))])
        columns = (getattr(self, name)[entries] for name in ("column", "value", "error", "rounding"))
        return Rows(start, *columns)

    def terms(self, factor: Array | float = 1.0, row: Array | None = None) -> Terms:
        """Return the entries as terms, times one factor per row, placed in the rows `row`; None: in their own rows."""
        own = self.row
        scale = np.broadcast_to(np.asarray(factor, dtype=np.float64), (len(self),))[own]
        target = own if row is None else row[own]
        return Terms.product(target, self.column, scale, self.value, self.error, self.rounding)


def collect(rows: int, terms: Terms, epsilon: float, columns: int) -> Rows:
    """Sum terms of equal row and column to forms. Terms that cancel exactly leave no entry.

    Args:
        rows: number of rows.
        terms: the terms, in any order.
        epsilon: relative spacing of the stored weights; it limits the sums that count as rounding.
        columns: number of columns; every column number is below it.

    Costs O(n log n), near O(n) for terms that come in a few sorted runs.
    """
    key = terms.row * columns + terms.column
    if len(key) > 1 and not (key[1:] > key[:-1]).all():
        order = np.argsort(key, kind="stable")
        key, value, error, rounding = key[order], terms.value[order], terms.error[order], terms.rounding[order]
    else:
        value, error, rounding = terms.value, terms.error, terms.rounding
    first = np.flatnonzero(np.diff(key, prepend=-1))
    key = key[first]
    if len(first) < len(value):
        addends, before = value, rounding
        error = np.add.reduceat(error, first)
        error = np.where(error > 0, error * (1 + 2.0**-40), 0.0)
        value, low, missing = sum_groups(addends, first)
        error = error + missing
        rounding = _only_rounding(addends, first, key // columns, before, value, error, epsilon)
        keep = (value != 0) | (error != 0)
        if not keep.all():
            key, value, low, error, rounding = key[keep], value[keep], low[keep], error[keep], rounding[keep]
        if (two := np.flatnonzero(low)).size:
            key, rounding = np.insert(key, two + 1, key[two]), np.insert(rounding, two + 1, rounding[two])
            value, error = np.insert(value, two + 1, low[two]), np.insert(error, two + 1, 0.0)
    row, column = np.divmod(key, columns)
    start = np.searchsorted(row, np.arange(rows + 1))
    return Rows(start, column, value, error, rounding)


def _only_rounding(
    addends: Array, first: Array, row: Array, before: Array, total: Array, error: Array, epsilon: float
) -> Array:
    """Whether each sum is a remainder of large terms that cancel up to rounding, `(groups,)`.

    A sum of small terms alone is not rounding.

    Args:
        addends: (n,) the terms.
        first: (groups,) index of the first term of each group.
        row: (groups,) row of each group, ascending.
        before: (n,) mask of the terms that are themselves such remainders.
        total, error: (groups,) the sums and bounds on their errors.
        epsilon: relative spacing of the stored weights.
    """
    result = np.logical_and.reduceat(before, first)
    if before.any():
        total = total - np.add.reduceat(np.where(before, addends, 0.0), first)
        addends = np.where(before, 0.0, addends)
    mass = np.add.reduceat(np.abs(addends), first)
    asked = (np.abs(total) + error <= ROUNDINGS * epsilon * mass) & (mass > 0)
    if asked.any():
        # Rounding leaves a remainder of the large terms alone. If they cancel exactly, the sum is made of small terms.
        # (The second halves of exact products are small terms as well, hence the tolerance.)
        size = np.diff(first, append=len(addends))
        limit = np.repeat(ROUNDINGS * epsilon * mass, size)
        small = np.where(np.abs(addends) <= limit, addends, 0.0)
        of_small = np.add.reduceat(np.abs(small), first)
        of_large = np.abs(total - np.add.reduceat(small, first))
        result |= asked & (of_small <= 8 * of_large + 2.0**-50 * mass)
        # In large dense layers a few sums fail the test above by chance, so the sums of a whole row decide together.
        _rows, place = np.unique(row, return_inverse=True)
        usual = np.bincount(place, of_small) <= 8 * np.bincount(place, of_large)
        result |= asked & usual[place] & (of_large > 0)
    return np.asarray(result)


def joined(parts: list[Rows]) -> Rows:
    """Concatenate lists of forms; a single one is not copied."""
    if len(parts) == 1:
        return parts[0]
    before = np.cumsum([0, *(len(rows.column) for rows in parts)])
    start = [rows.start[:-1] + first for rows, first in zip(parts, before.tolist(), strict=False)]
    names = ("column", "value", "error", "rounding")
    columns = (np.concatenate([getattr(rows, name) for rows in parts]) for name in names)
    return Rows(np.concatenate([*start, before[-1:]]), *columns)


class Stack:
    """Forms to which more are appended; `rows` has all of them. Appending costs O(new entries), on average."""

    def __init__(self) -> None:
        self._ends = Growing(end=np.int64)
        self._ends.append({"end": np.zeros(1, dtype=np.int64)})
        self._entries = Growing(column=np.int64, value=np.float64, error=np.float64, rounding=bool)

    def __len__(self) -> int:
        return len(self._ends) - 1

    @property
    def rows(self) -> Rows:
        """All forms so far, as views."""
        entries = self._entries
        return Rows(self._ends["end"], entries["column"], entries["value"], entries["error"], entries["rounding"])

    def append(self, forms: Rows) -> None:
        """Append forms behind the present ones."""
        self._ends.append({"end": forms.start[1:] + len(self._entries)})
        self._entries.append({name: getattr(forms, name) for name in ("column", "value", "error", "rounding")})


def form_interval(rows: Rows, low: Array, high: Array) -> tuple[Array, Array]:
    """Bounds of the values of forms, rounded outward.

    Args:
        rows: the forms.
        low, high: (entries,) bounds of the value of each entry's column.

    Returns:
        (rows,) lower and upper bounds; never NaN.
    """
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        at_low = np.where((low == 0) | (rows.value == 0), 0.0, rows.value * low)
        at_high = np.where((high == 0) | (rows.value == 0), 0.0, rows.value * high)
        reach = np.maximum(np.abs(low), np.abs(high))
        slack = np.where((rows.error == 0) | (reach == 0), 0.0, rows.error * reach + 1e-290)
    # Below the smallest normal numbers the relative error of a product is no longer small.
    tiny = ((low != 0) & (np.abs(at_low) < 1e-290)) | ((high != 0) & (np.abs(at_high) < 1e-290))
    slack = np.where(tiny & (rows.value != 0), slack + 1e-290, slack)
    least, most = np.minimum(at_low, at_high), np.maximum(at_low, at_high)
    factor = (rows.counts + 4) * 4 * UNIT
    extra = rows.sums(slack) * (1 + factor)
    below = rows.sums(least) - factor * rows.sums(np.abs(least)) - extra
    above = rows.sums(most) + factor * rows.sums(np.abs(most)) + extra
    # An infinite sum minus an infinite allowance is still infinite.
    below = np.where(np.isnan(below), -np.inf, below)
    above = np.where(np.isnan(above), np.inf, above)
    return below, above


def scaled_terms(rows: Rows, factor: Array, error: Array, into: Array) -> Terms:
    """Terms of forms times one factor per row, placed in the rows `into`; `error` bounds the error of each factor."""
    terms = rows.terms(factor, into)
    if not error.any():
        return terms
    extra = grown(rows.value, error[rows.row])
    return Terms.join([terms, Terms.of(into[rows.row], rows.column, np.zeros(len(extra)), extra, rows.rounding)])


def grown(value: Array, error: Array) -> Array:
    """Upper bound of `|value| * error`, which is 0 only where one of them is 0."""
    with np.errstate(under="ignore", over="ignore"):
        product = np.abs(value) * error * (1 + 1e-12)
    return np.where((value == 0) | (error == 0), 0.0, product + 1e-300)
