"""Convolutions, pools and wires on grids."""

import numpy as np
import pytest
from proof_graphs import PADDED, assert_bounded, assert_exact, hidden, layer, link, source, target

from netgraph.graph import Conv2d, Dense, Graph, Identity, Pool
from netgraph.proof import certify


def maps(*layers, links, grid=(4, 5), domain=(-1, 1), out=None):
    return Graph([source(grid=grid, domain=domain), *layers, target(grid=grid if out is None else out)], links)


@pytest.mark.parametrize("tap", range(9))
def test_only_the_centre_tap_of_a_padded_kernel_passes_in_place(tap):
    old = maps(links=[link(0, 9, [(0, 0, 2.0)])])
    new = maps(hidden(grid=(4, 5)), links=[link(0, 1, [(0, 0, 1.0, tap)], kind=PADDED), link(1, 9, [(0, 0, 2.0)])])
    if tap == 4:
        assert_exact(old, new)
    else:
        assert assert_bounded(old, new).bound == pytest.approx(4)


def test_a_bias_is_not_the_same_before_and_after_padding():
    kernel = [(0, 0, w, tap) for tap, w in enumerate([1.0, 0, 2, 0, -1, 0, 0.5, 0, 3])]
    total = sum(w for *_, w, _ in kernel)

    def graphs_with(kind, out):
        old = Graph(
            [source(grid=(4, 4)), hidden(bias=0.5, grid=(4, 4)), target(grid=out)],
            [link(0, 1, [(0, 0, 1.0)]), link(1, 9, kernel, kind=kind)],
        )
        new = Graph([source(grid=(4, 4)), target(grid=out, bias=0.5 * total)], [link(0, 9, kernel, kind=kind)])
        return old, new

    assert_exact(*graphs_with(Conv2d((3, 3)), (2, 2)))
    assert_exact(*graphs_with(Conv2d((3, 3), (2, 1)), (1, 2)))
    assert_bounded(*graphs_with(PADDED, (4, 4)))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Dense(), PADDED),
        (Identity(), PADDED),
        (Conv2d((1, 1)), Conv2d((3, 3), (2, 2), (1, 1))),
        (Conv2d((3, 3), (2, 2), (1, 1)), Dense()),
        (Conv2d((2, 2)), Conv2d((2, 3))),  # no padding between them
        (Identity((2, 2)), Conv2d((1, 2))),
    ],
)
def test_convolutions_that_compose(first, second):
    grid = (6, 6)
    between = first.output_grid(grid)
    out = second.output_grid(between)
    rng = np.random.default_rng(0)
    one = [(0, 0, float(w), tap) for tap, w in enumerate(rng.integers(1, 9, first.taps) / 8)]
    if isinstance(first, Identity):
        one = [(0, 0, 1.0, 0)]
    two = [(0, 0, float(w), tap) for tap, w in enumerate(rng.integers(1, 9, second.taps) / 8)]
    layers = [source(grid=grid), target(grid=out)]
    through = [link(0, 1, one, kind=first), link(1, 9, two, kind=second)]
    old = Graph([*layers, hidden(grid=between)], through)
    # The same twice over: each half of the weight goes through a layer of its own.
    half = [(s, t, w / 2, tap) for s, t, w, tap in two]
    twin = layer(2, "g", [20], grid=between)
    new = Graph(
        [*layers, hidden(grid=between), twin],
        [through[0], link(1, 9, half, kind=second), link(0, 2, one, kind=first), link(2, 9, half, kind=second)],
    )
    assert_exact(old, new)
    wrong = [(s, t, w, (tap + 1) % second.taps) for s, t, w, tap in half]
    if second.taps > 1:
        assert_bounded(old, Graph([*layers, hidden(grid=between), twin],
                                  [through[0], link(1, 9, half, kind=second), link(0, 2, one, kind=first),
                                   link(2, 9, wrong, kind=second)]))  # fmt: skip


def test_two_shifts_are_one_longer_one():
    row = Conv2d((1, 2))
    old = Graph([source(grid=(1, 5)), target(grid=(1, 3))], [link(0, 9, [(0, 0, 1.0, 2)], kind=Conv2d((1, 3)))])
    there = [link(0, 1, [(0, 0, 1.0, 1)], kind=row), link(1, 9, [(0, 0, 1.0, 1)], kind=row)]
    assert_exact(old, Graph([source(grid=(1, 5)), hidden(grid=(1, 4)), target(grid=(1, 3))], there))
    # With padding what left the grid does not come back: left and right again is not in place.
    pad = Conv2d((1, 3), padding=(0, 1))
    there = [link(0, 1, [(0, 0, 1.0, 0)], kind=pad), link(1, 9, [(0, 0, 1.0, 2)], kind=pad)]
    in_place = Graph([source(grid=(1, 5)), target(grid=(1, 5))], [link(0, 9, [(0, 0, 1.0)])])
    assert_bounded(in_place, Graph([source(grid=(1, 5)), hidden(grid=(1, 5)), target(grid=(1, 5))], there))


def test_a_larger_kernel_with_the_same_taps():
    taps = [(0, 0, float(w), tap) for tap, w in enumerate(range(1, 10))]
    wide = [(s, t, w, (tap // 3 + 1) * 5 + tap % 3 + 1) for s, t, w, tap in taps]
    off = [(s, t, w, (tap // 3 + 1) * 5 + tap % 3) for s, t, w, tap in taps]
    old = maps(links=[link(0, 9, taps, kind=PADDED)])
    larger = Conv2d((5, 5), padding=(2, 2))
    assert_exact(old, maps(links=[link(0, 9, wide, kind=larger)]))
    assert_bounded(old, maps(links=[link(0, 9, off, kind=larger)]))


@pytest.mark.parametrize("kind", ["max", "average"])
def test_pools(kind):
    pool = Pool(kind, (2, 2))

    def graph(weights, out, bias=0.25, pool=pool):
        n = len(weights)
        h = hidden(n, grid=(4, 4), pool=pool, activation="relu", bias=bias)
        return Graph(
            [source(grid=(4, 4)), h, target(grid=(2, 2))],
            [link(0, 1, [(0, i, w) for i, w in enumerate(weights)]),
             link(1, 9, [(i, 0, w) for i, w in enumerate(out)])],
        )  # fmt: skip

    old = graph([1.0], [2.0])
    assert_exact(old, graph([1.0, 1.0], [0.5, 1.5]))
    assert_bounded(old, graph([1.0], [2.0], bias=0.5), 0.5)
    other = Pool("average" if kind == "max" else "max", (2, 2))
    assert_bounded(old, graph([1.0], [2.0], pool=other))
    # A pool is never passed through, not even a positive one.
    plain = Graph([source(grid=(4, 4)), target(grid=(2, 2))], [link(0, 9, [(0, 0, 1.0)], kind=Identity((2, 2)))])
    assert certify(plain, old).kind == "bounded"


def test_strided_wires_may_leave_targets_unfed():
    wires = [link(0, 9, [(0, 0, 1.0), (1, 1, 1.0)], kind=Identity((2, 2)))]
    ends = [source(2, grid=(4, 4)), target(3, grid=(2, 2))]
    old = Graph(ends, wires)
    taps = [link(0, 9, [(0, 0, 1.0, 4), (1, 1, 1.0, 4)], kind=Conv2d((3, 3), (2, 2), (1, 1)))]
    assert_exact(old, Graph(ends, taps))
    crossed = [link(0, 9, [(0, 0, 1.0, 4), (1, 2, 1.0, 4)], kind=Conv2d((3, 3), (2, 2), (1, 1)))]
    certificate = assert_bounded(old, Graph(ends, crossed))
    assert certificate.bounds["y"][0] == 0
    assert certificate.bounds["y"][1:] == pytest.approx((1, 1))
