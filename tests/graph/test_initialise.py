import numpy as np
import pytest

import netgraph as ng
from netgraph.errors import OptionError


def changed(graph):
    """The same topology with other values everywhere."""
    rng = np.random.default_rng(99)
    names = {name for la in graph.layers_by_id.values() if la.role != "input" for name in la.values}
    vertices = {name: rng.random(graph.num_vertices) + 0.5 for name in names}
    return graph.with_weights(rng.random(len(graph.edges)), vertices=vertices)


def convolutional(seed, init, dtype=np.float32):
    """Links that are not made in the order of their keys, a norm, and an activation with a parameter."""
    b = ng.GraphBuilder(seed=seed, init=init, dtype=dtype)
    b.input("x", 3, domain=(0, 1), grid=(8, 6))
    b.layer("a", 4, grid=(4, 3), norm="batch", activation="prelu")
    b.layer("b", 4, grid=(4, 3), pool=ng.Pool("average", (4, 3)))
    b.output("y", 5)
    b.dense("b", "y")
    b.identity("a", "b")
    b.conv2d("x", "b", kernel=3, stride=2, padding=1)
    b.conv2d("x", "a", kernel=3, stride=2, padding=1)
    return b.build()


BUILT = {
    "mlp": lambda seed: (ng.mlp([6, 9, 4, 3], domain=(0, 1), norm="layer", seed=seed), "uniform"),
    "float64": lambda seed: (ng.mlp([6, 9, 3], dtype=np.float64, seed=seed), "uniform"),
    "resnet": lambda seed: (ng.resnet(8, width=4, input_size=(1, 8, 8), seed=seed), "kaiming"),
    "vgg": lambda seed: (ng.vgg(11, width=2, seed=seed), "kaiming"),
    "kaiming": lambda seed: (convolutional(seed, "kaiming"), "kaiming"),
    "uniform": lambda seed: (convolutional(seed, "uniform", np.float64), "uniform"),
}


@pytest.mark.parametrize("name", BUILT)
def test_a_network_gets_the_values_with_which_it_was_built(name):
    graph, init = BUILT[name](7)
    assert not changed(graph).equals(graph)
    assert ng.reinitialised(changed(graph), seed=7, init=init).equals(graph)
    assert ng.reinitialised(changed(graph), seed=8, init=init).equals(BUILT[name](8)[0])


@pytest.mark.parametrize("name", ["float64", "resnet", "vgg", "kaiming"])
def test_a_thinned_network_gets_the_values_that_it_had_when_dense(name):
    dense, init = BUILT[name](7)
    keep = (np.random.default_rng(1).random(len(dense.edges)) < 0.3) | dense.edges.frozen
    thin = ng.thinned(dense, keep)
    assert ng.reinitialised(changed(thin), seed=7, init=init, thin=True).equals(thin)
    assert not ng.reinitialised(changed(thin), seed=7, init=init).equals(thin)


def test_a_grown_network_keeps_topology_and_ids_and_is_drawn_by_its_own_fan_in():
    start = ng.mlp([30, 20], domain=(0, 1), seed=1)
    grown = ng.apply(ng.rules.SplitEdges(), start, on=start.edges.id[::7], rng=2).graph
    grown = ng.apply(ng.rules.PruneEdges(), grown, on=grown.edges.id[::3], rng=2).graph
    new = ng.reinitialised(changed(grown), seed=3)
    assert new.same_topology(grown)
    assert np.array_equal(new.edges.id, grown.edges.id)
    assert (new.rewrites, new.lineage, new.next_ids) == (grown.rewrites, grown.lineage, grown.next_ids)
    for link in new.links:
        bound = 1 / np.sqrt(np.bincount(link.dst)[link.dst])
        assert (np.abs(link.weight) <= bound).all()
        assert np.abs(link.weight / bound).max() > 0.8
    assert all((layer.bias == 0).all() for layer in new.layers.values() if layer.bias is not None)
    assert new.equals(ng.reinitialised(grown, seed=3))


def test_frozen_edges_keep_their_weights_and_draw_nothing():
    b = ng.GraphBuilder(seed=4)
    b.input("x", 4)
    b.layer("h", 3)
    b.edges("x", "h", [0, 1, 2], [0, 1, 2], weight=[0.5, -2.0, 3.0], frozen=True)
    b.output("y", 2)
    b.dense("h", "y")
    graph = b.build()
    other = ng.reinitialised(graph.with_weights(np.full(9, 0.25)), seed=4)
    fixed, drawn = (link.weight for link in other.links)
    assert np.array_equal(fixed, [0.25, 0.25, 0.25])
    assert np.array_equal(drawn, graph.links["h", "y"].weight)


def test_kaiming_keeps_the_variance_that_its_name_promises():
    graph = ng.reinitialised(ng.mlp([400, 300], seed=0), seed=5, init="kaiming")
    assert graph.edges.weight.std() == pytest.approx(np.sqrt(2 / 400), rel=0.02)


def test_an_unknown_init_is_refused():
    with pytest.raises(OptionError, match="Did you mean 'kaiming'"):
        ng.reinitialised(ng.mlp([2, 2]), seed=0, init="kaimin")


@pytest.mark.parametrize("name", BUILT)
def test_rewound_values_are_those_of_the_origin_by_id(name):
    graph = BUILT[name](7)[0]
    assert ng.rewound(changed(graph), graph).equals(graph)


def test_what_the_origin_does_not_have_keeps_its_values():
    start = ng.mlp([30, 20, 3], domain=(0, 1), seed=1)
    grown = ng.apply(ng.rules.WidenLayer(count=2), start, rng=2).graph
    grown = ng.apply(ng.rules.PruneEdges(below=None), grown, on=start.edges.id[::7], rng=2).graph
    trained = changed(grown)
    back = ng.rewound(trained, start)
    assert back.same_topology(grown)
    old = back.edges.id < start.next_ids.edge
    assert old.sum() < len(start.edges)
    assert not old.all()
    assert np.array_equal(back.edges.weight[old], start.edges.weight[start.edges.find(back.edges.id[old])])
    assert np.array_equal(back.edges.weight[~old], trained.edges.weight[~old])
    old = back.vertices.id < start.next_ids.vertex
    bias = back.vertices.column("bias")
    assert np.array_equal(bias[old], start.vertices.column("bias"), equal_nan=True)
    assert np.array_equal(bias[~old], trained.vertices.column("bias")[~old])
