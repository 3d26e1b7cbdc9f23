"""Affine forms over known values, one sparse row per vertex.

A column is a value read in a certain way: `operator * symbols + symbol`. Every coefficient comes with a bound on its
own error, which is 0 as long as the arithmetic behind it did not round.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netgraph.columns import Array, spans
from netgraph.graph.bounds import UNIT
from netgraph.proof.exact_sums import sum_groups, two_product

ROUNDINGS = 64
"""A sum of terms that were each rounded may miss 0 by so many spacings of the stored weights."""


@dataclass(frozen=True, eq=False)
class Terms:
    """Products that are yet to be summed.

    Attributes:
        row, column: of the form.
        value: coefficients.
        error: bounds on the errors of the coefficients.
        rounding: whether a term is what was left of larger ones that cancelled.
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
        """Terms without errors, which are not left of others, unless that is given."""
        n = len(value)
        error = np.zeros(n) if error is None else error
        return cls(row, column, value, error, np.zeros(n, dtype=bool) if rounding is None else rounding)

    @classmethod
    def join(cls, parts: list[Terms]) -> Terms:
        """All terms of several lists."""
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
        """The exact products a * b, as one term each or two where one float64 cannot hold them.

        `error` bounds the error of `b`, and `rounding` tells where that is what was left of larger terms.
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
        """The terms with the other sign."""
        return Terms(self.row, self.column, -self.value, self.error, self.rounding)


@dataclass(frozen=True, eq=False)
class Rows:
    """Affine forms in canonical order.

    Attributes:
        start: (rows + 1,) first entry of each row, and the number of entries.
        column: (entries,) in order within each row; a coefficient that takes two numbers has two entries, the larger
            first.
        value: (entries,) coefficients; entries that are provably 0 are left out.
        error: (entries,) bound on the error of each coefficient.
        rounding: (entries,) bool: whether the entry is what is left of larger terms that cancelled to it.
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
        """(entries,) row of each entry."""
        return np.repeat(np.arange(len(self)), np.diff(self.start))

    @property
    def counts(self) -> Array:
        """(rows,) number of entries of each row."""
        return np.asarray(np.diff(self.start))

    @property
    def empty(self) -> Array:
        """(rows,) whether a form is 0."""
        return np.asarray(self.start[1:] == self.start[:-1])

    def sums(self, values: Array) -> Array:
        """(rows,) sums of one value per entry."""
        result = np.zeros(len(self))
        some = np.flatnonzero(self.counts)
        if len(some):
            result[some] = np.add.reduceat(values, self.start[some], dtype=np.float64)
        return result

    def only_rounding(self) -> Array:
        """(rows,) whether nothing is left in a form but what rounding of larger terms explains."""
        return np.asarray(self.sums(~self.rounding) == 0)

    def take(self, rows: Array) -> Rows:
        """Some rows, in the given order."""
        counts = self.counts[rows]
        entries = spans(self.start[:-1][rows], counts)
        start = np.concatenate([[0], np.cumsum(counts)])
        return Rows(start, self.column[entries], self.value[entries], self.error[entries], self.rounding[entries])

    def between(self, first: int, stop: int) -> Rows:
        """Rows that follow each other, without a copy of their entries."""
        start = self.start[first : stop + 1]
        entries = slice(int(start[0]), int(start[-1]))
        columns = (getattr(self, name)[entries] for name in ("column", "value", "error", "rounding"))
        return Rows(start - start[0], *columns)

    def filter(self, entries: Array) -> Rows:
        """Only the entries of a mask."""
        start = np.concatenate([[0], np.cumsum(np.bincount(self.row[entries], minlength=len(self)))])
        columns = (getattr(self, name)[entries] for name in ("column", "value", "error", "rounding"))
        return Rows(start, *columns)

    def terms(self, factor: Array | float = 1.0, row: Array | None = None) -> Terms:
        """The entries as terms again, times one factor per row, in the given rows."""
        own = self.row
        scale = np.broadcast_to(np.asarray(factor, dtype=np.float64), (len(self),))[own]
        target = own if row is None else row[own]
        return Terms.product(target, self.column, scale, self.value, self.error, self.rounding)


def collect(rows: int, terms: Terms, epsilon: float, columns: int) -> Rows:
    """Sum terms of equal row and column; exact cancellation leaves nothing.

    Args:
        rows: number of rows.
        terms: the terms, in any order.
        epsilon: relative spacing of the stored weights, to tell what rounding explains.
        columns: upper limit of column numbers.

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
    """(groups,) whether a sum is what is left of large terms that cancel; small terms of their own are no rounding.

    Args:
        addends: (n,) the terms.
        first: (groups,) the first of each group.
        row: (groups,) row of each group, ascending.
        before: (n,) which terms were such sums.
        total, error: (groups,) the sums.
        epsilon: relative spacing of the stored weights.
    """
    result = np.logical_and.reduceat(before, first)
    if before.any():
        total = total - np.add.reduceat(np.where(before, addends, 0.0), first)
        addends = np.where(before, 0.0, addends)
    mass = np.add.reduceat(np.abs(addends), first)
    asked = (np.abs(total) + error <= ROUNDINGS * epsilon * mass) & (mass > 0)
    if asked.any():
        # The large terms do not cancel by themselves. (The second halves of exact products are small terms as well.)
        size = np.diff(first, append=len(addends))
        limit = np.repeat(ROUNDINGS * epsilon * mass, size)
        small = np.where(np.abs(addends) <= limit, addends, 0.0)
        of_small = np.add.reduceat(np.abs(small), first)
        of_large = np.abs(total - np.add.reduceat(small, first))
        result |= asked & (of_small <= 8 * of_large + 2.0**-50 * mass)
        # Among the many sums of dense matrices are a few whose small terms cancel each other: the row decides.
        _rows, place = np.unique(row, return_inverse=True)
        usual = np.bincount(place, of_small) <= 8 * np.bincount(place, of_large)
        result |= asked & usual[place] & (of_large > 0)
    return np.asarray(result)


def stacked(one: Rows, two: Rows) -> Rows:
    """The rows of both, one after the other."""
    start = np.concatenate([one.start, two.start[1:] + one.start[-1]])
    names = ("column", "value", "error", "rounding")
    return Rows(start, *(np.concatenate([getattr(one, name), getattr(two, name)]) for name in names))


def form_interval(rows: Rows, low: Array, high: Array) -> tuple[Array, Array]:
    """Outward bounds of forms.

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
    """Entries times one factor per row; `error` bounds the error of the factor."""
    terms = rows.terms(factor, into)
    if not error.any():
        return terms
    extra = grown(rows.value, error[rows.row])
    return Terms.join([terms, Terms.of(into[rows.row], rows.column, np.zeros(len(extra)), extra, rows.rounding)])


def grown(value: Array, error: Array) -> Array:
    """A bound on |value| * error that is 0 only where one of them is."""
    with np.errstate(under="ignore", over="ignore"):
        product = np.abs(value) * error * (1 + 1e-12)
    return np.where((value == 0) | (error == 0), 0.0, product + 1e-300)
