"""`netgraph check`: rules of a file on random graphs, with a table of checks and counterexamples as code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from netgraph.app.requests import CheckRequest
from netgraph.app.rule_choice import chosen_rules
from netgraph.app.tables import print_table
from netgraph.errors import OptionError
from netgraph.graph import Graph
from netgraph.rewriting import Rule
from netgraph.rules import load_module
from netgraph.statistics import Statistics
from netgraph.tables import Table
from netgraph.testing import RuleReport, describe_rule, examine_rule, graphs

NO_MATCH = (
    "On the command line, --kinds chooses the kinds of graphs and --stats the statistics. In Python, "
    "check_rule(rule, graphs=...) takes any strategy of graphs."
)


def check(request: CheckRequest, console: Console) -> bool:
    """Check the rules of a request, and print a table, the proved claims and the counterexamples of each.

    Returns:
        Whether every check has passed.

    Raises:
        OptionError: for a target without rules, an import that fails, or values that a rule does not take.
    """
    chosen = _kinds(request.kinds)
    stats = _statistics(request.stats)
    rules = chosen_rules(request.target, request.assignments)
    passed = 0
    for rule in rules:
        report = _examine(rule, console, graphs=chosen, stats=stats, max_examples=request.examples, seed=request.seed)
        _show(report, console)
        passed += not report.failures
    if len(rules) > 1:
        _say(console, f"{passed} of {len(rules)} rules have passed every check.")
    return passed == len(rules)


def _kinds(names: tuple[str, ...]) -> st.SearchStrategy[Graph] | None:
    """Graphs of the named kinds, half of them piecewise linear with dyadic weights; None without names."""
    return st.one_of(graphs(kinds=names), graphs(kinds=names, exact=False)) if names else None


def _statistics(target: str) -> Callable[[Graph], Statistics] | None:
    """Function that a text names; None without a text."""
    if not target:
        return None
    place, _, name = target.rpartition(":")
    value = getattr(load_module(place), name, None) if place else None
    if not callable(value):
        raise OptionError(
            f"--stats {target!r} names no function; give one that takes a graph and returns its Statistics, as in "
            "my_rules.py:my_statistics."
        )
    found: Callable[[Graph], Statistics] = value
    return found


def _examine(rule: Rule, console: Console, *, max_examples: int, **options: Any) -> RuleReport:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("graphs", total=max_examples)
        return examine_rule(
            rule, max_examples=max_examples, progress=lambda n: progress.update(bar, completed=n), **options
        )


def _show(report: RuleReport, console: Console) -> None:
    failed = {failure.check for failure in report.failures}
    rows = []
    for name, count in report.checks.items():
        outcome = "failed" if name in failed else "passed" if count.passed else "does not apply"
        rows.append((name, outcome, f"{count.passed:,}"))
    if report.graphs:
        print_table(
            console,
            Table(describe_rule(report.rule), ("check", "outcome", "graphs passed"), rows, left=(0, 1)),
            title_justify="left",
        )
    else:
        _say(console, describe_rule(report.rule))
    for line in report.claims():
        _say(console, line)
    _say(console, f"{report.matches:,} matches rewritten on {report.graphs:,} graphs; "
                  f"{report.rejected:,} more graphs were drawn, on which it has no match")  # fmt: skip
    for failure in report.failures:
        console.print()
        for line in str(failure).splitlines():
            console.print(line, highlight=False, markup=False, soft_wrap=True)
        if failure.check == "find_a_match":
            _say(console, NO_MATCH)
    verdict = f"failed: {', '.join(failure.check for failure in report.failures)}" if failed else "every check passed"
    console.print(f"{report.rule.name}: {verdict}", style="red" if failed else "green", highlight=False, markup=False)


def _say(console: Console, text: str) -> None:
    console.print(text, highlight=False, markup=False)
