"""Phases: where a learning-rate curve stands."""

import pytest

from netgraph.errors import OptionError
from netgraph.schedules import Phase


def test_a_phase_runs_its_curve_once():
    assert [Phase(epochs=4).progress(done, left=10) for done in (0, 1, 3.5, 4, 9)] == [0, 0.25, 0.875, 1, 1]


def test_a_phase_without_a_length_reaches_to_the_end():
    assert Phase().progress(2.5, left=10) == 0.25


@pytest.mark.parametrize(("options", "message"), [({"epochs": 0}, "0 epochs"), ({"curve": "cosin"}, "cosine")])
def test_refused(options, message):
    with pytest.raises(OptionError, match=message):
        Phase(**options)
