"""Plateau of performance over density: a saturating exponential fitted to measured points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np

from netgraph.checks import Checked, choice, real_numbers
from netgraph.columns import Array
from netgraph.errors import InputError, OptionError

Reading = Literal["literal", "gain"]
"""Meaning of a fraction `share` of the plateau: of the asymptote itself, or of the gain over density 0."""

MIN_POINTS = 5
"""Smallest number of points from which a plateau is read."""

RATES = (1e-3, 1e3)
"""Bounds of the rate. At 0.001 the curve is a straight line over all densities, at 1000 a step."""

_GRID = 400
_LARGEST = 1e100
"""Largest magnitude of a performance; above it, sums of squares could overflow."""


@dataclass(frozen=True)
class PlateauFit:
    """The curve `initial + gain * (1 - exp(-rate * density))` of least squared error.

    Attributes:
        initial: performance at density 0.
        gain: difference of the asymptote and `initial`.
        rate: steepness of the rise, per unit of density.
        asymptote: `initial + gain`.
        mse: mean squared error over the points.
        points: number of points.
        at_bound: whether the rate is at a bound of the search, so that the points do not determine it.
    """

    initial: float
    gain: float
    rate: float
    asymptote: float
    mse: float
    points: int
    at_bound: bool

    def __call__(self, density: Array | float) -> Array:
        """Compute the performance at these densities, in their shape."""
        return np.asarray(self.asymptote - self.gain * np.exp(-self.rate * np.asarray(density, dtype=np.float64)))

    def plateau(self, reading: Reading = "literal", share: float = 0.95) -> float | None:
        """Density at which the curve reaches a fraction of the plateau; None when the fit does not determine it.

        Args:
            reading: "literal": the curve reaches `share` of the asymptote; "gain": it reaches `share` of the gain over
                density 0.
            share: fraction, between 0 and 1.

        Raises:
            OptionError: for another reading or share.
        """
        return self._find(reading, share)[0]

    def reason(self, reading: Reading = "literal", share: float = 0.95) -> str:
        """Reason why `plateau` returns None, or '' when it returns a density."""
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
    """Fit a saturating exponential: linear least squares for each rate, and a search over the logarithm of the rate.

    Args:
        densities: densities in 0..1, in any order, at least three of them different, `(points,)`.
        performances: performances measured at them; higher is better, `(points,)`.

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
    """The best curve of one rate: `first + rise * (1 - exp(-rate * (density - smallest density)))`.

    Attributes:
        rate: the rate.
        first: performance at the smallest density.
        rise: difference of the asymptote and `first`.
        error: sum of squared residuals.
        slope: derivative of `error` by the rate.
    """

    rate: float
    first: float
    rise: float
    error: float
    slope: float


def _at(rate: float, rho: Array, values: Array) -> _Line:
    """Fit the best curve of one rate. It starts at the smallest density, so that a steep curve keeps its digits."""
    ahead = rho - rho.min()
    x = -np.expm1(-rate * ahead)
    centred, level = x - x.mean(), values.mean()
    rise = float(centred @ (values - level) / (centred @ centred))
    first = float(level - rise * x.mean())
    residual = values - level - rise * centred
    # error = |values - first - rise x|^2. Its derivatives by first and rise are 0 at the best curve, so the one by
    # the rate is -2 rise residual . dx/drate, with dx/drate = ahead exp(-rate ahead).
    slope = -2 * rise * float(residual @ (ahead * np.exp(-rate * ahead)))
    return _Line(rate, first, rise, float(residual @ residual), slope)


def _stationary(low: float, high: float, rho: Array, values: Array) -> float | None:
    """Find the rate between two rates at which the error is least; None when it falls towards a bound."""
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
    """Stopping rule for a network that gets denser: stop when it has reached the plateau of the points measured so far.

    It is reached when the last density is at or above the plateau of two fits: with the last point and without it.

    Attributes:
        reading: meaning of `share`, see `PlateauFit.plateau`.
        share: fraction that counts as the plateau.
    """

    reading: Reading = "literal"
    share: float = 0.95

    def __post_init__(self) -> None:
        super().__post_init__()
        check_plateau(self.reading, self.share)

    def reached(self, densities: Sequence[float] | Array, performances: Sequence[float] | Array) -> bool:
        """Whether the plateau is reached after these points.

        Args:
            densities: densities in the order in which they were measured, `(points,)`.
            performances: performances measured at them; higher is better, `(points,)`.

        Raises:
            InputError: in the cases of `fit_plateau`.
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
    choice("reading", reading, get_args(Reading))
    if not 0 < share < 1:
        raise OptionError(f"share={share} is not between 0 and 1.")
