"""Counterexamples are made small, also on graphs that no strategy can draw smaller."""

import numpy as np
import pytest
from hypothesis import strategies as st
from wrong_rules import ForgottenBias, PruneSmall, SignSlip, Undivided

import netgraph as ng
from netgraph import testing
from netgraph.testing import RuleCheckError, check_rule, to_code

CHECKS = (testing.check_claim_equals_certificate, testing.check_function_preserved)


def failures_of(rule, *checks, **options):
    with pytest.raises(RuleCheckError) as error:
        check_rule(rule, checks=checks or CHECKS, **options)
    return {failure.check: failure for failure in error.value.failures}


@pytest.mark.parametrize("rule", [SignSlip(), ForgottenBias(), Undivided(), PruneSmall()], ids=lambda rule: rule.name)
def test_a_counterexample_on_a_graph_of_ones_own_is_small(rule):
    rng = np.random.default_rng(0)
    graph = ng.mlp([8, 12, 12, 4], domain=(-1, 1))
    graph = graph.with_weights(
        rng.integers(-16, 17, graph.num_edges) / 8, vertices={"bias": rng.integers(-8, 9, graph.num_vertices) / 8}
    )
    for failure in failures_of(rule, graphs=st.just(graph), max_examples=2).values():
        assert failure.graph.num_vertices <= 3, failure
        assert len(failure.graph.edges) == 1, failure
        assert len(to_code(failure.graph)) < 400


@testing.rule_check
def check_not_four_vertices_nor_two(case):
    assert case.graph.num_vertices not in (2, 4)


@testing.rule_check
def check_nothing(case):
    raise AssertionError("always")


def test_a_check_that_gets_stuck_shows_the_smaller_graph_of_another():
    chain = st.just(ng.mlp([1, 1, 1, 1], domain=(0, 1)))
    alone = failures_of(SignSlip(), check_not_four_vertices_nor_two, graphs=chain, max_examples=1)
    assert [failure.graph.num_vertices for failure in alone.values()] == [4]
    both = failures_of(SignSlip(), check_not_four_vertices_nor_two, check_nothing, graphs=chain, max_examples=1)
    assert [failure.graph.num_vertices for failure in both.values()] == [2, 2]


def test_a_hidden_layer_that_nothing_feeds_gives_its_place_to_an_input():
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 1, domain=(0, 1))
    b.layer("h", 1, bias=True)
    b.output("y", 1)
    b.edges("h", "y", [0], [0], weight=[0.25])
    graph = b.build().with_weights(vertices={"bias": np.array([0.0, 1.0, 0.0])})
    for failure in failures_of(PruneSmall(), graphs=st.just(graph), max_examples=1).values():
        assert [layer.role for layer in failure.graph.layers.values()] == ["input", "output"]
