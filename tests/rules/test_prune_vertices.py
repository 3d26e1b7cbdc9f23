"""PruneVertices: dead vertices go exactly, others with what only served them."""

import numpy as np
import pytest
from random_graphs import assert_same_outputs

import netgraph as ng
from netgraph.errors import RewriteError
from netgraph.rules import PruneEdges, PruneVertices, SplitEdges


@pytest.fixture
def graph():
    """x(1) -> a(2) -> b(2) -> c(2) -> y(1): a0 and a1 feed b; b1 feeds only c1; c1 is dead."""
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 1, domain=(-1, 1))
    for name in "abc":
        b.layer(name, 2)
    b.output("y", 1)
    b.edges("x", "a", [0, 0], [0, 1], weight=[1, -1])
    b.edges("a", "b", [0, 1, 1], [0, 0, 1], weight=[0.5, 1, 2])
    b.edges("b", "c", [0, 1], [0, 1], weight=[0.5, 1])
    b.edges("c", "y", [0], [0], weight=[2.0])
    return b.build()


def names(matches):
    return [f"{matches.graph.layer(int(i)).name}{r}" for i, r in zip(matches.v.layer, matches.graph.vertices.row[matches.v.rows], strict=True)]  # fmt: skip  # noqa: E501


def test_the_dead_go_with_what_only_served_them(graph):
    result = ng.apply(PruneVertices(), graph, require="exact")
    assert names(result.matches) == ["b1", "c1"]
    assert [len(x) for x in result.graph.layers.values()] == [1, 2, 1, 1, 1]
    assert result.certificate.level == result.rule.claim(result.matches) == "exact"
    assert_same_outputs(graph, result.graph)
    assert not ng.apply(PruneVertices(), result.graph).changed


def test_what_only_a_dead_vertex_reads_goes_exactly(graph):
    """b1 alone is read, by c1, on which no output depends."""
    one = ng.apply(PruneVertices(), graph, limit=1, require="exact")
    assert names(one.matches) == ["b1"]
    assert one.rule.claim(one.matches) == "exact"


def test_what_is_read_with_weight_0_goes_exactly(graph):
    edges = graph.edges
    weight = np.where((edges.source == graph.layers["b"].vertex_ids[0]) | (edges.weight == 2.0), 0.0, edges.weight)
    thin = graph.with_weights(weight)
    rule = PruneVertices(only_dead=False)
    for name, row, level in (("b", 0, "exact"), ("c", 0, "exact"), ("a", 1, "exact")):
        result = ng.apply(rule, thin, on=[thin.layers[name].vertex_ids[row]])
        assert result.certificate.level == rule.claim(result.matches) == level
        assert_same_outputs(thin, result.graph)


def test_pruning_what_is_read_changes_the_function(graph):
    ids = graph.layers["b"].vertex_ids[:1]
    result = ng.apply(PruneVertices(only_dead=False), graph, on=ids)
    assert result.certificate.level == result.rule.claim(result.matches) == "bounded"
    # a0 fed only b0 and goes too; a1 still feeds b1.
    assert [len(x) for x in result.graph.layers.values()] == [1, 1, 1, 2, 1]
    with pytest.raises(RewriteError, match="exact was required"):
        ng.apply(PruneVertices(only_dead=False), graph, on=ids, require="exact")


def test_a_chain_goes_as_a_whole(graph):
    ids = graph.layers["c"].vertex_ids
    result = ng.apply(PruneVertices(only_dead=False), graph, on=ids)
    assert [layer.name for layer in result.graph.layers] == ["x", "y"]
    assert len(result.graph.links) == 0
    assert ng.apply_delta(result.graph, result.delta.inverse())[0].equals(graph)


def test_inputs_and_outputs_are_never_matched(graph):
    everything = ng.find(PruneVertices(only_dead=False), graph)
    assert set(everything.v.layer.tolist()) == {1, 2, 3}
    lonely = ng.apply(PruneEdges(below=None), graph).graph
    rest = ng.apply(PruneVertices(), lonely).graph
    assert [layer.name for layer in rest.layers] == ["x", "y"]


def test_layers_that_are_emptied_vanish(graph):
    ids = graph.layers["b"].vertex_ids
    assert "b" not in ng.apply(PruneVertices(only_dead=False), graph, on=ids).graph.layers


def test_splitting_the_only_edge_of_a_target_keeps_its_new_one(graph):
    only = graph.links["c", "y"].id
    split = ng.apply(SplitEdges(), graph, on=only)
    assert len(split.graph.incoming[graph.layers["y"].id]) == 1
    pruned = ng.apply(PruneVertices(), split.graph, require="exact").graph
    assert "split-5" in pruned.layers
    assert_same_outputs(graph, pruned)


def test_layer_norm_is_left_alone():
    graph = ng.mlp([2, 3, 2], norm="layer", dtype=np.float64)
    dead = ng.apply(PruneEdges(below=None), graph, on=graph.links["hidden1", "output"].id).graph
    assert not ng.apply(PruneVertices(), dead).changed
    assert not ng.apply(PruneVertices(only_dead=False), dead).changed
    assert ng.explain(PruneVertices(), dead).stages[2] == ("norm acts vertex by vertex", 0)


def test_what_feeds_a_normed_layer_stays():
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 2)
    b.layer("a", 2)
    b.layer("n", 2, norm="layer")
    b.layer("d", 1)
    b.output("y", 1)
    for pair in (("x", "a"), ("a", "n"), ("n", "d")):
        b.dense(*pair)
    b.dense("x", "y")
    graph = b.build()
    result = ng.apply(PruneVertices(), graph, require="exact")
    assert set(result.graph.layers.keys()) == {"x", "a", "n", "y"}
    assert_same_outputs(graph, result.graph)


def test_what_feeds_dead_vertices_under_layer_norm_stays_with_them():
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 2)
    b.layer("a", 2)
    b.layer("n", 2, norm="layer")
    b.output("y", 1)
    for pair in (("x", "a"), ("a", "n"), ("x", "y")):
        b.dense(*pair)
    graph = b.build()
    assert not ng.apply(PruneVertices(), graph, require="exact").changed


def test_batch_norm_and_wires():
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 2)
    b.layer("a", 3, norm="batch")
    b.layer("s", 3)
    b.output("y", 1)
    b.dense("x", "a")
    b.identity("a", "s")
    b.edges("s", "y", [0, 2], [0, 0], weight=[1, 2])
    graph = b.build()
    result = ng.apply(PruneVertices(), graph, require="exact")
    assert names(result.matches) == ["a1", "s1"]
    assert_same_outputs(graph, result.graph, exact=False, train=True)
    link = result.graph.links["a", "s"]
    np.testing.assert_array_equal(np.stack([link.src, link.dst]), [[0, 1], [0, 1]])


def test_a_wrong_removal_is_found_out(graph):
    """The negative twin: what is read goes, and the rule says that nothing read it."""

    class Bold(PruneVertices):
        def claim(self, m):
            return "exact"

    result = ng.apply(Bold(only_dead=False), graph, on=graph.layers["b"].vertex_ids)
    assert result.rule.claim(result.matches) == "exact"
    assert result.certificate.level == "bounded"
