"""InsertLayer: a layer on a link that keeps what it sees, or mixes it and unmixes it again."""

import numpy as np
import pytest
from ported import as_stored
from random_graphs import assert_same_outputs

import netgraph as ng
from netgraph.errors import OptionError, RewriteError
from netgraph.rules import InsertLayer


def net(dtype=np.float64, domain=(-1, 1)):
    """x(3) -> h(2) -> y(2), dyadic; x0 and x2 feed h, h1 feeds y0 and y1."""
    b = ng.GraphBuilder(dtype=dtype)
    b.input("x", 3, domain=domain)
    b.layer("h", 2)
    b.output("y", 2)
    b.edges("x", "h", [0, 2, 0], [0, 0, 1], weight=[0.5, -1, 2])
    b.edges("h", "y", [1, 1], [0, 1], weight=[1, -0.25])
    return b.build()


def conv_net(dtype=np.float64):
    b = ng.GraphBuilder(dtype=dtype)
    b.input("x", 2, grid=(5, 5), domain=(-1, 1))
    b.layer("a", 3, grid=(5, 5), pool=ng.Pool("max", (2, 2), (1, 1)))
    b.output("y", 2)
    b.conv2d("x", "a", kernel=3, padding=1, density=0.6)
    b.conv2d("a", "y", kernel=4)
    return b.build()


@pytest.mark.parametrize("activation", ["identity", "prelu"])
def test_a_vertex_per_source_that_feeds_the_link(activation):
    graph = net()
    rule = InsertLayer(activation=activation)
    result = ng.apply(rule, graph, on=("x", "h"))
    new = result.graph
    layer = new.layers["insert-3"]
    assert (len(layer), layer.activation, layer.bias.tolist()) == (2, activation, [0, 0])
    link = new.links["x", "insert-3"]
    np.testing.assert_array_equal([link.src, link.dst, link.weight], [[0, 2], [0, 1], [1, 1]])
    moved = new.links["insert-3", "h"]
    np.testing.assert_array_equal([moved.src, moved.dst, moved.weight], [[0, 1, 0], [0, 0, 1], [0.5, -1, 2]])
    assert new.link((0, 1, 0)) is None
    assert not link.frozen.any()
    assert new.links["h", "y"] is graph.links["h", "y"]
    assert result.certificate.level == rule.claim(result.matches) == "exact"
    assert_same_outputs(graph, new)
    assert ng.apply_delta(new, result.delta.inverse())[0].equals(graph)


def test_relu_needs_sources_that_are_never_negative():
    rule = InsertLayer(activation="relu")
    signed = ng.apply(rule, net(), require="exact")
    assert [k.key for k in signed.matches.k] == [(1, 2, 0)]
    assert ng.explain(rule, net()).stages[-1] == ("sources are never negative", 1)
    assert "link 'x' -> 'h' fails 'sources are never negative'" in ng.explain(rule, net()).nearest_miss
    both = ng.apply(rule, net(domain=([0, -1, 0], 1)))  # x1 is signed, and feeds nothing
    assert len(both.matches) == 2
    assert both.certificate.level == rule.claim(both.matches) == "exact"
    assert_same_outputs(net(domain=(0, 1)), both.graph)


def test_full_adds_the_missing_edges_at_0():
    graph = net()
    rule = InsertLayer(full=True)
    result = ng.apply(rule, graph, on=("x", "h"))
    np.testing.assert_array_equal(result.graph.links["x", "insert-3"].weight, [1, 0, 0, 1])
    assert rule.count_edges(result.matches) == len(result.delta.edges_added) == 4 + 3
    assert result.certificate.level == rule.claim(result.matches) == "exact"
    assert_same_outputs(graph, result.graph)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("mix", ["orthogonal", "random"])
@pytest.mark.parametrize("activation", ["identity", "prelu"])
def test_a_mix_is_undone(activation, mix, dtype):
    graph = ng.mlp([6, 5, 4], activation="tanh", dtype=dtype, domain=(-1, 1))
    rule = InsertLayer(activation=activation, mix=mix)
    result = ng.apply(rule, graph, on=("hidden1", "output"), rng=1)
    new = result.graph
    matrix = new.links["hidden1", "insert-3"].weight.reshape(5, 5).T  # by source and target
    assert new.links["insert-3", "output"].weight.dtype == dtype
    if mix == "orthogonal":
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(5), atol=1e-6)
    assert np.linalg.cond(matrix) < 50
    assert rule.count_edges(result.matches) == len(result.delta.edges_added) == 25 + 20
    assert result.certificate.level == rule.claim(result.matches) == "exact up to rounding"
    assert result.certificate.measured.change < (1e-5 if dtype == np.float32 else 1e-13)


def test_a_rotation_of_one_vertex_is_a_sign():
    graph = net()
    rule = InsertLayer(mix="orthogonal")
    result = ng.apply(rule, graph, on=("h", "y"), rng=1)
    assert abs(result.graph.links["h", "insert-3"].weight).tolist() == [1]
    assert result.certificate.level == rule.claim(result.matches) == "exact"
    assert_same_outputs(graph, result.graph)


def test_a_mix_on_every_link_of_a_sparse_graph():
    graph = ng.mlp([6, 5, 4, 3], activation="relu", dtype=np.float64, domain=(-1, 1), density=0.5)
    rule = InsertLayer(mix="orthogonal")
    result = ng.apply(rule, graph)
    assert len(result.delta.layers_added) == 3
    assert result.certificate.level == rule.claim(result.matches) == "exact up to rounding"
    assert_same_outputs(graph, result.graph, exact=False)


@pytest.mark.parametrize("mix", ["none", "orthogonal", "random"])
def test_convolutions_keep_their_taps(mix):
    graph = conv_net()
    rule = InsertLayer(mix=mix)
    result = ng.apply(rule, graph)
    new = result.graph
    inserted = [new.layer(record.id) for record in result.delta.layers_added]
    assert [(len(x), x.grid) for x in inserted] == [(2, (5, 5)), (3, (4, 4))]
    for x, name in zip(inserted, ("a", "y"), strict=True):
        assert new.links[x.name, name].kind == next(iter(graph.incoming[graph.layers[name].id])).kind
    assert result.certificate.level == rule.claim(result.matches)
    assert_same_outputs(graph, new, exact=False)
    assert_same_outputs(graph, new, exact=False, train=True)


@pytest.mark.parametrize(("dtype", "level"), [(np.float32, "exact up to rounding"), (np.float64, "bounded")])
def test_the_rational_activation_is_the_identity_but_for_its_regulariser(dtype, level):
    graph = net(dtype)
    rule = InsertLayer(activation="rational")
    result = ng.apply(rule, graph)
    values = result.graph.layers["insert-3"].values
    assert [values[name].tolist() for name in ("v", "c", "l")] == [[0, 0], [0, 0], [1, 1]]
    assert result.certificate.level == rule.claim(result.matches) == level
    assert 0 < result.certificate.measured.relative < 1e-7


def test_ports_and_frozen_edges_are_kept():
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 2, domain=(0, 1))
    b.output("y", 1)
    b.edges("x", "y", [0, 1], [0, 0], weight=[0.5, 1])
    b.edges("x", "y", [0, 1], [0, 0], weight=[2, 3], port=1, frozen=True)
    graph = as_stored(b)
    new = ng.apply(InsertLayer(), graph, on=[("x", "y", 1)], require="exact").graph
    moved = new.links["insert-2", "y", 1]
    assert moved.frozen.all()
    assert len(new.links["x", "y"]) == 2
    assert_same_outputs(graph, new)
    rule = InsertLayer(mix="random")
    assert [k.port for k in ng.find(rule, graph).k] == [0]
    assert ng.explain(rule, graph).stages[-1] == ("link has no frozen edges", 1)
    assert len(ng.apply(InsertLayer(), graph, on=("x", "y")).matches) == 2


def test_wires_and_empty_links_are_left_alone():
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 2)
    b.layer("h", 2)
    b.output("y", 2)
    b.identity("x", "h")
    b.dense("h", "y")
    graph = b.build()
    empty = ng.Link(0, 2, ng.Dense(), **{k: v[:0] for k, v in graph.links["h", "y"].columns.items()})
    graph = ng.Graph(graph.layers.values(), [*graph.links, empty])
    assert ng.explain(InsertLayer(), graph).stages == (("links", 3), ("link is not of wires", 2), ("link has edges", 1))


def test_twice_and_a_deep_chain():
    graph = net()
    once = ng.apply(InsertLayer(), graph, require="exact")
    twice = ng.apply(InsertLayer(activation="prelu"), once.graph, require="exact")
    assert twice.graph.num_layers == 3 + 2 + 4
    assert_same_outputs(graph, twice.graph)
    assert ng.apply_delta(twice.graph, once.delta.then(twice.delta).inverse())[0].equals(graph)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"activation": "tanh"}, "activation='tanh' is none of"),
        ({"mix": "some"}, "mix='some' is none of"),
        ({"max_edges": -1}, "max_edges=-1 is negative"),
        ({"activation": "relu", "mix": "random"}, "negative values, which relu does not keep"),
    ],
)
def test_options_are_checked(options, words):
    with pytest.raises(OptionError, match=words):
        InsertLayer(**options)


def test_more_edges_than_the_cap_are_refused():
    with pytest.raises(RewriteError, match="Inserting 2 layers would make 8 edges, more than max_edges=7"):
        ng.apply(InsertLayer(max_edges=7), net())


def test_links_that_are_not_there():
    with pytest.raises(RewriteError, match="no link from 'x' to 'y'"):
        ng.find(InsertLayer(), net(), on=("x", "y"))
    with pytest.raises(RewriteError, match="no link from 'x' to 'h' at port 1"):
        ng.find(InsertLayer(), net(), on=[("x", "h", 1)])
    with pytest.raises(RewriteError, match=r"`on` has \['x'\]; links are given by"):
        ng.find(InsertLayer(), net(), on=["x"])
    assert ng.find(InsertLayer(), net(), on=net().links["x", "h"]).k.key == [(0, 1, 0)]
