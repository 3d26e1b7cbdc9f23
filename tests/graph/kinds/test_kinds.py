"""Kinds of links: grids, what taps read and how it is added up again, and a kind from outside the package."""

import math
from dataclasses import dataclass

import numpy as np
import pytest

import netgraph as ng
from netgraph.analysis import path_analysis
from netgraph.errors import GraphError
from netgraph.graph import LINK_KINDS, Conv2d, Dense, Identity, LinkKind, Place, kind_from_json, kind_to_json
from netgraph.interpret import interpret

KINDS = [
    (Dense(), ()),
    (Dense(), (5,)),
    (Dense(), (4, 3)),
    (Identity(), (4, 3)),
    (Identity((2, 1)), (5, 3)),
    (Conv2d((1, 1)), (4, 3)),
    (Conv2d((3, 2), (2, 1), (1, 1)), (5, 4)),
    (Conv2d((4, 3)), (4, 3)),
]


def test_kinds_give_the_grid_of_the_target():
    assert Dense().output_grid((3, 4)) == (3, 4)
    assert Conv2d((3, 3)).output_grid((5, 4)) == (3, 2)
    assert Conv2d((3, 3), (2, 1), (1, 1)).output_grid((5, 4)) == (3, 4)
    assert Identity().output_grid((5, 4)) == (5, 4)
    assert Identity((2, 2)).output_grid((5, 4)) == (3, 2)
    assert Conv2d((3, 2)).taps == 6


@pytest.mark.parametrize(
    ("kind", "grid", "words"),
    [
        (Conv2d((3, 3)), (), "reads maps"),
        (Conv2d((3, 3)), (2, 5), "does not fit"),
        (Conv2d((0, 3)), (5, 5), "at least 1"),
        (Conv2d((3, 3), (1, 0)), (5, 5), "at least 1"),
        (Conv2d((3, 3), (1, 1), (-1, 0)), (5, 5), "at least 0"),
        (Identity((2, 2)), (5,), "needs maps"),
        (Identity((0, 2)), (5, 5), "at least 1"),
    ],
)
def test_kinds_refuse_grids_that_do_not_fit(kind, grid, words):
    with pytest.raises(GraphError, match=words):
        kind.output_grid(grid)


def test_kind_sizes_are_plain_pairs():
    assert Conv2d([3, 3], np.array([1, 1])) == Conv2d((3, 3))
    with pytest.raises(GraphError, match=r"kernel=.*two numbers"):
        Conv2d((3, 3, 3))


@pytest.mark.parametrize("kernel", [3, (3,), (3, 3, 3), "33"])
def test_kernels_are_pairs(kernel):
    with pytest.raises(GraphError, match="needs two numbers"):
        Conv2d(kernel)


def test_a_convolution_needs_a_kernel():
    with pytest.raises(TypeError, match="kernel"):
        Conv2d()


def test_a_single_position_may_feed_a_layer_without_a_grid():
    assert Conv2d((2, 2)).fits((2, 2), ())
    assert Conv2d((2, 2)).fits((2, 2), (1, 1))
    assert not Conv2d((2, 2)).fits((3, 3), ())
    assert Dense().fits((), ())
    assert not Dense().fits((4,), (5,))


def test_wires_admit_no_edges():
    assert Dense().admissible_edges(2, 3) == 6
    assert Conv2d((3, 3)).admissible_edges(2, 3) == 54
    assert Identity().wires
    assert Identity().admissible_edges(2, 3) == 0
    assert not Dense().wires
    assert not Conv2d((1, 1)).wires


def test_which_taps_read_padding():
    # Rows 0..2 with a padding of 2: the first tap never leaves the padding at one position, and so on.
    np.testing.assert_array_equal(Conv2d((3, 1), padding=(1, 0)).padding_states((4, 4), (4, 4)), [1, 0, 1])
    states = Conv2d((3, 3), padding=(1, 1)).padding_states((1, 1), (1, 1))
    np.testing.assert_array_equal(states, [2, 2, 2, 2, 0, 2, 2, 2, 2])
    np.testing.assert_array_equal(Conv2d((2, 1), stride=(2, 1), padding=(1, 0)).padding_states((3, 1), (2, 1)), [1, 0])
    assert not Conv2d((3, 3)).padding_states((5, 5), (3, 3)).any()


@pytest.mark.parametrize(("kind", "grid"), KINDS)
def test_taps_read_at_stride_times_position_plus_offset_and_zeros_outside(kind, grid):
    values = np.random.default_rng(0).normal(size=(2, *grid))
    read = list(kind.read(values, grid, kind.output_grid(grid)))
    assert len(read) == kind.taps
    for tap, got in enumerate(read):
        assert got.shape == (2, *kind.output_grid(grid))
        for position in np.ndindex(got.shape[1:]):
            at = tuple(s * p + o for p, (s, o) in zip(position, kind.shifts(tap, grid), strict=True))
            inside = all(0 <= a < size for a, size in zip(at, grid, strict=True))
            np.testing.assert_array_equal(got[:, *position], values[:, *at] if inside else 0)


@pytest.mark.parametrize(("kind", "grid"), KINDS)
def test_spread_is_the_transpose_of_read(kind, grid):
    rng = np.random.default_rng(1)
    values = rng.normal(size=(2, *grid))
    parts = rng.normal(size=(kind.taps, 2, *kind.output_grid(grid)))
    back = kind.spread(parts, grid, kind.output_grid(grid))
    assert back.shape == values.shape
    read = np.stack(list(kind.read(values, grid, kind.output_grid(grid))))
    np.testing.assert_allclose(np.sum(read * parts), np.sum(values * back))


def test_simpler_kinds_lose_one_thing_each():
    kind = Conv2d((3, 2), (2, 1), (1, 1))
    assert kind.simpler() == (
        Conv2d((2, 2), (2, 1), (1, 1)),
        Conv2d((3, 1), (2, 1), (1, 1)),
        Conv2d((3, 2), (1, 1), (1, 1)),
        Conv2d((3, 2), (2, 1), (0, 0)),
    )
    assert Conv2d((1, 1)).simpler() == Dense().simpler() == Identity((2, 2)).simpler() == ()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Dense(), ()),
        (Identity(), ()),
        (Identity((2, 3)), ("stride 2x3",)),
        (Conv2d((3, 2), padding=(1, 1)), ("3x2 convolution",)),
        (Conv2d((3, 3), (2, 2)), ("3x3 convolution", "stride 2x2")),
    ],
)
def test_words(kind, words):
    assert kind.words == words


@pytest.mark.parametrize("kind", [kind for kind, _grid in KINDS])
def test_kinds_come_back_from_plain_values(kind):
    assert kind_from_json(kind_to_json(kind)) == kind
    assert LINK_KINDS[kind.name] is type(kind)


def test_unknown_kinds_and_fields_are_refused():
    with pytest.raises(GraphError, match=r"conv2d"):
        kind_from_json({"type": "conv2"})
    with pytest.raises(GraphError, match=r"needs \['stride'\], and has \[\]"):
        kind_from_json({"type": "identity"})


@dataclass(frozen=True)
class Every(LinkKind):
    """Reads every second position of maps: a kind that the package does not know."""

    name = "every"
    stride: tuple[int, int] = (2, 2)

    def output_grid(self, grid):
        return tuple(-(-g // s) for g, s in zip(grid, self.stride, strict=True))


def test_a_kind_from_outside_is_evaluated_bounded_proved_and_counted():
    def built(kind):
        b = ng.GraphBuilder(dtype=np.float64)
        b.input("x", 2, grid=(5, 4), domain=(-1, 1))
        b.output("y", 1, grid=(3, 2))
        b.edges("x", "y", [0, 1], [0, 0], weight=[0.5, -2.0], kind=kind)
        return b.build()

    graph, known = built(Every()), built(Conv2d((1, 1), (2, 2)))
    x = np.random.default_rng(2).uniform(-1, 1, (3, 2, 5, 4))
    np.testing.assert_array_equal(interpret(graph, x), interpret(known, x))
    assert graph.bounds().high[-1] == known.bounds().high[-1]
    assert ng.certify(graph, known).kind == "exact"
    np.testing.assert_allclose(path_analysis(graph).total, path_analysis(known).total)
    assert graph.density == 1.0


PLACES = [
    (Place(1), (2, 2), (5,)),
    (Place(0), (5,), ()),
    (Place(-4), (5,), ()),
    (Place(2), (), (3, 2)),
    (Place(-1), (3,), (2, 2)),
]


@pytest.mark.parametrize(("kind", "source", "target"), PLACES)
def test_places_move_positions_by_their_offset(kind, source, target):
    values = np.arange(1.0, 1 + 2 * math.prod(source)).reshape(2, *source)
    (got,) = kind.read(values, source, target)
    assert got.shape == (2, *target)
    for p, value in enumerate(got.reshape(2, -1).T):
        at = p - kind.offset
        inside = 0 <= at < math.prod(source)
        np.testing.assert_array_equal(value, values.reshape(2, -1)[:, at] if inside else 0)
        assert kind.positions(source, target)[0, p] == (at if inside else -1)
    back = np.random.default_rng(0).normal(size=(1, 2, *target))
    np.testing.assert_allclose(np.sum(back[0] * got), np.sum(kind.spread(back, source, target) * values))
    covered = (kind.positions(source, target) >= 0).all()
    assert kind.padding_states(source, target).tolist() == [0 if covered else 1]
    assert kind.fits(source, target)


@pytest.mark.parametrize(("kind", "grid"), KINDS)
def test_positions_are_those_that_taps_read(kind, grid):
    target = kind.output_grid(grid)
    values = np.random.default_rng(0).normal(size=grid)
    padded = np.append(values.ravel(), 0)
    for row, got in zip(kind.positions(grid, target), kind.read(values[None], grid, target), strict=True):
        np.testing.assert_array_equal(padded[row], got.ravel())


def test_places_need_a_shared_position_and_small_offsets():
    with pytest.raises(GraphError, match=r"moves the 3 positions of the source outside the 2 of the target"):
        Place(2).fits((3,), (2,))
    with pytest.raises(GraphError, match="offset"):
        Place(1.5)
    with pytest.raises(GraphError, match="declare the grid of the target"):
        Place(1).output_grid((3,))
    assert Place(3).simpler() == (Place(0),)
    assert kind_from_json(kind_to_json(Place(-3))) == Place(-3)
