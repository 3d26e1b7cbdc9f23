"""Splitting vertices through the rewriter: what is copied, what is shared out, what is refused."""

import numpy as np
import pytest
from ported import as_stored

import netgraph as ng
from netgraph.errors import RewriteError
from netgraph.rewriting import EdgeRows, Rewriter, VertexRows


@pytest.fixture
def graph():
    """x(3) -> a(2) -> b(2) -> y(2), dense; edges 0..5, 6..9, 10..13."""
    return ng.mlp([3, 2, 2, 2], dtype=np.float64)


@pytest.fixture
def rw(graph):
    return Rewriter(graph, np.random.default_rng(0))


def edges(graph, *ids):
    return EdgeRows(graph, graph.edges.find(list(ids)))


def vertices(graph, *ids):
    return VertexRows(graph, graph.vertices.rows(np.array(ids, dtype=np.int64)))


def test_split_vertices_with_parts_of_their_own(graph, rw):
    both = vertices(graph, 4, 5, 6)
    copies = rw.split_vertices(both, [1, 3, 2])
    assert {i: n.id.tolist() for i, n in copies.items()} == {2: [9, 10, 11]}
    new, delta = rw.commit()
    assert [len(x) for x in new.layers.values()] == [3, 2, 5, 2]
    b = new.links["hidden1", "hidden2"].weight.reshape(5, 2)
    np.testing.assert_array_equal(b, b[[0, 1, 0, 0, 1]])  # copies of the first come before those of the second
    y = new.links["hidden2", "output"].weight.reshape(2, 5)
    old = graph.links["hidden2", "output"].weight.reshape(2, 2)
    np.testing.assert_array_equal(y[:, [1, 4]], old[:, [1, 1]] / 2)
    np.testing.assert_allclose(y[:, [0, 2, 3]].sum(axis=1), old[:, 0], rtol=1e-15)
    assert new.layers["hidden1"] is graph.layers["hidden1"]
    assert ng.apply_delta(new, delta.inverse())[0].equals(graph)


def test_split_vertices_leaves_removed_edges_out(graph, rw):
    rw.remove(edges(graph, 6))
    rw.split_vertices(vertices(graph, 3))
    new, _ = rw.commit()
    assert len(new.links["hidden1", "hidden2"]) == 3 + 1
    assert rw.split_vertices(vertices(graph)) == {}


def test_split_vertices_of_two_ports():
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 1)
    b.layer("h", 1)
    b.output("y", 1)
    b.edges("x", "h", [0], [0], weight=1.0)
    for port in (0, 3):
        b.edges("h", "y", [0], [0], weight=1.0 + port, port=port)
    graph = as_stored(b)
    rw = Rewriter(graph, np.random.default_rng(0))
    rw.split_vertices(vertices(graph, 1))
    new, _ = rw.commit()
    assert {k.port: k.weight.tolist() for k in new.incoming[2]} == {0: [0.5, 0.5], 3: [2, 2]}


def test_wires_and_layer_norm_are_not_split():
    b = ng.GraphBuilder()
    b.input("x", 2)
    b.layer("h", 2)
    b.layer("n", 2, norm="layer")
    b.output("y", 2)
    b.identity("x", "h")
    b.dense("h", "n")
    b.dense("n", "y")
    graph = b.build()
    with pytest.raises(RewriteError, match="Vertex 3 of layer 'h' has identity wires"):
        Rewriter(graph, np.random.default_rng(0)).split_vertices(vertices(graph, 3))
    with pytest.raises(RewriteError, match="Layer 'n' is under layer norm"):
        Rewriter(graph, np.random.default_rng(0)).split_vertices(vertices(graph, 4))


@pytest.mark.parametrize(
    ("ids", "parts", "noise", "words"),
    [
        ((3, 3), 2, 0, "named twice"),
        ((3,), 0, 0, "split into 0 parts"),
        ((3,), 2, 2, r"noise=2 is not in \[0, 1\]"),
        ((7,), 2, 0, "'output' is an output layer"),
        ((0,), 2, 0, "'input' is an input layer"),
    ],
)
def test_splits_that_make_no_sense(graph, rw, ids, parts, noise, words):
    with pytest.raises(RewriteError, match=words):
        rw.split_vertices(vertices(graph, *ids), parts, noise=noise)
    assert rw.delta().is_empty
