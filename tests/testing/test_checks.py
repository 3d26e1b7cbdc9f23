"""Each check passes on a right rule and fails on a pair of rule and graph that is built to fail it."""

import itertools
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import strategies as st
from wrong_rules import ExactRule, PruneSmall

import netgraph as ng
from netgraph import testing
from netgraph.errors import RewriteError
from netgraph.rewriting import Rule
from netgraph.testing import Case, RuleCheckError, assert_preserves, check_rule, parametrize_with_rule_checks

FEW = 5
ON_EDGES = ng.edge("e", src=ng.vertex("p"), dst=ng.vertex("c"))


@dataclass(frozen=True)
class Halve(Rule):
    """Halve weights: a rewrite that keeps every law, and claims nothing."""

    pattern: ClassVar = ON_EDGES

    def rewrite(self, m, rw):
        rw.set_weight(m.e, m.e.weight / 2)


@dataclass(frozen=True)
class Backwards(Halve):
    """Closes a cycle."""

    def rewrite(self, m, rw):
        rw.connect(m.c, m.p, weight=1.0)


@dataclass(frozen=True)
class Renewed(Halve):
    """Takes edges out and puts them back."""

    def rewrite(self, m, rw):
        for g in m.by("link"):
            rw.remove(g.e)
            rw.connect(g.p, g.c, weight=g.e.weight, tap=g.e.tap, kind=g.e.kind)


@dataclass(frozen=True)
class NeedsOne(Halve):
    """Cannot be asked about no match."""

    def where(self, m, stats):
        return m.e.weight <= m.e.weight.max()


@dataclass(frozen=True)
class InPlace(Halve):
    """Changes the old graph, whose columns cannot be written to, by a way that no public name has."""

    def rewrite(self, m, rw):
        link = next(iter(m.graph.links_by_key.values()))
        link.__dict__["weight"] = link.weight + 1
        super().rewrite(m, rw)


@dataclass(frozen=True)
class Counting(Halve):
    """Draws from elsewhere."""

    numbers: ClassVar = itertools.count()

    def rewrite(self, m, rw):
        rw.set_weight(m.e, float(next(self.numbers)))


@dataclass(frozen=True)
class Claiming(ExactRule, Halve):
    """Claims what is not so."""


@dataclass(frozen=True)
class Never(Halve):
    def where(self, m, stats):
        return np.zeros(len(m), dtype=bool)


def case_of(rule, limit=2, **changes):
    """A case whose result is changed by hand."""
    graph = ng.mlp([2, 2, 1], domain=(0, 1), dtype=np.float64).with_weights(np.ones(6))
    case = Case(rule, graph, {"input": np.ones((2, 2))}, limit)
    result = case.result
    case.__dict__["result"] = replace(result, **{k: v(result) for k, v in changes.items()})
    return case


def fails(check, case, text):
    check.on_case(case_of(Halve()))
    with pytest.raises((AssertionError, ng.errors.NetgraphError), match=text):
        check.on_case(case)


@pytest.mark.parametrize("check", testing.RULE_CHECKS, ids=lambda c: c.__name__)
def test_a_right_rule_passes_every_check(check):
    check(Halve(), max_examples=FEW)


@pytest.mark.parametrize(
    ("rule", "check", "text"),
    [
        (Backwards(), testing.check_valid_graph_after, "refused"),
        (Renewed(), testing.check_ids_stable, "loses its training state"),
        (Claiming(), testing.check_function_preserved, "difference of"),
        (NeedsOne(), testing.check_no_match_is_no_op, "ValueError"),
        (InPlace(), testing.check_failure_leaves_graph, "in place"),
        (InPlace(), testing.check_old_graph_untouched, "in place"),
        (Counting(), testing.check_deterministic, "two graphs"),
        (Claiming(), testing.check_claim_equals_certificate, "claims 'exact'"),
    ],
    ids=lambda value: getattr(value, "name", None) or getattr(value, "__name__", ""),
)
def test_each_check_catches_its_rule(rule, check, text):
    with pytest.raises(RuleCheckError, match=text) as error:
        check(rule, max_examples=FEW)
    (failure,) = error.value.failures
    assert failure.check == check.__name__
    assert failure.graph.num_vertices <= 3


def test_a_damaged_delta_is_caught():
    damaged = {"delta": lambda r: replace(r.delta, edges_changed={})}
    fails(testing.check_delta_invertible, case_of(Halve(), **damaged), "does not give")
    fails(testing.check_journal_replays, case_of(Halve(), **damaged), "Replaying")


def test_a_wrong_certificate_is_caught():
    wrong = {"certificate": lambda r: ng.Certificate("exact", "of a slip", bound=0.0)}
    fails(testing.check_certificate_sound, case_of(Halve(), **wrong), "certificate is wrong")
    tight = {"certificate": lambda r: ng.Certificate("bounded", "", 1e-6, {"output": (1e-6,)})}
    fails(testing.check_certificate_sound, case_of(Halve(), **tight), "certificate is wrong")
    wide = {"certificate": lambda r: ng.Certificate("bounded", "", 9.0, {"output": (9.0,)})}
    testing.check_certificate_sound.on_case(case_of(Halve(), **wide))


def test_unreported_and_doubly_reported_matches_are_caught():
    check = testing.check_overlapping_matches_reported
    fails(check, case_of(Halve(), skipped=lambda r: r.skipped.take(slice(1, None))), "matches, but")
    fails(check, case_of(Halve(), skipped=lambda r: r.matches), "both applied and skipped")
    every = {"matches": lambda r: ng.find(Halve(), r.matches.graph), "skipped": lambda r: r.skipped.take([])}
    fails(check, case_of(HalveApart(), None, **every), "share a row")


@dataclass(frozen=True)
class HalveApart(Halve):
    exclusive: ClassVar = ("p",)


def test_exclusive_rules_pass():
    check_rule(HalveApart(), max_examples=FEW)


def test_a_moved_id_is_caught():
    other = ng.mlp([2, 3, 1], domain=(0, 1), dtype=np.float64)
    fails(testing.check_ids_stable, case_of(Halve(), graph=lambda r: other), "id|under the same id|was at")


def test_a_rule_without_matches_fails_with_its_funnel():
    with pytest.raises(RuleCheckError, match=r"(?s)e is trainable.*where +0"):
        check_rule(Never(), max_examples=FEW, graphs=testing.graphs(kinds="dense", max_layers=1))


def test_all_failures_are_collected():
    checks = [testing.check_no_match_is_no_op, testing.check_function_preserved, testing.check_deterministic]
    with pytest.raises(RuleCheckError) as error:
        check_rule(NeedsOne(), max_examples=FEW, checks=checks, claim="exact")
    assert [f.check for f in error.value.failures] == ["check_no_match_is_no_op", "check_function_preserved"]
    assert "b = GraphBuilder(dtype=np.float64)" in str(error.value)
    assert "After it:" in str(error.value)


def test_a_rule_that_claims_nothing_may_change_the_function():
    testing.check_function_preserved(Halve(), max_examples=FEW)
    with pytest.raises(RuleCheckError):
        testing.check_function_preserved(Halve(), max_examples=FEW, claim="exact")


def test_assert_preserves_holds_any_rule_to_its_function():
    assert_preserves(ng.rules.AddEdges(), max_examples=FEW)
    with pytest.raises(AssertionError, match=r"(?s)difference of.*graph = b.build") as error:
        assert_preserves(Halve(), max_examples=FEW)
    assert error.value.failures[0].graph.num_vertices == 2
    assert_preserves(Halve(), max_examples=FEW, tolerance=1e3)
    assert_preserves(
        PruneSmall(),
        max_examples=FEW,
        tolerance=0.5,
        graphs=testing.graphs(kinds="dense", max_layers=0, domains=[(0, 1)]),
    )


def test_statistics_are_handed_to_the_rule():
    @dataclass(frozen=True)
    class Steep(Halve):
        def where(self, m, stats):
            return ng.at_least(stats.edge("gradient")[m.e.rows], 1.0).holds

    def stats(graph):
        return ng.Statistics(graph.topology_hash, {"gradient": np.ones(len(graph.edges))}, {}, batches=1)

    testing.check_valid_graph_after(Steep(), max_examples=FEW, stats=stats)


def test_the_same_seed_gives_the_same_counterexample():
    texts = []
    for _ in range(2):
        with pytest.raises(RuleCheckError) as error:
            check_rule(Claiming(), max_examples=FEW, checks=[testing.check_function_preserved], seed=3)
        texts.append(str(error.value))
    assert texts[0] == texts[1]


def test_own_checks_can_be_added():
    @testing.rule_check
    def check_has_no_output(case):
        assert case.result.graph.outputs == (), "there are outputs"

    with pytest.raises(RuleCheckError, match="check_has_no_output: there are outputs"):
        check_rule(Halve(), max_examples=1, checks=[*testing.RULE_CHECKS[:1], check_has_no_output])


@parametrize_with_rule_checks(
    [ng.rules.AddEdges(), Halve()], max_examples=2, checks=testing.RULE_CHECKS[:2], graphs=st.just(ng.mlp([1, 2, 1]))
)
def test_a_rule_and_a_check_make_a_test(rule, check, request):
    assert rule.name in request.node.name
    assert "check_" in request.node.name
    check(rule)


def test_ids_of_tests_tell_the_parameters():
    mark = parametrize_with_rule_checks([ng.rules.AddEdges(spread=0.5)], checks=testing.RULE_CHECKS[:1])
    assert [p.id for p in mark.mark.args[1]] == ["AddEdges(spread=0.5)-check_valid_graph_after"]


@pytest.mark.parametrize("name", sorted(ng.rules.RULES))
def test_shipped_rules_keep_the_laws(name):
    check_rule(ng.rules.RULES[name](), max_examples=5)


@pytest.mark.parametrize("high", [1.0, np.inf])
def test_rounding_is_bounded_for_bounded_inputs_only(high):
    """Weights that are rounded may change the output of an unbounded input by any amount."""
    rule = ng.rules.SplitEdges(activation="leaky_relu", slope=0.25)
    graphs = testing.graphs(kinds="dense", max_layers=0, domains=[(-high, high)])
    check_rule(rule, graphs=graphs, max_examples=30, checks=[testing.check_claim_equals_certificate])


def test_a_class_in_place_of_a_rule_is_told_before_anything_is_drawn():
    for call in (check_rule, assert_preserves, testing.graphs_matching, *testing.RULE_CHECKS):
        with pytest.raises(RewriteError, match=r"The class AddEdges was given as the rule; give an instance"):
            call(ng.rules.AddEdges)
