"""Reports of checks count what was drawn, matched, rewritten and proved, and hold every failure."""

from dataclasses import dataclass
from typing import Literal

import pytest

import netgraph as ng
from netgraph.errors import OptionError
from netgraph.testing import RULE_CHECKS, RuleCheckError, examine_rule

FEW = 12


@dataclass(frozen=True)
class ZeroWeights(ng.Rule):
    """Set weights to 0, with a claim that is a field."""

    says: Literal["exact", "bounded"] | None = None

    pattern = ng.edge("e")

    def where(self, m, stats):
        return m.e.weight > 0

    def rewrite(self, m, rw):
        rw.set_weight(m.e, 0.0)

    def claim(self, m):
        return self.says


def test_every_check_is_counted_on_every_graph():
    seen = []
    report = examine_rule(ng.rules.AddEdges(), max_examples=FEW, progress=seen.append)
    assert not report.failures
    report.require_passed()
    assert seen == [*range(1, FEW + 1)]
    assert report.graphs == FEW
    assert report.matches >= FEW
    assert [*report.checks] == [check.__name__ for check in RULE_CHECKS]
    for check in RULE_CHECKS:
        count = report.checks[check.__name__]
        assert (count.passed + count.irrelevant, count.failed) == (FEW // check.every, 0)
    assert [*report.claims()] == [f"claims exact: proved on {FEW} of {FEW} graphs"]


def test_graphs_without_a_match_are_counted_apart():
    report = examine_rule(ng.rules.MergeVertices(), max_examples=FEW)
    assert report.graphs == FEW
    assert report.rejected > 0


def test_a_claim_that_is_not_proved_shows_what_was():
    report = examine_rule(ZeroWeights("exact"), max_examples=FEW)
    failed = {failure.check for failure in report.failures}
    assert "check_claim_equals_certificate" in failed
    assert all((report.checks[name].failed > 0) == (name in failed) for name in report.checks)
    (line,) = report.claims()
    assert line.startswith("claims exact: proved on ")
    assert "bounded on " in line
    with pytest.raises(RuleCheckError, match="fails check_claim_equals_certificate"):
        report.require_passed()


def test_a_rule_without_a_claim_shows_what_was_proved():
    (line,) = examine_rule(ZeroWeights(), max_examples=FEW).claims()
    assert line.startswith("claims nothing: proved ")
    assert line.endswith(f" of {FEW} graphs")


def test_no_match_is_one_failure_and_nothing_is_counted():
    @dataclass(frozen=True)
    class Never(ZeroWeights):
        def where(self, m, stats):
            return m.e.weight > 1e30

    report = examine_rule(Never(), max_examples=2)
    assert [failure.check for failure in report.failures] == ["find_a_match"]
    assert (report.graphs, report.matches, [*report.claims()]) == (0, 0, [])


def test_at_least_one_graph_is_asked_for():
    with pytest.raises(OptionError, match="max_examples=0 is below 1"):
        examine_rule(ZeroWeights(), max_examples=0)
