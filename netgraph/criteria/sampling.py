"""Sampling of cells of score matrices without replacement, and search for the best, without holding the matrices.

A cell is one possible edge of a link, present or missing. The cells of all links of a pool are numbered in one
sequence: link by link, and in a link by target row, source row and tap, which is the order of the edges.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from netgraph.analysis import Factors
from netgraph.columns import Array, among, by_value

CELLS_AT_ONCE = 1 << 18
"""Number of cells that a race works on at a time, so that its arrays stay in the caches of a processor."""

DRAW_IN_CELLS = 15
"""Cost of one draw by rejection, in cells of a race; measured: 0.4 microseconds against 0.03."""

PILOT = 4096
"""Number of draws after which the fraction of accepted draws is estimated for the first time."""

MAX_DRAWS = 100
"""Largest number of draws per wanted cell; after that rejection gives way to a race, even to a slower one."""


class OneTerm(NamedTuple):
    """Tables from which cells are drawn where scores are the product of two factors.

    Attributes:
        columns, rows: cumulative sums of both factors.
        log_mass: logarithm of the sum of all scores, `(1,)`.
    """

    columns: Array
    rows: Array
    log_mass: Array


@dataclass(eq=False)
class LinkScores:
    """Scores of all cells of one link.

    Attributes:
        offset: number of the first cell of the link in the pool.
        targets: number of target rows of the cells.
        columns: number of cells per target row: source rows times taps.
        existing: numbers of the cells that hold an edge and are no candidates, ascending.
        positions: number of products that a score sums; 0 when the scores are a matrix.
        make: function that returns the factors of the scores. It is called again for each use, so that the factors need
            not be held.
        matrix: scores that are no products, `(sources, targets)` or `(sources, targets, taps)`.
    """

    offset: int
    targets: int
    columns: int
    existing: Array
    positions: int
    make: Callable[[], Factors] | None = None
    matrix: Array | None = None
    _tables: OneTerm | None = field(default=None, repr=False)

    @property
    def cells(self) -> int:
        """Number of cells, present edges included."""
        return self.targets * self.columns

    def chunks(self, taken: Array) -> Iterator[tuple[int, Array, float]]:
        """Yield the scores chunk by chunk: number of the first cell, scores, logarithm of the scale of the scores.

        The scores of present edges and of `taken` cells, ascending numbers, are 0.
        """
        left, right, log = self.make() if self.make else (None, None, 0.0)
        if log == -math.inf:
            return
        step = max(1, CELLS_AT_ONCE // self.columns)
        for row in range(0, self.targets, step):
            part = slice(row, min(row + step, self.targets))
            if left is None or right is None:
                assert self.matrix is not None
                scores = np.abs(np.moveaxis(self.matrix[:, part], 1, 0).astype(np.float64)).reshape(-1)
            elif self.positions == 1:
                scores = np.multiply.outer(right[0, part], left[0]).reshape(-1)
            else:
                scores = (right[:, part].T @ left).reshape(-1)
            first = self.offset + row * self.columns
            for cells in (self.existing, taken):
                a, b = np.searchsorted(cells, (first, first + len(scores)))
                scores[cells[a:b] - first] = 0.0
            yield first, scores, log

    def log_masses(self) -> Array:
        """Compute the logarithm of the sum of each product over all cells, present edges included, `(positions,)`."""
        assert self.make is not None
        if self.positions == 1:
            return self.one_term().log_mass
        return _log_masses(*self.make())

    def one_term(self) -> OneTerm:
        """Return the tables from which the cells of a single product are drawn."""
        assert self.make is not None
        if self._tables is None:
            left, right, log = self.make()
            self._tables = OneTerm(np.cumsum(left[0]), np.cumsum(right[0]), _log_masses(left, right, log))
        return self._tables

    def draw(self, number: int, rng: np.random.Generator, log_masses: Array) -> Array:
        """Draw cells, with replacement, in proportion to their scores, present edges included; return their numbers."""
        assert self.make is not None
        if self.positions == 1:
            columns, rows, _ = self.one_term()
            column, row = _draw(columns, rng.random(number)), _draw(rows, rng.random(number))
        else:
            left, right, _log = self.make()
            position = _draw(np.cumsum(np.exp(log_masses - log_masses.max())), rng.random(number))
            column, row = (_draw_rows(factor, position, rng.random(number)) for factor in (left, right))
        return np.asarray(self.offset + row * self.columns + column)


class Best:
    """The cells with the smallest keys among all cells that were added; of equal keys, those added first."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.threshold = math.inf
        self._keys: list[Array] = []
        self._cells: list[Array] = []
        self._held = 0

    def add(self, keys: Array, cells: Array) -> None:
        """Add cells with their keys, in order."""
        kept = keys < self.threshold
        self._keys.append(keys[kept])
        self._cells.append(cells[kept])
        self._held += int(np.count_nonzero(kept))
        if self._held > self.count + (0 if self.threshold == math.inf else max(self.count // 2, CELLS_AT_ONCE)):
            self._shrink()

    def _shrink(self) -> None:
        keys, cells = np.concatenate(self._keys), np.concatenate(self._cells)
        if len(keys) > self.count:
            self.threshold = float(np.partition(keys, self.count - 1)[self.count - 1])
            below = keys < self.threshold
            equal = np.flatnonzero(keys == self.threshold)[: self.count - int(np.count_nonzero(below))]
            below[equal] = True
            keys, cells = keys[below], cells[below]
        self._keys, self._cells, self._held = [keys], [cells], len(keys)

    def finish(self) -> Array:
        """Return at most `count` cells, smallest key first."""
        if not self._keys:
            return np.empty(0, np.int64)
        self._shrink()
        return np.asarray(self._cells[0][np.argsort(self._keys[0], kind="stable")])


def race(links: Sequence[LinkScores], count: int, taken: Array, rng: np.random.Generator | None) -> Array:
    """Draw cells successively in proportion to their scores, or take the best cells when there is no source of chance.

    Every cell gets an exponential time at the rate of its score: E / score, with E from the standard exponential
    distribution. The cells with the smallest times are the draws, in order. Cells of score 0 are never drawn. Keys are
    logarithms, log E - log score, without log E where there is no source of chance.

    Args:
        links: the pool.
        count: largest number of cells to draw.
        taken: numbers of cells to leave out, ascending.
        rng: random numbers, or None to take the largest scores, among equal ones the first cells.

    Returns:
        Numbers of the cells, in the order of the draws.

    Cost: O(cells * positions) in time; memory for `count` cells and for one chunk, whatever the number of cells.
    """
    best = Best(count)
    if count < 1:
        return best.finish()
    for link in links:
        for first, scores, log in link.chunks(taken):
            time = None if rng is None else rng.standard_exponential(len(scores))
            at = np.flatnonzero(_may_come(scores, time, best.threshold + log))
            keys = -np.log(scores[at]) - log
            if time is not None:
                with np.errstate(divide="ignore"):
                    keys += np.log(time[at])
            best.add(keys, first + at)
    return best.finish()


def _may_come(scores: Array, time: Array | None, log_limit: float) -> Array:
    """Select, by a cheap test, the cells that may have a key below a limit, so that few cells need a logarithm.

    For a time `E`, `log E - log score < limit` is the same as `E < exp(limit) * score`. The factor `1 + 1e-9` makes up
    for rounding.
    """
    if log_limit > 700:  # the exponential would overflow; at first the limit is inf
        return scores > 0
    with np.errstate(over="ignore"):
        return np.asarray(scores * (math.exp(log_limit) * (1 + 1e-9)) > (1.0 if time is None else time))


def rejection(
    links: Sequence[LinkScores], count: int, rng: np.random.Generator, *, adaptive: bool
) -> tuple[Array, bool]:
    """Draw the first cells of a successive sample in proportion to scores that are sums of products.

    Cells are drawn independently, by link, position, row and column. Present edges and repeated cells are dropped. The
    remaining cells, in the order of their first occurrence, are a successive sample without replacement. Whenever this
    function stops, the rest of the sample may be drawn in any other way.

    Args:
        links: the pool; all links have factors.
        count: number of cells wanted.
        rng: random numbers.
        adaptive: whether to stop as soon as a race for the rest is cheaper, judged by the fraction of draws that were
            accepted last.

    Returns:
        Numbers of the cells, and whether there are `count` of them.

    Cost: O(sources * taps * positions) per batch and link, O(log) per draw. The number of draws is at least `count`
    over the fraction of all scores that belongs to missing edges.
    """
    masses = [link.log_masses() for link in links]
    tops = np.array([mass.max() for mass in masses])
    top = float(tops.max(initial=-math.inf))
    found, known = [np.empty(0, np.int64)], np.empty(0, np.int64)
    if top == -math.inf or count < 1:
        return found[0], count < 1
    shares = np.cumsum([np.exp(mass - top).sum() for mass in masses])
    drawn, need, accepted = 0, count, 1.0
    cells_in_all = sum(link.cells for link in links)
    while need and drawn < MAX_DRAWS * count + PILOT:
        if adaptive and need / accepted * DRAW_IN_CELLS > cells_in_all:
            break
        size = min(int(need / accepted * 1.05) + 8, PILOT if adaptive and not drawn else 1 << 22)
        cells = _draw_pool(links, masses, _draw(shares, rng.random(size)), rng)
        fresh = _first_new(cells, links, known)
        drawn, accepted = drawn + size, max(len(fresh) / size, 1e-3)
        found.append(fresh[:need])
        need -= len(found[-1])
        known = np.sort(np.concatenate([known, found[-1]]))
    return np.concatenate(found), need == 0


def _draw_pool(links: Sequence[LinkScores], masses: Sequence[Array], which: Array, rng: np.random.Generator) -> Array:
    """Draw one cell for every entry of `which`, an index into `links`."""
    cells = np.empty(len(which), np.int64)
    for k, asked in by_value(which).items():
        cells[asked] = links[k].draw(len(asked), rng, masses[k])
    return cells


def _first_new(cells: Array, links: Sequence[LinkScores], known: Array) -> Array:
    """Drop present edges, known cells and repeats; the rest stays in the order of its first occurrence."""
    ordered, first = np.unique(cells, return_index=True)
    new = ~among(ordered, known)
    bounds = np.searchsorted(ordered, [link.offset for link in links] + [links[-1].offset + links[-1].cells])
    for link, a, b in zip(links, bounds[:-1], bounds[1:], strict=True):
        if b > a:
            new[a:b] &= ~among(ordered[a:b], link.existing)
    return np.asarray(cells[np.sort(first[new])])


def _draw(sums: Array, uniform: Array) -> Array:
    """Draw indices in proportion to the differences of cumulative sums; an index with difference 0 is never drawn."""
    total = sums[-1]
    return np.asarray(np.searchsorted(sums, np.minimum(uniform * total, np.nextafter(total, 0.0)), side="right"))


def _draw_rows(factor: Array, position: Array, uniform: Array) -> Array:
    """Draw, for every entry of `position`, a column of that row of `factor`, `(positions, columns)`, by its entries."""
    found = np.empty(len(position), np.int64)
    for p, asked in by_value(position).items():
        found[asked] = _draw(np.cumsum(factor[p]), uniform[asked])
    return found


def _log_masses(left: Array, right: Array, log: float) -> Array:
    """Compute the logarithm of the sum of each product over all cells, `(positions,)`."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(left.sum(axis=1)) + np.log(right.sum(axis=1)) + log)
