"""Stopping rules of growth and costs at equal score, evaluated afterwards from the results of a study."""

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
"""Time of the fit of the plateau: once to the complete growth, or online after every step."""

TOLERANCE = 1e-3
"""Smallest tolerance of equal scores: a difference of accuracies, or a relative difference of RMSE."""


@dataclass(frozen=True, kw_only=True)
class Stop:
    """Stop of a stopping rule in the growth of one job.

    Attributes:
        method: method of the job.
        seed: seed of the job.
        reading: definition of the plateau, see `PlateauFit.plateau`.
        when: time of the fit.
        density: density at which the rule stops growth; None when it does not.
        reason: reason why the rule does not stop growth, or ''.
        nearest: density of the trained network nearest to `density` by ratio; None without a stop.
        test: test score of that network; None without a stop.
        cost: cost of that network with all rough growth that the rule needs, in trainings of the dense network; None
            without a stop.
        best: best test score over all densities.
        best_density: density of the network with that score.
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
    """Evaluate every reading of the plateau in the growth of one job, each with both times of the fit.

    Args:
        outcome: outcome of a job of a growth method.
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
    outcome: Outcome,
    reading: Reading,
    when: When,
    density: float | None,
    reason: str,
    rough: float,
    higher: bool,
) -> Stop:
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
    """Costs and densities at which a method reaches a score level.

    Attributes:
        method: name of the method.
        best: best mean score of the method.
        cheapest_cost: lowest cost at which the method reaches the level, in trainings of the dense network.
        cheapest_density: density at that cost.
        sparsest_density: lowest density at which the method reaches the level.
        sparsest_cost: cost at that density.
    """

    method: str
    best: float
    cheapest_cost: float
    cheapest_density: float
    sparsest_density: float
    sparsest_cost: float


@dataclass(frozen=True, kw_only=True)
class EqualScore:
    """Comparison of a growth method and a pruning method at a score level that both reach.

    Attributes:
        level: the worse of the best mean scores of the two methods, made worse by the tolerance.
        tolerance: standard error of that mean over seeds, or `TOLERANCE` where that is larger.
        grown: costs and densities of the growth method.
        pruned: costs and densities of the pruning method.
        matched_cost: cost of the pruning method at `grown.sparsest_density`; None outside its range of densities.
        matched_test: score of the pruning method at that density; None outside its range of densities.
    """

    level: float
    tolerance: float
    grown: Side
    pruned: Side
    matched_cost: float | None
    matched_test: float | None


def equal_score(grown: Sequence[StudyRow], pruned: Sequence[StudyRow], *, higher: bool) -> EqualScore | None:
    """Compare the costs of two methods at a score that both reach, by their mean results over density.

    Between neighbouring densities score, cost and the logarithm of the density are interpolated linearly.

    Args:
        grown: results of a growth method, in ascending order of density.
        pruned: results of a pruning method, in the same order.
        higher: whether a higher score is better.

    Returns:
        The comparison, or None when a method has no network.
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
    """Cost and score at a density, interpolated between rows; None for both outside the range of the rows."""
    logs = [math.log(row.density) for row in rows]
    # Networks with the same target differ slightly in density, by rounding; they must still be comparable.
    place = math.log(density)
    if not logs[0] - 0.01 <= place <= logs[-1] + 0.01:
        return None, None
    cost, test = (
        float(np.interp(place, logs, values)) for values in zip(*((r.cost, r.test) for r in rows), strict=True)
    )
    return cost, test


def _side(rows: Sequence[StudyRow], best: float, level: float, sign: float) -> Side:
    """Find the costs and densities at which a method reaches the level.

    Candidates are the rows at the level or better, and the points between rows at which the score crosses the level.

    Args:
        rows: results of the method, in ascending order of density.
        best: best mean score of the method.
        level: score level.
        sign: 1 when a higher score is better, else -1.
    """
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
