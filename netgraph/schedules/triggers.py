"""Triggers: functions of the metrics of all epochs that decide when to act. They hold no state."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from netgraph.checks import Checked, Extended
from netgraph.errors import OptionError, unknown_name

History = Sequence[Mapping[str, float]]
"""Metrics of every finished epoch, first to last."""


class Trigger(Checked, ABC):
    """Decision, after an epoch, whether to act.

    It depends on the arguments alone, so that a resumed run decides like an uninterrupted one.
    """

    @abstractmethod
    def fires(self, history: History, last_action: int) -> bool:
        """Whether to act now.

        Args:
            history: metrics of every finished epoch.
            last_action: number of epochs finished at the last action; 0 before the first.
        """


def values_of(history: History, metric: str, what: str = "metric of a trigger") -> list[float]:
    """Values of a metric in every epoch.

    Args:
        history: metrics of every epoch.
        metric: name of the metric.
        what: name of its role, for the message.

    Raises:
        OptionError: when an epoch has no such metric, with the nearest name.
    """
    if any(metric not in entry for entry in history):
        raise OptionError(unknown_name(what, metric, next(e for e in history if metric not in e)))
    return [entry[metric] for entry in history]


def is_error(metric: str) -> bool:
    """Whether smaller values of a metric are better: its name ends in "loss" or "rmse"."""
    return metric.endswith(("loss", "rmse"))


@dataclass(frozen=True)
class Plateau(Trigger):
    """Trigger for a metric that has stopped changing (SSONN, section 3.3).

    The mean |change| of the metric over the last `window` epochs must be below `threshold`, and at least
    `minimum` epochs must have passed since the last action. Changes from before the last action do not count.

    Attributes:
        threshold: upper bound of the mean absolute change per epoch.
        window: number of changes that are averaged.
        minimum: smallest number of epochs between two actions.
        metric: name of the metric.
    """

    threshold: Extended
    window: int = 5
    minimum: int = 0
    metric: str = "val_loss"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.window < 1:
            raise OptionError(f"window={self.window} is below 1; a plateau needs at least one change to look at.")
        if self.threshold < 0:
            raise OptionError(f"A plateau threshold of {self.threshold} is negative and could never be reached.")

    def fires(self, history: History, last_action: int) -> bool:
        """Whether the mean |change| over the window is below the threshold."""
        recent = values_of(history[last_action:], self.metric)
        if len(recent) < max(self.window + 1, self.minimum):
            return False
        tail = recent[-self.window - 1 :]
        changes = [abs(b - a) for a, b in pairwise(tail)]
        return sum(changes) / len(changes) < self.threshold


@dataclass(frozen=True)
class WindowGain(Trigger):
    """Trigger for a metric that gains too little from one window of epochs to the next (NAGN).

    From the `window` epochs before to the last `window` epochs, the mean of the metric must gain less than `threshold`,
    relative to the earlier mean. The last window must lie after the last action; the window before it need not.

    Attributes:
        threshold: upper bound of the relative gain.
        window: number of epochs in each of the two windows.
        metric: name of the metric; a metric whose name ends in "loss" or "rmse" gains by falling.
    """

    threshold: Extended = 0.01
    window: int = 3
    metric: str = "val_accuracy"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.window < 1:
            raise OptionError(f"window={self.window} is below 1 epoch.")

    def fires(self, history: History, last_action: int) -> bool:
        """Whether the gain between the last two windows is below the threshold."""
        if len(history) < max(2 * self.window, last_action + self.window):
            return False
        return self.gain(history, len(history) - self.window, len(history)) < self.threshold

    def gain(self, history: History, before: int, now: int) -> float:
        """Relative gain of the mean, from the window that ends at epoch `before` to the window that ends at `now`."""
        old, new = (self._mean(history, end) for end in (before, now))
        sign = -1.0 if is_error(self.metric) else 1.0
        if old == 0:
            return 0.0 if new == 0 else math.copysign(math.inf, sign * new)
        return sign * (new - old) / abs(old)

    def _mean(self, history: History, end: int) -> float:
        values = values_of(history[max(0, end - self.window) : end], self.metric)
        return sum(values) / len(values)


@dataclass(frozen=True)
class EveryEpochs(Trigger):
    """Trigger that fires when `period` epochs have passed since the last action."""

    period: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.period < 1:
            raise OptionError(f"period={self.period} is below 1 epoch.")

    def fires(self, history: History, last_action: int) -> bool:
        """Whether at least `period` epochs have passed since the last action."""
        return len(history) - last_action >= self.period


@dataclass(frozen=True)
class Stalled(Trigger):
    """Trigger for a metric without a new best value for `patience` epochs since the last action, as in early stopping.

    Attributes:
        patience: number of epochs without a new best value.
        metric: name of the metric; a metric whose name ends in "loss" or "rmse" is best when small.
    """

    patience: int = 3
    metric: str = "val_loss"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.patience < 1:
            raise OptionError(f"patience={self.patience} is below 1 epoch.")

    def fires(self, history: History, last_action: int) -> bool:
        """Whether the best value since the last action lies at least `patience` epochs back."""
        recent = values_of(history[last_action:], self.metric)
        if not recent:
            return False
        sign = 1.0 if is_error(self.metric) else -1.0
        best = min(range(len(recent)), key=lambda i: sign * recent[i])
        return len(recent) - 1 - best >= self.patience
