"""Links: canonical order, and every way in which one can be wrong."""

import numpy as np
import pytest

from netgraph.errors import GraphError
from netgraph.graph import Conv2d, Dense, Identity, Link
from netgraph.graph.link import edge_columns, in_order


def link(src=(0, 1), dst=(0, 0), kind=None, sort=False, **changes):
    n = len(src)
    columns = edge_columns(id=np.arange(n), src=src, dst=dst, weight=np.ones(n, np.float32)) | changes
    make = Link.sorted if sort else lambda s, t, k, c: Link(s, t, k, **c)
    return make(0, 1, kind or Dense(), columns)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"src": (0, 2)}, ["edge 1", "src 2", "0..1"]),
        ({"src": (-1, 0)}, ["edge 0", "src -1"]),
        ({"dst": (0, 3)}, ["edge 1", "dst 3", "0..2"]),
        ({"tap": np.array([0, 1])}, ["edge 1", "tap 1", "0..0"]),
        ({"tap": np.array([0, 9]), "kind": Conv2d((3, 3))}, ["edge 1", "tap 9", "0..8"]),
        ({"weight": np.array([1, np.inf], np.float32)}, ["edge 1", "weight inf", "finite"]),
        ({"weight": np.array([np.nan, 1], np.float32)}, ["edge 0", "weight nan", "finite"]),
        ({"weight": np.ones(2, np.int32)}, ["int32", "float32 or float64"]),
        ({"weight": np.ones(3, np.float32)}, ["'weight'", "(3,)", "(2,)"]),
        ({"src": (1, 1)}, ["two edges", "source row 1", "target row 0", "tap 0"]),
        ({"src": (1, 0)}, ["canonical order", "Link.sorted"]),
        ({"kind": Identity(), "frozen": np.array([True, False])}, ["Identity", "frozen with weight 1"]),
        (
            {"kind": Identity(), "frozen": np.array([True, True]), "weight": np.full(2, 0.5, np.float32)},
            ["Identity", "frozen with weight 1"],
        ),
    ],
)
def test_errors_name_the_edge(given, words):
    with pytest.raises(GraphError) as caught:
        link(**given).validate(2, 3, "Link 'x' -> 'y'", given.get("kind", Dense()).taps)
    for word in ["Link 'x' -> 'y'", *words]:
        assert word in str(caught.value)


def test_valid_links_pass():
    link().validate(2, 1, "", 1)
    link(src=(), dst=()).validate(2, 1, "", 1)
    link(kind=Identity(), dst=(0, 1), frozen=np.array([True, True])).validate(2, 2, "", 1)


def test_sorted_orders_by_target_source_tap_and_takes_every_column_along():
    columns = edge_columns(
        id=np.arange(4), src=[1, 0, 0, 0], dst=[0, 1, 0, 0], tap=[0, 0, 2, 1], weight=np.arange(4.0), birth=[9, 8, 7, 6]
    )
    got = Link.sorted(0, 1, Conv2d((1, 3)), columns)
    np.testing.assert_array_equal(got.id, [3, 2, 0, 1])
    np.testing.assert_array_equal(got.weight, [3, 2, 0, 1])
    np.testing.assert_array_equal(got.birth, [6, 7, 9, 8])
    np.testing.assert_array_equal(np.stack([got.dst, got.src, got.tap], axis=1), [[0, 0, 1], [0, 0, 2], [0, 1, 0], [1, 0, 0]])  # fmt: skip  # noqa: E501


@pytest.mark.parametrize("far", [1, 2**31 - 2])
def test_sorted_takes_rows_of_any_size(far):
    """Where one number could not hold target, source and tap, they are sorted column by column."""
    src, dst, tap = [0, far, 0, far], [far, 0, 0, far], [0, far, 1, 0]
    got = Link.sorted(0, 1, Dense(), edge_columns(id=np.arange(4), src=src, dst=dst, tap=tap, weight=np.ones(4)))
    assert got.id.tolist() == [2, 1, 0, 3]


def test_dtypes():
    got = link().columns
    assert [got[k].dtype.name for k in got] == ["int64", "int32", "int32", "int32", "float32", "int32", "bool"]
    assert link(weight=np.ones(2)).weight.dtype == np.float64


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], True),
        ([(0, 0, 0)], True),
        ([(0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0)], True),
        ([(0, 0, 0), (0, 0, 0)], False),
        ([(0, 1, 0), (0, 0, 5)], False),
        ([(1, 0, 0), (0, 5, 5)], False),
        ([(0, 0, 2), (0, 0, 1)], False),
    ],
)
def test_in_order(rows, expected):
    columns = np.array(rows, dtype=np.int32).reshape(-1, 3).T
    assert in_order(*columns) is expected


def test_columns_are_copies_that_cannot_be_written():
    src = np.array([0, 1], np.int32)
    got = link(src=src)
    src[0] = 1
    assert got.src[0] == 0
    with pytest.raises(ValueError, match="read-only"):
        got.weight[0] = 2


def test_digest_changes_with_everything_but_weight_and_birth():
    base = link()
    assert link(weight=np.zeros(2, np.float32), birth=np.ones(2, np.int32)).topology_digest == base.topology_digest
    assert base.with_weight(np.zeros(2, np.float32)).topology_digest == base.topology_digest
    others = [
        link(src=(0, 0), dst=(0, 1)),
        link(kind=Conv2d((1, 1))),
        link(id=np.array([0, 2])),
        link(frozen=np.array([True, False])),
        link(src=(0,), dst=(0,)),
    ]
    assert len({k.topology_digest for k in [base, *others]}) == 6


def test_repr():
    assert repr(link()) == "Link(0 -> 1, port 0, Dense(), 2 edges)"
