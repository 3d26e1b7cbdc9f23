"""The graph value: views, counts, flat columns, weights, hashes, sharing."""

import dataclasses

import numpy as np
import pytest
from ported import as_stored

import netgraph as ng
from netgraph.errors import GraphError


@pytest.fixture
def graph():
    """x -> h -> y with a skip x -> y; edge ids 0..5 (x, h), 6..7 (h, y), 8 (x, y)."""
    b = ng.GraphBuilder()
    b.input("x", 3, domain=(0, 1))
    b.layer("h", 2)
    b.output("y", 1, bias=False)
    b.edges("x", "h", [0, 1, 2, 0, 1, 2], [0, 0, 0, 1, 1, 1], weight=[1, 2, 3, 4, 5, 6])
    b.edges("h", "y", [0, 1], [0, 0], weight=[0.5, -0.5])
    b.edges("x", "y", [2], [0], weight=0.25)
    return b.build()


def test_layers_by_name_in_topological_order(graph):
    assert [layer.name for layer in graph.layers] == ["x", "h", "y"]
    assert [x.name for x in graph.layers.values()] == ["x", "h", "y"]
    assert len(graph.layers) == graph.num_layers == 3
    assert "h" in graph.layers
    assert "z" not in graph.layers
    assert graph.layers["h"] in graph.layers
    assert graph.with_weights(vertices={"bias": np.ones(6)}).layers["h"] not in graph.layers
    assert dict(graph.layers) == dict(graph.layers.items()) == {layer.name: layer for layer in graph.layers}
    assert [*graph.inputs, graph.layers["h"], *graph.outputs] == list(graph.layers)
    assert (graph.layers.get("h"), graph.layers.get("z")) == (graph.layers["h"], None)
    assert graph.layers["h"] is graph.layer("h") is graph.layer(1) is graph.layer(np.int64(1))
    with pytest.raises(KeyError, match=r"Unknown layer 'hh'.*Did you mean 'h'"):
        graph.layers["hh"]
    with pytest.raises(GraphError, match="Unknown layer 7"):
        graph.layer(7)
    assert repr(graph.layers).splitlines()[1] == "Layer('h', 2 vertices, relu)"


def test_a_link_is_named_by_its_layers(graph):
    assert graph.link_name(*graph.links["x", "h"].key[:2]) == "'x' -> 'h'"
    with pytest.raises(GraphError, match="Unknown layer 7"):
        graph.link_name(0, 7)


def test_links_are_in_their_view_by_names_and_by_themselves(graph):
    assert ("x", "h") in graph.links
    assert ("x", "h", 0) in graph.links
    assert all(link in graph.links for link in graph.links)
    for other in (("h", "x"), ("x", "h", 1), ("x", "z"), "xh", 3, None):
        assert other not in graph.links


def test_links_by_names(graph):
    assert len(graph.links) == 3
    assert [k.key for k in graph.links] == [(0, 1, 0), (0, 2, 0), (1, 2, 0)]
    assert graph.links["h", "y"] is graph.links["h", "y", 0] is graph.link((1, 2, 0))
    assert graph.link((2, 1, 0)) is None
    with pytest.raises(KeyError, match="no link from 'y' to 'h' at port 0"):
        graph.links["y", "h"]
    with pytest.raises(GraphError, match="Unknown layer 'q'"):
        graph.links["q", "h"]
    assert repr(graph.links).splitlines()[0].startswith("x -> h: Link(0 -> 1")


def test_inputs_outputs_and_neighbours(graph):
    assert [x.name for x in graph.inputs] == ["x"]
    assert [x.name for x in graph.outputs] == ["y"]
    assert [k.source for k in graph.incoming[2]] == [0, 1]
    assert [k.target for k in graph.outgoing[0]] == [1, 2]
    assert graph.incoming[0] == graph.outgoing[2] == ()
    assert graph.topological_order == (0, 1, 2)


def test_topological_order_does_not_follow_ids():
    b = ng.GraphBuilder()
    b.output("y", 1)
    b.layer("late", 1)
    b.layer("early", 1)
    b.input("x", 1)
    for pair in (("x", "early"), ("early", "late"), ("late", "y")):
        b.dense(*pair)
    assert list(b.build().layers.keys()) == ["x", "early", "late", "y"]


def test_edge_columns(graph):
    e = graph.edges
    assert len(e) == 9
    np.testing.assert_array_equal(e.id, [0, 1, 2, 3, 4, 5, 8, 6, 7])  # in the order of link keys
    np.testing.assert_array_equal(e.weight, np.float32([1, 2, 3, 4, 5, 6, 0.25, 0.5, -0.5]))
    np.testing.assert_array_equal(e.source, [0, 1, 2, 0, 1, 2, 2, 3, 4])
    np.testing.assert_array_equal(e.target, [3, 3, 3, 4, 4, 4, 5, 5, 5])
    np.testing.assert_array_equal(e.link, [0] * 6 + [1] + [2] * 2)
    np.testing.assert_array_equal(e.offsets, [0, 6, 7, 9])
    assert e.offset((1, 2, 0)) == 7
    assert e.id.dtype == np.int64
    assert e.weight.dtype == np.float32
    assert not e.frozen.any()
    assert not e.birth.any()
    np.testing.assert_array_equal(e.find([6, 99, 0]), [7, -1, 0])
    for values in (e.id, e.weight, e.tap):
        with pytest.raises(ValueError, match="read-only"):
            values[0] = 1


def test_wired_edges_are_those_of_kinds_with_wires():
    b = ng.GraphBuilder()
    b.input("x", 2)
    b.layer("h", 2)
    b.output("y", 2)
    b.dense("x", "h")
    b.identity("h", "y")
    b.edges("h", "y", [0], [1], weight=1.0, frozen=True, port=1)
    edges = as_stored(b).edges
    np.testing.assert_array_equal(edges.wired, [0, 0, 0, 0, 1, 1, 0])
    np.testing.assert_array_equal(edges.where(edges.frozen).wired, [1, 1, 0])
    assert edges.wired is edges.wired
    assert edges.wired.dtype == np.bool_
    with pytest.raises(ValueError, match="read-only"):
        edges.wired[0] = True


def test_narrow_edges_are_stored_in_float32(graph):
    links = [k if k.source else k.with_weight(k.weight.astype(np.float64)) for k in graph.links]
    mixed = ng.Graph(graph.layers_by_id.values(), links).edges
    np.testing.assert_array_equal(mixed.narrow, [0] * 7 + [1] * 2)
    assert graph.edges.narrow.all()
    empty = ng.Graph([graph.layers["x"], graph.layers["y"]]).edges
    assert len(empty.wired) == len(empty.narrow) == 0


def test_edges_where(graph):
    big = graph.edges.where(np.abs(graph.edges.weight) >= 3)
    np.testing.assert_array_equal(big.id, [2, 3, 4, 5])
    np.testing.assert_array_equal(big.rows, [2, 3, 4, 5])
    again = big.where(big.target == 4)
    np.testing.assert_array_equal(again.id, [3, 4, 5])
    np.testing.assert_array_equal(again.source, [0, 1, 2])
    np.testing.assert_array_equal(again.link, [0, 0, 0])
    assert again[4].weight == 5
    assert (again[4].source, again[4].target) == (1, 4)
    assert repr(again) == "EdgeTable(3 edges in 3 links)"
    with pytest.raises(KeyError, match="no edge with id 0 in this table"):
        again[0]
    with pytest.raises(GraphError, match=r"\(9,\) booleans, got int64"):
        graph.edges.where(np.arange(9))
    with pytest.raises(GraphError, match=r"\(4,\) booleans"):
        big.where(np.ones(9, bool))


def test_vertices(graph):
    v = graph.vertices
    np.testing.assert_array_equal(v.id, np.arange(6))
    np.testing.assert_array_equal(v.layer, [0, 0, 0, 1, 1, 2])
    np.testing.assert_array_equal(v.row, [0, 1, 2, 0, 1, 0])
    np.testing.assert_array_equal(v.nonnegative, [True] * 5 + [False])
    assert not v.nonnegative.flags.writeable
    np.testing.assert_array_equal(graph.bounds()["h"], [[0, 0], graph.bounds().z_high[3:5]])
    np.testing.assert_array_equal(v.column("bias"), [np.nan] * 3 + [0, 0, np.nan])
    assert v.offset(1) == 3
    np.testing.assert_array_equal(v.find([5, -3]), [5, -1])
    with pytest.raises(GraphError, match="no vertex with id 77"):
        v.rows([1, 77])
    assert repr(v) == "VertexTable(6 vertices in 3 layers)"


def test_a_vertex_as_an_object(graph):
    v = graph.vertex(4)
    assert (v.id, v.row, v.layer.name, v.values) == (4, 1, "h", {"bias": 0.0})
    np.testing.assert_array_equal(v.edges_in.id, [3, 4, 5])
    np.testing.assert_array_equal(v.edges_out.id, [7])
    assert repr(v) == "Vertex(4, layer 'h' row 1, bias=0)"
    with pytest.raises(GraphError, match="no vertex with id 9"):
        graph.vertex(9)


def test_counts_and_density():
    b = ng.GraphBuilder()
    b.input("x", 2, grid=(4, 4))
    b.layer("a", 2, grid=(4, 4))
    b.layer("s", 2, grid=(4, 4))
    b.output("y", 1)
    b.conv2d("x", "a", kernel=3, padding=1)
    b.identity("x", "s")
    b.edges("a", "s", [0], [1], weight=1.0)
    b.conv2d("s", "y", kernel=4)
    graph = b.build()
    assert graph.num_edges == 36 + 1 + 32  # wires are not counted
    assert len(graph.edges) == graph.num_edges + 2
    assert graph.admissible_edges == 36 + 4 + 32
    assert graph.density == 69 / 72
    assert graph.num_vertices == 7
    assert graph.num_parameters == graph.num_edges + 5  # a bias of every vertex but the inputs


def test_repr_is_one_line(graph):
    assert repr(graph) == "Graph(3 layers [x:3, h:2, y:1], 6 vertices, 9 edges, density 0.818)"
    deep = ng.mlp([2] * 8)
    assert repr(deep) == (
        "Graph(8 layers [input:2, hidden1:2, hidden2:2, hidden3:2, ... 4 more], 16 vertices, 28 edges, density 1)"
    )


def test_density_without_links_is_0():
    b = ng.GraphBuilder()
    b.input("x", 1)
    b.output("y", 1)
    assert b.build().density == 0


# -- weights --------------------------------------------------------------------------------------


def test_with_weights_keeps_topology_and_leaves_the_old_graph(graph):
    new = graph.with_weights(np.arange(9.0), vertices={"bias": np.full(6, 2.0)})
    np.testing.assert_array_equal(new.edges.weight, np.arange(9))
    np.testing.assert_array_equal(graph.edges.weight[:2], [1, 2])
    np.testing.assert_array_equal(new.layers["h"].bias, [2, 2])
    assert new.layers["y"].bias is None
    assert new.topology_hash == graph.topology_hash
    assert new.same_topology(graph)
    assert (new.lineage, new.next_ids, new.rewrites) == (graph.lineage, graph.next_ids, graph.rewrites)
    assert not new.equals(graph)
    assert new.with_weights(graph.edges.weight, vertices={"bias": np.zeros(6)}).equals(graph)
    assert new.edges.weight.dtype == np.float32


def test_with_weights_takes_copies(graph):
    weight = np.arange(9, dtype=np.float32)
    new = graph.with_weights(weight)
    weight[0] = 99
    assert new.edges.weight[0] == 0


def test_with_weights_shares_what_it_does_not_set(graph):
    new = graph.with_weights(np.arange(9.0))
    assert all(a is b for a, b in zip(new.layers.values(), graph.layers.values(), strict=True))
    new = graph.with_weights(vertices={"bias": np.ones(6)})
    assert all(a is b for a, b in zip(new.links, graph.links, strict=True))
    assert new.layers["x"] is graph.layers["x"]


@pytest.mark.parametrize(
    ("weight", "words"),
    [
        (np.zeros(8), r"'weight' has shape \(8,\), expected \(9,\)"),
        (np.zeros((9, 1)), r"shape \(9, 1\)"),
        (np.r_[np.zeros(7), np.nan, 0], "edge 6 is nan.*finite"),
        (np.r_[np.inf, np.zeros(8)], "edge 0 is inf.*finite"),
        (np.r_[1e300, np.zeros(8)], r"edge 0 is 1e\+300.*finite float32"),
    ],
)
def test_with_weights_refuses(graph, weight, words):
    with pytest.raises(GraphError, match=words):
        graph.with_weights(weight)


@pytest.mark.parametrize(
    ("vertices", "words"),
    [
        ({"bias": np.zeros(2)}, r"'bias' has shape \(2,\), expected \(6,\)"),
        ({"bias": np.full(6, np.nan)}, "'bias' of layer 'h'.*not finite"),
        ({"bias": np.full(6, 1e300)}, "'bias' of layer 'h'.*not finite"),
        ({"low": np.zeros(6)}, "'low' is the domain"),
    ],
)
def test_with_weights_refuses_vertex_columns(graph, vertices, words):
    with pytest.raises(GraphError, match=words):
        graph.with_weights(vertices=vertices)


def test_with_weights_refuses_a_negative_variance():
    graph = ng.mlp([1, 2, 1], norm="batch")
    with pytest.raises(GraphError, match=r"'var' of layer 'hidden1'.*negative"):
        graph.with_weights(vertices={"var": np.full(4, -1.0)})


def test_nan_is_ignored_where_it_would_not_be_used(graph):
    new = graph.with_weights(vertices={"bias": np.where(graph.vertices.layer == 1, 1.0, np.nan)})
    np.testing.assert_array_equal(new.layers["h"].bias, [1, 1])


def test_wires_keep_their_1_and_frozen_edges_do_not_take_nan():
    b = ng.GraphBuilder()
    b.input("x", 1)
    b.layer("h", 1)
    b.output("y", 1)
    b.identity("x", "h")
    b.edges("h", "y", [0], [0], weight=3.0, frozen=True)
    graph = b.build()
    np.testing.assert_array_equal(graph.with_weights(np.array([np.nan, 2.0])).edges.weight, [1, 2])
    with pytest.raises(GraphError, match="edge 1 is nan"):
        graph.with_weights(np.array([1.0, np.nan]))


# -- identity -------------------------------------------------------------------------------------


def test_equals_sees_every_column(graph):
    parts = list(graph.layers.values()), list(graph.links)
    history = {"next_ids": graph.next_ids, "lineage": graph.lineage, "rewrites": graph.rewrites}
    assert ng.Graph(*parts, **history).equals(graph)
    assert ng.Graph(*parts).equals(graph)  # the defaults of a fresh graph
    assert not ng.Graph(*parts, **{**history, "rewrites": 1}).equals(graph)
    assert not ng.Graph(*parts, **{**history, "lineage": "other"}).equals(graph)
    assert not ng.Graph(*parts, next_ids=ng.graph.NextIds(9, 99, 99)).equals(graph)
    assert not graph.with_weights(graph.edges.weight + np.float32(1e-7)).equals(graph)
    link = graph.links["h", "y"]
    wide = ng.Link(1, 2, link.kind, **{**link.columns, "weight": link.weight.astype(np.float64)})
    others = [k for k in graph.links if k is not link]
    assert not ng.Graph(parts[0], [*others, wide], **history).equals(graph)
    older = ng.Link(1, 2, link.kind, **{**link.columns, "birth": link.birth + 1})
    assert not ng.Graph(parts[0], [*others, older], **history).equals(graph)


def test_negative_zero_is_another_weight(graph):
    zero = graph.with_weights(np.zeros(9))
    assert not zero.with_weights(np.full(9, -0.0)).equals(zero)


def test_hash_does_not_depend_on_the_order_of_parts(graph):
    again = ng.Graph(reversed(list(graph.layers.values())), reversed(list(graph.links)))
    assert again.topology_hash == graph.topology_hash


def test_rewrites_share_what_they_do_not_touch():
    graph = ng.mlp([3, 4, 4, 2], domain=(0, 1))
    edge = graph.links["input", "hidden1"].id[0]
    new = ng.apply(ng.rules.SplitEdges(), graph, on=[edge]).graph
    for layer in graph.layers:
        assert new.layers[layer.name] is layer
    assert new.links["hidden1", "hidden2"] is graph.links["hidden1", "hidden2"]
    assert new.links["hidden2", "output"] is graph.links["hidden2", "output"]
    assert new.links["input", "hidden1"] is not graph.links["input", "hidden1"]


def test_links_into_a_layer_that_keeps_its_rows_are_shared_when_another_is_widened():
    graph = ng.mlp([3, 4, 4, 2])
    new = ng.apply(ng.rules.WidenLayer(), graph, on="hidden2").graph
    assert new.layers["hidden1"] is graph.layers["hidden1"]
    assert new.layers["hidden2"] is not graph.layers["hidden2"]
    assert new.links["input", "hidden1"] is graph.links["input", "hidden1"]


def test_graphs_can_be_pickled_and_stay_read_only():
    import copy
    import pickle

    graph = ng.mlp([3, 4, 2], domain=(0, 1), norm="batch")
    again = pickle.loads(pickle.dumps(graph))
    assert again.equals(graph)
    layer, link = next(iter(again.layers_by_id.values())), next(iter(again.links_by_key.values()))
    for array in (layer.vertex_ids, layer.values["low"], link.weight, link.src):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    assert copy.deepcopy(graph) is graph


def test_numpy_numbers_as_ids_make_the_same_graph():
    graph = ng.mlp([2, 1])
    layers = [dataclasses.replace(layer, id=np.int64(layer.id)) for layer in graph.layers_by_id.values()]
    links = [dataclasses.replace(link, source=np.int32(link.source)) for link in graph.links]
    assert ng.Graph(layers, links).topology_hash == graph.topology_hash


def test_attributes_of_a_graph_cannot_be_set():
    graph = ng.mlp([2, 1])
    with pytest.raises(AttributeError, match="never changes"):
        graph.num_edges = 7
    assert graph.num_edges == 2
