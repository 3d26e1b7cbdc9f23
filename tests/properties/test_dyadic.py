"""The command that holds exact rules to the last bit, on few graphs; `python -m benchmarks.dyadic` takes 1,000."""

import pytest
from wrong_rules import OneRelu, SignSlip, Undivided

import netgraph as ng
from benchmarks import dyadic
from netgraph.rules import RULES


@pytest.mark.parametrize("rule", dyadic.RULES, ids=dyadic.repr_of)
def test_outputs_stay_the_same_bit_for_bit(rule):
    count = dyadic.compare(rule, 10, 0)
    assert count.graphs == 10
    assert count.matches >= 10
    assert count.samples == 10 * 8
    assert count.proved == 10


def test_every_shipped_rule_is_held_to_it():
    assert {type(rule) for rule in dyadic.RULES} == set(RULES.values())


@pytest.mark.parametrize("rule", [SignSlip(), OneRelu(), Undivided()], ids=repr)
def test_a_wrong_rule_is_found(rule):
    with pytest.raises(AssertionError, match=r"(?s)The function changed at output 'y.*Allowed: no difference"):
        dyadic.compare(rule, 50, 0)


def test_the_same_seed_draws_the_same_graphs():
    rule = ng.rules.AddEdges()
    assert dyadic.compare(rule, 10, 3) == dyadic.compare(rule, 10, 3) != dyadic.compare(rule, 10, 4)


def test_the_command_prints_a_row_for_every_rule(monkeypatch, capsys):
    monkeypatch.setattr(dyadic, "RULES", (ng.rules.PruneEdges(), ng.rules.AddSkip()))
    monkeypatch.setattr("sys.argv", ["dyadic", "--graphs", "3", "--seed", "1"])
    dyadic.main()
    printed = capsys.readouterr().out
    assert "PruneEdges() │      3" in printed
    assert "AddSkip()    │      3" in printed


def test_a_rule_that_claims_nothing_is_no_endless_search():
    with pytest.raises(RuntimeError, match="claims to be exact on none of the last 5 graphs"):
        dyadic.compare(ng.rules.AddEdges(spread=0.5), 5, 0)
