"""Columns: ranges, membership, groups, rows found by id."""

import numpy as np
import pytest

from netgraph.columns import IDS_PER_ROW, IdIndex, among, by_value, spans


@pytest.mark.parametrize("most", [9, 9 * IDS_PER_ROW, 2**60])
def test_rows_are_found_by_id_however_many_are_gone(most):
    ids = np.array([4, 0, most, 7, 3])
    found = IdIndex(ids).find([most, 3, 1, -1, most + 1, 4, 5, 0])
    assert found.tolist() == [2, 4, -1, -1, -1, 0, -1, 1]
    assert found.dtype == np.int64
    assert IdIndex(ids).find([[7], [8]]).tolist() == [[3], [-1]]


def test_no_ids():
    assert IdIndex(np.empty(0, np.int64)).find([0, 5]).tolist() == [-1, -1]
    assert IdIndex(np.array([2, 1])).find(np.empty(0, np.int64)).shape == (0,)


@pytest.mark.parametrize("most", [5, 10**6])
def test_of_equal_ids_the_first_counts(most):
    assert IdIndex(np.array([most, 1, 1])).find([1]).tolist() == [1]


@pytest.mark.parametrize("start", [0, np.array([5, 0, 2, -3])])
def test_spans_are_ranges_one_after_the_other(start):
    size = np.array([2, 0, 3, 1])
    starts = np.broadcast_to(start, size.shape)
    expected = [k for first, n in zip(starts.tolist(), size.tolist(), strict=True) for k in range(first, first + n)]
    assert spans(start, size).tolist() == expected
    assert spans(start, size).dtype == np.int64


def test_no_spans():
    none = np.empty(0, np.int64)
    assert spans(none, none).tolist() == spans(0, none).tolist() == spans(0, np.zeros(3, int)).tolist() == []


def test_among_an_ascending_column():
    ordered = np.array([-2, 0, 7])
    assert among(np.array([7, -3, 0, 8, -2, 1]), ordered).tolist() == [True, False, True, False, True, False]
    assert among(np.array([1, 2]), ordered[:0]).tolist() == [False, False]
    assert among(ordered[:0], ordered).tolist() == []


def test_rows_by_value_are_ascending_in_both():
    found = by_value(np.array([4, -1, 4, 0, -1]))
    assert {value: rows.tolist() for value, rows in found.items()} == {-1: [1, 4], 0: [3], 4: [0, 2]}
    assert list(found) == [-1, 0, 4]
    assert by_value(np.empty(0, np.int64)) == {}
