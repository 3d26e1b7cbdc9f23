"""Graphs as code, and the comparison of functions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import netgraph as ng
from netgraph.errors import OptionError
from netgraph.testing import assert_same_function, graphs, rewrites, to_code


def built(code):
    names = {}
    exec(code, names)
    return names["graph"]


@settings(max_examples=80)
@given(st.booleans().flatmap(lambda exact: graphs(exact=exact)))
def test_code_builds_the_same_graph(graph):
    assert built(to_code(graph)).equals(graph)


@settings(max_examples=40)
@given(graphs(exact=False).flatmap(rewrites))
def test_code_of_a_rewritten_graph_has_the_same_function_and_structure(result):
    graph, again = result.graph, built(to_code(result.graph))
    assert list(again.layers) == list(graph.layers)
    assert {k.key for k in again.links} == {
        (order(graph, k.source), order(graph, k.target), k.port) for k in graph.links
    }
    for name, layer in graph.layers.items():
        assert again.layers[name].attributes == layer.attributes
    np.testing.assert_array_equal(again.edges.frozen.sum(), graph.edges.frozen.sum())
    assert_same_function(graph, again, exact=True)


def order(graph, layer_id):
    return list(graph.layers_by_id).index(layer_id)


def test_code_of_a_small_graph_is_short():
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 1, domain=(0, 1))
    b.layer("h", 1, activation="leaky_relu", slope=0.25)
    b.output("y", 1, bias=False)
    b.edges("x", "h", [0], [0], weight=[1.0])
    b.identity("h", "y")
    graph = b.build().with_weights(vertices={"bias": np.array([0, 0.5, 0])})
    assert to_code(graph) == (
        "import numpy as np\n"
        "from netgraph import GraphBuilder\n"
        "\n"
        "b = GraphBuilder(dtype=np.float64)\n"
        "b.input('x', 1, domain=(0.0, 1.0))\n"
        "b.layer('h', 1, activation='leaky_relu', slope=0.25)\n"
        "b.output('y', 1, bias=False)\n"
        "b.edges('x', 'h', [0], [0], weight=[1.0])\n"
        "b.identity('h', 'y')\n"
        "graph = b.build().with_weights(vertices={\n"
        "    'bias': [0.0, 0.5, 0.0],\n"
        "})\n"
    )
    assert built(to_code(graph)).equals(graph)


def test_frozen_edges_ports_empty_links_and_odd_numbers_are_written():
    b = ng.GraphBuilder()
    b.input("x", 2, domain=([0, -np.inf], [1, np.inf]))
    b.layer("h", 1, bias=False)
    b.output("y", 2, activation="tanh")
    b.edges("x", "h", [0, 1], [0, 0], weight=np.float32([0.1, -0.0]), frozen=np.array([True, False]))
    b.edges("h", "y", [], [], weight=[])
    b.edges("x", "y", [0], [1], weight=1e-30, port=1)
    graph = b.build().with_weights(vertices={"bias": np.array([0, 0, 0, -0.0, 0])})
    assert built(to_code(graph)).equals(graph)


def test_mixed_dtypes_become_float64():
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 1)
    b.output("y", 1, bias=False)
    b.dense("x", "y")
    graph = b.build()
    layer = ng.mlp([1, 1]).layers["output"]
    mixed = ng.Graph([graph.layers["x"], ng.Layer(1, "y", [1], [0], layer.values, role="output")], graph.links)
    again = built(to_code(mixed))
    assert again.edges.weight.dtype == again.layers["y"].bias.dtype == np.float64
    assert_same_function(mixed, again, exact=True)


def test_large_graphs_are_refused():
    with pytest.raises(OptionError, match=r"netgraph.save"):
        to_code(ng.mlp([201, 1]))


def test_a_difference_is_told():
    graph = ng.mlp([2, 1], domain=(0, 1)).with_weights([1.0, 1.0])
    assert_same_function(graph, graph, exact=True)
    with pytest.raises(AssertionError, match=r"output 'output', sample 1, vertex row 0: 2.0 before and 2.5 after") as e:
        assert_same_function(graph, graph.with_weights([1.0, 1.5]), exact=False)
    assert "Certificate:" in str(e.value)
    close = graph.with_weights([1.0, np.float32(1 + 1e-6)])
    assert_same_function(graph, close, [[0.5, 0.5]], exact=False, relative=1e-5)
    with pytest.raises(AssertionError, match="no difference"):
        assert_same_function(graph, close, {"input": [[0.5, 0.5]]}, exact=True)


def test_both_modes_of_batch_norm_are_told_apart():
    graph = ng.mlp([1, 1, 1], norm="batch", domain=(0, 1))
    shifted = graph.with_weights(vertices={"mean": np.ones(3)})
    assert_same_function(graph, shifted, exact=True, train=True)
    with pytest.raises(AssertionError, match="sample"):
        assert_same_function(graph, shifted, exact=True)


def test_nan_in_an_output_is_a_difference():
    graph = ng.mlp([1, 1], domain=(0, 1))
    huge = ng.mlp([1, 1], domain=(0, 1), dtype=np.float64).with_weights([1e308])
    with pytest.raises(AssertionError, match="changed"):
        assert_same_function(graph, huge, exact=False)
