"""Criteria: one score per edge, from gradient statistics or from the graph alone. Act on larger scores first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from netgraph.checks import real_numbers
from netgraph.columns import Array, FrozenDict
from netgraph.errors import OptionError, StatisticsError, unknown_name
from netgraph.graph import Graph
from netgraph.statistics import Statistics

Score = Callable[[Graph, Statistics | None, np.random.Generator], Array]


@dataclass(frozen=True)
class Criterion:
    """A named score of all edges.

    Wherever the name of a shipped criterion is accepted, a `Criterion` of your own is accepted as well.

    Attributes:
        name: key in `CRITERIA`, or any name for a criterion of your own.
        score: function `score(graph, statistics, rng)` that returns the scores in the order of `graph.edges`,
            `(edges,)` float64.
        needs_statistics: whether the score reads gradient statistics.
        description: the meaning of a large score, for people.
    """

    name: str
    score: Score
    needs_statistics: bool
    description: str

    def __str__(self) -> str:
        return self.name

    def scores(self, graph: Graph, stats: Statistics | None, rng: np.random.Generator) -> Array:
        """Compute the scores of all edges, `(edges,)` float64.

        Raises:
            OptionError: when `score` returns another shape, or NaN; the message names the criterion.
        """
        name = f"The score of the criterion {self.name!r}"
        return real_numbers(name, self.score(graph, stats, rng), shape=(len(graph.edges),), infinite=True)


def _gradient(graph: Graph, stats: Statistics | None, column: str) -> Array:
    if stats is None:
        raise StatisticsError(f"This criterion reads the edge statistic {column!r}, but no statistics were given.")
    stats.check(graph)
    return stats.edge(column).astype(np.float64)


CRITERIA: Mapping[str, Criterion] = FrozenDict(
    (c.name, c)
    for c in (
        Criterion(
            "g_abs",
            lambda g, s, r: _gradient(g, s, "mean_abs_gradient"),
            True,
            "large mean |gradient| over mini-batches (SSONN, equation 1)",
        ),
        Criterion(
            "g_var",
            lambda g, s, r: _gradient(g, s, "variance_abs_gradient"),
            True,
            "large variance of |gradient| over mini-batches (SSONN, equation 2)",
        ),
        Criterion(
            "reversed",
            lambda g, s, r: -_gradient(g, s, "mean_abs_gradient"),
            True,
            "small mean |gradient|: the ablation of SSONN, figure 2",
        ),
        Criterion("l1", lambda g, s, r: np.abs(g.edges.weight.astype(np.float64)), False, "large |weight|"),
        Criterion("l2", lambda g, s, r: np.square(g.edges.weight.astype(np.float64)), False, "large squared weight"),
        Criterion("random", lambda g, s, r: r.random(len(g.edges)), False, "chance, uniformly"),
    )
)
"""The shipped edge criteria by name. The mapping is fixed: give a criterion of your own as a `Criterion`."""


def get_criterion(criterion: str | Criterion) -> Criterion:
    """Return the criterion of this name in `CRITERIA`; a `Criterion` is returned unchanged.

    Raises:
        OptionError: for an unknown name, with the nearest known one, and for a value that is neither name nor
            `Criterion`.
    """
    if isinstance(criterion, Criterion):
        return criterion
    if isinstance(criterion, str) and criterion in CRITERIA:
        return CRITERIA[criterion]
    remedy = "" if isinstance(criterion, str) else " Or give a Criterion."
    raise OptionError(unknown_name("criterion", criterion, CRITERIA) + remedy)
