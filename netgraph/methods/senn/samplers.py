"""Two ways to search for proposals, each over many chains at once: a Markov chain, and ascent by the gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from netgraph.checks import Checked
from netgraph.columns import Array
from netgraph.methods.senn.proposals import ProposalSpace

BURST = 10
"""Steps between two adaptations of the step sizes."""

Evaluate = Callable[[Array], tuple[Array, Array]]


class MalaStep(NamedTuple):
    """One step of the Metropolis-adjusted Langevin algorithm before it is accepted or refused.

    Attributes:
        proposed: (chains, size) states.
        log_accept: (chains,) logarithm of the acceptance ratio; above 0 is certain.
        score, gradient: of the proposed states.
    """

    proposed: Array
    log_accept: Array
    score: Array
    gradient: Array


class SearchResult(NamedTuple):
    """What a search ends with.

    Attributes:
        state: (chains, size) the best state that each chain has seen.
        score: (chains,) its score.
        acceptance: part of the steps that were accepted.
    """

    state: Array
    score: Array
    acceptance: float


@dataclass(frozen=True)
class LogDensity(Checked):
    """log p(theta) = score / temperature - |theta|^2 / 2, but for a constant."""

    temperature: float = 1.0

    def value(self, state: Array, score: Array) -> Array:
        """(chains,) log p."""
        return np.asarray(score / self.temperature - 0.5 * np.sum(state * state, axis=1))

    def slope(self, state: Array, gradient: Array) -> Array:
        """(chains, size) gradient of log p, from that of the score."""
        return np.asarray(gradient / self.temperature - state)


def mala_step(
    state: Array, score: Array, gradient: Array, noise: Array, rate: Array, density: LogDensity, evaluate: Evaluate
) -> MalaStep:
    """Propose theta + rate * grad log p + sqrt(2 rate) * noise, and say how to accept it in detailed balance.

    Args:
        state, score, gradient: (chains, size), (chains,), (chains, size) where the chains are.
        noise: (chains, size) normal numbers.
        rate: (chains,) step sizes.
        density: what is sampled.
        evaluate: gives scores and gradients of states.

    Source: Roberts and Tweedie 1996, "Exponential convergence of Langevin distributions and their discrete
    approximations", section 1.4.
    """
    long = rate[:, None]
    drift = long * density.slope(state, gradient)
    proposed = state + drift + np.sqrt(2 * long) * noise
    new_score, new_gradient = evaluate(proposed)
    back = state - proposed - long * density.slope(proposed, new_gradient)
    there = proposed - state - drift
    log_q = np.sum(there * there - back * back, axis=1) / (4 * rate)
    log_accept = density.value(proposed, new_score) - density.value(state, score) + log_q
    return MalaStep(proposed, log_accept, new_score, new_gradient)


def sample(
    space: ProposalSpace, start: Array, steps: int, rng: np.random.Generator, *, temperature: float, rate: float
) -> SearchResult:
    """Sample proposals in proportion to exp(score / temperature) times a normal prior.

    The step size of a chain is multiplied by 1.3 after a burst of which it accepted more than .9, and divided by it
    after one of which it accepted less than .3.
    """
    density, state = LogDensity(temperature), start.copy()
    score, gradient = space.evaluate(state)
    best, best_score = state.copy(), score.copy()
    rates: Array = np.full(len(state), rate)
    accepted, total = np.zeros(len(state)), 0.0
    for step in range(steps):
        noise: Array = np.asarray(rng.normal(size=state.shape))
        move = mala_step(state, score, gradient, noise, rates, density, space.evaluate)
        taken = np.log(rng.random(len(state))) < move.log_accept
        for old, new in ((state, move.proposed), (score, move.score), (gradient, move.gradient)):
            old[taken] = new[taken]
        better = score > best_score
        best[better], best_score[better] = state[better], score[better]
        accepted += taken
        total += float(taken.sum())
        if (step + 1) % BURST == 0:
            rates *= np.where(accepted > 0.9 * BURST, 1.3, np.where(accepted < 0.3 * BURST, 1 / 1.3, 1.0))
            accepted[:] = 0
    return SearchResult(best, best_score, total / max(steps * len(state), 1))


Objective = Callable[[Array], tuple[Array, Array, Array]]


def ascend(
    objective: Objective, start: Array, steps: int, draw: Callable[[int], Array], *, rate: float, stale: float
) -> SearchResult:
    """Climb by the gradient, every chain with its own step size, and begin anew where nothing is gained any more.

    A step goes along a conjugate direction by the step size times the length of the state. It is taken if the objective
    rises, and the step size then grows by 1.5; else it falls to .3 of what it was.

    Args:
        objective: gives scores, what is climbed, and its gradient, of states.
        start: (chains, size) first states.
        steps: number of evaluations of each chain.
        draw: new first states for so many chains.
        rate: first step size.
        stale: a chain begins anew when what it climbs gained less than this in a burst.
    """
    state = start.copy()
    score, height, gradient = objective(state)
    best, best_score, direction = state.copy(), score.copy(), gradient.copy()
    rates: Array = np.full(len(state), rate)
    since, total = height.copy(), 0.0
    fresh = np.zeros(len(state), dtype=bool)
    for step in range(steps):
        proposed = state + (rates * np.linalg.norm(state, axis=1))[:, None] * _ratio(direction, _length(direction))
        if fresh.any():
            proposed[fresh] = draw(int(fresh.sum()))
        new = objective(proposed)
        taken = (new[1] > height) | fresh
        direction = np.where(taken[:, None], _conjugate(direction, gradient, new[2], fresh), direction)
        for old, other in ((state, proposed), (score, new[0]), (height, new[1]), (gradient, new[2])):
            old[taken] = other[taken]
        rates = np.where(fresh, rate, rates * np.where(taken, 1.5, 0.3))
        since = np.where(fresh, height, since)
        better = score > best_score
        best[better], best_score[better] = state[better], score[better]
        total += float(taken.sum())
        fresh = np.zeros(len(state), dtype=bool)
        if (step + 1) % BURST == 0 and step + BURST < steps:
            fresh = height - since < stale
            since = height.copy()
    return SearchResult(best, best_score, total / max(steps * len(state), 1))


def _conjugate(direction: Array, gradient: Array, new: Array, fresh: Array) -> Array:
    """(chains, size) the next directions, that of the gradient where chains are fresh; they always lead up.

    Source: Polak and Ribiere 1969, with the factor cut off below 0, where a chain begins with the gradient again.
    """
    factor = _ratio(
        np.sum(new * (new - gradient), axis=1, keepdims=True), np.sum(gradient * gradient, 1, keepdims=True)
    )
    factor = np.clip(factor, 0.0, 5.0) * ~fresh[:, None]
    result = new + factor * direction
    upward = np.sum(result * new, axis=1, keepdims=True) > 0
    return np.where(upward, result, new)


def _length(rows: Array) -> Array:
    return np.asarray(np.linalg.norm(rows, axis=1, keepdims=True))


def _ratio(top: Array, bottom: Array) -> Array:
    return np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)
