import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netgraph.errors import OptionError
from netgraph.schedules import CURVES, cubic_target, get_curve

progress = st.floats(0, 1)


@pytest.mark.parametrize(("name", "end"), [("constant", 1), ("cosine", 0), ("late_cosine", 0), ("linear", 0)])
def test_curves_start_at_one_and_end_where_they_should(name, end):
    assert get_curve(name)(0.0) == 1
    assert get_curve(name)(1.0) == pytest.approx(end, abs=1e-15)


@given(st.sampled_from(sorted(CURVES)), progress, progress)
def test_curves_never_rise_and_stay_within_zero_and_one(name, a, b):
    early, late = get_curve(name)(min(a, b)), get_curve(name)(max(a, b))
    assert 0 <= late <= early <= 1


@given(st.sampled_from(sorted(CURVES)), st.floats(-3, 3))
def test_outside_of_training_curves_stay_at_their_ends(name, where):
    curve = get_curve(name)
    assert curve(where) == curve(min(max(where, 0.0), 1.0))


def test_curves_between_their_ends():
    assert get_curve("linear")(0.25) == 0.75
    assert get_curve("cosine")(0.5) == pytest.approx(0.5)
    assert get_curve("cosine")(0.25) == pytest.approx((1 + math.sqrt(0.5)) / 2)
    assert get_curve("late_cosine")(0.5) == 1
    assert get_curve("late_cosine")(0.75) == pytest.approx(0.5)


def test_an_unknown_curve_is_refused_with_the_nearest_name():
    with pytest.raises(OptionError, match="Did you mean 'late_cosine'"):
        get_curve("late_cosinus")


@given(st.integers(0, 10_000), st.integers(0, 10_000), st.integers(1, 40))
def test_cubic_target_goes_from_start_to_end_without_turning(a, b, steps):
    start, end = max(a, b), min(a, b)
    sizes = [cubic_target(start, end, step, steps) for step in range(steps + 1)]
    assert sizes[0] == start
    assert sizes[-1] == end
    assert all(x >= y for x, y in pairwise(sizes))


def test_cubic_target_is_fast_at_first():
    assert [cubic_target(1000, 0, step, 4) for step in range(5)] == [1000, 422, 125, 16, 0]


def test_cubic_target_stays_at_its_ends():
    assert cubic_target(100, 10, -1, 5) == 100
    assert cubic_target(100, 10, 9, 5) == 10
