"""Reasons for which training ends before its last epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from netgraph.storage import Either, Maybe, Text, shape_of


@dataclass(frozen=True)
class StopReason:
    """Reason for which training ended early, with a remedy.

    `str()` of a reason is a clause for a sentence; `dataclasses.asdict` gives plain values for a file.

    Attributes:
        kind: the reason for programs; "other" for a reason of your own, and for files of versions that wrote only the
            text.
        text: the reason in words, a clause without a full stop.
        remedy: a way to train on, a clause; '' where there is none.
    """

    kind: Literal["no improvement", "density reached", "other"]
    text: str
    remedy: str = ""

    @classmethod
    def no_improvement(cls, patience: int) -> StopReason:
        """Reason: the validation loss has not improved for `TrainSettings.patience` epochs."""
        return cls(
            "no improvement",
            f"the validation loss has not improved for {patience} epochs",
            "a larger patience trains longer, patience=0 to the last epoch",
        )

    @classmethod
    def density_reached(cls, density: float) -> StopReason:
        """Reason: growth has reached the largest density that was asked for."""
        return cls("density reached", f"density {density:g} is reached", "ask for a larger density to grow on")

    @classmethod
    def from_json(cls, values: str | Mapping[str, Any] | None) -> StopReason | None:
        """Return the reason from values of `STOP_REASON_SHAPE`, or None for None."""
        if values is None:
            return None
        return cls("other", values) if isinstance(values, str) else cls(**values)

    def __str__(self) -> str:
        return f"{self.text}; {self.remedy}" if self.remedy else self.text


STOP_REASON_SHAPE = Maybe(Either((Text(), shape_of(StopReason))))
"""Shape of a reason in a file: null, its fields, or only the text, as earlier versions wrote it."""
