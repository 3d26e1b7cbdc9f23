"""Checks of rules that need tensors."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch

import netgraph as ng
from compilers import testing
from netgraph.rewriting import Rule
from netgraph.rules import RULES
from netgraph.testing import Case, RuleCheckError

FEW = 6


@dataclass(frozen=True)
class Halve(Rule):
    pattern: ClassVar = ng.edge("e")

    def rewrite(self, m, rw):
        rw.set_weight(m.e, m.e.weight / 2)


@dataclass(frozen=True)
class Broken(Halve):
    def where(self, m, stats):
        return m.e.weight <= m.e.weight.max()


@pytest.mark.parametrize("name", sorted(RULES))
def test_shipped_rules_pass_with_tensors(name):
    testing.check_rule(RULES[name](), max_examples=3, checks=testing.COMPILER_CHECKS)


def test_all_checks_run_over_graphs_of_every_kind():
    testing.check_rule(Halve(), max_examples=FEW)
    assert set(testing.COMPILER_CHECKS) < set(testing.RULE_CHECKS)
    with pytest.raises(RuleCheckError, match="check_no_match_is_no_op"):
        testing.check_rule(Broken(), max_examples=FEW)


def case():
    graph = ng.mlp([2, 2, 1], norm="batch", domain=(0, 1), dtype=np.float64)
    return Case(Halve(), graph, {"input": np.random.default_rng(0).random((4, 2))})


def test_a_network_that_computes_something_else_is_caught(monkeypatch):
    check = testing.check_compiled_equals_oracle
    check.on_case(case())
    original = testing.checks.lower

    def lower(graph, **options):
        return original(graph.with_weights(graph.edges.weight * 1.001), **options)

    monkeypatch.setattr(testing.checks, "lower", lower)
    with pytest.raises(AssertionError, match="off by"):
        check.on_case(case())


@pytest.mark.parametrize("what", ["weights", "vertex_parameters"])
def test_state_that_is_not_carried_by_id_is_caught(monkeypatch, what):
    check = testing.check_optimizer_state_by_id
    check.on_case(case())
    original = testing.checks.migrate

    def migrate(net, optimizer, result):
        new, carried = original(net, optimizer, result)
        for value in carried.state[getattr(new, what)].values():
            if isinstance(value, torch.Tensor) and value.dim():
                value.copy_(value.flip(0) + 1)
        return new, carried

    monkeypatch.setattr(testing.checks, "migrate", migrate)
    with pytest.raises(AssertionError, match="after migrating"):
        check.on_case(case())


@testing.parametrize_with_rule_checks([Halve()], max_examples=2, checks=testing.COMPILER_CHECKS)
def test_a_rule_and_a_check_make_a_test(rule, check):
    check(rule)
