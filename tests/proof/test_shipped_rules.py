"""Small graphs on which a proof of what a shipped rule claims takes more than one step."""

import numpy as np
import pytest

import netgraph as ng
from netgraph import Conv2d, GraphBuilder
from netgraph.proof import certify
from netgraph.rules import InsertLayer, MergeVertices, SplitEdges, SplitVertices, WidenLayer


def dense(domain, into, out, *, then=None, slopes=None, activation="prelu"):
    """x -> h -> y with one input, or x -> h -> h2 -> y with one ReLU."""
    b = GraphBuilder(dtype=np.float64)
    b.input("x", 1, domain=domain)
    b.layer("h", len(into), activation=activation, bias=False)
    if then is not None:
        b.layer("h2", 1, bias=False)
    b.output("y", 1, bias=False)
    n = len(into)
    b.edges("x", "h", [0] * n, range(n), weight=into)
    b.edges("h", "y" if then is None else "h2", range(n), [0] * n, weight=out)
    if then is not None:
        b.edges("h2", "y", [0], [0], weight=then)
    graph = b.build()
    return graph if slopes is None else graph.with_weights(vertices={"slope": np.array([0, *slopes, 0])})


def maps(activation, grids, first, taps, weight, last, tap, *, middle=False, bias=None):
    """A convolution to vertices that are read through another one, which changes the grid."""
    b = GraphBuilder(dtype=np.float64)
    b.input("x", 1, domain=(0, 1), grid=grids[0])
    n = 1 if middle else 2
    b.layer("h", n, activation=activation, grid=grids[1], bias=bias is not None)
    if middle:
        b.layer("h2", 1, activation=activation, grid=grids[1], bias=False)
    b.output("y", 1, bias=False, grid=grids[2])
    k = len(taps)
    b.edges("x", "h", [0] * n * k, np.repeat(np.arange(n), k), weight=weight * n, tap=taps * n, kind=first)
    if middle:
        b.edges("h", "h2", [0], [0], weight=1.0, kind=Conv2d((1, 1)))
    b.edges("h2" if middle else "h", "y", [n - 1], [0], weight=1.0, tap=tap, kind=last)
    graph = b.build()
    return graph if bias is None else graph.with_weights(vertices={"bias": np.array([0, bias, bias, 0])})


CASES = {
    "six shares that add up to 9/8": (SplitVertices(parts=3), dense((0, 1), [1.0, 1.0], [1.0, 0.125])),
    "unequal shares": (SplitVertices(noise=0.5), dense((0, 1), [1.0, 1.0], [1.0, 0.125], then=1.0)),
    "twins that are multiples of a third": (MergeVertices(), dense((-1, 1), [1.0, -0.375, -0.375], [0.0, 0.0, 1.0])),
    "three that differ in a parameter": (
        SplitVertices(),
        dense((-1, 1), [1.0, 1.0, 1.0], [0.0, 0.0, 1.0], slopes=[0.25, 0.25, 0.0]),
    ),
    "linear twins read through padding": (
        MergeVertices(),
        maps("identity", [(3, 3), (3, 3), (5, 5)], Conv2d((3, 3), padding=(1, 1)), [3], [1.0],
             Conv2d((1, 1), padding=(1, 1)), 0),
    ),
    "twins at which nothing positive arrives": (
        MergeVertices(),
        maps("prelu", [(2, 1), (1, 3), (3, 2)], Conv2d((2, 1), padding=(0, 1)), [0, 1], [0.75, -1.375],
             Conv2d((1, 2), padding=(1, 0)), 1, bias=-1.875),
    ),
    "a chain of linear maps read through padding": (
        SplitVertices(),
        maps("identity", [(2, 1), (2, 3), (4, 2)], Conv2d((3, 1), padding=(1, 1)), [2], [1.0],
             Conv2d((1, 2), padding=(1, 0)), 1, middle=True),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_is_claimed_to_be_exact_is_proved_there_and_back(case):
    rule, graph = case
    result = ng.apply(rule, graph, rng=0)
    assert len(result.matches)
    assert rule.claim(result.matches) == "exact"
    assert result.certificate.level == "exact"
    assert certify(result.graph, graph).level == "exact"


def test_copies_in_a_chain_of_paddings_are_their_originals():
    b = GraphBuilder(dtype=np.float64)
    b.input("x", 1, domain=(0, 1), grid=(3, 3))
    b.layer("h", 1, activation="leaky_relu", grid=(3, 5), bias=False)
    b.layer("h1", 1, activation="identity", grid=(3, 5), bias=False)
    b.layer("h2", 1, activation="identity", grid=(3, 7), bias=False)
    b.output("y", 1, grid=(5, 6))
    b.edges("x", "h", [0] * 3, [0] * 3, weight=1.0, tap=[0, 1, 2], kind=Conv2d((3, 1), padding=(1, 1)))
    b.edges("h", "h1", [0], [0], weight=1.0, kind=Conv2d((1, 1)))
    b.edges("h1", "h2", [0], [0], weight=1.0, kind=Conv2d((1, 1), padding=(0, 1)))
    b.edges("h2", "y", [0, 0], [0, 0], weight=1.0, tap=[0, 1], kind=Conv2d((1, 2), padding=(1, 0)))
    assert ng.apply(SplitVertices(), b.build()).certificate.level == "exact"


def test_copies_are_their_originals_and_not_another_layer_s_mirror():
    """relu(-x) of the last layer is also relu(x) - x, which says nothing of the old vertex."""
    b = GraphBuilder(dtype=np.float64)
    b.input("x", 1, domain=(0, 1))
    b.layer("h", 3, activation="relu")
    b.layer("h1", 3, activation="relu", bias=False)
    b.output("y", 1)
    b.edges("x", "h", [0] * 3, range(3), weight=1.0)
    b.edges("x", "h1", [0] * 3, range(3), weight=1.0)
    b.edges("h", "h1", [1, 2, 0, 1, 0, 1, 2], [0, 0, 1, 1, 2, 2, 2],
            weight=[-0.125, -1.625, -1.25, -0.75, 0.5, -0.375, 0.875])  # fmt: skip
    b.edges("h1", "y", [0, 1, 2], [0] * 3, weight=[0.5, -1.625, -1.0])
    assert ng.apply(SplitVertices(), b.build()).certificate.level == "exact"


@pytest.mark.parametrize("seed", range(8))
def test_a_factor_times_its_stored_inverse_is_one_up_to_rounding(seed):
    result = ng.apply(InsertLayer(mix="random"), ng.mlp([1, 1], domain=(0, 1), dtype=np.float64), rng=seed)
    assert result.certificate.level == "exact up to rounding"


@pytest.mark.parametrize("seed", range(8))
def test_a_mix_behind_layer_norm_is_exact_up_to_rounding(seed):
    """What moved a little only, by rounding, is its old self up to rounding, and no multiple of another vertex."""
    b = GraphBuilder(dtype=np.float32)
    b.input("x", 2, domain=(0, 1))
    b.layer("h", 2, activation="relu", bias=False, norm="layer")
    b.layer("h1", 2, activation="prelu", bias=False)
    b.output("y", 1, bias=False)
    b.edges("x", "h", [0, 1], [1, 1], weight=[1.875, 0.25])
    b.edges("h", "h1", [1, 0], [0, 1], weight=[1.0, -2.0])
    b.edges("h1", "y", [1], [0], weight=[1.0])
    assert ng.apply(InsertLayer(mix="orthogonal"), b.build(), rng=seed).certificate.level == "exact up to rounding"


@pytest.mark.parametrize("row", range(5))
def test_a_copy_of_one_of_many_constants_is_found(row):
    """Nothing arrives at five vertices under batch norm, which differ in their shift alone."""
    b = GraphBuilder(dtype=np.float64)
    b.input("x", 1, domain=(0, 1))
    b.layer("h", 5, activation="relu", bias=False, norm="batch")
    b.output("y", 1, bias=False)
    b.edges("h", "y", [row], [0], weight=[1.0])
    shift = np.array([0, 0.5, 1, 1.5, 2, 2.5, 0])
    result = ng.apply(WidenLayer(init="duplicate"), b.build().with_weights(vertices={"shift": shift}))
    assert result.certificate.level == "exact"
    assert result.certificate.assumptions == ()


def test_a_pair_behind_layer_norm_is_exact_up_to_rounding():
    """Layer norm makes the rounding of the first split large; that it is rounding tells what the second one is."""
    b = GraphBuilder(dtype=np.float32)
    b.input("x", 1, domain=(0, 1), grid=(2, 1))
    b.layer("h", 1, activation="silu", bias=False, grid=(3, 1), norm="batch")
    b.layer("h2", 3, activation="prelu", bias=False, grid=(1, 3), norm="layer")
    b.output("y", 1, bias=False)
    b.edges("x", "h", [0, 0], [0, 0], weight=1.0, tap=[0, 1], kind=Conv2d((2, 1), padding=(1, 0)))
    b.edges("h", "h2", [0] * 3, [0] * 3, weight=1.0, tap=[0, 1, 2], kind=Conv2d((3, 1), padding=(0, 1)))
    b.edges("h2", "y", [1], [0], weight=1.0, tap=[2], kind=Conv2d((1, 3)))
    values = {"scale": [0, 1, 1, 0.5625, 1, 0], "shift": [0, 0, 0, -0.6875, 0, 0], "slope": [0, 0, 0.25, 0.08, 0.25, 0]}
    graph = b.build().with_weights(vertices={name: np.array(v) for name, v in values.items()})
    rule = SplitEdges(activation="leaky_relu", slope=0.25)
    assert ng.apply(rule, graph).certificate.level == "exact up to rounding"


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_mixes_one_after_the_other_are_exact_up_to_rounding(dtype, seed):
    """Some of what cancels shows in the forms as stored, and the rest in normal form only."""
    b = GraphBuilder(dtype=dtype)
    b.input("x", 1, domain=(-1, 1))
    b.layer("h1", 1, activation="identity", bias=False)
    b.layer("h2", 1, activation="relu", bias=False)
    b.output("y", 1, bias=False)
    b.edges("x", "y", [0], [0], weight=1.0)
    b.edges("x", "h1", [0], [0], weight=-0.5)
    b.edges("h1", "h2", [0], [0], weight=1.0)
    b.edges("h2", "y", [0], [0], weight=1.0)
    assert ng.apply(InsertLayer(mix="random"), b.build(), rng=seed).certificate.level == "exact up to rounding"


def test_of_many_sums_a_few_have_small_terms_that_cancel():
    """Among 1,000 sums of 101 rounded products are some whose two smallest nearly cancel."""
    graph = ng.mlp([20, 100, 10], activation="relu", seed=0, domain=(-1, 1))
    rule = InsertLayer(matrix=np.random.default_rng(0).normal(size=(100, 100)))
    assert ng.apply(rule, graph, on=("hidden1", "output"), probe=None).certificate.level == "exact up to rounding"


def test_a_small_change_of_its_own_next_to_rounding_is_not_called_rounding():
    graph = ng.mlp([3, 40, 2], activation="relu", seed=0, domain=(-1, 1))
    rule = SplitEdges(activation="leaky_relu", epsilon=1e-6)
    assert ng.apply(rule, graph, probe=None).certificate.level == "bounded"
