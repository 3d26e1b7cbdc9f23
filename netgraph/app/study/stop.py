"""Where growth would have stopped, and what equal scores cost: judged afterwards, from a whole study."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from netgraph.app.study.jobs import Outcome, Point
from netgraph.errors import InputError
from netgraph.schedules import PlateauStop, Reading, fit_plateau

if TYPE_CHECKING:
    from netgraph.app.study.report import StudyRow

When = Literal["complete", "online"]
"""Whether the plateau is fitted to all of growth afterwards, or after every step."""

TOLERANCE = 1e-3
"""Scores that differ by less count as equal: 0.1 points of accuracy, or as large a part of a root mean square."""


@dataclass(frozen=True, kw_only=True)
class Stop:
    """The stop that a rule would make in one growth.

    Attributes:
        method, seed: which.
        reading: of the plateau, see `PlateauFit.plateau`.
        when: to what it was fitted.
        density: where it stops; None when it does not.
        reason: why not.
        nearest: density of the trained network that is nearest.
        test: its test score.
        cost: of that network, in dense trainings, with all rough growth that the rule has to see.
        best, best_density: the best test score of all densities, and where.
    """

    method: str
    seed: int
    reading: str
    when: When
    density: float | None
    reason: str
    nearest: float | None
    test: float | None
    cost: float | None
    best: float | None
    best_density: float | None


def stops_of(outcome: Outcome, *, higher: bool) -> list[Stop]:
    """The stops by every reading of the plateau, fitted to all of a growth and step by step.

    Args:
        outcome: of a job of growth.
        higher: whether a higher test score is better.
    """
    steps = [step for step in outcome.trajectory if step.val is not None]
    densities = [step.density for step in steps]
    scores = [step.val for step in steps if step.val is not None]
    rough = {step.density: step.cost for step in outcome.trajectory}
    total = max(rough.values(), default=0.0)
    stops = []
    for reading in get_args(Reading):
        density, reason = _complete(densities, scores, reading)
        stops.append(_stop(outcome, reading, "complete", density, reason, total, higher))
        density, reason = _online(densities, scores, reading)
        stops.append(_stop(outcome, reading, "online", density, reason, rough.get(density or 0.0, 0.0), higher))
    return stops


def _complete(densities: list[float], scores: list[float], reading: Reading) -> tuple[float | None, str]:
    try:
        fit = fit_plateau(densities, scores)
    except InputError as error:
        return None, str(error)
    return fit.plateau(reading), fit.reason(reading)


def _online(densities: list[float], scores: list[float], reading: Reading) -> tuple[float | None, str]:
    rule = PlateauStop(reading)
    for end in range(1, len(densities) + 1):
        if rule.reached(densities[:end], scores[:end]):
            return densities[end - 1], ""
    return None, "never"


def _stop(
    outcome: Outcome, reading: Reading, when: When, density: float | None, reason: str, rough: float,
    higher: bool,
) -> Stop:  # fmt: skip
    points = outcome.points
    best = (max if higher else min)(points, key=lambda p: p.test, default=None)
    near: Point | None = None
    if density is not None and points:
        wanted = max(density, 1e-9)
        near = min(points, key=lambda p: abs(math.log(p.density / wanted)))
    return Stop(
        method=outcome.job.method,
        seed=outcome.job.seed,
        reading=reading,
        when=when,
        density=density,
        reason=reason,
        nearest=near.density if near else None,
        test=near.test if near else None,
        cost=near.cost - near.cost_before + rough if near else None,
        best=best.test if best else None,
        best_density=best.density if best else None,
    )


@dataclass(frozen=True, kw_only=True)
class Side:
    """Where a method reaches a level.

    Attributes:
        method: which.
        best: its best mean score.
        cheapest_cost, cheapest_density: the least cost at which it reaches the level, and the density there.
        sparsest_density, sparsest_cost: the least density at which it does, and the cost there.
    """

    method: str
    best: float
    cheapest_cost: float
    cheapest_density: float
    sparsest_density: float
    sparsest_cost: float


@dataclass(frozen=True, kw_only=True)
class EqualScore:
    """Costs of a score that two methods both reach.

    Attributes:
        level: the worse of both methods' best mean scores, less the tolerance.
        tolerance: the standard error of that mean over seeds, or `TOLERANCE` where that is more.
        grown, pruned: where the methods reach it.
        matched_cost, matched_test: of the pruned at the least density at which the grown reaches the level; None
            where it has none so low or so high.
    """

    level: float
    tolerance: float
    grown: Side
    pruned: Side
    matched_cost: float | None
    matched_test: float | None


def equal_score(grown: Sequence[StudyRow], pruned: Sequence[StudyRow], *, higher: bool) -> EqualScore | None:
    """Compare the cost of two methods at a score that both reach, on their mean curves over density.

    Between neighbouring densities score, cost and the logarithm of the density are interpolated linearly.

    Args:
        grown: a method by density, rising.
        pruned: another.
        higher: whether a higher score is better.

    Returns:
        None when a method has no network.
    """
    if not grown or not pruned:
        return None
    sign = 1.0 if higher else -1.0
    tops = [max(rows, key=lambda row: sign * row.test) for rows in (grown, pruned)]
    common = min(tops, key=lambda row: sign * row.test)
    error = common.test_std / common.seeds**0.5 if common.test_std is not None else 0.0
    tolerance = max(error, TOLERANCE * (1.0 if higher else abs(common.test)))
    level = common.test - sign * tolerance
    sides = [_side(rows, top.test, level, sign) for rows, top in zip((grown, pruned), tops, strict=True)]
    matched_cost, matched_test = _at_density(pruned, sides[0].sparsest_density)
    return EqualScore(
        level=level,
        tolerance=tolerance,
        grown=sides[0],
        pruned=sides[1],
        matched_cost=matched_cost,
        matched_test=matched_test,
    )


def _at_density(rows: Sequence[StudyRow], density: float) -> tuple[float | None, float | None]:
    """Cost and score at a density, on the curve through these rows; None outside it."""
    logs = [math.log(row.density) for row in rows]
    # Densities of the same target differ by rounding of starts, which is no reason to have nothing to say.
    place = math.log(density)
    if not logs[0] - 0.01 <= place <= logs[-1] + 0.01:
        return None, None
    cost, test = (
        float(np.interp(place, logs, values)) for values in zip(*((r.cost, r.test) for r in rows), strict=True)
    )
    return cost, test


def _side(rows: Sequence[StudyRow], best: float, level: float, sign: float) -> Side:
    """Where the curve through these rows is at the level or better; its ends and crossings are all that counts."""
    reached = [(row.cost, row.density) for row in rows if sign * (row.test - level) >= 0]
    for low, high in pairwise(rows):
        if (low.test - level) * (high.test - level) < 0:
            share = (level - low.test) / (high.test - low.test)
            log_density = math.log(low.density) + share * math.log(high.density / low.density)
            reached.append((low.cost + share * (high.cost - low.cost), math.exp(log_density)))
    cheapest = min(reached)
    sparsest = min(reached, key=lambda pair: (pair[1], pair[0]))
    return Side(
        method=rows[0].method,
        best=best,
        cheapest_cost=cheapest[0],
        cheapest_density=cheapest[1],
        sparsest_density=sparsest[1],
        sparsest_cost=sparsest[0],
    )
