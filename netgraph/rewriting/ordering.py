"""Order of matches, and the choice between matches that overlap."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np

from netgraph.columns import Array
from netgraph.errors import RewriteError, StatisticsError
from netgraph.rewriting.patterns import EdgeRows, Matches, VertexRows
from netgraph.rewriting.rule import Rule
from netgraph.statistics import Statistics

OrderBy = Array | str | Callable[[Matches, Statistics | None], Array] | None
"""Type of the argument `order_by` of `apply`."""


def ordered(m: Matches, stats: Statistics | None, order_by: OrderBy, rng: np.random.Generator) -> Array:
    """Return the positions of matches in the order in which they are rewritten, `(matches,)`."""
    if order_by is None:
        return np.arange(len(m))
    if isinstance(order_by, str) and order_by == "random":
        return rng.permutation(len(m))
    values = scores_of(m, stats, order_by)
    if values.dtype.kind == "f" and (missing := np.count_nonzero(np.isnan(values))):
        raise RewriteError(
            f"order_by has NaN values for {missing:,} of {len(m):,} matches; matches cannot be ordered by them."
        )
    # Ranks from the values as they are: as floats, large whole numbers would tie.
    return np.argsort(-np.unique(values, return_inverse=True)[1], kind="stable")


def scores_of(m: Matches, stats: Statistics | None, score: OrderBy, name: str = "order_by") -> Array:
    """Return one real number per match: a statistic by its name, values of a function, or given values, `(matches,)`.

    Args:
        m: the matches.
        stats: statistics of their graph, or None.
        score: name, function or values.
        name: name of the argument, for messages.
    """
    if isinstance(score, str):
        if not isinstance(m.root, EdgeRows | VertexRows):
            raise RewriteError(
                f"{name}={score!r} names a statistic, which only edges and vertices have; give a function of the "
                "matches, or an array with one value per match."
            )
        if stats is None:
            raise RewriteError(
                f"{name}={score!r} names a statistic, but no statistics were given; give them, or "
                f"{_instead(m, score, name)}."
            )
        try:
            column = stats.edge(score) if isinstance(m.root, EdgeRows) else stats.vertex(score)
        except StatisticsError as error:
            raise StatisticsError(f"{error} Or {_instead(m, score, name)}.") from None
        values = column[m.root.rows]
    else:
        values = np.asarray(score(m, stats) if callable(score) else score)
    if values.shape != (len(m),):
        raise RewriteError(f"{name} has shape {values.shape}, expected ({len(m)},), one value per match that passes.")
    if values.dtype.kind not in "iufb":
        raise RewriteError(f"{name} has values of {values.dtype}; give one real number per match that passes.")
    return values


def _instead(m: Matches, score: str, argument: str) -> str:
    """Text of an order without statistics: a function of the column of the same name, or else of `birth`."""
    name = next(iter(m.bound))
    has = not score.startswith("_") and isinstance(getattr(type(m.root), score, None), property | cached_property)
    return f"order by a column with {argument}=lambda m, stats: m.{name}.{score if has else 'birth'}"


def first_wins(rule: Rule, m: Matches, order: Array) -> Array:
    """Mask of the matches that are rewritten, where each exclusive row occurs once: earlier matches win, `(matches,)`.

    In each round a match wins if no undecided earlier match shares a row with it. The number of rounds is the length
    of the longest chain of overlaps; each round is linear in the number of undecided matches.
    """
    wins = np.ones(len(m), dtype=bool)
    if not rule.exclusive or not len(m):
        return wins
    groups = [(entry,) if isinstance(entry, str) else entry for entry in rule.exclusive]
    parts = [np.stack([getattr(m, name).rows for name in group]) for group in groups]
    keys = [np.unique(columns, return_inverse=True)[1].reshape(columns.shape) for columns in parts]
    earliest = [np.empty(key.max() + 1, dtype=np.int64) for key in keys]
    taken = [np.zeros(key.max() + 1, dtype=bool) for key in keys]
    wins[:] = False
    undecided = order
    while len(undecided):
        place = np.arange(len(undecided))
        first = np.ones(len(undecided), dtype=bool)
        for key, place_of in zip(keys, earliest, strict=True):
            mine = key[:, undecided]
            # In reversed order, so that the earliest match is assigned last and stays.
            place_of[mine.ravel(order="F")[::-1]] = np.repeat(place, len(mine))[::-1]
            first &= (place_of[mine] == place).all(axis=0)
        won, left = undecided[first], ~first
        wins[won] = True
        for key, gone in zip(keys, taken, strict=True):
            gone[key[:, won]] = True
            left &= ~gone[key[:, undecided]].any(axis=0)
        undecided = undecided[left]
    return wins
