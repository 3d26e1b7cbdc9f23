"""NetworkX: what is written, and plain DAGs that are read."""

import io
import json
import pickle

import networkx as nx
import numpy as np
import pytest
from ported import as_stored
from tiny_transformer import tiny

import netgraph as ng
from netgraph.errors import GraphError


def test_nodes_and_arcs_carry_every_column():
    b = ng.GraphBuilder()
    b.input("x", 1, domain=(0, 2))
    b.layer("h", 2, norm="batch")
    b.output("y", 1)
    b.edges("x", "h", [0, 0], [0, 1], weight=[0.5, -1])
    b.edges("h", "y", [1], [0], weight=2.0, port=1, frozen=True)
    g = as_stored(b).to_networkx()
    assert isinstance(g, nx.MultiDiGraph)
    assert g.nodes[0] == {
        "layer": "x", "role": "input", "activation": "identity", "row": 0, "birth": 0, "low": 0.0, "high": 2.0,
        "netgraph": g.graph["netgraph"],
    }  # fmt: skip
    assert g.nodes[2] == {
        "layer": "h", "role": "hidden", "activation": "relu", "row": 1, "birth": 0, "bias": 0.0, "scale": 1.0,
        "shift": 0.0, "mean": 0.0, "var": 1.0, "norm": "batch",
    }  # fmt: skip
    assert dict(g.edges[0, 2, 1]) == {
        "id": 1,
        "weight": -1.0,
        "tap": 0,
        "birth": 0,
        "frozen": False,
        "port": 0,
        "kind": "dense",
    }
    assert dict(g.edges[2, 3, 2]) == {
        "id": 2,
        "weight": 2.0,
        "tap": 0,
        "birth": 0,
        "frozen": True,
        "port": 1,
        "kind": "dense",
    }
    assert nx.is_directed_acyclic_graph(g)


def test_wires_into_heads_carry_port_and_slot():
    graph = tiny(heads=2, slots=2)
    g = graph.to_networkx()
    key, head = graph.layers["k"].vertex_ids.tolist()[3], graph.layers["heads"].vertex_ids.tolist()[1]
    (wire,) = g.get_edge_data(key, head).values()
    assert {name: wire[name] for name in ("port", "tap", "weight", "frozen")} == {
        "port": 1, "tap": 1, "weight": 1.0, "frozen": True
    }  # fmt: skip
    assert g.nodes[graph.layers["positions"].vertex_ids.tolist()[0]]["role"] == "position"


def test_a_head_whose_slots_lost_a_wire_is_refused():
    graph = tiny()
    g = graph.to_networkx()
    link = graph.links["q", "heads", 0]
    ends = (graph.layers["q"].vertex_ids[link.src[0]], graph.layers["heads"].vertex_ids[link.dst[0]])
    g.remove_edge(*map(int, ends), key=int(link.id[0]))
    with pytest.raises(GraphError, match="heads"):
        ng.Graph.from_networkx(g)


def test_edges_removed_there_are_gone_here():
    graph = ng.mlp([2, 2])
    g = graph.to_networkx()
    g.remove_edge(0, 2, key=int(graph.edges.id[0]))
    again = ng.Graph.from_networkx(g)
    np.testing.assert_array_equal(again.edges.id, graph.edges.id[1:])


def test_metadata_that_does_not_fit_is_refused():
    g = ng.mlp([2, 2]).to_networkx()
    g.add_node(99)
    with pytest.raises(GraphError, match=r"g\.graph\['netgraph'\] does not fit the nodes.*delete"):
        ng.Graph.from_networkx(g)
    g = ng.mlp([2, 2]).to_networkx()
    g.nodes[0]["layer"] = "elsewhere"
    with pytest.raises(GraphError, match="elsewhere"):
        ng.Graph.from_networkx(g)
    g = ng.mlp([2, 2]).to_networkx()
    g.edges[0, 2, 0]["port"] = 3
    with pytest.raises(GraphError, match=r"\(0, 1, 3\)"):
        ng.Graph.from_networkx(g)


def through(write, read, graph, **options):
    """A graph of NetworkX that went through a file."""
    file = io.BytesIO()
    write(graph.to_networkx(), file)
    file.seek(0)
    return read(file, **options)


def patches() -> ng.Graph:
    """Patches of an image as tokens behind a class token, and an average over all tokens."""
    b = ng.GraphBuilder(seed=0)
    b.input("image", 1, grid=(4, 4))
    b.layer("patches", 3, grid=(2, 2), activation="gelu_tanh")
    b.conv2d("image", "patches", kernel=2, stride=2)
    b.positions("positions", (5,))
    b.layer("tokens", 3, grid=(5,), activation="identity", pool=ng.Pool("average", (5,)))
    b.place("patches", "tokens", 1)
    b.dense("positions", "tokens")
    b.output("y", 2)
    b.dense("tokens", "y")
    return b.build()


FILES = [
    pytest.param(nx.write_gexf, nx.read_gexf, {}, id="gexf"),
    pytest.param(nx.write_gexf, nx.read_gexf, {"node_type": int}, id="gexf-int"),
    pytest.param(nx.write_graphml_xml, nx.read_graphml, {}, id="graphml"),
    pytest.param(nx.write_graphml_xml, nx.read_graphml, {"node_type": int, "force_multigraph": True}, id="graphml-int"),
    pytest.param(lambda g, f: f.write(json.dumps(nx.node_link_data(g, edges="edges")).encode()),
                 lambda f: nx.node_link_graph(json.load(f), edges="edges"), {}, id="json"),
    pytest.param(lambda g, f: pickle.dump(g, f), pickle.load, {}, id="pickle"),
]  # fmt: skip
GRAPHS = {
    "mlp": lambda: ng.mlp([3, 4, 2], domain=(0, 1)),
    "rewritten": lambda: ng.apply(ng.rules.SplitEdges(), ng.mlp([3, 2]), limit=3).graph,
    "tanh": lambda: ng.mlp([2, 3, 1], activation="tanh", norm="layer"),
    "double": lambda: ng.mlp([2, 1], dtype=np.float64),
    "convolutions": lambda: ng.resnet(8, width=2, input_size=(1, 4, 4), classes=2),
    "sparse": lambda: ng.mlp([4, 6, 2], density=0.4),
    "transformer": tiny,
    "gated": lambda: tiny(causal=True, frequencies=(0.1,), gated=True, groups=1, norm="rms", head="tokens"),
    "patches": patches,
}


@pytest.mark.parametrize(("write", "read", "options"), FILES)
@pytest.mark.parametrize("name", GRAPHS)
def test_files_of_networkx_bring_the_graph_back(write, read, options, name):
    graph = GRAPHS[name]()
    again = ng.Graph.from_networkx(through(write, read, graph, **options))
    assert again.equals(graph)
    assert again.lineage == graph.lineage


def test_metadata_that_are_values_are_read():
    graph = GRAPHS["rewritten"]()
    g = graph.to_networkx()
    first = next(iter(g))
    g.graph["netgraph"] = json.loads(g.nodes[first].pop("netgraph"))
    for _node, data in g.nodes(data=True):
        del data["role"], data["activation"]
    for *_, data in g.edges(data=True):
        del data["id"]
    assert ng.Graph.from_networkx(g).equals(graph)


def test_without_metadata_it_is_a_plain_dag_with_its_activations():
    graph = ng.mlp([2, 3, 1], activation="tanh")
    g = graph.to_networkx()
    del g.graph["netgraph"], g.nodes[0]["netgraph"]
    x = np.array([[0.5, -1.0]])
    np.testing.assert_array_equal(ng.interpret(ng.Graph.from_networkx(g), x), ng.interpret(graph, x))


@pytest.mark.parametrize("text", ["{", "3", "{}", '{"layers": 0}', "[" * 10**6])
def test_metadata_that_are_damaged_are_refused_with_their_place(text):
    g = ng.mlp([2, 2]).to_networkx()
    del g.graph["netgraph"]
    g.nodes[0]["netgraph"] = text
    with pytest.raises(GraphError, match=r"g\.nodes\[0\]\['netgraph'\] does not fit.*delete 'netgraph'"):
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
