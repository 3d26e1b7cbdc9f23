"""The search for wrong proofs, on a few graphs."""

from benchmarks import soundness


def test_no_difference_exceeds_its_bound():
    tally = soundness.Tally()
    soundness.run(60, 0, tally)
    assert tally.pairs >= 20
    assert {level for _, level in tally.levels} >= {"exact", "bounded"}
    assert 0 < tally.closest <= 1 + 1e-6
