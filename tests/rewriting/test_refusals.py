"""What a rewriter, or its commit, refuses, all or nothing."""

import numpy as np
import pytest
from rows_by_id import edges, vertices

import netgraph as ng
from netgraph.errors import GraphError, RewriteError
from netgraph.rewriting import Rewriter


def refused(graph, edit, words):
    """The edit, or its commit, is refused, and the graph is as it was."""
    before = ng.Graph(graph.layers.values(), graph.links)
    rw = Rewriter(graph, np.random.default_rng(0))

    def attempt():
        edit(rw)
        rw.commit()

    with pytest.raises(RewriteError, match=words):
        attempt()
    assert ng.Graph(graph.layers.values(), graph.links).equals(before)


def test_cycles(graph):
    refused(graph, lambda rw: rw.connect(vertices(graph, 5), vertices(graph, 3), weight=1.0), "cycle.*'a', 'b'")
    refused(graph, lambda rw: rw.connect(vertices(graph, 3), vertices(graph, 4), weight=1.0), "itself.*cycle")


def test_duplicates(graph):
    refused(graph, lambda rw: rw.connect(vertices(graph, 0), vertices(graph, 3), weight=1.0), "two edges.*row 0")

    def twice(rw):
        for _ in range(2):
            rw.connect(vertices(graph, 0), vertices(graph, 8), weight=1.0)

    refused(graph, twice, "two edges")


def test_dangling_edges(graph):
    def to_removed(rw):
        rw.remove(vertices(graph, 3))
        rw.connect(vertices(graph, 0), vertices(graph, 3), weight=1.0)

    refused(graph, to_removed, r"Vertex 3 of layer 'a' \(id 1\) is connected to vertex 0, but .* removes the vertex")

    def to_removed_layer(rw):
        rw.remove(vertices(graph, 3, 4))
        rw.connect(vertices(graph, 0), vertices(graph, 3), weight=1.0)

    refused(graph, to_removed_layer, r"Vertex 3 of layer 'a' \(id 1\) is connected .* removes the layer")


REMOVED = [
    ("set_weight", lambda rw, g: rw.set_weight(edges(g, 1), 5.0), lambda rw, g: rw.remove(edges(g, 0, 1))),
    ("freeze", lambda rw, g: rw.freeze(edges(g, 1)), lambda rw, g: rw.remove(edges(g, 1))),
    ("a weight, and its vertex goes", lambda rw, g: rw.set_weight(edges(g, 1), 5.0),
     lambda rw, g: rw.remove(vertices(g, 3, 4))),
    ("a weight, and its link goes", lambda rw, g: rw.set_weight(edges(g, 0), 5.0),
     lambda rw, g: rw.remove(g.links["x", "a"])),
    ("set_bias", lambda rw, g: rw.set_bias(vertices(g, 3), 5.0), lambda rw, g: rw.remove(vertices(g, 3))),
    ("split_vertices", lambda rw, g: rw.split_vertices(vertices(g, 3)), lambda rw, g: rw.remove(vertices(g, 3))),
    ("connect", lambda rw, g: rw.connect(vertices(g, 3), vertices(g, 7), weight=1.0),
     lambda rw, g: rw.remove(vertices(g, 3))),
    ("connect_all", lambda rw, g: rw.connect_all(vertices(g, 3), vertices(g, 7, 8), weight=1.0),
     lambda rw, g: rw.remove(g.layers["a"])),
    ("add_vertices", lambda rw, g: rw.add_vertices(g.layers["a"], 2), lambda rw, g: rw.remove(g.layers["a"])),
    ("set_activation", lambda rw, g: rw.set_activation(g.layers["a"], "tanh"), lambda rw, g: rw.remove(g.layers["a"])),
]  # fmt: skip


@pytest.mark.parametrize(("name", "edit", "remove"), REMOVED, ids=[name for name, *_ in REMOVED])
def test_what_is_removed_is_neither_changed_nor_used_before_or_after(graph, name, edit, remove):
    def before(rw):
        edit(rw, graph)
        remove(rw, graph)

    def after(rw):
        remove(rw, graph)
        edit(rw, graph)

    if name != "split_vertices":  # which, after a removal, has no edges to share
        refused(graph, after, "remove")
    refused(graph, before, "remove")


def test_a_value_that_an_activation_takes_away_is_not_set_before_it(graph):
    def lost(rw):
        rw.set_activation(graph.layers["a"], "prelu")
        rw.set_values(vertices(graph, 3), "slope", 0.5)
        rw.set_activation(graph.layers["a"], "tanh")

    refused(graph, lost, "vertex 3 got another slope, which would be lost; set the activation first")


@pytest.mark.parametrize(("first", "second"), [(3, 3), (3, 5), (5, 3)])
def test_vertices_that_edges_join_are_split_in_one_call(graph, first, second):
    def twice(rw):
        rw.split_vertices(vertices(graph, first))
        rw.split_vertices(vertices(graph, second))

    refused(graph, twice, r"lies at vertices of two calls of split_vertices\(\).*split them in one call")
    rw = Rewriter(graph, np.random.default_rng(0))
    rw.split_vertices(vertices(graph, *sorted({first, second})))
    assert ng.proof.certify(graph, rw.commit()[0]).kind == "exact"


def test_one_call_gives_a_row_one_value(graph):
    twice = lambda ids, weights: lambda rw: rw.set_weight(rw.edges(ids=ids), weights)  # noqa: E731
    refused(graph, twice([1, 0, 1], [3.0, 1.0, 4.0]), r"edge 1 is named twice in one call, with the weight 3 and 4")
    rw = Rewriter(graph, np.random.default_rng(0))
    twice([1, 0, 1], [3.0, 1.0, 3.0])(rw)
    assert rw.commit()[0].edges.weight[:2].tolist() == [1, 3]
    biases = lambda rw: rw.set_bias(rw.vertices(ids=[3, 3]), [1.0, 2.0])  # noqa: E731
    refused(graph, biases, "vertex 3 is named twice in one call, with the bias 1 and 2")


@pytest.mark.parametrize(("vertex", "role"), [(0, "input"), (7, "output")])
def test_inputs_and_outputs_stay(graph, vertex, role):
    refused(graph, lambda rw: rw.remove(vertices(graph, 3, vertex)), f"{role} layer '[xy]' cannot be removed")
    layer = graph.inputs[0] if role == "input" else graph.outputs[0]
    refused(graph, lambda rw: rw.add_vertices(layer, 1), f"{role} layer; only hidden")


def test_a_layer_does_not_become_an_output_or_stop_being_one(graph):
    def turn(layer, role):
        return lambda rw: rw.set_activation(graph.layers[layer], "identity", role=role)

    refused(graph, turn("y", "hidden"), "output layers would change")
    refused(graph, turn("a", "output"), "output layers would change")
    refused(graph, lambda rw: rw.add_layer(1, activation="identity", role="output"), "output layers would change")


def test_edges_into_inputs(graph):
    refused(graph, lambda rw: rw.connect(vertices(graph, 3), vertices(graph, 0), weight=1.0), "inputs take no edges")


def test_values_that_are_not_finite(graph):
    refused(graph, lambda rw: rw.set_weight(edges(graph, 2), np.nan), "edge 2 has weight nan")
    refused(graph, lambda rw: rw.set_bias(vertices(graph, 4), np.inf), "'a'.*'bias'.*inf")
    refused(graph, lambda rw: rw.connect(vertices(graph, 0), vertices(graph, 8), weight=np.nan), "nan")


def test_shapes_that_disagree():
    b = ng.GraphBuilder()
    b.input("x", 1, grid=(4, 4))
    b.layer("a", 1, grid=(4, 4))
    b.output("y", 1)
    b.conv2d("x", "a", kernel=3, padding=1)
    b.conv2d("a", "y", kernel=4)
    graph = b.build()
    refused(graph, lambda rw: rw.connect(vertices(graph, 0), vertices(graph, 2), weight=1.0), r"\(4, 4\)")
    pool = ng.Pool("max", (2, 2))
    refused(graph, lambda rw: rw.set_activation(graph.layers["a"], "relu", pool=pool), "'a' -> 'y'.*does not fit")
    refused(
        graph,
        lambda rw: rw.connect(vertices(graph, 0), vertices(graph, 1), weight=1.0, kind=ng.Dense()),
        "edges of kind Dense.* cannot be added",
    )


def test_names_that_collide(graph):
    layer = graph.layers["a"]
    refused(graph, lambda rw: rw.set_activation(layer, "relu", name="b"), "same name")


def test_unknown_activation(graph):
    with pytest.raises(GraphError, match="activation 'rely'"):
        Rewriter(graph, np.random.default_rng(0)).set_activation(graph.layers["a"], "rely")


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda g, rw: rw.add_layer(0), "size 0 is refused"),
        (lambda g, rw: rw.add_vertices(g.layers["a"], 0), "Adding 0 vertices to layer 'a'"),
        (lambda g, rw: rw.add_vertices(g.layers["a"], 1, scale=1), r"no vertex columns \['scale'\]"),
        (lambda g, rw: rw.add_vertices(g.layers["a"], 2, bias=[1, 2, 3]), r"shape \(3,\) does not fit 2 rows"),
        (lambda g, rw: rw.connect(vertices(g, 0), vertices(g, 3, 4), weight=1), "1 sources and 2 targets"),
        (lambda g, rw: rw.set_values(vertices(g, 3), "scale", 1.0), "'a' has no vertex column 'scale'"),
        (lambda g, rw: rw.set_values(vertices(g, 0), "low", 0.0), "'x' has no vertex column 'low'"),
        (lambda g, rw: rw.set_weight(edges(g, 0, 1), np.zeros(3)), "does not fit 2 rows"),
        (lambda g, rw: rw.remove(g.layers["x"]), "input layer 'x' cannot be removed"),
        (lambda g, rw: rw.remove(ng.mlp([2, 2]).layers["output"]), "not a layer of this graph"),
        (lambda g, rw: rw.remove(ng.mlp([2, 2]).links["input", "output"]), "not a link of this graph"),
    ],
)
def test_edits_that_make_no_sense(graph, edit, words):
    refused(graph, lambda rw: edit(graph, rw), words)


def test_wires_stay_wires():
    b = ng.GraphBuilder()
    b.input("x", 2)
    b.output("y", 2)
    b.identity("x", "y")
    graph = b.build()
    refused(graph, lambda rw: rw.set_weight(edges(graph, 0), 2.0), "Wires of an Identity link")
    refused(graph, lambda rw: rw.freeze(edges(graph, 0), frozen=False), "must be frozen with weight 1")
    refused(graph, lambda rw: rw.connect(vertices(graph, 0), vertices(graph, 3), weight=1.0), "Identity link")


def test_damaged_deltas_are_refused(graph, rw):
    from dataclasses import replace

    rw.remove(vertices(graph, 3, 4))
    new, delta = rw.commit()
    with pytest.raises(RewriteError, match="layer id 1, which is not in the graph"):
        ng.apply_delta(graph, replace(delta, edges_removed=type(delta.edges_removed).empty(), links_removed=()))
    with pytest.raises(RewriteError, match="instead of"):
        ng.apply_delta(graph, delta.with_after(delta.after._replace(topology_hash="0" * 32)))
    inverse = delta.inverse()
    with pytest.raises(RewriteError, match=r"which does not exist|instead of"):
        ng.apply_delta(new, replace(inverse, links_added=()))
