"""Links that move positions, against the positions that links of the graph read."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compilers.importing.positions import move_between
from netgraph.graph import Conv2d, Identity, Place

SIZES = st.integers(1, 7)


def read_by(move, source, target):
    return move.kind.positions(source, target)[move.tap]


@given(st.tuples(SIZES, SIZES), st.tuples(st.integers(1, 3), st.integers(1, 3)), st.data())
def test_a_window_at_any_stride_and_shift_is_a_link(source, stride, data):
    target = tuple(data.draw(st.integers(1, 6)) for _ in source)
    shift = [data.draw(st.integers(-3, size - 1)) for size in source]
    axes = [np.arange(n) * s + o for n, s, o in zip(target, stride, shift, strict=True)]
    inside = [(axis >= 0) & (axis < size) for axis, size in zip(axes, source, strict=True)]
    both = inside[0][:, None] & inside[1]
    wanted = np.where(both, axes[0][:, None] * source[1] + axes[1], -1).reshape(-1)
    if not both.any():
        return
    move = move_between(wanted, source, target)
    assert move is not None
    np.testing.assert_array_equal(read_by(move, source, target), wanted)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(-8, 8))
def test_a_shift_of_tokens_is_a_place(source, target, offset):
    wanted = Place(offset).positions((source,), (target,))[0]
    if (wanted < 0).all():
        return
    move = move_between(wanted, (source,), (target,))
    assert move is not None
    assert move.kind.wires
    np.testing.assert_array_equal(read_by(move, (source,), (target,)), wanted)


@pytest.mark.parametrize(
    ("positions", "source", "target", "kind"),
    [
        ([0, 1, 2, 3], (2, 2), (2, 2), Identity()),
        ([0, 1, 2, 3], (2, 2), (4,), Place(0)),
        ([0, 2, 8, 10], (4, 4), (2, 2), Identity((2, 2))),
        ([-1, 0, 1, 2], (3,), (4,), Place(1)),
        ([2], (3,), (), Place(-2)),
        ([5, 6, 9, 10], (4, 4), (2, 2), Conv2d((3, 3))),
    ],
)
def test_the_simplest_kind_is_found(positions, source, target, kind):
    move = move_between(np.array(positions), source, target)
    assert move is not None
    assert move.kind == kind


@pytest.mark.parametrize(
    ("positions", "source", "target"),
    [([3, 2, 1, 0], (4,), (4,)), ([1, 0, 3, 2], (2, 2), (2, 2)), ([0, 2, 1, 3], (2, 2), (2, 2)), ([0, 0], (2,), (2,))],
)
def test_positions_in_another_order_are_no_link(positions, source, target):
    assert move_between(np.array(positions), source, target) is None
