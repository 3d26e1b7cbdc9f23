"""Networks of neat-python: a stored one has the values that neat-python gave, and others are refused by name."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest

import netgraph as ng
from netgraph.errors import FileFormatError, ImportRefused
from netgraph.storage import from_neat

GOLDEN = json.loads((Path(__file__).parents[1] / "golden/neat.json").read_text())


def node(name, kind="hidden", activation="relu", *, bias=0.0, response=1.0, aggregation="sum"):
    return {
        "id": name, "type": kind, "bias": bias, "response": response,
        "activation": {"name": activation, "custom": False}, "aggregation": {"name": aggregation, "custom": False},
    }  # fmt: skip


def network(nodes, connections, *, inputs=(-1, -2), outputs=(0,), kind="feedforward"):
    """A network with identity outputs, of hidden nodes and rows (from, to, weight)."""
    known = {entry["id"] for entry in nodes}
    ends = [node(k, "output", "identity") for k in outputs if k not in known]
    return {
        "format_version": "1.0",
        "network_type": kind,
        "metadata": {},
        "topology": {"num_inputs": len(inputs), "num_outputs": len(outputs), "input_keys": list(inputs),
                     "output_keys": list(outputs)},
        "nodes": [*nodes, *ends, *(node(k, "input", "identity", aggregation="none") for k in inputs)],
        "connections": [{"from": a, "to": b, "weight": w, "enabled": True} for a, b, w in connections],
    }  # fmt: skip


def value(graph, *x):
    return ng.interpret(graph, [list(x)])[0].tolist()


def test_a_stored_network_has_the_values_of_neat_python(tmp_path):
    path = tmp_path / "network.json"
    path.write_text(json.dumps(GOLDEN["network"]))
    for given in (GOLDEN["network"], json.dumps(GOLDEN["network"]), path, str(path)):
        graph = from_neat(given, domain=(-1, 1))
        np.testing.assert_allclose(ng.interpret(graph, GOLDEN["x"]), GOLDEN["y"], rtol=1e-12, atol=1e-12)
    names = {n["activation"]["name"] for n in GOLDEN["network"]["nodes"]}
    assert names == {"identity", "relu", "lelu", "sigmoid", "tanh", "softplus", "clamped", "abs", "hat"}
    assert {layer.activation for layer in graph.layers} == {
        "identity", "relu", "leaky_relu", "sigmoid", "tanh", "softplus",
    }  # fmt: skip


def test_values_known_by_hand():
    nodes = [node(1, bias=0.5, response=-2.0), node(2, activation="hat")]
    graph = from_neat(network(nodes, [(-1, 1, 3.0), (-2, 2, 1.0), (1, 0, 1.0), (2, 0, 4.0)]))
    assert value(graph, -1.0, 0.25) == [0.5 + 6 + 4 * 0.75]
    assert value(graph, 1.0, 2.0) == [0.0]
    clamped = from_neat(network([node(0, "output", "clamped")], [(-1, 0, 1.0)]))
    assert [value(clamped, x, 0.0) for x in (-3.0, -0.5, 0.25, 7.0)] == [[-1], [-0.5], [0.25], [1]]
    absolute = from_neat(network([node(0, "output", "abs", bias=1.0)], [(-1, 0, 2.0)]))
    assert [value(absolute, x, 0.0) for x in (-3.0, -0.5, 0.25)] == [[5], [0], [1.5]]


def test_layers_group_nodes_by_depth_and_activation_and_edges_are_the_connections():
    nodes = [node(1), node(2), node(3, activation="tanh"), node(4)]
    connections = [(-1, 1, 1.0), (-2, 2, 1.0), (-1, 3, 1.0), (1, 4, 1.0), (-1, 4, 1.0), (4, 0, 1.0), (3, 0, 1.0),
                   (2, 0, 1.0)]  # fmt: skip
    graph = from_neat(network(nodes, connections))
    assert [(x.name, len(x), x.activation) for x in graph.layers] == [
        ("input", 2, "identity"), ("hidden1-relu", 2, "relu"), ("hidden1-tanh", 1, "tanh"), ("hidden2", 1, "relu"),
        ("output", 1, "identity"),
    ]  # fmt: skip
    assert graph.num_edges == len(connections)
    np.testing.assert_allclose(sorted(graph.edges.weight), [1] * 7 + [2.5])


def test_what_no_output_needs_is_left_out():
    found = network([node(1), node(2), node(3)], [(-1, 1, 1.0), (1, 0, 1.0), (-2, 2, 1.0), (3, 2, 1.0), (-2, 0, 5.0)])
    found["connections"][-1]["enabled"] = False
    graph = from_neat(found)
    assert (graph.num_vertices, graph.num_edges) == (4, 2)
    assert value(graph, 2.0, 9.0) == [2.0]


def test_nodes_without_connections_are_constants():
    graph = from_neat(network([node(1, bias=2.0)], [(1, 0, 3.0)], outputs=(0, 5)))
    assert value(graph, 1.0, 1.0) == [6.0, 0.0]
    assert value(from_neat(network([node(0, "output", "sigmoid")], [])), 1.0, 1.0) == [0.5]


def test_outputs_that_differ_or_are_read_are_summed_by_frozen_edges():
    read = from_neat(network([], [(-1, 0, 2.0), (0, 7, 3.0)], outputs=(7, 0)))
    assert value(read, 1.0, 0.0) == [6.0, 2.0]
    assert read.num_edges == 2
    mixed = from_neat(network([node(0, "output", "tanh"), node(1, "output")], [(-1, 0, 0.4), (-1, 1, 1.0)],
                              outputs=(1, 0)))  # fmt: skip
    assert mixed.num_edges == 2
    np.testing.assert_allclose(value(mixed, 1.5, 0.0), [1.5, np.tanh(1.5)])


def test_rows_are_in_the_order_of_keys():
    found = network([], [(-7, 4, 1.0), (-3, 2, 10.0)], inputs=(-3, -7), outputs=(4, 2))
    assert value(from_neat(found), 1.0, 2.0) == [2.0, 10.0]


def test_softplus_needs_a_domain_in_which_it_does_not_stop():
    found = network([node(1, activation="softplus")], [(-1, 1, 4.0), (1, 0, 1.0)])
    with pytest.raises(ImportRefused, match=r"node 1 has the activation 'softplus'.* may reach inf.*domain=") as error:
        from_neat(found)
    assert (error.value.op, error.value.path) == ("activation softplus", "node 1")
    graph = from_neat(found, domain=(-3, 2.5))
    np.testing.assert_allclose(value(graph, 2.0, 0.0), np.logaddexp(0, 40) / 5)
    with pytest.raises(ImportRefused, match=r"5 z may reach 64\."):
        from_neat(found, domain=(-3, 3.2))


def test_a_deep_chain_is_read():
    n = 3000
    chain = [(-1, 1, 1.0), *((k, k + 1, 1.0) for k in range(1, n)), (n, 0, 1.0)]
    assert value(from_neat(network([node(k) for k in range(1, n + 1)], chain)), 2.0, 0.0) == [2.0]


LOOP = [(-1, 1, 1.0), (1, 2, 1.0), (2, 3, 1.0), (3, 1, 1.0), (3, 0, 1.0)]
REFUSED = {
    "sin": (network([node(1, activation="sin")], [(-1, 1, 1.0), (1, 0, 1.0)]), "activation sin", "node 1",
            "The node 1 has the activation 'sin', which netgraph has not. Evolve with some of activation_options = "),
    "product": (network([node(1, aggregation="product")], [(-1, 1, 1.0), (1, 0, 1.0)]), "aggregation product", "node 1",
                "The node 1 has the aggregation 'product', and vertices add up. Evolve with aggregation_options = sum"),
    "cycle": (network([node(k) for k in (1, 2, 3)], LOOP, kind="recurrent"), "cycle", "",
              "The connections form a cycle, 1 -> 2 -> 3 -> 1, and a graph has none. Evolve a feed-forward network"),
    "loop": (network([node(1)], [(1, 1, 1.0), (1, 0, 1.0)]), "cycle", "", "The connections form a cycle, 1 -> 1, and"),
    "recurrent": (network([], [(-1, 0, 1.0)], kind="recurrent"), "recurrent", "",
                  "takes one step of time. Its connections form no cycle: export the FeedForwardNetwork of the genome"),
    "ctrnn": (network([], [(-1, 0, 1.0)], kind="ctrnn"), "ctrnn", "",
              "type 'ctrnn', whose values change over time; .* Evolve a feed-forward network"),
    "iznn": (network([], [(-1, 0, 1.0)], kind="iznn"), "iznn", "", "type 'iznn', whose values change over time"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_equal_graph_is_refused_by_name(name):
    found, op, path, message = REFUSED[name]
    with pytest.raises(ImportRefused, match=message) as error:
        from_neat(found)
    assert (error.value.op, error.value.path) == (op, path)


def test_own_activations_are_refused_even_under_a_known_name():
    found = network([node(1)], [(-1, 1, 1.0), (1, 0, 1.0)])
    found["nodes"][0]["activation"]["custom"] = True
    with pytest.raises(ImportRefused, match="node 1 has its own activation 'relu'"):
        from_neat(found)


def test_activations_that_no_output_needs_do_not_matter():
    assert from_neat(network([node(1, activation="sin")], [(-1, 1, 1.0), (-1, 0, 1.0)])).num_edges == 1


def damaged(change):
    found = copy.deepcopy(network([node(1)], [(-1, 1, 1.0), (1, 0, 1.0)]))
    change(found)
    return found


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.pop("nodes"), "no network of neat-python: 'nodes' is missing"),
        (lambda f: f.update(format_version="2.0"), "'format_version' is '2.0', expected one of '1.0'"),
        (lambda f: f["nodes"][0].update(bias="x"), r"'nodes\[0\].bias' is 'x', expected a finite number"),
        (lambda f: f["connections"][0].update(weight=float("nan")), r"'connections\[0\].weight' is nan"),
        (lambda f: f["nodes"].append(node(1)), "two nodes 1"),
        (lambda f: f["connections"].append(f["connections"][0]), "two connections -1 -> 1"),
        (lambda f: f["connections"][0].update({"to": -2}), "connection -1 -> -2 ends at an input"),
        (lambda f: f["connections"][1].update({"from": 9}), "connection 9 -> 0 has no node 9. .*cycles"),
        (lambda f: f["topology"].update(output_keys=[4]), "no node 4, which is an output"),
        (lambda f: f["topology"].update(input_keys=[-1]), "names 1 inputs, and 2 of its 4 nodes are of the type"),
        (lambda f: f.update(nodes=[n for n in f["nodes"] if n["type"] != "input"], connections=[]) or
         f["topology"].update(input_keys=[]), "names 0 inputs"),
    ],
)  # fmt: skip
def test_damaged_networks_are_refused_with_the_place(change, message):
    with pytest.raises(FileFormatError, match=message):
        from_neat(damaged(change))


def test_text_that_is_no_json_and_files_that_are_missing(tmp_path):
    with pytest.raises(FileFormatError, match="The network is damaged: no JSON at character"):
        from_neat("{ 1")
    with pytest.raises(FileNotFoundError):
        from_neat(tmp_path / "none.json")
    path = tmp_path / "other.json"
    path.write_text("[]")
    with pytest.raises(FileFormatError, match=r"other.json' is no network of neat-python: it is a list of 0"):
        from_neat(path)
