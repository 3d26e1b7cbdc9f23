"""Deliberately wrong rules are caught, each with a counterexample of a few vertices."""

import pytest
from wrong_rules import WRONG

import netgraph as ng
from netgraph.testing import RuleCheckError, check_rule, graphs, to_code

LARGEST = 4
# Planting finds matches of these among the usual graphs as well, but takes seconds.
GRAPHS = {
    "BiasThroughPadding": graphs(kinds="conv", activations="identity", min_layers=1),
    "OffByOneTap": graphs(kinds="conv"),
    "MergeAlmost": graphs(kinds=("dense", "skip"), min_layers=1),
}

EXAMPLES = {"PruneSmall": 40}  # Hypothesis prefers constants of the modules that are loaded, so that draws differ


@pytest.mark.parametrize("rule", WRONG, ids=lambda rule: rule.name)
def test_a_wrong_rule_is_caught_on_a_small_graph(rule):
    with pytest.raises(RuleCheckError) as error:
        check_rule(rule, max_examples=EXAMPLES.get(rule.name, 10), graphs=GRAPHS.get(rule.name))
    failures = {failure.check: failure for failure in error.value.failures}
    failure = failures["check_function_preserved"]
    assert failure.graph.num_vertices <= LARGEST, failure
    assert failure.kind == "AssertionError"
    assert failure.message in str(error.value)
    assert "check_certificate_sound" not in failures
    # What was caught by measuring is not called exact by the proof either.
    assert ng.certify(failure.graph, failure.result.graph).kind != "exact"
    names = {}
    exec(to_code(failure.graph), names)
    assert names["graph"].num_edges == failure.graph.num_edges


@pytest.mark.parametrize("rule", WRONG, ids=lambda rule: rule.name)
def test_a_wrong_rule_claims_to_be_exact(rule):
    assert rule.claim(None) == "exact"
