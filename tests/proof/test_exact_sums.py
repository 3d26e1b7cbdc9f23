"""Sums and products without rounding, compared with rational numbers."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netgraph.proof.exact_sums import sum_groups, two_product, two_sum

moderate = st.floats(min_value=-1e150, max_value=1e150, allow_nan=False, allow_infinity=False)
nasty = st.one_of(
    moderate,
    st.sampled_from(
        [0.0, -0.0, 5e-324, -5e-324, 2.0**-1022, 1e-300, 1e-160, 0.1, 1 / 3, 1.0, -1.0, 1e16, 1e16 + 2, 1e150]
    ),
    st.integers(-(2**53), 2**53).map(float),
)
weights = st.one_of(
    st.floats(min_value=-100, max_value=100, width=32).filter(lambda v: v == 0 or abs(v) > 1e-12),
    st.sampled_from([0.1, 1 / 3, 1e6, 1e6 + 2**-20, 1e-12, 1.0, -1.0]),
)


def fractions(values):
    return [Fraction(float(v)) for v in np.atleast_1d(values)]


def fraction_of(value):
    return Fraction(float(value))


@given(st.lists(st.tuples(nasty, nasty), min_size=1, max_size=20))
def test_a_sum_and_its_error_are_the_real_sum(pairs):
    a, b = (np.array(values) for values in zip(*pairs, strict=True))
    total, rest = two_sum(a, b)
    np.testing.assert_array_equal(total, a + b)
    for x, y, high, low in zip(*map(fractions, (a, b, total, rest)), strict=True):
        assert x + y == high + low


@given(st.lists(st.tuples(nasty, nasty), min_size=1, max_size=20))
def test_a_product_misses_no_more_than_it_says(pairs):
    a, b = (np.array(values) for values in zip(*pairs, strict=True))
    high, low, missing = two_product(a, b)
    np.testing.assert_array_equal(high, a * b)
    for x, y, h, l, m in zip(*map(fractions, (a, b, high, low, missing)), strict=True):  # noqa: E741
        assert abs(x * y - h - l) <= m


@given(st.lists(st.tuples(nasty, nasty), min_size=1, max_size=20))
def test_products_within_the_range_miss_nothing(pairs):
    a, b = (np.array(values) for values in zip(*pairs, strict=True))
    high, low, missing = two_product(a, b)
    inside = ((np.abs(high) > 1e-250) & (np.abs(high) < 1e280)) | (a == 0) | (b == 0)
    assert (missing[inside] == 0).all()
    for x, y, h, l in zip(*map(fractions, (a[inside], b[inside], high[inside], low[inside])), strict=True):  # noqa: E741
        assert x * y == h + l


@pytest.mark.parametrize(
    ("a", "b"),
    [(1e300, 1e300), (-1e300, 1e200), (1e-200, 1e-200), (5e-324, 0.5), (1e-170, 1e-100), (1e295, 3.0), (3.0, 1e295)],
)
def test_products_beyond_the_range_say_so(a, b):
    high, low, missing = two_product(np.array([a]), np.array([b]))
    assert missing[0] > 0
    assert low[0] == 0
    if np.isfinite(high[0]):
        assert abs(Fraction(a) * Fraction(b) - Fraction(float(high[0]))) <= Fraction(float(missing[0]))
    else:
        assert missing[0] == np.inf


@pytest.mark.parametrize("b", [5e-324, -5e-324, 1e-310, 1e280, 1e308, -1.7976931348623157e308, 0.0])
@pytest.mark.parametrize("one", [1.0, -1.0])
def test_products_with_one_are_exact_over_the_whole_range(one, b):
    for pair in ((one, b), (b, one)):
        high, low, missing = two_product(*(np.array([v]) for v in pair))
        assert (high[0], low[0], missing[0]) == (one * b, 0, 0)


@given(st.lists(st.lists(nasty, min_size=1, max_size=12), min_size=1, max_size=6))
def test_groups_are_summed_within_what_they_say(groups):
    values, start = np.concatenate(groups), np.cumsum([0, *map(len, groups)])[:-1]
    total, low, missing = sum_groups(values, start)
    assert total.shape == low.shape == missing.shape == (len(groups),)
    for group, t, rest, m in zip(groups, fractions(total), fractions(low), fractions(missing), strict=True):
        real = sum(map(Fraction, group), Fraction(0))
        assert abs(real - t - rest) <= m


@given(st.lists(weights, min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_what_cancels_leaves_exactly_nothing(values, random):
    group = [*values, *(-v for v in values)]
    random.shuffle(group)
    assert sum_groups(np.array(group), np.array([0])) == (0, 0, 0)


@pytest.mark.parametrize("exponent", [20, 60, 120, 250])
def test_terms_of_very_different_size_cancel(exponent):
    rng = np.random.default_rng(exponent)
    for _ in range(100):
        n = int(rng.integers(2, 20))
        values = rng.normal(size=n) * 2.0 ** rng.integers(-exponent, exponent, n)
        assert sum_groups(rng.permutation(np.concatenate([values, -values])), np.array([0])) == (0, 0, 0)


def test_heavy_cancellation_in_a_thousand_terms():
    rng = np.random.default_rng(0)
    values = rng.normal(size=500) * 2.0 ** rng.integers(-20, 20, 500)
    nothing = rng.permutation(np.concatenate([values, -values]))
    assert sum_groups(nothing, np.array([0])) == (0, 0, 0)
    for rest in (2.0**-70, -1.0, 1e10):
        assert sum_groups(rng.permutation(np.append(nothing, rest)), np.array([0])) == (rest, 0, 0)


def test_a_sum_that_no_float_holds_is_never_called_exact():
    assert sum_groups(np.array([1.0, 2.0**-60]), np.array([0])) == (1, 2.0**-60, 0)
    # Nor a sum that is 0 in plain arithmetic only.
    values = np.array([1.0, 2.0**-53, 2.0**-53, -1.0, -(2.0**-52), 2.0**-107])
    assert sum_groups(values, np.array([0])) == (2.0**-107, 0, 0)
    # Three numbers that do not overlap are one too many.
    (total,), (low,), (missing,) = sum_groups(np.array([2.0**-200, 1.0, 2.0**-100]), np.array([0]))
    assert abs(1 + Fraction(2) ** -100 + Fraction(2) ** -200 - fraction_of(total) - fraction_of(low)) <= missing
    assert 0 < missing < 2.0**-90
    # What overflows is not known.
    (total,), (low,), (missing,) = sum_groups(np.array([1e308, 1e308, -1e308]), np.array([0]))
    assert missing == np.inf
    assert low == 0


def test_groups_of_different_sizes_do_not_mix():
    values = np.array([1.0, 1e16, 1.0, -1e16, 5.0, 0.1, 0.2])
    total, low, missing = sum_groups(values, np.array([0, 1, 4, 5]))
    np.testing.assert_array_equal(total, [1, 1, 5, 0.1 + 0.2])
    np.testing.assert_array_equal(low[:3], 0)
    assert 0 < abs(low[3]) < 1e-16
    np.testing.assert_array_equal(missing, 0)
    np.testing.assert_array_equal(values, [1.0, 1e16, 1.0, -1e16, 5.0, 0.1, 0.2])  # the argument is left alone


def test_no_groups_and_single_members():
    assert [len(part) for part in sum_groups(np.zeros(0), np.zeros(0, dtype=np.int64))] == [0, 0, 0]
    np.testing.assert_array_equal(sum_groups(np.array([0.1, -7.0]), np.array([0, 1])), [[0.1, -7.0], [0, 0], [0, 0]])


def test_sums_that_fit_into_a_float_are_that_float():
    rng = np.random.default_rng(1)
    exact = 0
    for _ in range(300):
        n = int(rng.integers(1, 40))
        values = rng.integers(-(2**20), 2**20, n) * 2.0 ** rng.integers(-20, 20, n)
        (total,), (low,), (missing,) = sum_groups(values, np.array([0]))
        real = sum(fractions(values), Fraction(0))
        assert abs(real - fraction_of(total) - fraction_of(low)) <= fraction_of(missing)
        if Fraction(float(real)) == real:
            assert (float(total), float(low), float(missing)) == (float(real), 0.0, 0.0)
            exact += 1
    assert exact > 100


def test_a_group_of_very_many_members():
    values = np.random.default_rng(0).normal(size=100_001)
    assert sum_groups(np.concatenate([values, -values[::-1], [0.5]]), np.array([0])) == (0.5, 0, 0)
