"""Weights that a rewrite adds to edges, and norms that it sets."""

import numpy as np
import pytest
from hypothesis import given
from random_graphs import dense_graphs, seeds

import netgraph as ng
from netgraph.errors import RewriteError


def by_place(graph):
    e = graph.edges
    return dict(zip(zip(e.source.tolist(), e.target.tolist(), e.tap.tolist(), strict=True), e.weight, strict=True))


@given(dense_graphs(), seeds)
def test_weights_are_added_to_edges_that_are_there_and_make_those_that_are_missing(graph, seed):
    rng = np.random.default_rng(seed)
    (source, target), n = rng.choice(sorted((k.source, k.target) for k in graph.links)), 6
    ends = [rng.choice(graph.layer(int(i)).vertex_ids, n) for i in (source, target)]
    weight = rng.integers(-8, 9, n) / 8
    expected = by_place(graph)
    rw = ng.Rewriter(graph, rng)
    for part in (slice(0, 4), slice(4, None)):  # two calls are summed like one
        rw.add_weight(*(rw.vertices(ids=ids[part]) for ids in ends), weight=weight[part])
    for s, t, w in zip(*(ids.tolist() for ids in ends), weight, strict=True):
        expected[s, t, 0] = expected.get((s, t, 0), 0.0) + w
    new, _ = rw.commit()
    found = by_place(new)
    assert found.keys() == expected.keys()
    assert all(np.isclose(found[place], expected[place], atol=1e-6) for place in expected)
    kept = np.isin(new.edges.id, graph.edges.id)
    assert set(new.edges.id[kept]) == set(graph.edges.id)


def test_a_weight_that_the_rewrite_sets_counts_as_the_old_one():
    graph = ng.mlp([2, 1], seed=0)
    rw = ng.Rewriter(graph, np.random.default_rng(0))
    p, c = rw.vertices(ids=[0, 0]), rw.vertices(rows=[2, 2])
    rw.add_weight(p, c, weight=[0.25, 0.5])
    rw.set_weight(rw.edges(ids=[graph.edges.id[0]]), 1.0)
    assert rw.commit()[0].edges.weight[0] == 1.75


def test_weights_of_new_vertices_open_a_link():
    graph = ng.convnet([[2]], input_size=(1, 4, 4), seed=0)
    rw = ng.Rewriter(graph, np.random.default_rng(0))
    source, kind = rw.vertices("input"), ng.Conv2d((1, 1))
    n = rw.add_layer(1, grid=(4, 4))
    rw.add_weight(source.take(np.zeros(2, int)), n.take(np.zeros(2, int)), weight=[1.0, 2.0], kind=kind, frozen=True)
    link = rw.commit()[0].link((source.layer[0], n.layer_id, 0))
    assert (link.kind, link.weight.tolist(), link.frozen.tolist()) == (kind, [3.0], [True])


def test_a_sum_is_refused_where_it_would_be_lost_or_is_none():
    graph = ng.mlp([2, 1], seed=0)
    rw = ng.Rewriter(graph, np.random.default_rng(0))
    rw.add_weight(rw.vertices("input").take([0]), rw.vertices("output"), weight=1.0)
    rw.remove(rw.edges(rows=[0]))
    with pytest.raises(RewriteError, match="gets another weight and is removed"):
        rw.commit()
    with pytest.raises(RewriteError, match=r"add_weight\(\) joins row by row: 2 sources and 1 targets"):
        rw.add_weight(rw.vertices("input"), rw.vertices("output"), weight=1.0)
    b = ng.GraphBuilder()
    b.input("x", 1)
    b.output("y", 1)
    b.identity("x", "y")
    rw = ng.Rewriter(b.build(), np.random.default_rng(0))
    rw.add_weight(rw.vertices("x"), rw.vertices("y"), weight=1.0)
    with pytest.raises(RewriteError, match="has wires of weight 1"):
        rw.commit()


def test_a_norm_is_set_with_its_columns():
    b = ng.GraphBuilder(seed=0)
    b.input("x", 3)
    b.layer("h", 2, activation="relu", norm="batch", bias=False)
    b.output("y", 1)
    b.dense("x", "h")
    b.dense("h", "y")
    graph = b.build()
    rw = ng.Rewriter(graph, np.random.default_rng(0))
    rw.set_norm(graph.layers["h"], "none", bias=True)
    rw.set_bias(rw.vertices("h"), [1.0, 2.0])
    new, delta = rw.commit()
    assert (new.layers["h"].norm, *new.layers["h"].values) == ("none", "bias")
    assert new.layers["h"].bias.tolist() == [1.0, 2.0]
    assert ng.apply_delta(new, delta.inverse())[0].equals(graph)
    rw = ng.Rewriter(graph, np.random.default_rng(0))
    rw.set_values(rw.vertices("h"), "scale", 2.0)
    with pytest.raises(RewriteError, match=r"gets the norm 'none' after its vertex .* set the norm first"):
        rw.set_norm(graph.layers["h"], "none")
