"""Drivers that are wrong on purpose, each by one slip that is easily made. All end in an error that names the slip.

A refused rewrite is a `RewriteError`, which may happen to right drivers as well; a slip is a `DriverError` or a
`StatisticsError`, which may not.
"""

from dataclasses import dataclass

import numpy as np

import netgraph as ng
from netgraph.rewriting import Driver, Rule


@dataclass(frozen=True)
class StaleMatches(Driver):
    """Finds matches once, and goes on to use them when the graph is another one."""

    rule: Rule

    def drive(self, run):
        m = run.find(self.rule)
        for row in range(len(m)):
            run.do(self.rule, on=m.take(np.array([row])))
        return f"{len(m)} matches, one by one"


@dataclass(frozen=True)
class ForgetsStatistics(Driver):
    """Gives the second step the statistics of the graph before the first."""

    rule: Rule
    times: int = 2

    def drive(self, run):
        stats = run.stats
        for _ in range(self.times):
            run.take(ng.draft(self.rule, run.graph, stats, limit=1, rng=run.rng))
        return f"{self.times} times"


@dataclass(frozen=True)
class SwallowsRefusal(Driver):
    """Passes over a step that is refused, so that half of the steps are carried out."""

    first: Rule
    second: Rule

    def drive(self, run):
        for rule in (self.first, self.second):
            try:
                run.do(rule)
            except ng.errors.RewriteError:
                continue
        return "both steps"


@dataclass(frozen=True)
class IgnoresBound(Driver):
    """Declares a bound, and never counts."""

    rule: Rule
    most: int = 3

    def drive(self, run):
        while run.do(self.rule, limit=1):
            pass
        return "nothing changed any more"


@dataclass(frozen=True)
class WrongOrder(Driver):
    """Looks two steps ahead, and then puts the second one before the first."""

    first: Rule
    second: Rule

    def drive(self, run):
        one = run.draft(self.first)
        two = ng.draft(self.second, one.graph, rng=run.rng)
        for draft in (two, one):
            run.take(draft)
        return "two steps"


@dataclass(frozen=True)
class Refused(Rule):
    """A rule that every graph refuses: for drivers that have to do with a refusal."""

    pattern = ng.vertex("v", role="output")

    def rewrite(self, m, rw):
        rw.remove(m.v)


WRONG_DRIVERS = (
    StaleMatches(ng.rules.SplitEdges()),
    ForgetsStatistics(ng.rules.SplitEdges()),
    SwallowsRefusal(ng.rules.SplitEdges(), Refused()),
    IgnoresBound(ng.rules.SplitEdges()),
    WrongOrder(ng.rules.SplitEdges(), ng.rules.WidenLayer()),
)
"""One of each kind, with rules that have matches on nearly every graph."""
