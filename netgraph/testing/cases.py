"""One example that the checks of a rule look at, the checks as values, and how they are run."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable

from netgraph.graph import Graph
from netgraph.graph.columns import Array
from netgraph.proof import Level
from netgraph.rewriting import Matches, Result, Rule, apply, find
from netgraph.rewriting.apply import draft
from netgraph.statistics import Statistics
from netgraph.testing.code import described
from netgraph.testing.draft import Draw
from netgraph.testing.planting import NoMatchError, graphs_matching, has_match, with_plant_in_turn
from netgraph.testing.strategies import inputs

Claimed = Level | None


class Irrelevant(Exception):
    """A check has nothing to say about an example."""


@dataclass(frozen=True, eq=False)
class Case:
    """A graph on which a rule has a match, a batch of inputs, and how the rule is to be applied.

    Attributes:
        rule: the rule.
        graph: the graph.
        x: a batch within the domains, by the name of the input layer.
        limit: largest number of matches to rewrite, or None.
        rng: seed of random initial values.
        claim: what is claimed of the rule instead of what it claims itself.
        tolerance: relative difference that passes as none, instead of the usual one.
        stats: statistics of the graph, or None.
    """

    rule: Rule
    graph: Graph
    x: Mapping[str, Array]
    limit: int | None = None
    rng: int = 0
    claim: Claimed = None
    tolerance: float | None = None
    stats: Statistics | None = None

    @cached_property
    def snapshot(self) -> tuple[bytes, ...]:
        """The bytes of all columns of the graph, before anything was done with it."""
        return columns_of(self.graph)

    @cached_property
    def found(self) -> Matches:
        """All matches."""
        return find(self.rule, self.graph, self.stats)

    @cached_property
    def result(self) -> Result:
        """The rule applied to the graph."""
        return apply(self.rule, self.graph, self.stats, limit=self.limit, rng=self.rng, probe=None)

    def again(self) -> Graph:
        """The graph that the rule gives when it is applied once more."""
        return draft(self.rule, self.graph, self.stats, limit=self.limit, rng=self.rng).graph

    @cached_property
    def claimed(self) -> Claimed:
        """What is claimed of this rewrite."""
        return self.claim if self.claim is not None else self.rule.claim(self.result.matches)


@dataclass(frozen=True)
class Failure:
    """A check that failed, with the smallest example found.

    Attributes:
        check: name of the check.
        message: what is wrong.
        graph: the graph before the rewrite; None when none could be drawn.
        result: of the rewrite; None when it raised.
        limit, rng: how the rule was applied.
        kind: class of the error.
    """

    check: str
    message: str
    graph: Graph | None = None
    result: Result | None = None
    limit: int | None = None
    rng: int = 0
    kind: str = "AssertionError"

    def __str__(self) -> str:
        lines = [f"{self.check}: {self.message}"]
        if self.graph is not None:
            lines.append("On the graph:\n\n" + _indented(described(self.graph)))
            lines.append(f"Applied with limit={self.limit}, rng={self.rng}.")
        if self.result is not None:
            lines.append(f"After it:\n\n{_indented(described(self.result.graph))}")
        return "\n".join(lines)


class RuleCheckError(AssertionError):
    """Checks of a rule failed.

    Attributes:
        rule: the rule.
        failures: one for each failing check.
    """

    def __init__(self, rule: Rule, failures: tuple[Failure, ...]) -> None:
        self.rule = rule
        self.failures = failures
        names = ", ".join(failure.check for failure in failures)
        super().__init__(f"{rule!r} fails {names}.\n\n" + "\n\n".join(map(str, failures)))


@dataclass(frozen=True)
class RuleCheck:
    """One check of a rule: call it with the rule. Made by `rule_check`.

    Attributes:
        on_case: looks at one example; raises an AssertionError, or anything else, when it fails, and
            `Irrelevant` when it has nothing to say.
        every: look at one in so many examples, for checks that are slow.
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
        """Run the check on random graphs, each with a match; arguments as of `check_rule`.

        Raises:
            RuleCheckError: with the smallest counterexample found.
        """
        run = Run(rule, graphs, max_examples, seed, claim, tolerance, stats)
        failures = run.failures((self,))
        if failures:
            raise RuleCheckError(rule, failures)


def rule_check(function: Callable[[Case], None]) -> RuleCheck:
    """Decorator: make a check of rules from a function that looks at one `Case`."""
    return RuleCheck(function)


@dataclass(frozen=True)
class Run:
    """How checks are run; see `check_rule`."""

    rule: Rule
    graphs: st.SearchStrategy[Graph] | None = None
    max_examples: int = 50
    seed: int = 0
    claim: Claimed = None
    tolerance: float | None = None
    stats: Callable[[Graph], Statistics] | None = None

    def failures(self, checks: tuple[RuleCheck, ...]) -> tuple[Failure, ...]:
        """Run all checks over the same examples; of each that fails, make the smallest counterexample smaller."""
        from netgraph.testing.reduce import reduced

        smallest: dict[RuleCheck, Case] = {}

        def look(case: Case, number: int) -> None:
            for check in checks:
                best = smallest.get(check)
                if number % check.every == 0 and (best is None or _size(case) < _size(best)) and outcome(check, case):
                    smallest[check] = case

        nothing = self._drive(look)
        if nothing is not None:
            return (nothing,)
        found = []
        small: list[Case] = []
        for check in checks:
            if check in smallest:
                case = smallest[check]
                first = outcome(check, case)
                if first is not None:
                    fails = functools.partial(_fails_alike, check, first.kind)
                    # What is small and fails another check often fails this one too.
                    case = next((replace(other) for other in small if fails(replace(other))), case)
                    case = reduced(case, fails, operations=self.graphs is None)
                    small.append(case)
                found.append(outcome(check, replace(case)) or _unsteady(check, case))
        return tuple(found)

    def _drive(self, look: Callable[[Case, int], None]) -> Failure | None:
        """Let Hypothesis draw different cases, and number them from 1; a failure when it finds none."""
        seen: set[tuple[Any, ...]] = set()

        @seed(self.seed)
        @settings(
            max_examples=4 * self.max_examples,  # it repeats itself
            database=None,
            deadline=None,
            phases=(Phase.generate,),
            print_blob=False,
            suppress_health_check=list(HealthCheck),
        )
        @given(cases(self))
        def run(case: Case) -> None:
            if len(seen) >= self.max_examples:
                raise _EnoughError
            case = self._planted(case, len(seen))
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

    def _planted(self, case: Case, number: int) -> Case:
        """The case with one more change to its graph, where the rule still has a match after it.

        The changes take turns: draws alone may leave out for long the one on which a rule is wrong.
        """
        planted = with_plant_in_turn(case.graph, number)
        if planted is None or not has_match(self.rule, planted, self.stats):
            return case
        return replace(case, graph=planted, stats=None if self.stats is None else self.stats(planted))


class _EnoughError(Exception):
    """As many cases were seen as were asked for."""


def _size(case: Case) -> tuple[int, int]:
    return (case.graph.num_vertices, len(case.graph.edges))


def _fails_alike(check: RuleCheck, kind: str, case: Case) -> bool:
    failure = outcome(check, case)
    return failure is not None and failure.kind == kind


def _unsteady(check: RuleCheck, case: Case) -> Failure:
    return Failure(check.__name__, "It failed once, and passed when it was run again.", case.graph)


def cases(run: Run) -> st.SearchStrategy[Case]:
    """Cases of a rule: a graph with a match, inputs, and how to apply the rule."""
    return _cases(run, graphs_matching(run.rule, graphs=run.graphs, stats=run.stats))


@st.composite
def _cases(draw: Draw, run: Run, matching: st.SearchStrategy[Graph]) -> Case:
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


def outcome(check: RuleCheck, case: Case) -> Failure | None:
    """What a check says about a case: a failure, or None."""
    try:
        check.on_case(case)
    except Irrelevant:
        return None
    except AssertionError as error:
        kind, message = "AssertionError", str(error) or "the check failed"
    except Exception as error:
        kind, message = type(error).__name__, f"{type(error).__name__}: {error}"
    else:
        return None
    result = case.__dict__.get("result")
    return Failure(check.__name__, message, case.graph, result, case.limit, case.rng, kind)


def columns_of(graph: Graph) -> tuple[bytes, ...]:
    """The bytes of every column of a graph."""
    parts = [v.tobytes() for k in graph.links_by_key.values() for v in k.columns.values()]
    for layer in graph.layers_by_id.values():
        parts += [layer.vertex_ids.tobytes(), layer.birth.tobytes(), *(v.tobytes() for v in layer.values.values())]
    return tuple(parts)


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" if line else "" for line in text.splitlines())
