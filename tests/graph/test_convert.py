"""NetworkX: what is written, and plain DAGs that are read."""

import networkx as nx
import numpy as np
import pytest

import netgraph as ng
from netgraph.errors import GraphError


def test_nodes_and_arcs_carry_every_column():
    b = ng.GraphBuilder()
    b.input("x", 1, domain=(0, 2))
    b.layer("h", 2, norm="batch")
    b.output("y", 1)
    b.edges("x", "h", [0, 0], [0, 1], weight=[0.5, -1])
    b.edges("h", "y", [1], [0], weight=2.0, port=1, frozen=True)
    g = b.build().to_networkx()
    assert isinstance(g, nx.MultiDiGraph)
    assert g.nodes[0] == {"layer": "x", "row": 0, "birth": 0, "low": 0.0, "high": 2.0}
    assert g.nodes[2] == {
        "layer": "h", "row": 1, "birth": 0, "bias": 0.0, "scale": 1.0, "shift": 0.0, "mean": 0.0, "var": 1.0,
    }  # fmt: skip
    assert dict(g.edges[0, 2, 1]) == {"weight": -1.0, "tap": 0, "birth": 0, "frozen": False, "port": 0}
    assert dict(g.edges[2, 3, 2]) == {"weight": 2.0, "tap": 0, "birth": 0, "frozen": True, "port": 1}
    assert nx.is_directed_acyclic_graph(g)


def test_edges_removed_there_are_gone_here():
    graph = ng.mlp([2, 2])
    g = graph.to_networkx()
    g.remove_edge(0, 2, key=int(graph.edges.id[0]))
    again = ng.Graph.from_networkx(g)
    np.testing.assert_array_equal(again.edges.id, graph.edges.id[1:])


def test_metadata_that_does_not_fit_is_refused():
    g = ng.mlp([2, 2]).to_networkx()
    g.add_node(99)
    with pytest.raises(GraphError, match=r"does not fit the nodes.*delete it"):
        ng.Graph.from_networkx(g)
    g = ng.mlp([2, 2]).to_networkx()
    g.nodes[0]["layer"] = "elsewhere"
    with pytest.raises(GraphError, match="elsewhere"):
        ng.Graph.from_networkx(g)
    g = ng.mlp([2, 2]).to_networkx()
    g.edges[0, 2, 0]["port"] = 3
    with pytest.raises(GraphError, match=r"\(0, 1, 3\)"):
        ng.Graph.from_networkx(g)


def plain():
    g = nx.DiGraph()
    g.add_edge("a", "h1", weight=2.0)
    g.add_edge("b", "h1", weight=-1)
    g.add_edge("h1", "h2", weight=3.0)
    g.add_edge("a", "y", weight=0.5)
    g.add_edge("h2", "y")
    return g


def test_a_plain_dag_becomes_layers_by_longest_path():
    graph = ng.Graph.from_networkx(plain())
    assert [(x.name, len(x), x.role, x.activation) for x in graph.layers.values()] == [
        ("input", 2, "input", "identity"),
        ("hidden1", 1, "hidden", "relu"),
        ("hidden2", 1, "hidden", "relu"),
        ("output", 1, "output", "identity"),
    ]
    x = np.array([[3.0, 1.0], [1.0, 5.0]])
    hidden = np.maximum(2 * x[:, 0] - x[:, 1], 0)
    np.testing.assert_array_equal(ng.interpret(graph, x)[:, 0], 0.5 * x[:, 0] + 3 * hidden)


def test_activations_and_biases_of_a_plain_dag():
    g = plain()
    g.nodes["h2"].update(activation="tanh", bias=0.25)
    g.nodes["y"]["bias"] = -1
    g.add_edge("h1", "h3", weight=1.0)
    g.add_edge("h3", "y", weight=1.0)
    graph = ng.Graph.from_networkx(g)
    assert [layer.name for layer in graph.layers] == ["input", "hidden1", "hidden2-relu", "hidden2-tanh", "output"]
    np.testing.assert_array_equal(graph.layers["hidden2-tanh"].bias, [0.25])
    np.testing.assert_array_equal(graph.layers["output"].bias, [-1])


def test_sources_and_sinks_keep_their_order_and_multigraphs_are_read():
    g = nx.MultiDiGraph()
    g.add_nodes_from(["q", "p", "t", "s"])
    g.add_edge("p", "s", weight=1.0)
    g.add_edge("q", "t", weight=2.0)
    graph = ng.Graph.from_networkx(g)
    np.testing.assert_array_equal(ng.interpret(graph, [[5.0, 7.0]]), [[10.0, 7.0]])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda g: g.add_edge("h2", "h1"), r"cycle, 'h1' -> 'h2' -> 'h1'|cycle, 'h2' -> 'h1' -> 'h2'"),
        (lambda g: g.add_node("lone"), "'lone' is isolated"),
        (lambda g: g.add_edge("a", "h2", weight="big"), "weight of arc 'a' -> 'h2' is 'big'.*finite"),
        (lambda g: g.add_edge("a", "h2", weight=float("nan")), "weight of arc 'a' -> 'h2' is nan"),
        (lambda g: g.add_edge("a", "h2", weight=1e300), r"weight of arc 'a' -> 'h2' is 1e\+300"),
        (lambda g: g.add_edge("a", "h2", weight=True), "weight of arc 'a' -> 'h2' is True"),
        (lambda g: g.nodes["h1"].update(bias=None), "bias of node 'h1' is None"),
        (lambda g: g.nodes["h1"].update(activation="rely"), "'h1': Unknown activation 'rely'.*'relu'"),
        (lambda g: g.nodes["h1"].update(activation=["relu"]), "'h1'"),
        (lambda g: g.nodes["a"].update(activation="relu"), "'a' is an input"),
        (lambda g: g.add_node("z", activation="tanh") or g.add_edge("a", "z"), "Output nodes.*tanh"),
    ],
)
def test_plain_dags_that_are_no_network(change, words):
    g = plain()
    change(g)
    with pytest.raises(GraphError, match=words):
        ng.Graph.from_networkx(g)


def test_parallel_arcs_and_undirected_graphs_are_refused():
    g = nx.MultiDiGraph([("a", "y"), ("a", "y")])
    with pytest.raises(GraphError, match="two edges from source row 0"):
        ng.Graph.from_networkx(g)
    with pytest.raises(GraphError, match="no directions"):
        ng.Graph.from_networkx(nx.Graph([("a", "y")]))
    with pytest.raises(GraphError, match="no input layer"):
        ng.Graph.from_networkx(nx.DiGraph())
