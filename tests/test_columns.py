"""Columns: rows found by id."""

import numpy as np
import pytest

from netgraph.columns import IDS_PER_ROW, IdIndex


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
