"""Two search algorithms over many chains at once: Markov chain sampling (MALA), and ascent along the gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from netgraph.checks import Checked
from netgraph.columns import Array
from netgraph.methods.senn.proposals import ProposalSpace

BURST = 10
"""Number of steps in a burst. Step sizes ("mala") and restarts ("ascent") are decided after each burst."""

Evaluate = Callable[[Array], tuple[Array, Array]]


class MalaStep(NamedTuple):
    """One proposed step of the Metropolis-adjusted Langevin algorithm, before it is accepted or refused.

    Attributes:
        proposed: proposed states, `(chains, size)`.
        log_accept: logarithm of the acceptance ratio, `(chains,)`; above 0 the step is always accepted.
        score: scores of the proposed states, `(chains,)`.
        gradient: gradients of the score at the proposed states, `(chains, size)`.
    """

    proposed: Array
    log_accept: Array
    score: Array
    gradient: Array


class SearchResult(NamedTuple):
    """Best state of every chain of a search.

    Attributes:
        state: best state of each chain over all its steps, `(chains, size)`.
        score: scores of these states, `(chains,)`.
        acceptance: fraction of the steps that were accepted.
    """

    state: Array
    score: Array
    acceptance: float


@dataclass(frozen=True)
class LogDensity(Checked):
    """Log density of the sampled states up to a constant, `log p(theta) = score / temperature - |theta|^2 / 2`."""

    temperature: float = 1.0

    def value(self, state: Array, score: Array) -> Array:
        """Log density of states with given scores, `(chains,)`."""
        return np.asarray(score / self.temperature - 0.5 * np.sum(state * state, axis=1))

    def slope(self, state: Array, gradient: Array) -> Array:
        """Gradient of the log density, for the gradient of the score, `(chains, size)`."""
        return np.asarray(gradient / self.temperature - state)


def mala_step(
    state: Array, score: Array, gradient: Array, noise: Array, rate: Array, density: LogDensity, evaluate: Evaluate
) -> MalaStep:
    """Propose one Langevin step of every chain, and compute the acceptance ratio that keeps detailed balance.

    The proposed state is `theta + rate * grad log p + sqrt(2 rate) * noise`.

    Args:
        state: present states, `(chains, size)`.
        score: scores of the present states, `(chains,)`.
        gradient: gradients of the score at the present states, `(chains, size)`.
        noise: standard normal numbers, `(chains, size)`.
        rate: step sizes, `(chains,)`.
        density: log density to sample.
        evaluate: function from states to scores and gradients.

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
    """Sample proposals with a density proportional to `exp(score / temperature)` times a normal prior (MALA).

    The step size of a chain is multiplied by 1.3 after a burst with an acceptance above 0.9, and divided by 1.3 after a
    burst with an acceptance below 0.3.

    Args:
        space: search space, which computes scores and gradients.
        start: first states, `(chains, size)`.
        steps: number of steps of each chain.
        rng: random numbers.
        temperature: temperature of the density.
        rate: first step size.
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
    """Maximise an objective by conjugate gradients, each chain with its own step size; restart chains that stagnate.

    The length of a step is the step size times the length of the state. A step is accepted if the objective increases,
    and the step size is then multiplied by 1.5. Otherwise the step size is multiplied by 0.3.

    Args:
        objective: function from states to scores, values of the objective, and gradients of the objective.
        start: first states, `(chains, size)`.
        steps: number of evaluations of each chain.
        draw: function from a number of chains to their new first states.
        rate: first step size.
        stale: smallest increase of the objective in a burst; a chain with a smaller one restarts.
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
    """Next directions of ascent, `(chains, size)`: conjugate ones, or the gradient for fresh chains.

    The gradient also replaces a conjugate direction along which the objective would decrease.

    Source: Polak and Ribiere 1969, with the factor clipped to 0..5; a factor of 0 gives the gradient.
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
