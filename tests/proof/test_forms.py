"""Affine forms: collecting terms, cancellation, errors, intervals."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netgraph.proof.forms import ROUNDINGS, Rows, Terms, collect, form_interval, scaled_terms

EPS32, EPS64 = (float(np.finfo(dtype).eps) for dtype in (np.float32, np.float64))
COLUMNS = 100

numbers = st.one_of(
    st.integers(-16, 16).map(lambda k: k / 8),
    st.floats(min_value=-100, max_value=100, width=32).filter(lambda v: v == 0 or abs(v) > 1e-12),
    st.sampled_from([0.1, 1 / 3, 1e6, 1e-6]),
)
entries = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4), numbers), max_size=25)


def terms(*triples):
    row, column, value = zip(*triples, strict=True) if triples else ((), (), ())
    return Terms.of(np.array(row, np.int64), np.array(column, np.int64), np.array(value, np.float64))


def gathered(rows, *triples, epsilon=EPS64):
    return collect(rows, terms(*triples), epsilon, COLUMNS)


def as_dict(form):
    return {(int(r), int(c)): float(v) for r, c, v in zip(form.row, form.column, form.value, strict=True)}


def real_sums(triples):
    sums = {}
    for row, column, value in triples:
        sums[row, column] = sums.get((row, column), 0) + Fraction(value)
    return sums


@given(entries)
def test_collected_terms_are_their_sums(triples):
    form = gathered(4, *triples)
    assert len(form) == 4
    assert (np.diff(form.row * COLUMNS + form.column) >= 0).all()
    real = real_sums(triples)
    found = {}
    for r, c, v, e in zip(form.row, form.column, form.value, form.error, strict=True):
        before, error = found.get((int(r), int(c)), (Fraction(0), Fraction(0)))
        assert not before or abs(v) <= abs(before) * Fraction(1, 2**52)  # what the larger number lacks
        found[int(r), int(c)] = before + Fraction(v), error + Fraction(e)
    for key, value in real.items():
        got, error = found.pop(key, (Fraction(0), Fraction(0)))
        assert abs(value - got) <= error
        if value == Fraction(float(value)):
            assert (got, error) == (value, 0)
    assert not found


@given(entries.filter(len), st.randoms(use_true_random=False))
def test_terms_and_their_opposites_leave_nothing(triples, random):
    both = [*triples, *((row, column, -value) for row, column, value in triples)]
    random.shuffle(both)
    form = gathered(4, *both)
    assert len(form.column) == 0
    assert form.empty.all()


def test_a_remainder_of_the_last_bit_is_kept():
    (value,) = gathered(1, (0, 0, 0.1), (0, 0, 0.2), (0, 0, -0.3)).value
    assert Fraction(float(value)) == Fraction(0.1) + Fraction(0.2) - Fraction(0.3)
    assert value != (0.1 + 0.2) - 0.3


def test_rows_without_terms_and_no_terms_at_all():
    form = gathered(3, (1, 7, 2.0))
    np.testing.assert_array_equal(form.start, [0, 0, 1, 1])
    np.testing.assert_array_equal(form.empty, [True, False, True])
    np.testing.assert_array_equal(form.counts, [0, 1, 0])
    none = gathered(2)
    np.testing.assert_array_equal(none.start, [0, 0, 0])
    assert none.empty.all()
    assert none.only_rounding().all()


@pytest.mark.parametrize(
    ("addends", "epsilon", "rounding"),
    [
        ([1.0, -1.0 + EPS32], EPS32, True),
        ([1.0, -1.0 + EPS32], EPS64, False),
        ([1.0, -1.0 + ROUNDINGS * EPS32 * 4], EPS32, False),
        ([3.0, -2.0, -1.0 + EPS64], EPS64, True),
        ([1.0, -1.0, 1e-12], EPS32, False),  # the small one is a term of its own, nothing was rounded
        ([1e-12], EPS32, False),
        ([1.0], EPS32, False),
        ([1.0, 2.0], EPS32, False),
    ],
)
def test_what_rounding_explains_is_named(addends, epsilon, rounding):
    form = gathered(1, *((0, 0, value) for value in addends), epsilon=epsilon)
    np.testing.assert_array_equal(form.rounding, [rounding])
    np.testing.assert_array_equal(form.only_rounding(), [rounding])


def test_one_entry_that_is_no_rounding_spoils_the_row():
    form = gathered(2, (0, 0, 1.0), (0, 0, EPS64 - 1), (0, 1, 0.5), (1, 0, 1.0), (1, 0, EPS64 - 1))
    np.testing.assert_array_equal(form.rounding, [True, False, True])
    np.testing.assert_array_equal(form.only_rounding(), [False, True])


@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=10))
def test_products_become_one_term_or_two(pairs):
    a, b = (np.array(values) for values in zip(*pairs, strict=True))
    n = len(a)
    product = Terms.product(np.arange(n), np.full(n, 3), a, b)
    for row in range(n):
        mine = product.row == row
        assert 1 <= mine.sum() <= 2
        assert sum(map(Fraction, product.value[mine].tolist())) == Fraction(float(a[row])) * Fraction(float(b[row]))
    assert (product.column == 3).all()
    assert not product.error.any()


def test_the_error_of_a_factor_is_carried():
    one = np.zeros(1, dtype=np.int64)
    product = Terms.product(one, one, np.array([-3.0]), np.array([2.0]), np.array([0.25]))
    assert product.value[0] == -6
    assert 0.75 <= product.error[0] <= 0.75 * (1 + 1e-12)


@pytest.mark.parametrize(("factor", "error"), [(1e-200, 1e-200), (1e-30, 1e-300), (2.0**-600, 2.0**-700)])
def test_an_error_never_underflows_to_none(factor, error):
    one = np.zeros(1, dtype=np.int64)
    product = Terms.product(one, one, np.array([factor]), np.array([1.0]), np.array([error]))
    assert product.error[0] > 0
    form = Rows(np.array([0, 1]), one, np.array([1.0]), np.array([error]), np.zeros(1, dtype=bool))
    scaled = scaled_terms(form, np.array([factor]), np.array([error]), one)
    assert Fraction(float(scaled.error.sum())) >= Fraction(factor) * Fraction(error)
    alone = Rows(np.array([0, 1]), one, np.zeros(1), np.array([error]), np.zeros(1, dtype=bool))
    low, high = form_interval(alone, np.array([-factor]), np.array([factor]))
    assert low[0] < 0 < high[0]


def test_errors_add_up_and_keep_an_entry_alive():
    given_terms = Terms.of(np.zeros(2, np.int64), np.zeros(2, np.int64), np.array([1.0, -1.0]), np.array([0.25, 0.5]))
    form = collect(1, given_terms, EPS64, COLUMNS)
    assert form.value[0] == 0
    assert 0.75 <= form.error[0] <= 0.75 * (1 + 1e-9)
    assert not form.empty[0]
    low, high = form_interval(form, np.array([-2.0]), np.array([1.0]))
    assert -1.51 < low[0] <= -1.5 < 1.5 <= high[0] < 1.51


def test_joining_negating_and_taking():
    joined = Terms.join([terms(), terms((0, 1, 2.0)), terms((1, 1, 3.0))])
    assert joined.value.tolist() == [2, 3]
    assert joined.negated().value.tolist() == [-2, -3]
    assert len(Terms.join([]).row) == 0
    form = gathered(3, (0, 1, 2.0), (2, 0, 5.0), (2, 4, 7.0))
    taken = form.take(np.array([2, 1, 2]))
    assert as_dict(taken) == {(0, 0): 5, (0, 4): 7, (2, 0): 5, (2, 4): 7}
    np.testing.assert_array_equal(form.sums(form.value), [2, 0, 12])
    again = collect(6, form.terms(np.array([1.0, 1.0, -2.0]), np.array([5, 4, 3])), EPS64, COLUMNS)
    assert as_dict(again) == {(5, 1): 2, (3, 0): -10, (3, 4): -14}


def test_a_factor_with_an_error_scales_both():
    form = gathered(1, (0, 0, 4.0), (0, 2, -2.0))
    scaled = collect(2, scaled_terms(form, np.array([0.5]), np.array([0.125]), np.array([1])), EPS64, COLUMNS)
    assert as_dict(scaled) == {(1, 0): 2, (1, 2): -1}
    np.testing.assert_allclose(scaled.error, [0.5, 0.25], rtol=1e-9)
    assert (scaled.error >= [0.5, 0.25]).all()


# -- intervals ------------------------------------------------------------------------------------


@given(entries, st.lists(st.tuples(numbers, numbers), min_size=5, max_size=5), st.integers(0, 2**20))
def test_the_interval_holds_every_value(triples, ends, seed):
    low, high = np.sort(np.array(ends), axis=1).T
    form = gathered(4, *triples)
    below, above = form_interval(form, low[form.column], high[form.column])
    rng = np.random.default_rng(seed)
    at = np.clip(low + (high - low) * rng.choice([0.0, 1.0, 0.3], 5), low, high)
    for row in range(4):
        parts = [v * Fraction(float(at[column])) for (r, column), v in real_sums(triples).items() if r == row]
        value = sum(parts, Fraction(0))
        assert Fraction(float(below[row])) <= value <= Fraction(float(above[row]))


def test_the_interval_is_tight():
    form = gathered(2, (0, 0, 2.0), (0, 1, -3.0))
    below, above = form_interval(form, np.array([-1.0, 0.0]), np.array([1.0, 4.0]))
    np.testing.assert_allclose((below[0], above[0]), (-14, 2), rtol=1e-12)
    assert (below[1], above[1]) == (0, 0)


def test_infinite_values_and_zeros():
    form = gathered(3, (0, 0, 2.0), (1, 1, -1.0), (1, 0, 1.0), (2, 2, 5.0))
    low, high = np.array([0, -np.inf, 0.0]), np.array([np.inf, 3, 0.0])
    below, above = form_interval(form, low[form.column], high[form.column])
    np.testing.assert_array_equal(below[[0, 2]], 0)
    np.testing.assert_array_equal(above, [np.inf, np.inf, 0])
    assert -3.0001 < below[1] <= -3


def test_underflow_leaves_a_little_and_overflow_everything():
    form = gathered(2, (0, 0, 1e-200), (1, 1, 1e200))
    low, high = np.array([1e-200, 1e200]), np.array([1e-150, 1e201])
    with np.errstate(invalid="ignore"):
        below, above = form_interval(form, low, high)
    assert below[0] <= 0 < 1e-320 < above[0] < 1e-280
    assert (below[1], above[1]) == (-np.inf, np.inf)


def test_what_rounding_has_left_stays_that_when_it_is_collected_again():
    left = gathered(1, (0, 1, 1.0), (0, 1, -1.0 - 2.0**-52), (0, 2, 1e-15))
    np.testing.assert_array_equal(left.rounding, [True, False])  # the second is a small term of its own
    again = collect(1, Terms.join([left.terms(8.0), terms((0, 3, 1.0), (0, 3, -1.0))]), EPS64, COLUMNS)
    np.testing.assert_array_equal(again.rounding, [True, False])
    # Beside large terms that cancel as well, it is no small term of its own either.
    again = collect(1, Terms.join([left.terms(), terms((0, 1, 1.0), (0, 1, -1.0))]), EPS64, COLUMNS)
    np.testing.assert_array_equal(again.rounding, [True, False])
    mixed = collect(1, Terms.join([left.terms(), terms((0, 1, 1e-15))]), EPS64, COLUMNS)
    assert not mixed.rounding.any()
