import numpy as np
import pytest

import netgraph as ng
from netgraph.errors import GraphError


def test_the_edges_that_stay_keep_ids_and_values():
    graph = ng.mlp([5, 7, 3], domain=(0, 1), seed=1)
    keep = np.random.default_rng(0).random(len(graph.edges)) < 0.4
    thin = ng.thinned(graph, keep)
    assert np.array_equal(thin.edges.id, graph.edges.id[keep])
    assert np.array_equal(thin.edges.weight, graph.edges.weight[keep])
    assert np.array_equal(thin.vertices.id, graph.vertices.id)
    assert thin.num_edges == keep.sum()


def test_it_is_a_start_of_its_own():
    graph = ng.apply(ng.rules.SplitEdges(), ng.mlp([5, 3], domain=(0, 1)), limit=4).graph
    thin = ng.thinned(graph, np.ones(len(graph.edges), dtype=bool))
    assert thin.rewrites == 0
    assert thin.lineage != graph.lineage
    assert not thin.edges.birth.any()
    assert not thin.vertices.birth.any()
    assert thin.same_topology(graph)
    again = ng.thinned(graph, graph.edges.id % 2 == 0)
    assert again.lineage == ng.Graph(again.layers_by_id.values(), again.links_by_key.values()).lineage


def test_a_link_may_lose_all_its_edges_and_takes_new_ones():
    graph = ng.mlp([4, 5, 2], domain=(0, 1))
    thin = ng.thinned(graph, graph.edges.link == 1)
    first = next(iter(thin.links))
    assert len(first) == 0
    ends = np.array([[thin.layers["input"].vertex_ids[1], thin.layers["hidden1"].vertex_ids[2]]])
    grown = ng.apply(ng.rules.AddEdges(), thin, on=ends).graph
    assert len(next(iter(grown.links))) == 1
    x = np.full((1, 4), 0.5)
    assert np.array_equal(ng.interpret(thin, x), ng.interpret(grown, x))


def test_weights_are_drawn_anew_for_the_edges_that_are_left():
    graph = ng.mlp([30, 40, 3], seed=1)
    keep = np.random.default_rng(0).random(len(graph.edges)) < 0.3
    link = next(iter(ng.reinitialised(ng.thinned(graph, keep), seed=2).links))
    bound = 1 / np.sqrt(np.bincount(link.dst)[link.dst])
    assert (np.abs(link.weight) <= bound).all()
    assert np.abs(link.weight / bound).max() > 0.9


def test_wires_must_stay():
    graph = ng.resnet(8, width=4, input_size=(1, 8, 8))
    with pytest.raises(GraphError, match=r"'stage1-block1' is frozen.*graph\.edges\.frozen"):
        ng.thinned(graph, ~graph.edges.frozen)
    assert ng.thinned(graph, graph.edges.frozen).num_edges == 0


@pytest.mark.parametrize("keep", [[True], np.ones(8), np.ones((8, 1), bool)])
def test_the_mask_is_checked(keep):
    with pytest.raises(GraphError, match=r"needs \(8,\) booleans"):
        ng.thinned(ng.mlp([2, 2, 2]), keep)
