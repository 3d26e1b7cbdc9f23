import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netgraph.criteria import AbsoluteThreshold, AtMost, MinMaxThreshold, Quantile, TopK, minmax_scaled, spread_over
from netgraph.errors import OptionError, StatisticsError

# Multiples of 1/8, so that ties are frequent and scaled scores can be compared without rounding.
scores = st.integers(-16, 16).map(lambda k: k / 8)
rows = st.lists(st.tuples(scores, st.integers(0, 3)), max_size=25)
fractions = st.integers(0, 8).map(lambda k: k / 8)


def split(table):
    return np.array([s for s, _ in table], dtype=np.float64), np.array([g for _, g in table], dtype=np.int64)


def best_first(table, keep):
    """Positions that pass, best first, ties in order: the obvious way."""
    return sorted((i for i in range(len(table)) if keep(i)), key=lambda i: (-table[i][0], i))


@given(rows, scores)
def test_absolute_threshold_takes_what_is_above(table, threshold):
    expected = best_first(table, lambda i: table[i][0] > threshold)
    assert AbsoluteThreshold(threshold).select(*split(table)).tolist() == expected


@given(rows, st.integers(0, 30))
def test_top_k_takes_the_best_and_of_equal_scores_the_first(table, k):
    assert TopK(k).select(*split(table)).tolist() == best_first(table, lambda i: True)[:k]


@given(rows, fractions)
def test_quantile_takes_the_best_share_rounded_down(table, fraction):
    expected = best_first(table, lambda i: True)[: int(fraction * len(table))]
    assert Quantile(fraction).select(*split(table)).tolist() == expected


@given(rows, fractions)
def test_min_max_scales_each_group_by_itself(table, threshold):
    def scaled(i):
        mine = [s for s, g in table if g == table[i][1]]
        low, high = min(mine), max(mine)
        return (table[i][0] - low) / (high - low) if high > low else 0.0

    expected = best_first(table, lambda i: scaled(i) > threshold)
    assert MinMaxThreshold(threshold).select(*split(table)).tolist() == expected


@given(rows, fractions, st.integers(0, 30))
def test_at_most_cuts_another_selection_to_its_best(table, threshold, limit):
    inner = MinMaxThreshold(threshold)
    expected = inner.select(*split(table))[:limit]
    np.testing.assert_array_equal(AtMost(inner, limit).select(*split(table)), expected)


@given(rows, fractions, st.randoms(use_true_random=False))
def test_min_max_does_not_depend_on_how_groups_are_numbered(table, threshold, random):
    values, groups = split(table)
    names = random.sample(range(-50, 50), 4)
    renumbered = np.array([names[g] for g in groups], dtype=np.int64)
    selection = MinMaxThreshold(threshold)
    np.testing.assert_array_equal(selection.select(values, groups), selection.select(values, renumbered))


def test_the_largest_of_every_group_is_selected_below_one_and_nothing_at_one():
    values, groups = np.array([1.0, 2.0, 100.0, 300.0]), np.array([0, 0, 1, 1])
    assert MinMaxThreshold(0.99).select(values, groups).tolist() == [3, 1]
    assert MinMaxThreshold(1.0).select(values, groups).tolist() == []


def test_a_group_of_equal_scores_is_never_selected_by_min_max():
    values, groups = np.array([5.0, 5.0, 5.0, 1.0, 0.0]), np.array([0, 0, 0, 1, 1])
    assert MinMaxThreshold(0.0).select(values, groups).tolist() == [3]


SELECTIONS = [AbsoluteThreshold(0.0), MinMaxThreshold(0.5), Quantile(0.5), TopK(2), AtMost(TopK(2), 1)]


@pytest.mark.parametrize("selection", SELECTIONS, ids=lambda s: type(s).__name__)
def test_nan_scores_are_refused_and_counted(selection):
    with pytest.raises(StatisticsError, match="2 of 3 scores are NaN"):
        selection.select(np.array([1.0, np.nan, np.nan]), np.zeros(3, dtype=np.int64))


@pytest.mark.parametrize("selection", SELECTIONS, ids=lambda s: type(s).__name__)
def test_no_rows_is_a_normal_case(selection):
    assert selection.select(np.empty(0), np.empty(0, dtype=np.int64)).tolist() == []


@pytest.mark.parametrize(
    "make",
    [
        lambda: AbsoluteThreshold(float("nan")),
        lambda: MinMaxThreshold(1.5),
        lambda: MinMaxThreshold(-0.1),
        lambda: MinMaxThreshold(float("nan")),
        lambda: Quantile(1.5),
        lambda: Quantile(float("nan")),
        lambda: TopK(-1),
        lambda: AtMost(TopK(1), -1),
    ],
)
def test_values_that_make_no_sense_are_refused(make):
    with pytest.raises(OptionError):
        make()


@given(rows)
def test_scaled_scores_fill_zero_to_one_in_every_group(table):
    values, groups = split(table)
    scaled = minmax_scaled(values, groups)
    assert scaled.shape == values.shape
    for g in np.unique(groups):
        mine, old = scaled[groups == g], values[groups == g]
        if np.ptp(old):
            assert (mine.min(), mine.max()) == (0, 1)
            np.testing.assert_allclose(np.diff(mine) * np.ptp(old), np.diff(old), atol=1e-12)
        else:
            assert not mine.any()


@given(st.permutations(range(12)), st.lists(st.integers(0, 3), min_size=12, max_size=12))
def test_spreading_takes_the_best_of_every_key_then_the_second_best(order, keys):
    order = order[:9]
    counts, turn = dict.fromkeys(keys, 0), {}
    for position in order:
        counts[keys[position]] += 1
        turn[position] = counts[keys[position]]
    expected = sorted(order, key=turn.get)
    assert spread_over(np.array(order), np.array(keys)).tolist() == expected


def test_spreading_nothing_gives_nothing():
    assert spread_over(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)).tolist() == []
