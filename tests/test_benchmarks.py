"""The searches for wrong proofs, on a few graphs each."""

import pytest

from benchmarks import dyadic, soundness


def test_no_difference_exceeds_its_bound():
    tally = soundness.Tally()
    soundness.run(60, 0, tally)
    assert tally.pairs >= 20
    assert {level for _, level in tally.levels} >= {"exact", "bounded"}
    assert 0 < tally.closest <= 1 + 1e-6


@pytest.mark.parametrize("rule", dyadic.RULES, ids=dyadic.repr_of)
def test_exact_rules_of_piecewise_linear_graphs_are_exact_to_the_bit(rule):
    count = dyadic.compare(rule, 6, 0)
    assert (count.graphs, count.proved, count.samples) == (6, 6, 48)
    assert count.matches >= 6
