"""Shifts on grids, compared with reading arrays position by position."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from netgraph.errors import GraphError
from netgraph.graph import Conv2d, Dense, Identity, Place
from netgraph.proof.operators import POINTWISE, UNKNOWN, ZERO, Operators

sides = st.tuples(st.integers(1, 4), st.integers(1, 4))


@st.composite
def convolutions(draw, grid):
    kind = Conv2d(
        (draw(st.integers(1, 3)), draw(st.integers(1, 3))),
        (draw(st.integers(1, 3)), draw(st.integers(1, 2))),
        (draw(st.integers(0, 2)), draw(st.integers(0, 2))),
    )
    try:
        kind.output_grid(grid)
    except GraphError:
        assume(False)
    return kind


def read(kind, tap, image):
    """What a target reads through one tap of a link, zeros outside of the source."""
    if isinstance(kind, Identity | Dense):
        stride = kind.stride if isinstance(kind, Identity) else (1, 1)
        return image[:: stride[0], :: stride[1]]
    height, width = kind.output_grid(image.shape)
    row, column = divmod(tap, kind.kernel[1])
    result = np.zeros((height, width))
    for y, x in itertools.product(range(height), range(width)):
        at = (y * kind.stride[0] + row - kind.padding[0], x * kind.stride[1] + column - kind.padding[1])
        if 0 <= at[0] < image.shape[0] and 0 <= at[1] < image.shape[1]:
            result[y, x] = image[at]
    return result


def is_padded(kind, tap, grid):
    """Whether some position of the target reads a zero outside."""
    return not read(kind, tap, np.ones(grid)).all()


def taps(kind):
    return range(kind.taps)


def image(grid):
    return 1.0 + np.arange(np.prod(grid)).reshape(grid)


@given(st.data(), sides)
def test_equal_numbers_read_alike_and_others_do_not(data, grid):
    operators = Operators()
    kinds = [Dense(), Identity(), *(data.draw(convolutions(grid)) for _ in range(3))]
    seen = {}
    for kind in kinds:
        numbers = operators.of_link(kind, grid, kind.output_grid(grid))
        assert len(numbers) == kind.taps
        for tap in taps(kind):
            value = read(kind, tap, image(grid))
            number = int(numbers[tap])
            if number == ZERO:
                assert not value.any()
                continue
            assert value.any()
            np.testing.assert_array_equal(seen.setdefault(number, value), value)
            assert operators.reads_outside[number] == is_padded(kind, tap, grid)
            if number == POINTWISE:
                np.testing.assert_array_equal(value, image(grid))


@given(st.data(), sides)
def test_two_shifts_are_one_only_where_they_read_alike(data, grid):
    operators = Operators()
    inner = data.draw(st.one_of(convolutions(grid), st.just(Identity((2, 1)))))
    between = inner.output_grid(grid)
    outer = data.draw(st.one_of(convolutions(between), st.just(Identity((1, 2)))))
    final = outer.output_grid(between)
    first, second = operators.of_link(inner, grid, between), operators.of_link(outer, between, final)
    for one, two in itertools.product(taps(inner), taps(outer)):
        if ZERO in (first[one], second[two]):
            continue
        composed = operators.compose(int(second[two]), int(first[one]))
        value = read(outer, two, read(inner, one, image(grid)))
        if composed == UNKNOWN:
            continue
        if composed == ZERO:
            assert not value.any()
            continue
        np.testing.assert_array_equal(by_number(operators, composed, grid, final), value)


def by_number(operators, number, grid, final):
    """What an operator reads, from its own description."""
    if number == POINTWISE:
        return image(grid)
    axes = operators._axes[number]
    assert tuple(a[2] for a in axes) == grid
    assert tuple(a[3] for a in axes) == final
    rows, columns = (stride * np.arange(target) + offset for stride, offset, _, target in axes)
    result = np.zeros(final)
    for (y, row), (x, column) in itertools.product(enumerate(rows), enumerate(columns)):
        if 0 <= row < grid[0] and 0 <= column < grid[1]:
            result[y, x] = image(grid)[row, column]
    return result


def conv(grid, kernel, stride=(1, 1), padding=(0, 0)):
    kind = Conv2d(kernel, stride, padding)
    return kind, kind.output_grid(grid)


def test_ways_to_read_the_same_position_have_one_number():
    operators = Operators()
    grid = (4, 5)
    for kind, tap in [
        (Dense(), 0),
        (Identity(), 0),
        (Conv2d((1, 1)), 0),
        (Conv2d((3, 3), padding=(1, 1)), 4),
        (Conv2d((3, 5), padding=(1, 2)), 7),
    ]:
        assert operators.of_link(kind, grid, grid)[tap] == POINTWISE
    assert operators.of_link(Dense(), (), ())[0] == POINTWISE
    assert operators.of_link(Dense(), (7,), (7,))[0] == POINTWISE
    # All positions of a kernel as large as the grid differ.
    whole = operators.of_link(Conv2d(grid), grid, ())
    assert len(set(whole.tolist())) == 20
    assert POINTWISE not in whole


def test_the_same_tap_of_kernels_of_different_size_has_one_number():
    operators = Operators()
    small = operators.of_link(Conv2d((3, 3), padding=(1, 1)), (4, 4), (4, 4)).reshape(3, 3)
    large = operators.of_link(Conv2d((5, 5), padding=(2, 2)), (4, 4), (4, 4)).reshape(5, 5)
    np.testing.assert_array_equal(small, large[1:4, 1:4])
    assert len(np.unique(large)) == 25


def test_a_strided_wire_is_a_strided_tap():
    operators = Operators()
    wire = operators.of_link(Identity((2, 2)), (5, 5), (3, 3))[0]
    assert wire == operators.of_link(Conv2d((1, 1), (2, 2)), (5, 5), (3, 3))[0]
    assert wire == operators.of_link(Conv2d((3, 3), (2, 2), (1, 1)), (5, 5), (3, 3))[4]
    assert not operators.reads_outside[wire]


def test_the_number_depends_on_stride_offset_and_grid():
    operators = Operators()
    numbers = [
        operators.of_link(Conv2d((2, 2)), (4, 4), (3, 3))[0],
        operators.of_link(Conv2d((2, 2)), (4, 4), (3, 3))[1],
        operators.of_link(Conv2d((2, 2), (2, 2)), (4, 4), (2, 2))[0],
        operators.of_link(Conv2d((2, 2)), (5, 5), (4, 4))[0],
        operators.of_link(Conv2d((2, 2)), (4, 5), (3, 4))[0],
    ]
    assert len(set(map(int, numbers))) == len(numbers)


def test_a_tap_that_reads_only_padding_is_zero():
    operators = Operators()
    numbers = operators.of_link(Conv2d((3, 3), padding=(1, 1)), (1, 1), (1, 1))
    np.testing.assert_array_equal(numbers, [ZERO] * 4 + [POINTWISE] + [ZERO] * 4)


@pytest.mark.parametrize("reverse", [False, True])
def test_padding_between_two_shifts_is_seen(reverse):
    """Left, then right: the first column has passed through the zeros outside, so this is not reading in place."""
    operators = Operators()
    numbers = operators.of_link(Conv2d((1, 3), padding=(0, 1)), (1, 4), (1, 4))
    left, right = (int(numbers[k]) for k in ((2, 0) if reverse else (0, 2)))
    assert operators.compose(left, right) == UNKNOWN
    assert operators.compose(left, POINTWISE) == left
    assert operators.compose(POINTWISE, right) == right
    assert operators.compose(POINTWISE, POINTWISE) == POINTWISE


def test_two_shifts_the_same_way_are_a_longer_one():
    operators = Operators()
    short = operators.of_link(Conv2d((1, 3), padding=(0, 1)), (1, 4), (1, 4))
    long = operators.of_link(Conv2d((1, 5), padding=(0, 2)), (1, 4), (1, 4))
    assert operators.compose(int(short[0]), int(short[0])) == long[0]
    assert operators.compose(int(short[2]), int(short[2])) == long[4]


def test_strides_multiply_and_far_shifts_end_in_zero():
    operators = Operators()
    first = int(operators.of_link(Identity((2, 2)), (8, 8), (4, 4))[0])
    second = int(operators.of_link(Identity((2, 2)), (4, 4), (2, 2))[0])
    assert operators.compose(second, first) == operators.of_link(Identity((4, 4)), (8, 8), (2, 2))[0]
    shift = int(operators.of_link(Conv2d((1, 3), padding=(0, 1)), (1, 2), (1, 2))[0])
    assert operators.compose(shift, shift) == ZERO


def test_pairs_are_composed_element_by_element():
    operators = Operators()
    numbers = operators.of_link(Conv2d((1, 3), padding=(0, 1)), (1, 4), (1, 4))
    outer, inner = (a.ravel() for a in np.meshgrid(numbers, numbers))
    expected = [operators.compose(int(a), int(b)) for a, b in zip(outer, inner, strict=True)]
    np.testing.assert_array_equal(operators.compose_all(outer, inner), expected)
    assert len(operators.compose_all(outer[:0], inner[:0])) == 0
    zeros = np.zeros(3, dtype=np.int64)
    np.testing.assert_array_equal(operators.compose_all(zeros, numbers), numbers)
    np.testing.assert_array_equal(operators.compose_all(numbers, zeros), numbers)


def test_wires_that_move_positions_compose_with_each_other_and_with_convolutions():
    operators = Operators()
    (behind,) = operators.of_link(Place(1), (2, 2), (5,))
    (later,) = operators.of_link(Place(-1), (5,), (4,))
    (back,) = operators.of_link(Place(-1), (5,), (2, 2))
    (flat,) = operators.of_link(Place(0), (2, 2), (4,))
    assert behind not in (POINTWISE, back)
    assert flat == POINTWISE  # maps read as tokens: each position reads the same number
    assert operators.compose(later, behind) == operators.compose(back, behind) == POINTWISE
    (tap,) = operators.of_link(Conv2d((1, 1), (2, 2)), (2, 2), (1, 1))
    (first,) = operators.of_link(Place(0), (2, 2), ())
    assert operators.compose(tap, back) not in (POINTWISE, UNKNOWN, ZERO)
    assert first == tap  # one position that reads the first one, as a shift or by a wire
    (short,) = operators.of_link(Place(-1), (4,), (3,))
    assert operators.compose(short, later) == operators.of_link(Place(-2), (5,), (3,))[0]


@given(st.data(), sides)
def test_a_chain_through_wires_that_move_positions_reads_what_both_read(data, grid):
    def link(source):
        if data.draw(st.booleans()):
            kind = data.draw(convolutions(source)) if len(source) == 2 else Dense()
            return kind, kind.output_grid(source)
        target = data.draw(st.sampled_from([(2, 3), (4,), (6,), (1, 4), ()]))
        kind = Place(data.draw(st.integers(-3, 3)))
        assume(kind.overlap(source, target)[0] < kind.overlap(source, target)[1])
        return kind, target

    operators, chains, seen = Operators(), [], {}
    for _ in range(3):
        inner, between = link(grid)
        outer, target = link(between)
        one = operators.of_link(inner, grid, between), inner.positions(grid, between)
        two = operators.of_link(outer, between, target), outer.positions(between, target)
        chains.append((*one, *two, inner.places or outer.places))
    for numbers, first, followers, then, moves in chains:
        for (n, a), (m, c) in itertools.product(zip(numbers, first, strict=True), zip(followers, then, strict=True)):
            if ZERO in (n, m):
                continue
            number, read = operators.compose(int(m), int(n)), np.where(c < 0, -1, a[c])
            if number == UNKNOWN:
                assert not moves
            elif number == ZERO:
                assert (read < 0).all()
            else:
                np.testing.assert_array_equal(seen.setdefault(number, read), read)
                assert operators.reads_outside[number] == (read < 0).any()
                if number == POINTWISE:
                    np.testing.assert_array_equal(read, np.arange(np.prod(grid)))
