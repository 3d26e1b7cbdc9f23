"""The machine over rules and drivers finds slips, and prints a short program that shows each."""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import netgraph as ng
from netgraph.errors import OptionError
from netgraph.testing import (
    RuleMachineError,
    check_rule,
    graphs,
    journals,
    rule_machine,
    run_rule_machine,
    statistics,
    statistics_for,
)

sys.path.insert(0, str(Path(__file__).parents[1] / "testing"))
import wrong_drivers
import wrong_rules

LONG = settings().max_examples > 100
RULES = [
    getattr(wrong_rules, name)()
    for name in ("SignSlip", "OneRelu", "WrongChild", "TanhInserted", "OffByOneTap", "ForgottenBias", "StaleBatchNorm",
                 "Undivided", "PruneSmall", "BiasThroughPadding", "MergeAlmost", "RowsForIds", "IdsForRows")
]  # fmt: skip
QUICK = (
    "SignSlip",
    "StaleBatchNorm",
    "StaleMatches",
    "ForgetsStatistics",
    "SwallowsRefusal",
    "IgnoresBound",
    "WrongOrder",
)


@pytest.mark.parametrize("step", [*RULES, *wrong_drivers.WRONG_DRIVERS], ids=lambda step: step.name)
def test_each_wrong_rule_and_driver_is_found_in_few_steps(step):
    if step.name not in QUICK and not LONG:
        pytest.skip("in the long run")
    with pytest.raises(RuleMachineError) as caught:
        run_rule_machine(rule_machine(step))
    error = caught.value
    assert 1 <= len(error.actions) <= 4
    assert error.first.num_vertices <= 6
    assert step.name in error.law
    assert f"import {type(step).__name__}" in str(error)


def test_the_program_leads_to_the_failure():
    """A weight that training made is lost by a rule that sets it back."""

    @dataclass(frozen=True)
    class Forget(ng.Rule):
        pattern = ng.edge("e")

        def rewrite(self, m, rw):
            rw.set_weight(m.e, 7.0)

    def weights_are_small(graph):
        assert (np.abs(graph.edges.weight) < 7).all(), "a weight of 7"

    machine = rule_machine(ng.rules.SplitEdges(), Forget(), invariants=[weights_are_small])
    with pytest.raises(
        RuleMachineError, match="The invariant weights_are_small does not hold: a weight of 7"
    ) as caught:
        run_rule_machine(machine, max_examples=30)
    error = caught.value
    (action,) = error.actions
    assert error.world.steps[action.at] == Forget()
    built = {"Forget": Forget}
    code = str(error).split(":\n\n", 1)[1]
    exec("\n".join(line for line in code.splitlines() if "import Forget" not in line), built)
    assert (built["graph"].edges.weight == 7).all()


def test_right_rules_pass_in_any_order():
    machine = rule_machine(
        ng.rules.SplitEdges(), ng.rules.PruneEdges(), ng.repeat(ng.rules.PruneVertices(), most=3),
        invariants=[lambda graph: graph.num_layers < 1000],
    )  # fmt: skip
    run_rule_machine(machine, max_examples=6 if not LONG else 100)
    assert issubclass(machine.TestCase, __import__("unittest").TestCase)


def test_training_that_changes_the_topology_is_found():
    def grows(graph, seed):
        return ng.apply(ng.rules.SplitVertices(), graph).graph

    with pytest.raises(RuleMachineError, match="training step gave another topology"):
        run_rule_machine(rule_machine(ng.rules.SplitVertices(), train=grows), max_examples=30)


def test_a_machine_without_steps_is_refused():
    with pytest.raises(OptionError, match="at least one rule"):
        rule_machine()
    with pytest.raises(ng.errors.RewriteError, match="a machine"):
        rule_machine(3)


@dataclass(frozen=True)
class PruneQuiet(ng.Rule):
    """Remove edges of small statistics; reads one vertex statistic and the generator too."""

    pattern = ng.edge("e", src="p", dst="c")
    needs = ng.Needs(edges=("quiet",), vertices=("busy",), generator=True)

    def where(self, m, stats):
        return (
            (stats.edge("quiet")[m.e.rows] > 0.5) & (stats.vertex("busy")[m.p.rows] >= 0) & (m.rng.random(len(m)) >= 0)
        )

    def rewrite(self, m, rw):
        rw.remove(m.e)


def test_rules_get_the_statistics_that_they_declare():
    check_rule(PruneQuiet(), max_examples=5)
    run_rule_machine(rule_machine(PruneQuiet()), max_examples=3)
    assert statistics_for(ng.rules.PruneEdges()) is None
    graph = ng.mlp([2, 3])
    drawn = statistics_for(ng.sequence(PruneQuiet(), PruneQuiet()))(graph)
    assert drawn.topology_hash == graph.topology_hash
    assert (len(drawn.edge("quiet")), len(drawn.vertex("busy"))) == (6, 5)


@settings(max_examples=5)
@given(st.data())
def test_drawn_statistics_and_journals_fit(data):
    graph = data.draw(graphs())
    stats = data.draw(statistics(graph, vertices=("rms",)))
    stats.check(graph)
    assert (stats.vertex("rms") >= 0).all()
    journal = data.draw(journals(max_rewrites=2))
    assert sum(1 for _ in journal.replay()) == len(journal)
