"""How much: which rows to act on, given their scores."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from netgraph.checks import Checked, Extended
from netgraph.columns import Array
from netgraph.errors import OptionError, StatisticsError


class Selection(Checked, ABC):
    """Chooses rows by their scores. Selecting nothing is a normal outcome."""

    def select(self, scores: Array, groups: Array) -> Array:
        """Positions of the chosen rows, best first; ties keep their order.

        Args:
            scores: (rows,) scores, larger is better.
            groups: (rows,) integer group of each row, such as its link or target layer.

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
        """(rows,) bool, the chosen rows."""


@dataclass(frozen=True)
class AbsoluteThreshold(Selection):
    """Scores above `threshold`, as SSONN's text has it. Depends on the scale of the loss."""

    threshold: Extended

    def mask(self, scores: Array, groups: Array) -> Array:
        """(rows,) bool, the scores above the threshold."""
        return np.asarray(scores > self.threshold)


@dataclass(frozen=True)
class MinMaxThreshold(Selection):
    """Scores above `threshold` after scaling each group to [0, 1], as SSONN's published numbers were made.

    The largest score of every group scales to 1, so a threshold below 1 always selects it. A group
    whose scores are all equal scales to 0.
    """

    threshold: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.threshold <= 1:
            raise OptionError(f"A min-max threshold of {self.threshold} is outside 0..1.")

    def mask(self, scores: Array, groups: Array) -> Array:
        """(rows,) bool, the scaled scores above the threshold."""
        return np.asarray(minmax_scaled(scores, groups) > self.threshold)


@dataclass(frozen=True)
class Quantile(Selection):
    """The best `fraction` of all rows, rounded down."""

    fraction: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.fraction <= 1:
            raise OptionError(f"A fraction of {self.fraction} is outside 0..1.")

    def mask(self, scores: Array, groups: Array) -> Array:
        """(rows,) bool, the best fraction."""
        return TopK(int(self.fraction * len(scores))).mask(scores, groups)


@dataclass(frozen=True)
class TopK(Selection):
    """The best `k` rows; of equal scores the first."""

    k: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.k < 0:
            raise OptionError(f"k={self.k} is negative; it is a number of rows.")

    def mask(self, scores: Array, groups: Array) -> Array:
        """(rows,) bool, the best k."""
        chosen = np.zeros(len(scores), dtype=bool)
        chosen[np.argsort(-scores, kind="stable")[: self.k]] = True
        return chosen


@dataclass(frozen=True)
class AtMost(Selection):
    """What another selection chooses, but at most `limit` rows: the published `max_to_replace`."""

    selection: Selection
    limit: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.limit < 0:
            raise OptionError(f"limit={self.limit} is negative; it is a number of rows.")

    def mask(self, scores: Array, groups: Array) -> Array:
        """(rows,) bool, the best `limit` of what the other selection chooses."""
        inner = np.flatnonzero(self.selection.mask(scores, groups))
        best = inner[np.argsort(-scores[inner], kind="stable")[: self.limit]]
        chosen = np.zeros(len(scores), dtype=bool)
        chosen[best] = True
        return chosen


def minmax_scaled(scores: Array, groups: Array) -> Array:
    """Scale the scores of each group to [0, 1]; a group whose scores are all equal scales to 0.

    Args:
        scores: (rows,) scores.
        groups: (rows,) integer group of each row.
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
    """Reorder in rounds: the best of every key first, then the second best of every key, and so on.

    Args:
        order: positions, best first.
        keys: key of every position that `order` may name.

    Returns:
        The same positions; within a round they keep their order.
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
