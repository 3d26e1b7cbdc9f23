"""When: triggers look at the history of metrics and say whether it is time. They hold no state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from netgraph.errors import OptionError

History = Sequence[Mapping[str, float]]
"""Metrics of every finished epoch, first to last."""


class Trigger(ABC):
    """Says after an epoch whether to act. Reads only what is handed to it, so that a resumed run agrees."""

    @abstractmethod
    def fires(self, history: History, last_action: int) -> bool:
        """Whether to act now.

        Args:
            history: metrics of every finished epoch.
            last_action: epochs finished at the last action, 0 before the first.
        """


@dataclass(frozen=True)
class Plateau(Trigger):
    """Fires when a metric has stopped moving (SSONN, section 3.3).

    The mean |change| of the metric over the last `window` epochs must be below `threshold`, and at least
    `minimum` epochs must have passed since the last action. Changes from before the last action do not count.

    Attributes:
        threshold: of the mean absolute change per epoch.
        window: number of changes to average.
        minimum: epochs between two actions.
        metric: name of the metric.
    """

    threshold: float
    window: int = 5
    minimum: int = 0
    metric: str = "val_loss"

    def __post_init__(self) -> None:
        if self.window < 1:
            raise OptionError(f"window={self.window} is below 1; a plateau needs at least one change to look at.")
        if self.threshold < 0:
            raise OptionError(f"A plateau threshold of {self.threshold} is negative and could never be reached.")

    def fires(self, history: History, last_action: int) -> bool:
        """Whether the mean |change| over the window is below the threshold."""
        recent = [entry[self.metric] for entry in history[last_action:]]
        if len(recent) < max(self.window + 1, self.minimum):
            return False
        tail = recent[-self.window - 1 :]
        changes = [abs(b - a) for a, b in pairwise(tail)]
        return sum(changes) / len(changes) < self.threshold


@dataclass(frozen=True)
class EveryEpochs(Trigger):
    """Fires when `period` epochs have passed since the last action."""

    period: int

    def __post_init__(self) -> None:
        if self.period < 1:
            raise OptionError(f"period={self.period} is below 1 epoch.")

    def fires(self, history: History, last_action: int) -> bool:
        """Whether the period is over."""
        return len(history) - last_action >= self.period


@dataclass(frozen=True)
class FirstOf(Trigger):
    """Fires as soon as one of its triggers does."""

    triggers: tuple[Trigger, ...]

    def fires(self, history: History, last_action: int) -> bool:
        """Whether any trigger fires."""
        return any(trigger.fires(history, last_action) for trigger in self.triggers)
