"""Triggers, which decide when to act, and curves over training. All are pure functions of their arguments."""

from netgraph.schedules.curves import CURVES, cubic_target, get_curve
from netgraph.schedules.phase import Phase
from netgraph.schedules.plateau_fit import PlateauFit, PlateauStop, Reading, fit_plateau
from netgraph.schedules.stop_reason import STOP_REASON_SHAPE, StopReason
from netgraph.schedules.triggers import (
    EveryEpochs,
    History,
    Plateau,
    Stalled,
    Trigger,
    WindowGain,
    is_error,
    values_of,
)

__all__ = [
    "CURVES",
    "EveryEpochs",
    "History",
    "Phase",
    "Plateau",
    "PlateauFit",
    "PlateauStop",
    "Reading",
    "STOP_REASON_SHAPE",
    "Stalled",
    "StopReason",
    "Trigger",
    "WindowGain",
    "cubic_target",
    "fit_plateau",
    "get_curve",
    "is_error",
    "values_of",
]
