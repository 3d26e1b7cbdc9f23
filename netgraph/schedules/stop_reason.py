"""Reasons for which training ends before its last epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from netgraph.storage import Either, Maybe, Text, shape_of


@dataclass(frozen=True)
class StopReason:
    """Why training ended early, and how to go on.

    `str()` of a reason is a clause for a sentence; `dataclasses.asdict` makes plain values for a file.

    Attributes:
        kind: the reason for programs; "other" for one of your own, and in files of versions that wrote the text alone.
        text: the reason in words, a clause without a full stop.
        remedy: how to train on, a clause; "" where there is nothing to say.
    """

    kind: Literal["no improvement", "density reached", "other"]
    text: str
    remedy: str = ""

    @classmethod
    def no_improvement(cls, patience: int) -> StopReason:
        """The validation loss has not improved for as many epochs as `TrainSettings.patience` allows."""
        return cls(
            "no improvement",
            f"the validation loss has not improved for {patience} epochs",
            "a larger patience trains longer, patience=0 to the last epoch",
        )

    @classmethod
    def density_reached(cls, density: float) -> StopReason:
        """Growth has reached the largest density that was asked for."""
        return cls("density reached", f"density {density:g} is reached", "ask for a larger density to grow on")

    @classmethod
    def from_json(cls, values: str | Mapping[str, Any] | None) -> StopReason | None:
        """A reason from values of `STOP_REASON_SHAPE`, or None."""
        if values is None:
            return None
        return cls("other", values) if isinstance(values, str) else cls(**values)

    def __str__(self) -> str:
        return f"{self.text}; {self.remedy}" if self.remedy else self.text


STOP_REASON_SHAPE = Maybe(Either((Text(), shape_of(StopReason))))
"""The shape of a reason in a file: null, its fields, or the text alone, which earlier versions wrote."""
