"""MergeVertices: vertices that compute the same become one, which takes over their outgoing weights."""

import numpy as np
import pytest
from ported import as_stored
from random_graphs import assert_same_outputs

import netgraph as ng
from netgraph.rules import MergeVertices, SplitVertices
from netgraph.rules import duplicates as duplicates_module
from netgraph.rules.duplicates import first_alike


@pytest.fixture
def graph():
    """x(2) -> h(4) -> y(2): h0, h2 and h3 are the same; h0 -> y0, h2 -> y0 and y1, h3 -> y1."""
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 2, domain=(-1, 1))
    b.layer("h", 4)
    b.output("y", 2)
    b.edges("x", "h", [0, 1, 0, 0, 1, 0, 1], [0, 0, 1, 2, 2, 3, 3], weight=[0.5, -1, 1, 0.5, -1, 0.5, -1])
    b.edges("h", "y", [0, 1, 2, 2, 3], [0, 0, 0, 1, 1], weight=[1, 2, 0.25, 3, -1])
    return b.build()


def test_the_first_takes_over_the_edges_of_the_others(graph):
    rule = MergeVertices()
    result = ng.apply(rule, graph)
    ids = graph.layers["h"].vertex_ids
    assert result.matches.v.id.tolist() == ids[2:].tolist()
    new = result.graph
    assert new.layers["h"].vertex_ids.tolist() == ids[:2].tolist()
    link = new.links["h", "y"]
    np.testing.assert_array_equal([link.src, link.dst, link.weight], [[0, 1, 0], [0, 0, 1], [1.25, 2, 2]])
    assert link.id[:2].tolist() == graph.links["h", "y"].id[:2].tolist()  # its own edge keeps its id
    assert link.id[2] == graph.next_ids.edge
    assert result.certificate.level == rule.claim(result.matches) == "exact"
    assert_same_outputs(graph, new)
    assert ng.apply_delta(new, result.delta.inverse())[0].equals(graph)
    assert not ng.apply(rule, new).changed


def test_some_of_them(graph):
    last = graph.layers["h"].vertex_ids[3:]
    result = ng.apply(MergeVertices(), graph, on=last, require="exact")
    assert len(result.graph.layers["h"]) == 3
    assert_same_outputs(graph, result.graph)
    assert not ng.apply(MergeVertices(), graph, on=graph.layers["h"].vertex_ids[:2]).changed


@pytest.mark.parametrize("parts", [2, 3])
@pytest.mark.parametrize("norm", ["none", "batch"])
def test_a_split_is_merged_again(parts, norm):
    graph = ng.mlp([3, 4, 4, 2], norm=norm, activation="silu", dtype=np.float64, domain=(-1, 1))
    split = ng.apply(SplitVertices(parts=parts, noise=0.5), graph, rng=1).graph
    for _ in range(2):  # copies in the second layer are alike once those in the first are merged
        result = ng.apply(MergeVertices(), split)
        assert result.certificate.level == result.rule.claim(result.matches) == "exact"
        for train in (False, True):
            assert_same_outputs(graph, result.graph, exact=False, train=train)
        split = result.graph
        if not ng.find(MergeVertices(), split):
            break
    assert split.num_vertices == graph.num_vertices
    np.testing.assert_array_equal(split.edges.weight, graph.edges.weight)
    np.testing.assert_array_equal(split.edges.id, graph.edges.id)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_that_are_rounded(dtype):
    b = ng.GraphBuilder(dtype=dtype)
    b.input("x", 1, domain=(-1, 1))
    b.layer("h", 3)
    b.output("y", 3)
    b.edges("x", "h", [0, 0, 0], [0, 1, 2], weight=1.0)
    weight = np.array([1, 0.25, 0.5, 1, 0.1, 0.2, 1e-30, -1.0, 1.0]).astype(dtype)
    b.edges("h", "y", [0, 1, 2] * 3, [0, 0, 0, 1, 1, 1, 2, 2, 2], weight=weight)
    graph = b.build()
    rule = MergeVertices()
    ids = graph.layers["h"].vertex_ids
    result = ng.apply(rule, graph)
    assert result.certificate.level == rule.claim(result.matches) == "exact up to rounding"
    sums = result.graph.links["h", "y"].weight
    assert sums[2] == dtype(1e-30)  # large terms cancel, and leave what there is
    # Without y1 nothing is rounded.
    kept = graph.with_weights(np.where(np.isin(graph.edges.weight, weight[4:6]), 0, graph.edges.weight))
    exact = ng.apply(rule, kept)
    assert exact.certificate.level == rule.claim(exact.matches) == "exact"
    assert len(ids) == 3


def differing(change):
    """x(2) -> h(2) -> y(1), alike but for one thing."""
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 2, domain=(-1, 1))
    b.layer("h", 2, norm="batch", activation="prelu")
    b.output("y", 1)
    src, weight, tap_kind = [0, 1, 0, 1], [1.0, 2, 1, 2], {}
    if change == "source":
        src = [0, 1, 0]
        weight = [1.0, 2, 1]
    if change == "weight":
        weight[3] = 2.5
    b.edges("x", "h", src, [0, 0, 1, 1][: len(src)], weight=weight, **tap_kind)
    if change == "port":
        b.edges("x", "h", [0], [1], weight=1.0, port=1)
    b.edges("h", "y", [0, 1], [0, 0], weight=1.0)
    graph = as_stored(b)
    if change in ("bias", "scale", "mean", "slope"):
        values = np.ones(5)
        values[3] = 1.5
        graph = graph.with_weights(vertices={change: values})
    return graph


@pytest.mark.parametrize("change", ["source", "weight", "port", "bias", "scale", "mean", "slope"])
def test_vertices_that_differ_are_kept(change):
    assert len(ng.find(MergeVertices(), differing("nothing"))) == 1
    assert not ng.apply(MergeVertices(), differing(change)).changed


def test_taps_count():
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 1, grid=(4, 4), domain=(-1, 1))
    b.layer("a", 4, grid=(4, 4), pool=ng.Pool("max", (2, 2)))
    b.output("y", 1)
    kind = ng.Conv2d((3, 3), padding=(1, 1))
    b.edges("x", "a", [0] * 8, [0, 0, 1, 1, 2, 2, 3, 3], weight=[1, 2] * 4, tap=[0, 4, 0, 5, 0, 4, 4, 5], kind=kind)
    b.edges("a", "y", [0, 1, 2, 3], [0] * 4, weight=[1, 2, 3, 4], tap=[0, 1, 0, 3], kind=ng.Conv2d((2, 2)))
    graph = b.build()
    result = ng.apply(MergeVertices(), graph, require="exact")
    assert result.matches.v.id.tolist() == graph.layers["a"].vertex_ids[2:3].tolist()
    link = result.graph.links["a", "y"]
    np.testing.assert_array_equal([link.src, link.tap, link.weight], [[0, 1, 2], [0, 1, 3], [4, 2, 4]])
    assert_same_outputs(graph, result.graph)


def test_vertices_without_edges_are_constants():
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 1, domain=(-1, 1))
    b.layer("h", 3)
    b.output("y", 1)
    b.edges("x", "h", [0], [1], weight=1.0)
    b.edges("h", "y", [0, 1, 2], [0, 0, 0], weight=[1, 2, 4])
    graph = b.build()
    result = ng.apply(MergeVertices(), graph, require="exact")
    assert result.graph.links["h", "y"].weight.tolist() == [5, 2]
    assert_same_outputs(graph, result.graph)


def test_layer_norm_and_wires_are_refused():
    graph = ng.mlp([1, 2, 1], norm="layer", dtype=np.float64)
    graph = graph.with_weights(np.ones(4))
    assert ng.explain(MergeVertices(), graph).stages[-3:] == (
        ("norm acts vertex by vertex", 0), ("vertex has no identity wires", 0),
        ("an earlier vertex of its layer computes the same", 0),
    )  # fmt: skip
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 1)
    b.layer("a", 2)
    b.layer("b", 2)
    b.output("y", 1)
    b.edges("x", "a", [0, 0], [0, 1], weight=1.0)
    b.identity("a", "b")
    b.dense("b", "y")
    assert not ng.apply(MergeVertices(), b.build()).changed


def test_a_hash_alone_is_not_trusted(graph, monkeypatch):
    monkeypatch.setattr(duplicates_module, "_mix", lambda columns: np.zeros(len(columns[0]), dtype=np.uint64))
    first = first_alike(graph)
    # Everything collides with the first vertex of all, which nothing equals.
    np.testing.assert_array_equal(first, np.arange(len(graph.vertices)))
    result = ng.apply(MergeVertices(), graph)
    assert not result.changed
