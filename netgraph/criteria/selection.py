"""Selections: choices of rows, such as edges, by their scores."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from netgraph.checks import Checked, Extended
from netgraph.columns import Array
from netgraph.errors import OptionError, StatisticsError


class Selection(Checked, ABC):
    """Base of the selections, which choose rows by their scores. An empty choice is a normal outcome."""

    def select(self, scores: Array, groups: Array) -> Array:
        """Return the indices of the chosen rows, best first; rows with equal scores keep their order.

        Args:
            scores: scores of the rows, larger is better, `(rows,)`.
            groups: group of each row, such as its link or target layer, `(rows,)` integers.

        Raises:
            StatisticsError: when a score is NaN.
        """
        if np.isnan(scores).any():
            raise StatisticsError(
                f"{np.count_nonzero(np.isnan(scores)):,} of {len(scores):,} scores are NaN; statistics that were "
                "carried across a rewrite have no values for what it made. Collect them again."
            )
        order = np.argsort(-scores, kind="stable")
        chosen = self.mask(scores, groups)
        return np.asarray(order[chosen[order]])

    @abstractmethod
    def mask(self, scores: Array, groups: Array) -> Array:
        """Mask of the chosen rows, `(rows,)`."""


@dataclass(frozen=True)
class AbsoluteThreshold(Selection):
    """Selection of the scores above `threshold`, as in the text of SSONN. The scores scale with the loss."""

    threshold: Extended

    def mask(self, scores: Array, groups: Array) -> Array:
        """Mask of the scores above the threshold, `(rows,)`."""
        return np.asarray(scores > self.threshold)


@dataclass(frozen=True)
class MinMaxThreshold(Selection):
    """Selection of the scores above `threshold` after scaling each group to [0, 1], as for SSONN's published figures.

    The largest score of every group becomes 1, so it is chosen at any threshold below 1. In a group whose scores are
    all equal every score becomes 0.
    """

    threshold: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.threshold <= 1:
            raise OptionError(f"A min-max threshold of {self.threshold} is outside 0..1.")

    def mask(self, scores: Array, groups: Array) -> Array:
        """Mask of the scaled scores above the threshold, `(rows,)`."""
        return np.asarray(minmax_scaled(scores, groups) > self.threshold)


@dataclass(frozen=True)
class Quantile(Selection):
    """Selection of the best `fraction` of all rows; the number of rows is rounded down."""

    fraction: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.fraction <= 1:
            raise OptionError(f"A fraction of {self.fraction} is outside 0..1.")

    def mask(self, scores: Array, groups: Array) -> Array:
        """Mask of the best fraction, `(rows,)`."""
        return TopK(int(self.fraction * len(scores))).mask(scores, groups)


@dataclass(frozen=True)
class TopK(Selection):
    """Selection of the `k` rows with the largest scores; among equal scores the first."""

    k: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.k < 0:
            raise OptionError(f"k={self.k} is negative; it is a number of rows.")

    def mask(self, scores: Array, groups: Array) -> Array:
        """Mask of the best `k` rows, `(rows,)`."""
        chosen = np.zeros(len(scores), dtype=bool)
        chosen[np.argsort(-scores, kind="stable")[: self.k]] = True
        return chosen


@dataclass(frozen=True)
class AtMost(Selection):
    """Selection of the best `limit` rows that another selection chooses, as `max_to_replace` of SSONN's code."""

    selection: Selection
    limit: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.limit < 0:
            raise OptionError(f"limit={self.limit} is negative; it is a number of rows.")

    def mask(self, scores: Array, groups: Array) -> Array:
        """Mask of the best `limit` rows of the other selection, `(rows,)`."""
        inner = np.flatnonzero(self.selection.mask(scores, groups))
        best = inner[np.argsort(-scores[inner], kind="stable")[: self.limit]]
        chosen = np.zeros(len(scores), dtype=bool)
        chosen[best] = True
        return chosen


def minmax_scaled(scores: Array, groups: Array) -> Array:
    """Scale the scores of each group to [0, 1]; in a group whose scores are all equal every score becomes 0.

    Args:
        scores: scores of the rows, `(rows,)`.
        groups: group of each row, `(rows,)` integers.
    """
    if not len(scores):
        return np.zeros(0)
    _, group = np.unique(groups, return_inverse=True)
    low, high = np.full(group.max() + 1, np.inf), np.full(group.max() + 1, -np.inf)
    np.minimum.at(low, group, scores)
    np.maximum.at(high, group, scores)
    span = np.where(high > low, high - low, 1.0)
    return np.asarray((scores - low[group]) / span[group])


def spread_over(order: Array, keys: Array) -> Array:
    """Reorder by turns: the best row of every key first, then the second best of every key, and so on.

    Args:
        order: indices of rows, best first.
        keys: key of every row to which `order` may refer.

    Returns:
        The same indices; those of one turn keep their order.
    """
    if not len(order):
        return order
    chosen = keys[order]
    by_key = np.argsort(chosen, kind="stable")
    starts = np.r_[True, np.diff(chosen[by_key]) != 0]
    first = np.maximum.accumulate(np.where(starts, np.arange(len(order)), 0))
    turn = np.empty(len(order), dtype=np.int64)
    turn[by_key] = np.arange(len(order)) - first
    return np.asarray(order[np.argsort(turn, kind="stable")])
