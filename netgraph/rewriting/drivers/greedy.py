"""The driver that rewrites the matches with the best scores until a budget is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from netgraph.checks import Count, choice, whole
from netgraph.columns import Array, FrozenDict
from netgraph.errors import RewriteError
from netgraph.graph import Graph
from netgraph.rewriting.blame import blaming
from netgraph.rewriting.drivers.driver import Driver, require_one_rule
from netgraph.rewriting.drivers.run import DriverRun
from netgraph.rewriting.ordering import scores_of
from netgraph.rewriting.outcomes import Draft
from netgraph.rewriting.patterns import Matches
from netgraph.rewriting.rule import Rule
from netgraph.statistics import Statistics

Score = str | Callable[[Matches, Statistics | None], Array]
"""Type of a score: the name of an edge or vertex statistic, or a function with one value per match."""

BUDGETS = ("matches", "edges", "vertices")


@dataclass(frozen=True, repr=False)
class GreedyDriver(Driver):
    """Matches in the order of their scores, see `greedy`."""

    rule: Rule
    score: Score
    budget: Mapping[str, int]
    at_once: Count = 1
    label: ClassVar[str] = "greedy"
    most = 1_000_000

    def __post_init__(self) -> None:
        super().__post_init__()
        require_one_rule(self.rule, self.name)
        given = {"matches": self.budget} if isinstance(self.budget, int | np.integer) else self.budget
        if not isinstance(given, Mapping) or not given:
            raise RewriteError(
                f"The budget of greedy is {given!r}; give a number of matches, or numbers by name: {BUDGETS}."
            )
        for name, value in given.items():
            whole(f"budget[{choice('budget', name, BUDGETS)!r}]", value, least=0)
        object.__setattr__(self, "budget", FrozenDict({name: int(value) for name, value in given.items()}))

    def drive(self, run: DriverRun) -> str:
        """Rewrite the best matches, score the matches anew, and so on, until the budget is used."""
        start, done = run.graph, 0
        while True:
            used = self._used(start, run.graph)
            if full := [f"{self.budget[name]:,} {name}" for name in used if used[name] == self.budget.get(name)]:
                return f"budget of {' and '.join(full)} is used"
            left = self.budget.get("matches", self.at_once + done) - done
            if left <= 0:
                return f"budget of {self.budget['matches']:,} matches is used"
            m = run.find(self.rule)
            scores = self._scores(m, run.stats)
            rows = np.argsort(-scores, kind="stable")[: np.count_nonzero(~np.isnan(scores))]
            if not len(rows):
                rest = f"; {len(m):,} have none, such as new parts without statistics" if len(m) else ""
                return f"no match has a score after {done:,} rewritten matches{rest}"
            draft = self._fitting(run, start, m, rows[: min(self.at_once, left)])
            if draft is None:
                return f"budget: the best match would exceed the rest of {dict(self.budget)}"
            done += draft.count
            if not run.take(draft):
                return f"the best match changes nothing, after {done:,} rewritten matches"

    def _scores(self, m: Matches, stats: Statistics | None) -> Array:
        with blaming(self.rule, "score", m):
            return scores_of(m, stats, self.score, "score").astype(np.float64)

    def _fitting(self, run: DriverRun, start: Graph, m: Matches, rows: Array) -> Draft | None:
        """Draft of as many of the best matches as the budget allows, halved until they fit; None when none does."""
        while len(rows):
            draft = run.draft(self.rule, on=m.take(rows))
            if self._fits(start, draft.graph):
                return draft
            rows = rows[: len(rows) // 2]
        return None

    def _fits(self, start: Graph, graph: Graph) -> bool:
        used = self._used(start, graph)
        return all(used[name] <= limit for name, limit in self.budget.items() if name in used)

    @staticmethod
    def _used(start: Graph, graph: Graph) -> dict[str, int]:
        """Numbers by which edges and vertices differ from those at the start."""
        edges, vertices = graph.num_edges - start.num_edges, graph.num_vertices - start.num_vertices
        return {"edges": abs(edges), "vertices": abs(vertices)}


def greedy(rule: Rule, score: Score, budget: int | Mapping[str, int], *, at_once: int = 1) -> GreedyDriver:
    """Make a driver that rewrites the matches with the largest scores until a budget is used.

    Scores are computed again after every round of `at_once` matches. Matches without a score (NaN), such as new edges
    without statistics, are left out. A round that would exceed the budget is halved until it fits.

    Args:
        rule: the rule.
        score: name of an edge or vertex statistic, or a function of matches and statistics that returns one number per
            match; the largest first.
        budget: number of matches, or numbers by name: "matches"; "edges" and "vertices", by which the number of
            trainable edges or of vertices may change, up or down.
        at_once: number of matches in a round.

    Example:
        >>> greedy(PruneEdges(below=None), lambda m, stats: -abs(m.e.weight), {"edges": 100})  # doctest: +SKIP
    """
    return GreedyDriver(rule, score, budget, at_once)  # type: ignore[arg-type]
