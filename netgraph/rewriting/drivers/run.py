"""The course of a driver: the present graph, its statistics and the random generator, and the steps so far."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from netgraph.errors import DriverError, NetgraphError, RewriteError
from netgraph.graph import Graph
from netgraph.rewriting.drafting import draft_rule
from netgraph.rewriting.drivers.carried import CarriedStatistics
from netgraph.rewriting.drivers.derivation import Derivation
from netgraph.rewriting.drivers.driver import Driver, Step, StepDriver, require_step
from netgraph.rewriting.operands import describe_value
from netgraph.rewriting.ordering import OrderBy
from netgraph.rewriting.outcomes import Draft, Result
from netgraph.rewriting.patterns import Matches
from netgraph.rewriting.rule import Rule
from netgraph.rewriting.search import Explanation, Found, search
from netgraph.statistics import Statistics


class _Course:
    """Present graph and statistics, which all drivers of one derivation share, and the drafts so far."""

    def __init__(self, graph: Graph, stats: Statistics | None, rng: np.random.Generator) -> None:
        self.graph, self.stats, self.rng = graph, stats, rng
        self.drafts: list[Draft] = []
        self.refusal: Exception | None = None
        self.named: Exception | None = None

    def follow(self, draft: Draft) -> None:
        """Go on to the graph of a draft, and carry the statistics to it."""
        if draft.changed:
            self.drafts.append(draft)
            self.graph = draft.graph
            if self.stats is not None:
                self.stats = CarriedStatistics.across(self.stats, draft.delta)


class DriverRun:
    """The course of a driver, given to `Driver.drive`: the present graph, and methods that carry out steps on it.

    One run begins with the graph that `apply` was given. Every step that changes something moves `graph` on, and takes
    `stats` along by `Statistics.carry`, with NaN for new parts. Nested drivers share graph, statistics and generator.
    """

    def __init__(self, driver: Driver, course: _Course) -> None:
        self.driver, self._course = driver, course
        self._taken = 0
        self._searched: Found | None = None
        self._explained: list[Explanation] = []

    @property
    def graph(self) -> Graph:
        """The present graph."""
        return self._course.graph

    @property
    def stats(self) -> Statistics | None:
        """The statistics, carried to the present graph, or None."""
        return self._course.stats

    @property
    def rng(self) -> np.random.Generator:
        """The generator of all steps of this derivation."""
        return self._course.rng

    @property
    def drafts(self) -> Sequence[Draft]:
        """Drafts of all steps so far that changed the graph, those of other drivers too."""
        return tuple(self._course.drafts)

    def find(self, rule: Rule, *, on: Any = None) -> Matches:
        """Find the matches of a rule on the present graph, as `netgraph.find` does."""
        with self._named(f"{self.driver.name}, after {self._taken} steps"):
            self._check_present(rule, on)
            found = search(rule, self.graph, self.stats, on, self.rng)
            self._searched = found
            return found.passing()

    def draft(self, rule: Rule, *, on: Any = None, limit: int | None = None, order_by: OrderBy = None) -> Draft:
        """Draft a rewrite of the present graph, which does not go on to it; `take` does. Arguments as for `do`.

        A draft that is refused, unlike a step, may be passed over by the driver.
        """
        with self._named(f"{self.driver.name}, after {self._taken} steps"):
            require_step(rule, self.driver.name)
            self._check_present(rule, on)
            return self._drafted(rule, on, limit, order_by)

    def do(self, step: Step, *, on: Any = None, limit: int | None = None, order_by: OrderBy = None) -> bool:
        """Carry out a rule or driver on the present graph, and return whether the graph changed.

        Args:
            step: the rule or driver.
            on, limit, order_by: as for `apply`, for a rule only.

        Raises:
            NetgraphError: when the step is refused. `drive` must let the error pass: then no step counts.
            DriverError: when `on` are matches of another graph, the driver goes on after a refusal, or has carried out
                `most` steps.
        """
        with self._step():
            require_step(step, self.driver.name)
            if isinstance(step, Driver) and not (on is None and limit is None and order_by is None):
                raise RewriteError(
                    "on=, limit= and order_by= belong to one rule; give them to the rule inside of the driver: "
                    "netgraph.rewriting.step(rule, on=...)."
                )
            if isinstance(step, StepDriver):
                return self._do(step.rule, step.present(self.graph), step.limit, step.order_by)
            return self._nested(step) if isinstance(step, Driver) else self._do(step, on, limit, order_by)

    def take(self, draft: Draft | Result | Derivation) -> bool:
        """Go on with a rewrite of the present graph that was made by `draft`, and return whether the graph changed.

        This is for drivers that compare several drafts, and carry out one of them.

        Raises:
            DriverError: when it is a rewrite of another graph.
        """
        with self._step():
            if not isinstance(draft, Draft | Result | Derivation):
                raise RewriteError(f"{describe_value(draft)} is no rewrite; give what draft(rule, run.graph) returns.")
            if draft.before is not self.graph:
                raise DriverError(
                    "the rewrite begins at another graph than the present one; make drafts of run.graph, and take "
                    "them in the order in which they follow each other."
                )
            self._explained.append(draft.explanation)
            for made in draft.steps if isinstance(draft, Derivation) else (draft,):
                self._course.follow(made.unprove() if isinstance(made, Result) else made)
            return draft.changed

    def _do(self, rule: Rule, on: Any, limit: int | None, order_by: OrderBy) -> bool:
        self._check_present(rule, on)
        made = self._drafted(rule, on, limit, order_by)
        self._explained.append(made.explanation)
        self._course.follow(made)
        return made.changed

    def _drafted(self, rule: Rule, on: Any, limit: int | None, order_by: OrderBy) -> Draft:
        """Draft of a rule on the present graph. Where matches are given, it explains the search that found them."""
        made = draft_rule(rule, self.graph, self.stats, on=on, limit=limit, order_by=order_by, rng=self.rng)
        explanation, found = made.explanation, self._searched
        if isinstance(on, Matches) and found is not None and found.rule is rule and found.found.graph is on.graph:
            searched = found.explanation()
            explanation = replace(searched, stages=(*searched.stages, (f"chosen by {self.driver.name}", len(on))))
        notes = CarriedStatistics.notes(self.stats, forget=True)
        return replace(made, explanation=replace(explanation, notes=(*explanation.notes, *notes)))

    def _nested(self, driver: Driver) -> bool:
        before, run = self.graph, DriverRun(driver, self._course)
        run._finish()
        self._explained.append(run._explanation())
        return self.graph is not before

    @contextmanager
    def _step(self) -> Iterator[None]:
        """Count a step, check that it may be carried out, and name it in every error of the block."""
        course, own = self._course, self.driver
        if course.refusal is not None:
            course.named = DriverError(_swallowed(own, course.refusal))
            raise course.named from course.refusal
        if self._taken >= own.most:
            course.refusal = course.named = DriverError(
                f"{own.name} carries out more than the {own.most:,} steps of its `most`."
            )
            raise course.refusal
        self._taken += 1
        try:
            with self._named(f"{own.name}, step {self._taken}"):
                yield
        except Exception as error:
            course.refusal = error
            raise

    @contextmanager
    def _named(self, place: str) -> Iterator[None]:
        """Name the place in every error of the block."""
        try:
            yield
        except Exception as error:
            self._name(error, place)
            raise

    def _name(self, error: Exception, place: str) -> None:
        if isinstance(error, NetgraphError) and len(error.args) == 1 and isinstance(error.args[0], str):
            error.args = (f"{place}: {error.args[0]}{self._remedy(error)}",)
        else:
            error.add_note(f"In {place}. The graph is as it was.")
        self._course.named = error

    def _remedy(self, error: Exception) -> str:
        return "" if self._course.named is error else CarriedStatistics.remedy(self.stats, error)

    def _check_present(self, rule: Rule, on: Any) -> None:
        if isinstance(on, Matches) and on.graph is not self.graph:
            raise DriverError(
                f"the matches of {rule.name} were found on an earlier graph; find them again with run.find(rule)."
            )

    def _finish(self) -> None:
        """Let the driver carry out its steps; `_reason` is there then."""
        try:
            reason = self.driver.drive(self)
        except Exception as error:
            if error is not self._course.named:
                self._name(error, f"{self.driver.name}, after {self._taken} steps")
            raise
        if self._course.refusal is not None:
            raise DriverError(_swallowed(self.driver, self._course.refusal)) from self._course.refusal
        if not isinstance(reason, str) or not reason:
            raise DriverError(
                f"{self.driver.name}.drive returned {reason!r}; it returns the reason why it stopped, as a text."
            )
        self._reason = reason

    def _explanation(self) -> Explanation:
        """Explanation of every step of this driver."""
        return Explanation(self.driver.name, notes=(f"stopped: {self._reason}",), steps=tuple(self._explained))


def _swallowed(driver: Driver, refusal: Exception) -> str:
    text = str(refusal).rstrip(".")
    return (
        f"{driver.name} goes on after a step was refused ({text}). All steps count or none: let the error pass, or try "
        "the step with draft(...) first, and take what it returns."
    )


def derive(driver: Driver, graph: Graph, stats: Statistics | None, rng: np.random.Generator) -> Derivation:
    """Carry out a driver on a graph without a proof."""
    course = _Course(graph, stats, rng)
    run = DriverRun(driver, course)
    run._finish()
    return Derivation.of(driver, graph, course.drafts, run._reason, run._explanation())
