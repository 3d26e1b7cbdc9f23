"""RMS norm: its bounds hold, and are reached."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from netgraph.graph.norms.record import NormChange, NormSetting
from netgraph.graph.norms.rms import RMS

seeds = st.integers(0, 2**20)


def setting(scale, epsilon):
    return NormSetting({"scale": scale}, epsilon, len(scale), "eval")


def value(z, at):
    """Values for sums `(batch, vertices)`."""
    return RMS.function(z.copy(), at.columns, at.epsilon, False)


def drawn(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 6))
    low, high = np.sort(rng.normal(size=(2, n)) * 10.0 ** rng.integers(-4, 3), axis=0)
    return rng, low, high, setting(rng.normal(size=n) * (rng.random(n) < 0.9), 10.0 ** rng.integers(-8, 1))


@given(seed=seeds)
def test_values_lie_in_the_interval(seed):
    rng, low, high, at = drawn(seed)
    least, most = RMS.interval(low, high, at)
    found = value(rng.uniform(low, high, (200, len(low))), at)
    assert (found >= least).all()
    assert (found <= most).all()


def test_the_interval_is_reached_where_all_other_sums_are_zero():
    at = setting(np.array([2.0, -1.0, 0.5]), 1e-2)
    low, high = np.array([-3.0, 0.0, -np.inf]), np.array([1.0, 4.0, np.inf])
    least, most = RMS.interval(low, high, at)
    found = value(np.array([[-3.0, 0, 0], [1, 0, 0], [0, 4, 0], [0, 0, -1e9], [0, 0, 1e9]]), at)
    np.testing.assert_allclose(least, [found[0, 0], found[2, 1], found[3, 2]], rtol=1e-12)
    np.testing.assert_allclose(most, [found[1, 0], 0, found[4, 2]], rtol=1e-12, atol=0)
    assert most[2] >= 0.5 * np.sqrt(3)


def test_the_sign_of_a_sum_is_kept():
    at = setting(np.ones(2), 1e-5)
    least, most = RMS.interval(np.array([0.0, -np.inf]), np.array([np.inf, -1.0]), at)
    assert (least[0], most[1]) == (0, 0)


@given(seed=seeds)
def test_values_move_no_farther_than_the_change_says(seed):
    rng, low, high, at = drawn(seed)
    reach = np.abs(rng.normal(size=len(low))) * 10.0 ** rng.integers(-6, 1)
    kept = np.ones(len(low), bool)
    least, most = RMS.change(NormChange(-reach, reach, low, high, at, at, kept, whole=True))
    z = rng.uniform(low, high, (200, len(low)))
    moved = value(z + rng.uniform(-reach, reach, z.shape), at) - value(z, at)
    room = 1e-13 * np.sqrt(len(low)) * np.abs(at.columns["scale"])
    assert (moved >= least - room).all()
    assert (moved <= most + room).all()
    some = RMS.change(NormChange(-reach, reach, low, high, at, at, kept, whole=False))
    assert np.isinf(some).all()


def test_the_change_is_reached_near_zero():
    at = setting(np.array([3.0, 1.0]), 1e-2)
    step = np.array([1e-6, 0.0])
    change = NormChange(-step, step, np.zeros(2), np.zeros(2), at, at, np.ones(2, bool), whole=True)
    moved = value(step[None], at)[0, 0]
    assert 0.999 < moved / RMS.change(change)[1][0] <= 1


def test_sums_whose_squares_overflow_have_an_error_as_large_as_their_values():
    at = setting(np.ones(2), 1e-5)
    ends = np.full(2, 1e200)
    with np.errstate(over="ignore"):
        found = value(np.array([[1e200, -1e200]]), at)
    assert (np.abs(np.array([1.0, -1.0]) - found) <= RMS.rounding(-ends, ends, np.zeros(2), at)).all()
    assert RMS.rounding(-np.ones(2), np.ones(2), np.zeros(2), at).max() < 1e-13
    assert np.isfinite(RMS.rounding(-ends, ends, np.full(2, np.inf), at)).all()
