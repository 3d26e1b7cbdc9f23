"""SplitVertices: a vertex and its copies share the outgoing weights, to the last bit."""

from fractions import Fraction

import numpy as np
import pytest
from random_graphs import assert_same_outputs

import netgraph as ng
from netgraph.errors import OptionError, RewriteError
from netgraph.rewriting.splitting import divides, split_weights
from netgraph.rules import SplitVertices


@pytest.fixture
def graph():
    """x(2) -> a(2) -> b(2) -> y(1), and x -> b; dyadic weights."""
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 2, domain=(-1, 1))
    b.layer("a", 2)
    b.layer("b", 2, activation="prelu")
    b.output("y", 1)
    b.edges("x", "a", [0, 1, 1], [0, 0, 1], weight=[0.5, -1, 2])
    b.edges("a", "b", [0, 1, 0], [0, 0, 1], weight=[1, 0.25, -3])
    b.edges("x", "b", [0], [1], weight=[0.125])
    b.edges("b", "y", [0, 1], [0, 0], weight=[1, -0.5])
    return b.build()


def test_one_vertex(graph):
    rule = SplitVertices()
    first = graph.layers["a"].vertex_ids[0]
    result = ng.apply(rule, graph, on=[first])
    new = result.graph
    (copy,) = result.delta.vertices_added.id
    into = {v: new.edges.where(new.edges.target == v) for v in (first, copy)}
    np.testing.assert_array_equal(into[first].source, into[copy].source)
    np.testing.assert_array_equal(into[first].weight, into[copy].weight)
    out = {v: new.edges.where(new.edges.source == v) for v in (first, copy)}
    for v in (first, copy):
        np.testing.assert_array_equal(out[v].weight, [0.5, -1.5])
    assert set(graph.edges.id) <= set(new.edges.id)
    assert len(result.delta.edges_added) == 2 + 2
    assert result.certificate.level == rule.claim(result.matches) == "exact"
    assert_same_outputs(graph, new)
    assert ng.apply_delta(new, result.delta.inverse())[0].equals(graph)


def test_neighbours_are_split_together(graph):
    """Every pair of copies is joined: an edge between two of them becomes four, each of half the weight."""
    result = ng.apply(SplitVertices(), graph, require="exact")
    new = result.graph
    assert [len(x) for x in new.layers.values()] == [2, 4, 4, 1]
    assert len(new.links["a", "b"]) == 4 * 3
    assert sorted(set(new.links["a", "b"].weight.tolist())) == [-1.5, 0.125, 0.5]
    assert len(new.links["x", "b"]) == 2
    np.testing.assert_array_equal(new.layers["b"].values["slope"], [0.25] * 4)
    assert_same_outputs(graph, new)
    again = ng.apply(SplitVertices(), new, require="exact").graph
    assert_same_outputs(graph, again)


@pytest.mark.parametrize("parts", [2, 3, 7])
@pytest.mark.parametrize("noise", [0.0, 0.3, 1.0])
def test_exact_in_both_modes_whatever_the_parts(parts, noise):
    graph = ng.mlp([3, 4, 4, 2], norm="batch", activation="gelu", domain=(-1, 1))
    rng = np.random.default_rng(0)
    graph = graph.with_weights(vertices={"mean": rng.normal(size=13), "shift": rng.normal(size=13)})
    rule = SplitVertices(parts=parts, noise=noise)
    result = ng.apply(rule, graph, rng=1)
    assert result.certificate.level == rule.claim(result.matches) == "exact"
    for train in (False, True):
        assert_same_outputs(graph, result.graph, exact=False, train=train)


def test_noise_tells_copies_apart(graph):
    vertex = graph.layers["a"].vertex_ids[:1]
    new = ng.apply(SplitVertices(noise=0.5), graph, on=vertex, rng=3).graph
    link = new.links["a", "b"]
    kept, copied = link.weight[link.src == 0], link.weight[link.src == 2]
    np.testing.assert_array_equal(kept + copied, [1, -3])
    ratio = copied / (kept + copied)
    assert ((ratio >= 0.25) & (ratio < 0.5)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shares_add_up_in_exact_arithmetic(dtype):
    rng = np.random.default_rng(0)
    weight = (rng.normal(size=300) * 10.0 ** rng.integers(-20, 20, 300)).astype(dtype)
    tiny = float(np.finfo(dtype).smallest_subnormal)
    weight = np.concatenate([weight, np.array([0, 1, tiny, -3 * tiny, 1001 * tiny], dtype)]).astype(np.float64)
    count = rng.integers(1, 9, len(weight))
    for noise in (0.0, 0.5, 1.0):
        cut = rng.uniform(0, noise, count.sum()) if noise else np.zeros(count.sum())
        shares = split_weights(weight, count, np.full(len(weight), dtype is np.float32), cut)
        np.testing.assert_array_equal(shares, shares.astype(dtype))
        for total, mine in zip(weight, np.split(shares, np.cumsum(count)[:-1]), strict=True):
            assert sum(Fraction(float(x)) for x in mine) == Fraction(float(total))
    assert len(split_weights(np.empty(0), np.empty(0, int), np.empty(0, bool), np.empty(0))) == 0


def test_whether_a_quotient_is_exact():
    weight = np.array([1.0, 1.0, 0.75, 0.0, 5e-324, 3e-323])
    count = np.array([2, 3, 3, 5, 2, 2])
    np.testing.assert_array_equal(divides(weight, count, weight / count), [True, False, True, True, False, True])


def test_frozen_edges_stay_frozen():
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 1, domain=(-1, 1))
    b.layer("h", 1)
    b.output("y", 1)
    b.edges("x", "h", [0], [0], weight=1.0, frozen=True)
    b.edges("h", "y", [0], [0], weight=1.0)
    graph = b.build()
    new = ng.apply(SplitVertices(), graph, require="exact").graph
    assert new.links["x", "h"].frozen.all()
    assert not new.links["h", "y"].frozen.any()


def test_layer_norm_and_wires_are_refused():
    normed = ng.mlp([2, 3, 2], norm="layer")
    assert not ng.apply(SplitVertices(), normed).changed
    assert ng.explain(SplitVertices(), normed).stages[-2:] == (
        ("norm acts vertex by vertex", 0), ("vertex has no identity wires", 0),
    )  # fmt: skip
    b = ng.GraphBuilder()
    b.input("x", 2)
    for name in ("a", "b", "c"):
        b.layer(name, 2)
    b.output("y", 1)
    for pair in (("x", "a"), ("b", "c"), ("c", "y")):
        b.dense(*pair)
    b.edges("a", "b", [0], [0], weight=1.0, kind=ng.Identity(), frozen=True)
    found = ng.find(SplitVertices(), b.build()).v
    layers, rows = found.layer, found.graph.vertices.row[found.rows]
    assert list(zip(layers.tolist(), rows.tolist(), strict=True)) == [(1, 1), (2, 1), (3, 0), (3, 1)]


def test_more_edges_than_the_cap_are_refused(graph):
    with pytest.raises(RewriteError, match="would leave 24 edges at them, more than max_edges=23"):
        ng.apply(SplitVertices(max_edges=23), graph)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"parts": 1}, "parts=1 is below 2"),
        ({"max_edges": -1}, "max_edges=-1 is negative"),
        ({"noise": -0.1}, r"noise=-0.1 is not in \[0, 1\]"),
    ],
)
def test_options_are_checked(options, words):
    with pytest.raises(OptionError, match=words):
        SplitVertices(**options)
