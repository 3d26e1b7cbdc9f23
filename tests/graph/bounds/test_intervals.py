"""Interval analysis on graphs small enough to work out by hand."""

import pickle
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

import netgraph as ng
from netgraph.errors import InputError, OptionError
from netgraph.graph import Conv2d
from netgraph.graph.bounds.intervals import (
    add,
    link_interval,
    normalise_interval,
    operate_interval,
)
from netgraph.graph.propagation import bounds

INF = np.inf


def pair(weights, *, domain=(-1, 1), dtype=np.float64, norm="none", values=None, **layer):
    """One input per weight into a single output vertex."""
    b = ng.GraphBuilder(dtype=dtype)
    b.input("x", len(weights), domain=domain)
    b.output("y", 1, norm=norm, **layer)
    b.edges("x", "y", np.arange(len(weights)), np.zeros(len(weights), int), weight=weights)
    graph = b.build()
    if values:
        n = graph.num_vertices
        graph = graph.with_weights(vertices={k: np.full(n, v) for k, v in values.items()})
    return graph


def ends(graph, layer="y", **options):
    low, high = graph.bounds(**options)[layer]
    return float(low[0]), float(high[0])


def test_a_sum_by_hand():
    graph = pair([0.5, -0.25], domain=([0, -1], [1, 3]), values={"bias": 0.125})
    low, high = ends(graph)
    assert low == pytest.approx(-0.625, abs=1e-14)
    assert high == pytest.approx(0.875, abs=1e-14)
    assert low <= -0.625
    assert high >= 0.875
    b = graph.bounds()
    np.testing.assert_array_equal(b.low[:2], [0, -1])
    np.testing.assert_array_equal(b.z_low, b.low)
    assert repr(b) == "Bounds(3 vertices, 3 bounded, 1 never negative)"
    with pytest.raises(KeyError, match="Unknown layer 'z'"):
        b["z"]
    with pytest.raises(ValueError, match="read-only"):
        b.low[0] = 1


def test_sums_of_zeros_stay_exactly_zero():
    rng = np.random.default_rng(0)
    graph = pair(rng.random(1000), domain=(0, INF), bias=False)
    assert ends(graph) == (0, INF)
    assert ends(pair(-rng.random(1000), domain=(0, INF))) == (-INF, 0)
    assert graph.vertices.nonnegative.all()


def test_single_edges_of_weight_one_round_nothing():
    assert ends(pair([-1.0], domain=(0.1, 0.7))) == (-0.7, -0.1)
    assert ends(pair([-1.0], domain=(0.0, 1.0), values={"bias": 1.0})) == (0, 1)
    assert ends(pair([1.0], domain=(-INF, 0.7))) == (-INF, 0.7)


def test_zero_weights_and_missing_edges_never_meet_infinity():
    graph = pair([0.0, 0.0], domain=(-INF, INF), values={"bias": 0.5})
    assert ends(graph) == (0.5, 0.5)
    assert ends(pair([0.0, 2.0], domain=([-INF, 0], [INF, 1])), domain=None)[0] == 0
    assert ends(pair([0.0], domain=(-INF, INF), bias=False)) == (0, 0)
    b = ng.GraphBuilder()
    b.input("x", 1)
    b.output("y", 2, bias=False)
    b.edges("x", "y", [0], [1], weight=1.0)
    low, high = b.build().bounds()["y"]
    np.testing.assert_array_equal([low, high], [[0, -INF], [0, INF]])


def test_a_product_that_underflows_proves_no_sign():
    graph = pair([-1e-200], domain=(0, 1e-200))
    assert ends(graph)[0] < 0
    assert ends(graph)[1] == 0
    assert ends(pair([1e-200], domain=(0, 1e-200)))[0] == 0
    assert ends(pair([1e-200], domain=(0, 1e-200)))[1] > 0
    assert ends(pair([1e-200], domain=(-1e-200, 1)))[0] < 0


def test_sums_that_overflow_are_bounded_by_nothing():
    graph = pair([1e200, -1e200], domain=(1e200, 2e200))
    assert ends(graph) == (-INF, INF)
    low, high = ends(pair([1e308, 1e308], domain=(1, 1), bias=False))
    assert (low, high) == (-INF, INF)


def test_a_domain_at_infinity_is_one_of_large_reals():
    low, high = ends(pair([1.0], domain=(INF, INF)))
    assert (low, high) == (np.finfo(float).max, INF)


def test_given_domains():
    graph = pair([1.0, 1.0], domain=(-INF, INF), bias=False)
    assert ends(graph) == (-INF, INF)
    assert ends(graph, domain=(0, 2))[0] == 0
    low, high = ends(graph, domain={"x": (np.array([0, 1]), 2.0)})
    assert (low, high) == (pytest.approx(1), pytest.approx(4))
    for domain, message in (
        ({"z": (0, 1)}, "Unknown input layer 'z'"),
        ((1, 0), r"'x' is \[1.0, 0.0\] at vertex row 0"),
        (([0, np.nan], 1), r"\[nan, 1.0\] at vertex row 1"),
        (([0, 0, 0], 1), r"bound of shape \(3,\); give a number or \(2,\)"),
        (("a", 1), "give a pair"),
        ((1, 2, 3), "give a pair"),
        ({"x": 1}, "give a pair"),
    ):
        with pytest.raises(InputError, match=message):
            graph.bounds(domain=domain)
    b = ng.GraphBuilder()
    b.input("x0", 1)
    b.input("x1", 1)
    b.output("y", 1)
    b.dense("x0", "y")
    two = b.build()
    with pytest.raises(InputError, match="One domain is given for the input layers"):
        two.bounds(domain=(0, 1))
    assert ends(two, "x1", domain={"x0": (0, 1)}) == (-INF, INF)
    assert ends(two, "x0", domain={"x0": (0, 1)}) == (0, 1)


def test_bounds_of_declared_domains_are_kept_and_not_pickled():
    graph = ng.mlp([2, 3, 1], domain=(0, 1))
    assert graph.bounds() is graph.bounds()
    assert graph.bounds(mode="train") is not graph.bounds()
    assert graph.bounds(domain=(0, 2)) is not graph.bounds(domain=(0, 2))
    again = pickle.loads(pickle.dumps(graph))
    assert "_bounds" not in again.__dict__
    np.testing.assert_array_equal(again.bounds().low, graph.bounds().low)
    halved = graph.with_weights(graph.edges.weight / 2)
    assert (halved.bounds()["output"][1] != graph.bounds()["output"][1]).all()
    with pytest.raises(OptionError, match="mode='test' is none of 'eval', 'train'"):
        graph.bounds(mode="test")


def test_the_bounds_of_one_layer_lie_over_the_activation():
    graph = pair([2.0], domain=(-1, 1), activation="relu")
    b = graph.bounds()
    assert (b.z_low[1], b.z_high[1]) == (pytest.approx(-2), pytest.approx(2))
    assert (b.low[1], b.high[1]) == (0, pytest.approx(2))


# -- norms ----------------------------------------------------------------------------------------


def test_batch_norm():
    values = {"mean": 1.0, "var": 3.0, "scale": -4.0, "shift": 0.5}
    graph = pair([1.0], domain=(0, 2), norm="batch", norm_epsilon=1.0, values=values)
    assert ends(graph) == (pytest.approx(-1.5), pytest.approx(2.5))
    assert ends(graph)[0] <= -1.5
    assert ends(graph, mode="train") == (-INF, INF)
    zero = pair([1.0], domain=(-INF, INF), norm="batch", values={**values, "scale": 0.0})
    assert ends(zero) == ends(zero, mode="train") == (0.5, 0.5)
    half = pair([1.0], domain=(0, INF), norm="batch", values={"scale": -1.0, "mean": 0.0, "shift": 0.0})
    assert ends(half) == (-INF, 0)
    lost = pair([1.0], domain=(0, 1), norm="batch", norm_epsilon=1e30, values={"scale": 1e-310})
    assert ends(lost) == (-INF, INF)
    huge = pair([1.0], domain=(0, 1), norm="batch", norm_epsilon=1e-300, values={"scale": 1e300, "var": 0.0})
    assert ends(huge) == (-INF, INF)
    assert ends(huge, domain=(0, 0)) == (0, 0)


def test_layer_norm():
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 1)
    b.output("y", 5, norm="layer")
    b.dense("x", "y")
    graph = b.build()
    n = graph.num_vertices
    graph = graph.with_weights(vertices={"scale": np.array([0, 1, -2, 0, 3, 1.0]), "shift": np.full(n, 1.0)})
    low, high = graph.bounds()["y"]
    np.testing.assert_allclose(low, [-1, -3, 1, -5, -1], rtol=1e-14)
    np.testing.assert_allclose(high, [3, 5, 1, 7, 3], rtol=1e-14)
    assert low[2] == high[2] == 1
    assert ends(pair([1.0], domain=(-INF, INF), norm="layer", values={"scale": 2.0, "shift": 0.5})) == (0.5, 0.5)


def test_rows_of_a_layer():
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 1)
    b.output("y", 3, norm="batch", activation="prelu")
    b.dense("x", "y")
    values = {"slope": np.array([0, 0.5, 1, 2.0]), "scale": np.array([0, 1, 2, -3.0]), "mean": np.array([0, 1, 0, 2.0])}
    graph = b.build().with_weights(vertices=values)
    layer, rows = graph.layer("y"), np.array([2, 0])
    low, high = np.array([-1.0, 0, 2]), np.array([1.0, INF, 2])
    for function in (normalise_interval, operate_interval):
        whole = function(layer, low, high, "eval")
        np.testing.assert_array_equal(
            function(layer, low[rows], high[rows], "eval", rows), [whole[0][rows], whole[1][rows]]
        )


# -- convolutions, wires, pools -------------------------------------------------------------------


def conv(size, kind, weights, domain):
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 1, grid=(size, size), domain=domain)
    b.output("y", 1, grid=kind.output_grid((size, size)), bias=False)
    taps = np.arange(kind.taps)
    b.edges("x", "y", 0 * taps, 0 * taps, weight=weights, tap=taps, kind=kind)
    return b.build()


def test_convolutions_read_padding_as_zero():
    kind = Conv2d((1, 2), padding=(0, 1))
    assert ends(conv(3, kind, [1.0, 1.0], (2, 3)))[0] == 0
    assert ends(conv(3, kind, [1.0, 1.0], (2, 3)))[1] == pytest.approx(6)
    assert ends(conv(3, Conv2d((1, 2)), [1.0, 1.0], (2, 3)))[0] == pytest.approx(4)
    # A tap that reads nothing but padding adds nothing, however large the input.
    only = conv(1, Conv2d((3, 3), padding=(1, 1)), [5.0] * 4 + [1.0] + [5.0] * 4, (0, INF))
    assert ends(only) == (0, INF)
    only = conv(1, Conv2d((3, 3), padding=(1, 1)), [5.0] * 4 + [1.0] + [5.0] * 4, (0, 1))
    assert ends(only)[1] == pytest.approx(1)


def test_wires_copy_and_leave_the_rest_unfed():
    b = ng.GraphBuilder()
    b.input("x", 2, grid=(4, 4), domain=([-1, 0.1], [2, INF]))
    b.output("y", 3, grid=(2, 2), bias=False, pool=ng.Pool("average", (2, 2)))
    b.identity("x", "y", stride=2)
    graph = b.build()
    low, high = graph.bounds()["y"]
    np.testing.assert_array_equal(low, [-1, 0.1, 0])
    np.testing.assert_array_equal(high, [2, INF, 0])
    b = ng.GraphBuilder()
    b.input("x", 2, domain=(1, 2))
    b.output("y", 1, bias=False)
    b.edges("x", "y", [0, 1], [0, 0], weight=1.0, kind=ng.Identity(), frozen=True)
    assert ends(b.build())[0] == pytest.approx(2)


def test_one_link_by_itself():
    graph = pair([2.0, -1.0])
    link = next(iter(graph.links))
    source, target = graph.layers["x"], ng.Layer(7, "wide", np.arange(4), np.zeros(4))
    low, high = link_interval(link, np.array([0.0, 0.0]), np.array([1.0, INF]), source, target)
    np.testing.assert_allclose(low, [-INF, 0, 0, 0])
    np.testing.assert_allclose(high, [2, 0, 0, 0])


def test_sums_of_two_move_outward_only_when_they_are_rounded():
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=500) * 10.0 ** rng.integers(-3, 4, 500) for _ in range(2))
    low, high = add(a, a, b, b)
    exact = [Fraction(p) + Fraction(q) for p, q in zip(a.tolist(), b.tolist(), strict=True)]
    assert all(Fraction(v) <= e for v, e in zip(low.tolist(), exact, strict=True))
    assert all(Fraction(v) >= e for v, e in zip(high.tolist(), exact, strict=True))
    assert (high <= np.nextafter(low, INF)).all()
    low, high = add(np.array([0.5, -INF]), np.array([0.5, 1.0]), np.array([0.25, 1.0]), np.array([0.25, INF]))
    np.testing.assert_array_equal([low, high], [[0.75, -INF], [0.75, INF]])


# -- exact arithmetic -----------------------------------------------------------------------------


def test_ranges_hold_in_rational_arithmetic():
    rng = np.random.default_rng(3)
    for dtype in (np.float32, np.float64):
        b = ng.GraphBuilder(dtype=dtype)
        b.input("x", 3, domain=(-1 / 3, 0.7))
        b.layer("a", 4)
        b.layer("b", 3, activation="leaky_relu", slope=0.1)
        b.output("y", 2)
        for link in (("x", "a"), ("a", "b"), ("x", "b"), ("b", "y"), ("x", "y")):
            b.dense(*link)
        graph = b.build()
        graph = graph.with_weights(rng.normal(size=len(graph.edges)), vertices={"bias": rng.normal(size=12)})
        proved = bounds(graph)
        # At the corners that make one first-layer sum least or largest the bound is met, up to the last digits.
        weight = np.zeros((4, 3))
        link = graph.links["x", "a"]
        weight[link.dst, link.src] = link.weight
        corners = [np.where(s * row > 0, 0.7, -1 / 3) for row in weight for s in (1, -1)]
        for x in [*corners, *rng.uniform(-1 / 3, 0.7, (10, 3))]:
            z, h = exact_values(graph, [Fraction(v) for v in x])
            for k in range(graph.num_vertices):
                assert proved.z_low[k] <= z[k] <= proved.z_high[k]
                assert proved.low[k] <= h[k] <= proved.high[k]


def exact_values(graph, x):
    """Sum and value of each vertex of a dense graph as fractions, in the order of `graph.vertices`."""
    z, h = [Fraction(0)] * graph.num_vertices, [Fraction(0)] * graph.num_vertices
    for layer in graph.layers.values():
        start = graph.vertices.offset(layer.id)
        for row in range(len(layer)):
            at = start + row
            if layer.role == "input":
                z[at] = h[at] = x[row]
                continue
            z[at] = Fraction(float(layer.bias[row]))
            for link in graph.incoming[layer.id]:
                offset = graph.vertices.offset(link.source)
                for edge in np.flatnonzero(link.dst == row):
                    z[at] += Fraction(float(link.weight[edge])) * h[offset + int(link.src[edge])]
            slope = {"relu": Fraction(0), "leaky_relu": Fraction(layer.slope)}.get(layer.activation, Fraction(1))
            h[at] = z[at] if z[at] >= 0 else slope * z[at]
    return z, h


def test_deep_chains():
    b = ng.GraphBuilder()
    names = [b.input("x", 1, domain=(0, 1)), *(b.layer(f"h{i}", 1, bias=False) for i in range(2000)), "y"]
    b.output("y", 1)
    for source, target in pairwise(names):
        b.edges(source, target, [0], [0], weight=1.0)
    assert ends(b.build()) == (0, 1)


@pytest.mark.parametrize(("kind", "least"), [("average", 0.5), ("max", 1.0)])
def test_an_average_counts_the_zeros_of_its_padding(kind, least):
    """A constant before the pool is none after it."""
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 1, grid=(2,), domain=(0, 1))
    b.layer("h", 1, grid=(2,), bias=1.0, pool=ng.Pool(kind, (2,), (1,), (1,)))
    b.output("y", 1, grid=(3,))
    b.edges("h", "y", [0], [0], weight=1.0)
    graph = b.build()
    values = ng.interpret(graph, np.zeros((1, 1, 2)))
    assert values.min() == least
    low, high = graph.bounds()["y"]
    assert low[0] <= least
    assert high[0] >= 1
    half = graph.with_weights(vertices={"bias": np.where(graph.vertices.column("bias") == 1, 0.5, 0)})
    assert ng.certify(graph, half).bound >= 0.5
