"""Checks of rules as one call, as pytest cases, and as one assertion."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

from netgraph.errors import OptionError
from netgraph.graph import Graph
from netgraph.rewriting import Rule
from netgraph.statistics import Statistics
from netgraph.testing.cases import Claimed
from netgraph.testing.checks import RULE_CHECKS, check_function_preserved, check_valid_graph_after
from netgraph.testing.reports import RuleReport
from netgraph.testing.search import CheckRun, Progress, RuleCheck

Stats = Callable[[Graph], Statistics]


def check_rule(
    rule: Rule,
    *,
    graphs: st.SearchStrategy[Graph] | None = None,
    max_examples: int = 50,
    seed: int = 0,
    claim: Claimed = None,
    stats: Stats | None = None,
    checks: Sequence[RuleCheck] = RULE_CHECKS,
) -> None:
    """Check on random graphs that a rule keeps the laws of rewriting, and that its claim is true.

    Apart from temporary files, only Hypothesis writes files: a cache without examples, in the folder `.hypothesis` or
    the one that the environment variable `HYPOTHESIS_STORAGE_DIRECTORY` names.

    Args:
        rule: an instance of the rule.
        graphs: strategy of graphs, which are changed if they have no match (see `graphs_matching`). By default
            piecewise-linear graphs with dyadic weights, and graphs with every activation and norm.
        max_examples: number of graphs.
        seed: seed of the search. The same seed gives the same examples.
        claim: claim to check in place of the rule's own one. A rule without a claim may change the function.
        stats: function that makes the statistics of a graph; by default those that the rule declares to need are drawn.
        checks: the checks to run.

    Raises:
        RuleCheckError: a check fails, or no graph was found on which the rule has a match. It has a small
            counterexample of every failing check, as code.

    Example:
        >>> import netgraph as ng
        >>> check_rule(ng.rules.AddEdges(), max_examples=5, checks=[check_valid_graph_after])
    """
    examine_rule(
        rule, graphs=graphs, max_examples=max_examples, seed=seed, claim=claim, stats=stats, checks=checks
    ).require_passed()


def examine_rule(
    rule: Rule,
    *,
    graphs: st.SearchStrategy[Graph] | None = None,
    max_examples: int = 50,
    seed: int = 0,
    claim: Claimed = None,
    stats: Stats | None = None,
    checks: Sequence[RuleCheck] = RULE_CHECKS,
    progress: Progress | None = None,
) -> RuleReport:
    """Check a rule as `check_rule` does, and return a report with counts and failures, instead of raising an error.

    Args:
        rule, graphs, max_examples, seed, claim, stats, checks: see `check_rule`.
        progress: function that is called with the number of graphs after each graph.

    Example:
        >>> import netgraph as ng
        >>> report = examine_rule(ng.rules.AddEdges(), max_examples=5)
        >>> *report.claims(), len(report.failures)
        ('claims exact: proved on 5 of 5 graphs', 0)
    """
    if max_examples < 1:
        raise OptionError(f"max_examples={max_examples} is below 1.")
    run = CheckRun(rule, graphs, max_examples, seed, claim, None, stats)
    return run.examine(tuple(checks), progress)


def assert_preserves(
    rule: Rule,
    *,
    graphs: st.SearchStrategy[Graph] | None = None,
    stats: Stats | None = None,
    max_examples: int = 100,
    tolerance: float | None = None,
    seed: int = 0,
) -> None:
    """Assert on random graphs that a rule does not change the function, even without a claim.

    Args:
        rule: the rule.
        graphs: strategy of graphs, see `check_rule`.
        stats: function that makes the statistics of a graph; by default those that the rule declares to need are drawn.
        max_examples: number of graphs.
        tolerance: relative tolerance of an output, times 1 plus its largest absolute value; by default 0 on
            piecewise-linear graphs with dyadic weights, and 1e-9 on others.
        seed: seed of the search.

    Raises:
        RuleCheckError: the function changes. It is an `AssertionError`, and has the smallest counterexample as code.
    """
    run = CheckRun(rule, graphs, max_examples, seed, "exact", tolerance, stats)
    run.examine((check_valid_graph_after, check_function_preserved)).require_passed()


def parametrize_with_rule_checks(
    rules: Sequence[Rule],
    *,
    graphs: st.SearchStrategy[Graph] | None = None,
    max_examples: int = 50,
    seed: int = 0,
    claim: Claimed = None,
    stats: Stats | None = None,
    checks: Sequence[RuleCheck] = RULE_CHECKS,
) -> Any:
    """Make a decorator that gives a pytest test a case per rule and check, as arguments `rule` and `check`.

    The options are those of `check_rule`.

    Example:
        >>> import netgraph as ng
        >>> @parametrize_with_rule_checks([ng.rules.AddEdges(), ng.rules.PruneEdges()])
        ... def test_rules(rule, check):
        ...     check(rule)
    """
    import pytest

    options: dict[str, Any] = {
        "graphs": graphs,
        "max_examples": max_examples,
        "seed": seed,
        "claim": claim,
        "stats": stats,
    }
    return pytest.mark.parametrize(
        ("rule", "check"),
        [
            pytest.param(rule, functools.partial(check, **options), id=f"{describe_rule(rule)}-{check.__name__}")
            for rule in rules
            for check in checks
        ],
    )


def describe_rule(rule: Rule) -> str:
    """Format a rule for the id of a test: its name, and the parameters that differ from their defaults."""
    if not dataclasses.is_dataclass(rule):
        return rule.name
    parameters = []
    for f in dataclasses.fields(rule):
        value = rule.parameters.get(f.name)
        if f.default is dataclasses.MISSING or value != f.default:
            parameters.append(f"{f.name}={value!r}")
    return f"{rule.name}({', '.join(parameters)})"
