"""Phases of training, each with a learning-rate curve of its own."""

from __future__ import annotations

from dataclasses import dataclass

from netgraph.checks import Checked
from netgraph.errors import OptionError
from netgraph.schedules.curves import get_curve


@dataclass(frozen=True, kw_only=True)
class Phase(Checked):
    """A stretch of training over which a learning-rate curve runs once, from its beginning to its end.

    Attributes:
        epochs: length of the phase; None for the rest of the run. If the phase is over and no other has begun, the
            factor at the end of the curve stays in force.
        curve: name in `CURVES`; None for the curve of the training settings.
    """

    epochs: int | None = None
    curve: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.epochs is not None and self.epochs < 1:
            raise OptionError(f"A phase of {self.epochs} epochs is over before it begins; give at least 1.")
        if self.curve is not None:
            get_curve(self.curve)

    def progress(self, done: float, left: float) -> float:
        """Compute the progress along the curve, in 0..1.

        Args:
            done: epochs since the phase began, fractions included.
            left: epochs from its beginning to the end of the run.
        """
        return min(1.0, done / (left if self.epochs is None else self.epochs))
