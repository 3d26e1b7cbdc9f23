"""Curves over training: learning rates as functions of progress, and sizes during gradual pruning."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from netgraph.checks import Count, checked
from netgraph.errors import OptionError, unknown_name

Curve = Callable[[float], float]
"""Function from the progress of training, in 0..1, to a factor."""


def constant(progress: float) -> float:
    """Factor 1 at any progress."""
    return 1.0


def cosine(progress: float) -> float:
    """Factor that falls from 1 to 0 along half a cosine."""
    return 0.5 * (1.0 + math.cos(math.pi * min(max(progress, 0.0), 1.0)))


def late_cosine(progress: float) -> float:
    """Factor 1 for the first half of training, while the network grows; then it falls to 0 along half a cosine."""
    return cosine(2.0 * progress - 1.0)


def linear(progress: float) -> float:
    """Factor that falls from 1 to 0 in a straight line."""
    return 1.0 - min(max(progress, 0.0), 1.0)


CURVES: Mapping[str, Curve] = {
    "constant": constant,
    "cosine": cosine,
    "late_cosine": late_cosine,
    "linear": linear,
}
"""Learning-rate curves by name. They depend on progress alone, so growth and resuming a run do not change them."""


def get_curve(name: str) -> Curve:
    """Return the curve of this name.

    Raises:
        OptionError: for an unknown name, with the nearest known one.
    """
    try:
        return CURVES[name]
    except KeyError:
        raise OptionError(unknown_name("learning-rate curve", name, CURVES)) from None


@checked
def cubic_target(start: int, end: int, step: int, steps: Count) -> int:
    """Compute the size to reach after `step` of `steps` of a gradual pruning from `start` to `end`.

    The size falls fast at first and slowly at the end: `end + (start - end) * (1 - step / steps)^3`, rounded.

    Source: Zhu and Gupta 2017, "To prune, or not to prune", equation 1, applied to sizes.
    """
    left = 1.0 - min(max(step / steps, 0.0), 1.0)
    return round(end + (start - end) * left**3)
