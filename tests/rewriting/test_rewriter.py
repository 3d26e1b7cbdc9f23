"""The rewriter: what it can do."""

import numpy as np
import pytest
from rows_by_id import edges, vertices

import netgraph as ng
from netgraph.errors import RewriteError
from netgraph.rewriting import Rewriter


def test_new_vertices_can_be_connected_before_they_exist(graph, rw):
    n = rw.add_layer(2, activation="tanh", name="new")
    rw.connect(vertices(graph, 0, 1), n, weight=[1.0, 2.0])
    rw.connect(n, vertices(graph, 7, 7), weight=3.0)
    assert len(graph.layers) == 4  # nothing is visible yet
    new, delta = rw.commit()
    layer = new.layers["new-4"]
    assert (len(layer), layer.activation, layer.role) == (2, "tanh", "hidden")
    np.testing.assert_array_equal(layer.bias, [0, 0])
    np.testing.assert_array_equal(layer.vertex_ids, n.id)
    np.testing.assert_array_equal(layer.birth, [1, 1])
    np.testing.assert_array_equal(new.links["x", "new-4"].weight, [1, 2])
    np.testing.assert_array_equal(new.links["new-4", "y"].weight, [3, 3])
    np.testing.assert_array_equal(new.links["new-4", "y"].birth, [1, 1])
    assert delta.summary() == "+4 edges, +2 vertices, +1 layer"
    assert new.next_ids == ng.graph.NextIds(5, 11, 18)


def test_new_columns_have_the_dtype_of_the_graph(graph, rw):
    n = rw.add_layer(1, norm="batch")
    rw.connect(vertices(graph, 0), n, weight=1.0)
    new, _ = rw.commit()
    assert {v.dtype.name for v in new.layers["layer-4"].values.values()} == {"float64"}
    assert new.links["x", "layer-4"].weight.dtype == np.float64


def test_add_vertices(graph, rw):
    n = rw.add_vertices(graph.layers["a"], 2, bias=[0.5, 0.25])
    rw.connect_all(vertices(graph, 0, 1, 2), n, weight=0.125)
    new, delta = rw.commit()
    np.testing.assert_array_equal(new.layers["a"].vertex_ids, [3, 4, 9, 10])
    np.testing.assert_array_equal(new.layers["a"].bias, [0, 0, 0.5, 0.25])
    np.testing.assert_array_equal(new.links["x", "a"].id[6:], [14, 15, 16, 17, 18, 19])
    assert new.links["a", "b"] is not graph.links["a", "b"]  # checked again, for its layer changed
    np.testing.assert_array_equal(delta.vertex_rows, [0, 1, 2, 3, 4, -1, -1, 5, 6, 7, 8])


def test_connect_all_makes_what_is_missing(graph, rw):
    rw.remove(edges(graph, 6, 9))
    assert rw.connect_all(vertices(graph, 3, 4), vertices(graph, 5, 6), weight=7.0) == 2
    assert rw.connect_all(vertices(graph, 3, 4), vertices(graph, 5, 6), weight=8.0) == 0
    assert rw.connect_all(vertices(graph, 0, 3), vertices(graph, 7, 5), weight=1.0) == 3  # across layers
    new, _ = rw.commit()
    np.testing.assert_array_equal(new.links["a", "b"].id, [14, 7, 8, 15])
    np.testing.assert_array_equal(new.links["a", "b"].weight[[0, 3]], [7, 7])
    assert {(k.source, k.target) for k in new.links} == {(0, 1), (1, 2), (2, 3), (0, 2), (0, 3), (1, 3)}


def test_remove_edges_and_add_again_gives_new_ids(graph, rw):
    rw.remove(edges(graph, 13))
    new, _ = rw.commit()
    again = Rewriter(new, np.random.default_rng(0))
    again.connect(vertices(new, 6), vertices(new, 8), weight=1.0)
    newer, _ = again.commit()
    assert 13 not in newer.edges.id
    assert 14 in newer.edges.id
    assert newer.edges[14].birth == 2


def test_remove_newest_vertices_and_add_again_gives_new_ids(graph, rw):
    n = rw.add_vertices(graph.layers["b"], 1)
    new, _ = rw.commit()
    second = Rewriter(new, np.random.default_rng(0))
    second.remove(vertices(new, *n.id))
    bare, _ = second.commit()
    third = Rewriter(bare, np.random.default_rng(0))
    assert third.add_vertices(bare.layers["b"], 1).id.tolist() == [10]
    assert third.add_layer(1).layer_id == 4


def test_a_link_goes_with_its_last_edge(graph, rw):
    rw.remove(edges(graph, 6, 7, 8, 9))
    new, delta = rw.commit()
    assert new.link((1, 2, 0)) is None
    assert [r.key for r in delta.links_removed] == [(1, 2, 0)]
    old, _ = ng.apply_delta(new, delta.inverse())
    assert old.equals(graph)


def test_a_layer_goes_with_its_last_vertex(graph, rw):
    rw.remove(vertices(graph, 3, 4))
    new, delta = rw.commit()
    assert [layer.name for layer in new.layers] == ["x", "b", "y"]
    assert [r.key for r in delta.links_removed] == [(0, 1, 0), (1, 2, 0)]
    assert delta.summary() == "-10 edges, -2 vertices, -1 layer"
    assert ng.apply_delta(new, delta.inverse())[0].equals(graph)


def test_an_empty_link_of_a_layer_that_goes_goes_too(graph):
    layers = list(graph.layers.values())
    empty = ng.Link(0, 2, ng.Dense(), **{k: v[:0] for k, v in graph.links["x", "a"].columns.items()})
    graph = ng.Graph(layers, [*graph.links, empty])
    rw = Rewriter(graph, np.random.default_rng(0))
    rw.remove(vertices(graph, 5, 6))
    new, delta = rw.commit()
    assert {k.key for k in new.links} == {(0, 1, 0)}
    assert ng.apply_delta(new, delta.inverse())[0].equals(graph)


def test_remove_and_add_vertices_of_one_layer(graph, rw):
    rw.remove(vertices(graph, 3))
    n = rw.add_vertices(graph.layers["a"], 1)
    rw.connect_all(vertices(graph, 0), n, weight=1.0)
    new, delta = rw.commit()
    np.testing.assert_array_equal(new.layers["a"].vertex_ids, [4, 9])
    np.testing.assert_array_equal(new.links["x", "a"].dst, [0, 0, 0, 1])
    assert ng.apply_delta(new, delta.inverse())[0].equals(graph)


def test_set_values_and_the_last_of_two_wins(graph, rw):
    rw.set_weight(edges(graph, 1, 2), [5.0, 6.0])
    rw.set_weight(edges(graph, 2, 3), 7.0)
    rw.set_bias(vertices(graph, 3), 0.5)
    new, delta = rw.commit()
    np.testing.assert_array_equal(new.edges.weight[[1, 2, 3]], [5, 7, 7])
    np.testing.assert_array_equal(new.layers["a"].bias, [0.5, 0])
    assert delta.summary() == "4 values changed"
    np.testing.assert_array_equal(delta.edges_changed["weight"].old, graph.edges.weight[[1, 2, 3]])
    assert new.topology_hash == graph.topology_hash
    assert new.links["a", "b"] is graph.links["a", "b"]


def test_of_two_changes_of_one_value_the_later_counts(graph, rw):
    rw.set_weight(edges(graph, 1, 2), [5.0, 6.0])
    rw.set_weight(edges(graph, 1), 7.0)
    rw.remove(edges(graph, 3))
    rw.remove(edges(graph, 3))
    new, delta = rw.commit()
    assert new.edges.weight[[1, 2]].tolist() == [7, 6]
    assert ng.apply_delta(new, delta.inverse())[0].equals(graph)


def test_edits_that_change_nothing_are_no_rewrite(graph):
    """Also where a value is the one that is stored only after rounding: 0.1 as float32."""
    narrow = graph.with_weights(np.full(len(graph.edges), 0.1), vertices={"bias": np.full(len(graph.vertices), 0.3)})
    rw = ng.Rewriter(narrow, np.random.default_rng(0))
    rw.set_weight(rw.edges(rows=np.arange(len(narrow.edges))), 0.1)
    rw.set_bias(rw.vertices("a"), 0.3)
    rw.freeze(edges(narrow, 0), False)
    rw.set_activation(narrow.layers["a"], narrow.layers["a"].activation)
    rw.remove(rw.edges(ids=[]))
    rw.connect(rw.vertices(ids=[]), rw.vertices(ids=[]), weight=1.0)
    new, delta = rw.commit()
    assert new is narrow
    assert delta.is_empty
    again = ng.Rewriter(narrow, np.random.default_rng(0))
    again.set_weight(edges(narrow, 0), np.nextafter(np.float32(0.1), np.float32(1)))
    assert again.commit()[0] is not narrow


def test_freeze_and_thaw(graph, rw):
    rw.freeze(edges(graph, 1, 2))
    new, delta = rw.commit()
    assert new.num_edges == graph.num_edges - 2
    assert new.topology_hash != graph.topology_hash
    assert ng.find(ng.rules.SplitEdges(), new, on=[1, 2, 3]).e.id.tolist() == [3]
    thaw = Rewriter(new, np.random.default_rng(0))
    thaw.freeze(edges(new, 1, 2), frozen=False)
    assert thaw.commit()[0].topology_hash == graph.topology_hash
    assert ng.apply_delta(new, delta.inverse())[0].equals(graph)


def test_set_activation_takes_vertex_parameters_along(graph, rw):
    rw.set_activation(graph.layers["a"], "prelu")
    new, delta = rw.commit()
    np.testing.assert_array_equal(new.layers["a"].values["slope"], [0.25, 0.25])
    assert new.layers["a"].values["slope"].dtype == np.float64
    back = Rewriter(new, np.random.default_rng(0))
    back.set_activation(new.layers["a"], "leaky_relu", slope=0.5)
    newer, second = back.commit()
    assert sorted(newer.layers["a"].values) == ["bias"]
    assert newer.layers["a"].slope == 0.5
    assert ng.apply_delta(newer, second.inverse())[0].equals(new)
    assert ng.apply_delta(newer, delta.then(second).inverse())[0].equals(graph)


def test_edits_of_one_layer_compose(graph):
    a = graph.layers["a"]

    def after(*edits):
        rw = Rewriter(graph, np.random.default_rng(0))
        for edit in edits:
            edit(rw)
        new, delta = rw.commit()
        assert ng.apply_delta(new, delta.inverse())[0].equals(graph)
        return new.layers["a"], delta

    def prelu(rw):
        rw.set_activation(a, "prelu")

    def relu(rw):
        rw.set_activation(a, "relu")

    def grow(rw):
        rw.add_vertices(a, 1)

    layer, delta = after(prelu, relu)
    assert (layer.activation, sorted(layer.values)) == ("relu", ["bias"])
    assert not delta.layers_changed
    assert not delta.vertices_changed
    for edits in ((prelu, grow), (grow, prelu), (grow, relu, prelu), (prelu, relu, grow, prelu)):
        layer, _ = after(*edits)
        np.testing.assert_array_equal(layer.values["slope"], [0.25, 0.25, 0.25])
        np.testing.assert_array_equal(layer.bias, [0, 0, 0])
    layer, delta = after(prelu, grow, relu)
    assert sorted(layer.values) == sorted(delta.vertices_added.values) == ["bias"]
    layer, _ = after(prelu, lambda rw: rw.add_vertices(a, 1, slope=0.5))
    np.testing.assert_array_equal(layer.values["slope"], [0.25, 0.25, 0.5])
    layer, _ = after(prelu, lambda rw: rw.set_values(vertices(graph, 4), "slope", 0.75))
    np.testing.assert_array_equal(layer.values["slope"], [0.25, 0.75])
    with pytest.raises(RewriteError, match="no vertex column 'slope'"):
        after(prelu, relu, lambda rw: rw.set_values(vertices(graph, 4), "slope", 0.75))


def test_new_columns_of_a_layer_without_columns_have_the_dtype_of_the_graph():
    graph = ng.mlp([2, 2, 1], bias=False, dtype=np.float64)
    rw = Rewriter(graph, np.random.default_rng(0))
    rw.set_activation(graph.layers["hidden1"], "prelu")
    assert rw.commit()[0].layers["hidden1"].values["slope"].dtype == np.float64


def test_names_of_new_layers_are_free():
    b = ng.GraphBuilder()
    b.input("x", 1)
    b.layer("new-3", 1)
    b.output("y", 1)
    b.dense("x", "new-3")
    b.dense("new-3", "y")
    graph = b.build()
    rw = Rewriter(graph, np.random.default_rng(0))
    for name in ("new", "new", "new-4"):
        n = rw.add_layer(1, name=name)
        rw.connect(vertices(graph, 0), n, weight=1.0)
        rw.connect(n, vertices(graph, 2), weight=1.0)
    assert set(rw.commit()[0].layers.keys()) == {"x", "y", "new-3", "new-3-1", "new-4", "new-4-5"}


def test_buffered_edges_are_found_by_link(graph, rw, monkeypatch):
    # Looking up the edges of one link does not go through the batches of all others.
    for _ in range(3):
        rw.connect_all(vertices(graph, 0, 1, 2), rw.add_layer(1), weight=0.0)
    monkeypatch.setattr(rw._buffer, "_edges", None)
    assert sum(len(tap) for _, _, tap in rw._buffer.edges_between((0, 5, 0))) == 3


def test_draws_use_one_number_per_edge(graph, rw):
    rw.connect_all(vertices(graph, 0, 1, 2), vertices(graph, 7, 8), weight=rw.uniform(2.0, 3.0))
    weight = rw.commit()[0].links["x", "y"].weight
    assert ((weight >= 2) & (weight < 3)).all()
    assert len(np.unique(weight)) == 6
    assert Rewriter(graph, np.random.default_rng(0)).uniform(0.5, 0.5).sample(2).tolist() == [0.5, 0.5]


def test_kinds_of_links(graph):
    b = ng.GraphBuilder()
    b.input("x", 1, grid=(4, 4))
    b.output("y", 1, grid=(4, 4))
    b.conv2d("x", "y", kernel=3, padding=1)
    graph = b.build()
    rw = Rewriter(graph, np.random.default_rng(0))
    n = rw.add_layer(1, grid=(4, 4))
    kind = ng.Conv2d((3, 3), padding=(1, 1))
    assert rw.connect_all(vertices(graph, 0), n, weight=1.0, kind=kind) == 9
    rw.connect(n, vertices(graph, 1), weight=1.0)
    new, _ = rw.commit()
    assert new.links["x", "layer-2"].kind == kind
    assert new.links["layer-2", "y"].kind == ng.Dense()


def test_remove_a_link_by_itself(graph, rw):
    rw.remove(graph.links["a", "b"])
    new, delta = rw.commit()
    assert new.link((1, 2, 0)) is None
    assert [len(x) for x in new.layers.values()] == [3, 2, 2, 2]
    assert delta.summary() == "-4 edges"
    assert ng.apply_delta(new, delta.inverse())[0].equals(graph)


def test_remove_an_empty_link(graph):
    empty = ng.Link(0, 2, ng.Dense(), **{k: v[:0] for k, v in graph.links["x", "a"].columns.items()})
    graph = ng.Graph(list(graph.layers.values()), [*graph.links, empty])
    rw = Rewriter(graph, np.random.default_rng(0))
    rw.remove(graph.links["x", "b"])
    new, delta = rw.commit()
    assert new.link((0, 2, 0)) is None
    assert [record.key for record in delta.links_removed] == [(0, 2, 0)]
    assert ng.apply_delta(new, delta.inverse())[0].equals(graph)


def test_a_link_to_which_edges_are_added_after_its_removal_stays(graph, rw):
    rw.remove(graph.links["a", "b"])
    rw.connect(vertices(graph, 3), vertices(graph, 5), weight=7.0)
    new, delta = rw.commit()
    np.testing.assert_array_equal(new.links["a", "b"].weight, [7])
    assert not delta.links_removed
    assert ng.apply_delta(new, delta.inverse())[0].equals(graph)


def test_remove_a_layer(graph, rw):
    rw.remove(graph.layers["a"])
    new, delta = rw.commit()
    assert [layer.name for layer in new.layers] == ["x", "b", "y"]
    assert [len(k) for k in new.links] == [4]
    assert ng.apply_delta(new, delta.inverse())[0].equals(graph)


def test_new_layers_may_start_at_other_values(graph, rw):
    n = rw.add_layer(2, activation="prelu", values={"slope": 1.0, "bias": [1, 2]})
    rw.connect(vertices(graph, 0, 1), n, weight=1.0, frozen=[True, False])
    layer = rw.commit()[0].layers["layer-4"]
    np.testing.assert_array_equal([layer.values["slope"], layer.bias], [[1, 1], [1, 2]])


def test_new_weights_have_the_widest_dtype(graph):
    first, *others = graph.links
    mixed = ng.Graph(graph.layers.values(), [first.with_weight(first.weight.astype(np.float32)), *others])
    rw = Rewriter(mixed, np.random.default_rng(0))
    rw.connect(vertices(mixed, 0), vertices(mixed, 7), weight=1 / 3)
    assert rw.commit()[0].links["x", "y"].weight[0] == 1 / 3


def test_a_port_of_a_match_is_a_port(graph):
    """Matches hold columns: an entry of one is a NumPy integer, which no journal could write."""
    rw = Rewriter(graph, np.random.default_rng(0))
    rw.connect(vertices(graph, 0), vertices(graph, 7), weight=1.0, port=graph.edges.port[0])
    rw.connect_all(vertices(graph, 1), vertices(graph, 7), weight=1.0, port=graph.edges.port[0])
    new = rw.commit()[0]
    assert [type(part) for part in new.links["x", "y"].key] == [int, int, int]
    with pytest.raises(RewriteError, match=r"port=0\.5 is not a whole number"):
        rw.connect(vertices(graph, 0), vertices(graph, 7), weight=1.0, port=0.5)
