"""Losses and gains of the natural expansion score of a layer with each of its inputs, one by one: an oracle."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from netgraph.columns import Array
from netgraph.methods.senn import pseudo_inverse

_DEPENDENT = 1e-6


class InputScores(NamedTuple):
    """Scores of the inputs of a layer, (n,) each.

    Attributes:
        score: of the layer with its present inputs.
        freeze: what it loses exactly without an input that it has; 0 for those it has not.
        prune: the loss when the weights of an input go and the others move to make up for it; NaN for those it has not.
        thaw: a lower bound of what it gains by an input that it has not; 0 for those it has.
    """

    score: float
    freeze: Array
    prune: Array
    thaw: Array


def input_scores(inputs: Array, present: Array, gradient: Array, weights: Array) -> InputScores:
    """Score what a layer reads, and what it could read.

    Args:
        inputs: A (n, n), second moments of all candidates for inputs.
        present: (n,) booleans, which of them the layer reads.
        gradient: (n, m) mean gradient of the weights, whitened: times the root of G^+ from the right.
        weights: (n, m) the weights, times the root of G from the right; of present inputs.

    Returns:
        `InputScores`.

    Source: Mitchell et al., reference code of SENN for convolutional networks. Cost: O(n^3 + n^2 m).
    """
    n = len(inputs)
    chosen = np.flatnonzero(present)
    inverse = pseudo_inverse(inputs[np.ix_(chosen, chosen)])
    natural = np.zeros(gradient.shape)
    natural[chosen] = inverse @ gradient[chosen]
    freeze, prune, thaw = np.zeros(n), np.full(n, np.nan), np.zeros(n)
    own = np.diag(inverse).copy()
    # What the others can make up for altogether costs nothing: inputs on which a null vector of A has weight.
    own[np.diag(np.eye(len(chosen)) - inverse @ inputs[np.ix_(chosen, chosen)]) > _DEPENDENT] = 0.0
    freeze[chosen] = _ratio(np.sum(natural[chosen] ** 2, axis=1), own)
    prune[chosen] = _ratio(np.sum((natural[chosen] - weights[chosen]) ** 2, axis=1), own)
    rest = np.sum((gradient - inputs @ natural) ** 2, axis=1)
    thaw[~present] = _ratio(rest, np.diag(inputs))[~present]
    return InputScores(float(np.sum(gradient * natural)), freeze, prune, thaw)


def _ratio(top: Array, bottom: Array) -> Array:
    return np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)
