"""Checks of rules as values, and the search for the smallest examples on which they fail."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable

from netgraph.graph import Graph
from netgraph.rewriting import Rule
from netgraph.statistics import Statistics
from netgraph.testing.cases import Case, Claimed, Failure, Irrelevant
from netgraph.testing.draft import DrawFunction
from netgraph.testing.drawn import statistics_for
from netgraph.testing.planting import NoMatchError, graphs_matching, has_match, with_plant_in_turn
from netgraph.testing.reduce import reduce_case
from netgraph.testing.renumbering import renumbered
from netgraph.testing.reports import CheckCount, CheckTally, RuleReport
from netgraph.testing.strategies import inputs

Progress = Callable[[int], None]


@dataclass(frozen=True)
class RuleCheck:
    """A check of rules, made by `rule_check`. Call it with a rule to run it on random graphs.

    Attributes:
        on_case: function of one example. It raises an `AssertionError` or another exception when the check fails, and
            `Irrelevant` when the check does not apply.
        every: run the check on every n-th example only, for slow checks.
    """

    on_case: Callable[[Case], None]
    every: int = 1
    __name__: str = field(init=False, default="")

    def __post_init__(self) -> None:
        object.__setattr__(self, "__name__", self.on_case.__name__)
        object.__setattr__(self, "__doc__", self.on_case.__doc__)

    def __repr__(self) -> str:
        return self.__name__

    def __call__(
        self,
        rule: Rule,
        *,
        graphs: st.SearchStrategy[Graph] | None = None,
        max_examples: int = 50,
        seed: int = 0,
        claim: Claimed = None,
        tolerance: float | None = None,
        stats: Callable[[Graph], Statistics] | None = None,
    ) -> None:
        """Run the check on random graphs on which the rule has a match.

        Args:
            rule, graphs, max_examples, seed, claim, stats: see `check_rule`.
            tolerance: see `assert_preserves`.

        Raises:
            RuleCheckError: the check fails. It has the smallest counterexample that was found.
        """
        CheckRun(rule, graphs, max_examples, seed, claim, tolerance, stats).examine((self,)).require_passed()


def rule_check(function: Callable[[Case], None]) -> RuleCheck:
    """Turn a function of one `Case` into a check of rules. A decorator."""
    return RuleCheck(function)


@dataclass(frozen=True)
class CheckRun:
    """Arguments of a run of checks, see `check_rule` and `assert_preserves`."""

    rule: Rule
    graphs: st.SearchStrategy[Graph] | None = None
    max_examples: int = 50
    seed: int = 0
    claim: Claimed = None
    tolerance: float | None = None
    stats: Callable[[Graph], Statistics] | None = None

    def __post_init__(self) -> None:
        if self.stats is None:  # a rule gets drawn values of the statistics that it declares to need
            object.__setattr__(self, "stats", statistics_for(self.rule, seed=self.seed))

    def examine(self, checks: tuple[RuleCheck, ...], progress: Progress | None = None) -> RuleReport:
        """Run all checks on the same examples, and reduce the counterexample of each failing check.

        Args:
            checks: the checks.
            progress: function that is called with the number of examples so far.
        """
        smallest: dict[RuleCheck, Case] = {}
        tally = CheckTally({check.__name__: CheckCount() for check in checks})

        def look(case: Case, number: int) -> None:
            for check in checks:
                best = smallest.get(check)
                if number % check.every or (best is not None and _size(case) >= _size(best)):
                    continue
                if outcome(check, case, tally.checks[check.__name__]) is not None:
                    smallest[check] = case
            tally.add(case)
            if progress is not None:
                progress(number)

        nothing = self._drive(look, tally)
        failures = (nothing,) if nothing is not None else self._failures(checks, smallest)
        return RuleReport.of(self.rule, tally, failures)

    def _failures(self, checks: tuple[RuleCheck, ...], smallest: dict[RuleCheck, Case]) -> tuple[Failure, ...]:
        """Failure with a reduced counterexample per failing check."""
        found = [check for check in checks if check in smallest]
        kinds = {check: failure.kind for check in found if (failure := outcome(check, smallest[check])) is not None}
        smallest |= self._reduce(kinds, smallest)
        return tuple(outcome(check, replace(smallest[check])) or _flaky(check, smallest[check]) for check in found)

    def _reduce(self, kinds: Mapping[RuleCheck, str], cases: Mapping[RuleCheck, Case]) -> dict[RuleCheck, Case]:
        """Reduce the case of each failing check to a smaller one that fails with the same kind of error.

        A small case of one check often fails another check too, so each check is tried on all reduced cases.
        """
        fails = {check: functools.partial(_fails_alike, check, kind) for check, kind in kinds.items()}
        small: dict[RuleCheck, Case] = {}
        for check in kinds:
            case = _first_failing(small.values(), fails[check]) or cases[check]
            small[check] = reduce_case(case, fails[check], operations=self.graphs is None)
        for check, own in small.items():
            smaller = sorted((case for case in small.values() if _size(case) < _size(own)), key=_size)
            small[check] = _first_failing(smaller, fails[check]) or own
        return small

    def _drive(self, look: Callable[[Case, int], None], tally: CheckTally) -> Failure | None:
        """Call `look` with different cases drawn by Hypothesis, numbered from 1, and count the drawn ones.

        Returns:
            None, or a failure when no graph with a match was found.
        """
        seen: set[tuple[Any, ...]] = set()

        @seed(self.seed)
        @settings(
            max_examples=4 * self.max_examples,  # Hypothesis draws some cases several times
            database=None,
            deadline=None,
            phases=(Phase.generate,),
            print_blob=False,
            suppress_health_check=list(HealthCheck),
        )
        @given(cases(self, tally))
        def run(case: Case) -> None:
            tally.matched += 1
            if len(seen) >= self.max_examples:
                raise _EnoughError
            case = self._plant(case, len(seen))
            key = (case.graph.topology_hash, case.snapshot)
            if key not in seen:
                seen.add(key)
                look(case, len(seen))

        try:
            with contextlib.suppress(_EnoughError):
                run()
        except NoMatchError as error:
            return Failure("find_a_match", str(error))
        except Unsatisfiable:
            return Failure("find_a_match", f"No graph was found on which {self.rule!r} has a match.")
        return None

    def _plant(self, case: Case, number: int) -> Case:
        """Return the case with one more plant in its graph, unless the rule would have no match, and with other ids.

        The plants take turns, since random draws may miss for long the one on which a rule is wrong. Graphs of one's
        own strategy keep their ids.
        """
        planted = with_plant_in_turn(case.graph, number)
        if planted is None or not has_match(self.rule, planted, self.stats):
            planted = case.graph
        if self.graphs is None:
            planted = renumbered(planted)
        if planted is case.graph:
            return case
        return replace(case, graph=planted, stats=None if self.stats is None else self.stats(planted))


class _EnoughError(Exception):
    """Raised to stop Hypothesis when the requested number of different cases was drawn."""


def _size(case: Case) -> tuple[int, int]:
    return (case.graph.num_vertices, len(case.graph.edges))


def _first_failing(small: Iterable[Case], fails: Callable[[Case], bool]) -> Case | None:
    return next((other for case in small if fails(other := replace(case))), None)


def _fails_alike(check: RuleCheck, kind: str, case: Case) -> bool:
    failure = outcome(check, case)
    return failure is not None and failure.kind == kind


def _flaky(check: RuleCheck, case: Case) -> Failure:
    return Failure(check.__name__, "It failed once, and passed when it was run again.", case.graph)


def cases(run: CheckRun, tally: CheckTally) -> st.SearchStrategy[Case]:
    """Make a strategy of cases: a graph on which the rule has a match, inputs, and options of `apply`."""
    return _cases(run, tally, graphs_matching(run.rule, graphs=run.graphs, stats=run.stats))


@st.composite
def _cases(draw: DrawFunction, run: CheckRun, tally: CheckTally, matching: st.SearchStrategy[Graph]) -> Case:
    tally.drawn += 1
    graph = draw(matching)
    return Case(
        rule=run.rule,
        graph=graph,
        x=draw(inputs(graph)),
        limit=draw(st.sampled_from([None, 1, 2])),
        rng=draw(st.integers(0, 3)),
        claim=run.claim,
        tolerance=run.tolerance,
        stats=None if run.stats is None else run.stats(graph),
    )


def outcome(check: RuleCheck, case: Case, count: CheckCount | None = None) -> Failure | None:
    """Run a check on a case, and return the failure, or None when it passes or does not apply; count it in `count`."""
    count = CheckCount() if count is None else count
    try:
        check.on_case(case)
    except Irrelevant:
        count.irrelevant += 1
        return None
    except AssertionError as error:
        kind, message = "AssertionError", str(error) or "the check failed"
    except Exception as error:
        kind, message = type(error).__name__, f"{type(error).__name__}: {error}"
    else:
        count.passed += 1
        return None
    count.failed += 1
    result = case.__dict__.get("result")
    return Failure(check.__name__, message, case.graph, result, case.limit, case.rng, kind)
