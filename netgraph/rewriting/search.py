"""Search of a graph for the matches of a rule, and the number of matches after each of its conditions."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from netgraph.columns import Array
from netgraph.errors import RewriteError
from netgraph.graph import Graph
from netgraph.markup import printable
from netgraph.rewriting.blame import blaming, describe
from netgraph.rewriting.operands import describe_value
from netgraph.rewriting.patterns import LayerPairRows, LinkRows, Matches, PairRows
from netgraph.rewriting.rule import Condition, Rule, conditions, require_rule
from netgraph.statistics import Statistics

SHOWN_STEPS = 10
"""Largest number of steps of a driver that a text shows from its start, and from its end."""


@dataclass(frozen=True)
class Explanation:
    """Number of matches of a rule after each condition, or such explanations of all steps of a driver.

    Attributes:
        rule: name of the rule or driver.
        stages: (condition, number of matches left), in the order in which the conditions are checked; empty for a
            driver.
        nearest_miss: description of the match that failed by the least, and the conditions it fails. Of matches that
            fail as few conditions, those whose conditions all have a margin come first. None when every match passes.
        missed: the match of `nearest_miss` alone, or None.
        notes: sentences on statistics that are missing, and the reason why a driver stopped.
        steps: explanation of every step of a driver in the order in which it was tried, also of steps without a match.
    """

    rule: str
    stages: tuple[tuple[str, int], ...] = ()
    nearest_miss: str | None = None
    missed: Matches | None = field(default=None, compare=False, repr=False)
    notes: tuple[str, ...] = ()
    steps: tuple[Explanation, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """Lines of text: the name of the rule, every stage or step, the matches that pass, the nearest miss, notes."""
        lines = [f"{self.rule}:"]
        width = max((len(name) for name, _ in self.stages), default=0)
        lines += [f"  {name:<{width}}  {count:>12,}" for name, count in self.stages]
        for number, step in self.shown_steps():
            own = step.lines if step else (f"... {number:,} more steps",)
            lines += [f"  step {number}: {own[0]}" if step else f"  {own[0]}", *(f"  {line}" for line in own[1:])]
        counts = [count for _, count in self.stages]
        if counts and counts[-1]:
            # Of parts that are joined, there can be more matches than parts.
            total = f" of {counts[0]:,}" if all(a >= b for a, b in pairwise(counts)) else ""
            lines.append(f"  {counts[-1]:,}{total} pass")
        if self.nearest_miss:
            lines.append(f"  nearest miss: {self.nearest_miss}")
        return (*lines, *(f"  {note}" for note in self.notes))

    def shown_steps(self) -> list[tuple[int, Explanation | None]]:
        """Steps by their numbers from 1. Of very many only the first and last: (number left out, None) is between."""
        steps: list[tuple[int, Explanation | None]] = list(enumerate(self.steps, start=1))
        hidden = len(steps) - 2 * SHOWN_STEPS
        return steps if hidden <= 0 else [*steps[:SHOWN_STEPS], (hidden, None), *steps[-SHOWN_STEPS:]]

    def __str__(self) -> str:
        return "\n".join(map(printable, self.lines))


@dataclass(frozen=True, eq=False)
class Found:
    """Result of `search`: matches of the pattern, stages, and conditions on the matches.

    Attributes:
        rule: the rule.
        found: all matches of the pattern.
        stages: (condition, number of matches left), in the order in which the conditions are checked.
        named: conditions of the rule by name.
    """

    rule: Rule
    found: Matches
    stages: list[tuple[str, int]]
    named: dict[str, Condition]

    def passing(self) -> Matches:
        """Return the matches that pass all conditions."""
        return self.found.take(np.flatnonzero(_all_hold(self.found, self.named)))

    def misses(self, most: int | None = None) -> Matches:
        """Return the matches that fail a condition, the nearest miss first, at most `most` of them."""
        return self.found.take(_nearest_first(self.found, self.named)[:most])

    def explanation(self) -> Explanation:
        """Return the number of matches after each condition, and the nearest miss."""
        best = _nearest_first(self.found, self.named)[:1]
        if not len(best):
            return Explanation(self.rule.name, tuple(self.stages))
        text = _miss_text(self.found, self.named, int(best[0]))
        return Explanation(self.rule.name, tuple(self.stages), text, self.found.take(best))


def search(rule: Rule, graph: Graph, stats: Statistics | None, on: Any, rng: np.random.Generator) -> Found:
    """Find the matches of the pattern of a rule, and check its conditions on them. Arguments as for `find`."""
    require_rule(rule)
    check_given(graph, stats)
    rule.needs.check(rule.name, stats)
    if isinstance(on, Matches):
        _check_matches(rule, graph, on)
        return Found(rule, on, [("matches that were given", len(on))], {})
    m, stages = rule.pattern.match(graph, on, stats)
    with blaming(rule, "where", m):
        named, values = conditions(rule, m.having(rng=rng) if rule.needs.generator else m, stats)
    m = m.having(computed=values) if values else m
    holds = np.ones(len(m), dtype=bool)
    for name, condition in named.items():
        holds = holds & condition.holds
        stages.append((name, int(np.count_nonzero(holds))))
    return Found(rule, m, stages, named)


def check_given(graph: Any, stats: Any) -> None:
    """Raise `RewriteError` unless a graph, and statistics of it or None, are given."""
    if not isinstance(graph, Graph):
        raise RewriteError(
            f"The graph that was given is {describe_value(graph)}; give a Graph, after the rule: apply(rule, graph)."
        )
    if stats is not None and not isinstance(stats, Statistics):
        raise RewriteError(
            f"The stats that were given are {describe_value(stats)}; give Statistics of the graph, or None."
        )
    if stats is not None:
        stats.check(graph)


def _check_matches(rule: Rule, graph: Graph, m: Matches) -> None:
    if m.graph is not graph:
        raise RewriteError(
            f"The matches that were given to {rule.name} belong to another graph, {m.graph!r}; find them again on this "
            "one, or give ids, which stay."
        )
    if tuple(m.bound) != rule.pattern.names or not _alike(rule, graph, m):
        raise RewriteError(
            f"The matches that were given, {m!r}, do not fit the pattern of {rule.name}, which binds "
            f"{', '.join(rule.pattern.names)}; give matches that find({rule.name}(...), graph) returned."
        )


def _alike(rule: Rule, graph: Graph, m: Matches) -> bool:
    """Whether the pattern of a rule binds its names to rows of the same kinds as the matches."""
    nothing: Any = np.empty((0, 2), np.int64) if isinstance(m.root, PairRows | LayerPairRows | LinkRows) else []
    try:
        mine, _stages = rule.pattern.match(graph, nothing)
    except RewriteError:
        return False
    return list(map(type, mine.bound.values())) == list(map(type, m.bound.values()))


def _all_hold(m: Matches, named: dict[str, Condition]) -> Array:
    return np.asarray(np.logical_and.reduce([np.ones(len(m), dtype=bool), *(c.holds for c in named.values())]))


def _nearest_first(m: Matches, named: dict[str, Condition]) -> Array:
    """Positions of the matches that fail a condition, ordered by the number of conditions that they fail.

    Among equals come those that fail the fewest conditions without a margin, then those that fail by the least.
    """
    fails = np.sum([~c.holds for c in named.values()], axis=0) if named else np.zeros(len(m), int)
    shortfall, unmeasured = np.zeros(len(m)), np.zeros(len(m), int)
    for condition in named.values():
        if condition.margin is not None:
            shortfall += np.where(condition.holds, 0.0, -condition.margin)
        else:
            unmeasured += ~condition.holds
    missed = np.flatnonzero(fails)
    return np.asarray(missed[np.lexsort((shortfall[missed], unmeasured[missed], fails[missed]))])


def _miss_text(m: Matches, named: dict[str, Condition], best: int) -> str:
    texts = []
    for name, condition in named.items():
        if not condition.holds[best]:
            margin = f" (short by {-condition.margin[best]:.4g})" if condition.margin is not None else ""
            texts.append(f"{name!r}{margin}")
    return f"{describe(m, best)} fails {' and '.join(texts)}"
