"""Where performance levels off as a network gets denser: a saturating exponential through what was measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np

from netgraph.checks import Checked, real_numbers
from netgraph.columns import Array
from netgraph.errors import InputError, OptionError, unknown_name

Reading = Literal["literal", "gain"]
"""What a share of the way up is: of the asymptote itself, or of the gain over density 0."""

MIN_POINTS = 5
"""Fewer points than this say nothing about a plateau."""

RATES = (1e-3, 1e3)
"""Bounds of the rate. At 0.001 the curve is a straight line over all densities, at 1000 a step."""

_GRID = 400
_LARGEST = 1e100
"""Magnitude of performances above which sums of squares could overflow."""


@dataclass(frozen=True)
class PlateauFit:
    """The curve `initial + gain * (1 - exp(-rate * density))` with the least squared error.

    Attributes:
        initial: performance at density 0.
        gain: what density can add to it.
        rate: how soon it does.
        asymptote: `initial + gain`.
        mse: mean squared error over the points.
        points: how many there were.
        at_bound: whether the rate is at a bound of the search, so that the points do not tell it.
    """

    initial: float
    gain: float
    rate: float
    asymptote: float
    mse: float
    points: int
    at_bound: bool

    def __call__(self, density: Array | float) -> Array:
        """The curve at some densities, in their shape."""
        return np.asarray(self.asymptote - self.gain * np.exp(-self.rate * np.asarray(density, dtype=np.float64)))

    def plateau(self, reading: Reading = "literal", share: float = 0.95) -> float | None:
        """The density at which the curve has come this share of the way; None when the fit does not tell.

        Args:
            reading: "literal": at `share` of the asymptote; "gain": at `share` of the gain over density 0.
            share: between 0 and 1.

        Raises:
            OptionError: for another reading or share.
        """
        return self._find(reading, share)[0]

    def reason(self, reading: Reading = "literal", share: float = 0.95) -> str:
        """Why `plateau` gives None; empty when it gives a density."""
        return self._find(reading, share)[1]

    def _find(self, reading: Reading, share: float) -> tuple[float | None, str]:
        check_plateau(reading, share)
        if self.points < MIN_POINTS:
            return None, f"{self.points} points are fewer than {MIN_POINTS}"
        if not self.gain > 1e-9 * abs(self.asymptote):
            return None, f"the gain {self.gain:.3g} is not positive: performance does not rise with density"
        if self.at_bound:
            return None, f"the rate {self.rate:.3g} is at a bound of the search: the points do not bend, or only at one"
        if reading == "literal" and self.asymptote <= 0:
            return None, f"the asymptote {self.asymptote:.3g} is not positive, so no share of it is below it"
        left = (1 - share) * (self.asymptote / self.gain if reading == "literal" else 1.0)
        density = -math.log(left) / self.rate
        if not 0 <= density <= 1:
            return None, f"the plateau would begin at density {density:.3g}, outside 0..1"
        return density, ""


def fit_plateau(densities: Sequence[float] | Array, performances: Sequence[float] | Array) -> PlateauFit:
    """Fit a saturating exponential: least squares for a given rate, a search over the logarithm of the rate.

    Args:
        densities: (points,) in 0..1, of at least three different values, in any order.
        performances: (points,) measured at them; higher is better.

    Raises:
        InputError: when the lengths differ, a value is not finite or beyond 1e100 in magnitude, or too few
            densities are different.

    Source: "PWMPR", the stopping rule.
    Cost: O(points).
    """
    rho = real_numbers("densities", densities, infinite=True, nan=True, error=InputError)
    values = real_numbers("performances", performances, infinite=True, nan=True, error=InputError)
    if rho.ndim != 1 or rho.shape != values.shape:
        raise InputError(f"{rho.shape} densities and {values.shape} performances; give one of each per point.")
    if not (np.isfinite(rho).all() and np.isfinite(values).all()) or (
        len(rho) and not 0 <= rho.min() <= rho.max() <= 1
    ):
        raise InputError("A density is outside 0..1, or a performance is not finite; leave such points out.")
    if len(values) and np.abs(values).max() > _LARGEST:
        raise InputError(
            f"A performance of {values[np.abs(values).argmax()]:g} is too large to be squared; leave such points out."
        )
    if len(np.unique(rho)) < 3:
        raise InputError(f"{len(np.unique(rho))} different densities do not determine a curve of three parameters.")
    rates = np.geomspace(*RATES, _GRID)
    best = int(np.argmin([_at(rate, rho, values).error for rate in rates]))
    low, high = rates[max(best - 1, 0)], rates[min(best + 1, _GRID - 1)]
    rate = _stationary(float(low), float(high), rho, values)
    at_bound = rate is None
    found = _at(float(rates[best]) if rate is None else rate, rho, values)
    with np.errstate(over="ignore"):
        gain = float(found.rise * np.exp(found.rate * rho.min()))
    asymptote = found.first + found.rise
    mse = found.error / len(rho)
    return PlateauFit(asymptote - gain, gain, found.rate, asymptote, mse, len(rho), at_bound)


class _Line(NamedTuple):
    """The best curve of one rate: `first` at the smallest density, and `rise` from there to the asymptote."""

    rate: float
    first: float
    rise: float
    error: float
    slope: float


def _at(rate: float, rho: Array, values: Array) -> _Line:
    """Least squares for one rate. Curves start at the smallest density, so that a steep one keeps its digits."""
    ahead = rho - rho.min()
    x = -np.expm1(-rate * ahead)
    centred, level = x - x.mean(), values.mean()
    rise = float(centred @ (values - level) / (centred @ centred))
    first = float(level - rise * x.mean())
    residual = values - level - rise * centred
    # The residual is orthogonal to 1 and x, so of the change by the rate only that of x itself counts.
    slope = -2 * rise * float(residual @ (ahead * np.exp(-rate * ahead)))
    return _Line(rate, first, rise, float(residual @ residual), slope)


def _stationary(low: float, high: float, rho: Array, values: Array) -> float | None:
    """The rate between two at which the error is least, or None when it goes on falling towards a bound."""
    from scipy.optimize import brentq

    before, after = (_at(rate, rho, values).slope for rate in (low, high))
    if before == 0 or after == 0 or (before < 0) == (after < 0):
        return None
    log_rate = brentq(
        lambda t: _at(math.exp(t), rho, values).slope, math.log(low), math.log(high), xtol=1e-14, rtol=1e-14
    )
    return math.exp(log_rate)


@dataclass(frozen=True)
class PlateauStop(Checked):
    """Says while a network gets denser whether it has reached the plateau, judged by what was measured so far.

    It has when the last density is at or above the plateau by two fits in a row: with the last point and without.

    Attributes:
        reading: of the share, see `PlateauFit.plateau`.
        share: how far up counts as the plateau.
    """

    reading: Reading = "literal"
    share: float = 0.95

    def __post_init__(self) -> None:
        super().__post_init__()
        check_plateau(self.reading, self.share)

    def reached(self, densities: Sequence[float] | Array, performances: Sequence[float] | Array) -> bool:
        """Whether to stop after these points.

        Args:
            densities: (points,) in the order in which they were measured.
            performances: (points,) measured at them; higher is better.

        Raises:
            InputError: as `fit_plateau`.
        """
        if len(densities) <= MIN_POINTS:
            return False
        return all(
            plateau is not None and densities[-1] >= plateau
            for plateau in (
                fit_plateau(densities[:end], performances[:end]).plateau(self.reading, self.share)
                for end in (len(densities) - 1, len(densities))
            )
        )


def check_plateau(reading: str, share: float) -> None:
    """Raise `OptionError` for an unknown reading, or a share outside 0..1."""
    if reading not in get_args(Reading):
        raise OptionError(unknown_name("reading of the plateau", reading, get_args(Reading)))
    if not 0 < share < 1:
        raise OptionError(f"share={share} is not between 0 and 1.")
