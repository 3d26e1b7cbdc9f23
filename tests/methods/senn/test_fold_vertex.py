"""Folding a vertex into the others of its layer."""

from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from map_graphs import random_map_graph

import netgraph as ng
from netgraph.errors import OptionError, RewriteError
from netgraph.graph import Conv2d, GraphBuilder, get_norm
from netgraph.interpret import interpret_layers
from netgraph.methods.senn.fold_vertex import FoldVertex
from netgraph.rules import WidenLayer
from netgraph.testing import RULE_CHECKS, Case, Irrelevant, graphs, inputs


def redundant(dtype=np.float64):
    """A network whose third hidden vertex is 2 h_0 - h_1 + .5 on all inputs, by linear layers."""
    graph = ng.mlp([3, 4, 2], domain=(-1, 1), activation="identity", dtype=dtype, seed=1)
    weight = graph.edges.weight.copy()
    at = {
        (int(s), int(t)): i for i, (s, t) in enumerate(zip(graph.edges.source_row, graph.edges.target_row, strict=True))
    }
    for x in range(3):
        weight[at[x, 5]] = 2 * weight[at[x, 3]] - weight[at[x, 4]]
    bias = np.zeros(graph.num_vertices)
    bias[5] = 0.5
    return graph.with_weights(weight, vertices={"bias": bias})


SHARES = np.array([2.0, -1.0, 7.0, 0.0])
X = np.random.default_rng(0).uniform(-1, 1, size=(20, 3))


def third(graph):
    return graph.layers["hidden1"].vertex_ids[2:3]


def test_what_the_others_make_up_for_changes_nothing():
    graph = redundant()
    result = ng.apply(FoldVertex(shares=SHARES, constant=0.5), graph, on=third(graph))
    assert len(result.graph.layers["hidden1"]) == 3
    assert third(graph)[0] not in result.graph.layers["hidden1"].vertex_ids
    np.testing.assert_allclose(ng.interpret(result.graph, X), ng.interpret(graph, X), atol=1e-14)
    assert result.certificate.bound < 1e-12


def test_what_they_do_not_is_bounded():
    graph = redundant()
    result = ng.apply(FoldVertex(shares=0 * SHARES, constant=0.0), graph, on=third(graph), probe=X)
    assert result.certificate.kind == "bounded"
    change = np.abs(ng.interpret(result.graph, X) - ng.interpret(graph, X)).max()
    assert 0.01 < change <= result.certificate.bound


def test_missing_edges_are_made():
    b = GraphBuilder(dtype=np.float64)
    b.input("x", 2, domain=(0, 1))
    b.layer("h", 2, activation="identity")
    b.output("y", 2)
    b.edges("x", "h", [0, 0], [0, 1], weight=[1.0, 3.0])
    b.edges("h", "y", [0, 1], [0, 1], weight=[5.0, 7.0])
    graph = b.build()
    result = ng.apply(FoldVertex(shares=np.array([3.0, 0.0])), graph, on=graph.layers["h"].vertex_ids[1:])
    x = np.array([[1.0, 0.3], [0.2, 0.9]])
    np.testing.assert_allclose(ng.interpret(result.graph, x), ng.interpret(graph, x), atol=1e-14)
    assert len(result.graph.layers["h"]) == 1


def test_wires_of_other_vertices_stay_as_they_are():
    b = GraphBuilder(seed=0, dtype=np.float64)
    b.input("x", 2, domain=(0, 1), grid=(2,))
    b.layer("h", 3, grid=(2,), activation="identity")
    b.layer("heads", 1, activation="identity", bias=False, merge=ng.Attend(1.0), grid=(2, 2))
    b.output("y", 1, grid=(2,))
    b.output("seen", 1)
    b.dense("x", "h")
    b.dense("h", "y")
    for port in (0, 1):
        b.edges("h", "heads", [0, 1], [0, 0], weight=1.0, tap=[0, 1], kind=ng.Identity(), frozen=True, port=port)
    b.conv2d("heads", "seen", kernel=2)
    graph = b.build()
    result = ng.apply(FoldVertex(shares=np.array([1.0, 2.0, 0.0])), graph, on=graph.layers["h"].vertex_ids[2:])
    a, b, c = graph.links["h", "y"].weight
    np.testing.assert_allclose(result.graph.links["h", "y"].weight, [a + c, b + 2 * c])
    assert len(result.graph.links["h", "heads"]) == 2
    assert not ng.apply(FoldVertex(shares=np.ones(3)), graph, on=graph.layers["h"].vertex_ids[:1]).changed


def test_maps_are_folded_tap_by_tap():
    b = GraphBuilder(seed=2, dtype=np.float64)
    b.input("x", 1, grid=(6, 6), domain=(0, 1))
    b.layer("h", 3, grid=(6, 6), activation="rational")
    b.output("y", 2)
    b.conv2d("x", "h", kernel=3, padding=1)
    b.edges("h", "y", *np.indices((3, 2)).reshape(2, -1), tap=7, weight=np.arange(1.0, 7.0), kind=Conv2d((6, 6)))
    graph = b.build()
    twin = ng.apply(WidenLayer(init="duplicate"), graph, on=graph.layers["h"].id, rng=0).graph
    x = np.random.default_rng(1).uniform(size=(5, 1, 6, 6))
    values = interpret_layers(twin, x)["h"]
    old = next(i for i in range(3) if np.array_equal(values[:, i], values[:, 3]))
    shares = np.eye(4)[old]
    result = ng.apply(FoldVertex(shares=shares), twin, on=twin.layers["h"].vertex_ids[3:])
    np.testing.assert_allclose(ng.interpret(result.graph, x), ng.interpret(graph, x), atol=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_what_is_left_is_a_graph(seed):
    graph = random_map_graph(seed)
    for layer in graph.layers.values():
        if layer.role == "hidden" and len(layer) > 1:
            result = ng.apply(FoldVertex(shares=np.ones(len(layer))), graph, on=layer.vertex_ids[:1], probe=None)
            wired = any(k.frozen[k.src == 0].any() for k in graph.outgoing[layer.id])
            assert bool(result.changed) == (not get_norm(layer.norm).couples_vertices and not wired)


@settings(max_examples=10)
@given(st.data())
def test_the_laws_of_rules_hold_for_one_vertex(data):
    graph = data.draw(graphs(exact=False, min_layers=1))
    size = data.draw(st.sampled_from([len(x) for x in graph.layers.values() if x.role == "hidden"]))
    shares = data.draw(st.lists(st.integers(-16, 16), min_size=size, max_size=size))
    rule = FoldVertex(shares=np.array(shares) / 8, constant=data.draw(st.integers(-8, 8)) / 8)
    assume(len(ng.find(rule, graph)))
    case = Case(rule, graph, data.draw(inputs(graph)), limit=1)
    for check in RULE_CHECKS:
        with suppress(Irrelevant):
            check.on_case(replace(case))


def test_refusals():
    graph = redundant()
    with pytest.raises(RewriteError, match="4 vertices match"):
        ng.apply(FoldVertex(shares=SHARES), graph)
    with pytest.raises(OptionError, match="one for each vertex"):
        FoldVertex(shares=np.ones((2, 2)))
    with pytest.raises(OptionError, match="finite"):
        FoldVertex(shares=np.array([np.nan]))
    assert not ng.apply(FoldVertex(shares=np.ones(3)), graph, on=third(graph)).changed
