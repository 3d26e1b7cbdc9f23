"""All checks of a rule at once, as one call, as pytest tests, and the shortest form for one property."""

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
from netgraph.testing.search import CheckRun, RuleCheck, RuleCheckError

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
    """Check that a rule keeps the laws of rewriting, and that it does to the function what it claims.

    Args:
        rule: an instance of the rule.
        graphs: strategy of graphs; a match is planted where they have none. By default piecewise-linear
            graphs with dyadic weights, and graphs with every activation and norm.
        max_examples: number of graphs.
        seed: of the search: the same seed gives the same examples.
        claim: hold the rule to this instead of what its `claim` says; a rule that claims nothing may change the
            function as it likes.
        stats: makes the statistics of a graph, for a rule that reads them.
        checks: which checks.

    Nothing is written but a cache of Hypothesis, without examples, in `.hypothesis` or `HYPOTHESIS_STORAGE_DIRECTORY`.

    Raises:
        RuleCheckError: with every check that fails and a small counterexample of each, as code to paste. Also when no
            graph was found on which the rule has a match.

    Example:
        >>> import netgraph as ng
        >>> check_rule(ng.rules.AddEdges(), max_examples=5, checks=[check_valid_graph_after])
    """
    if max_examples < 1:
        raise OptionError(f"max_examples={max_examples} is below 1.")
    run = CheckRun(rule, graphs, max_examples, seed, claim, None, stats)
    if failures := run.failures(tuple(checks)):
        raise RuleCheckError(rule, failures)


def assert_preserves(
    rule: Rule,
    *,
    graphs: st.SearchStrategy[Graph] | None = None,
    stats: Stats | None = None,
    max_examples: int = 100,
    tolerance: float | None = None,
    seed: int = 0,
) -> None:
    """Assert that a rule does not change the function, whatever it claims.

    Args:
        rule: the rule.
        graphs: strategy of graphs, as of `check_rule`.
        stats: makes the statistics of a graph, for a rule that reads them.
        max_examples: number of graphs.
        tolerance: difference that passes as none, of 1 plus the largest value of an output; by default none at all on
            piecewise-linear graphs with dyadic weights, and 1e-9 on others.
        seed: of the search.

    Raises:
        RuleCheckError: with the smallest counterexample as code, and the difference there; it is an `AssertionError`.
    """
    run = CheckRun(rule, graphs, max_examples, seed, "exact", tolerance, stats)
    if failures := run.failures((check_valid_graph_after, check_function_preserved)):
        raise RuleCheckError(rule, failures)


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
    """Decorate a pytest test with one case per rule and check; its arguments are `rule` and `check`.

    Options as of `check_rule`.

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
            pytest.param(rule, functools.partial(check, **options), id=f"{described_rule(rule)}-{check.__name__}")
            for rule in rules
            for check in checks
        ],
    )


def described_rule(rule: Rule) -> str:
    """A rule as in a test's id: its name, and the parameters that are not at their defaults."""
    if not dataclasses.is_dataclass(rule):
        return rule.name
    told = []
    for f in dataclasses.fields(rule):
        value = rule.parameters.get(f.name)
        if f.default is dataclasses.MISSING or value != f.default:
            told.append(f"{f.name}={value!r}")
    return f"{rule.name}({', '.join(told)})"
