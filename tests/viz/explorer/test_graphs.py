import json

import numpy as np
import pytest
from hypothesis import given, settings
from random_graphs import graphs

from netgraph.errors import OptionError, StatisticsError
from netgraph.graph import GraphBuilder, mlp
from netgraph.rewriting import apply
from netgraph.rules import PruneEdges, PruneVertices, SplitEdges
from netgraph.statistics import Statistics
from netgraph.viz.explorer import make_payload
from netgraph.viz.explorer.packing import pack, unpack


def table(payload, graph=0, of="edges"):
    return {name: unpack(values) for name, values in payload["graphs"][graph][of]["columns"].items()}


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([True, False], "uint8"),
        ([1, -(2**31)], "int32"),
        ([2**31, 2**53 - 1], "float64"),
        ([0.5, np.nan], "float32"),
        (np.zeros((0, 3)), "float32"),
        (np.arange(6).reshape(2, 3).T, "int32"),
    ],
)
def test_arrays_come_back_as_they_were(values, dtype):
    packed = json.loads(json.dumps(pack(values)))
    assert packed["dtype"] == dtype
    np.testing.assert_array_equal(unpack(packed), np.asarray(values))


@settings(max_examples=10)
@given(graph=graphs(exact=False))
def test_every_row_of_a_page_is_the_row_of_the_graph(graph):
    payload = json.loads(json.dumps(make_payload(graph)))
    edges, vertices = table(payload), table(payload, of="vertices")
    layers, links = payload["graphs"][0]["layers"], payload["graphs"][0]["links"]
    for name in ("id", "weight", "tap", "port", "birth", "frozen", "link"):
        np.testing.assert_array_equal(edges[name], getattr(graph.edges, name).astype(edges[name].dtype))
    np.testing.assert_array_equal(vertices["id"][edges["source"]], graph.edges.source)
    np.testing.assert_array_equal(vertices["id"][edges["target"]], graph.edges.target)
    assert [layer["id"] for layer in layers] == list(graph.layers_by_id)
    np.testing.assert_array_equal(np.array([layer["id"] for layer in layers])[vertices["layer"]], graph.vertices.layer)
    for layer in layers:
        own = graph.layer(layer["id"])
        assert (layer["name"], layer["size"], layer["role"]) == (own.name, len(own), own.role)
        assert graph.vertices.id[layer["first"]] == own.vertex_ids[0]
    for link, own in zip(links, graph.links, strict=True):
        ends = layers[link["source"]]["id"], layers[link["target"]]["id"], link["port"]
        assert (ends, link["edges"]) == (own.key, len(own))
        assert layers[link["source"]]["depth"] < layers[link["target"]]["depth"]


@settings(max_examples=10)
@given(graph=graphs(exact=False))
def test_vertices_lie_in_the_frame_of_their_layer_and_no_two_at_one_place(graph):
    payload = make_payload(graph)
    vertices = table(payload, of="vertices")
    frames = np.array([layer["frame"] for layer in payload["graphs"][0]["layers"]])[vertices["layer"]]
    places = np.stack([vertices["x"], vertices["y"]], axis=1)
    assert (np.abs(places - frames[:, :2]) <= frames[:, 2:] / 2 + 0.01).all()
    assert len(np.unique(places, axis=0)) == len(places)


def test_all_that_a_rewrite_keeps_stays_in_place():
    result = apply(SplitEdges(), mlp([6, 5, 3], domain=(0, 1)), limit=7)
    payload = make_payload(result)
    assert payload["paired"]
    before, after = (table(payload, k, "vertices") for k in (0, 1))
    both, old, new = np.intersect1d(before["id"], after["id"], return_indices=True)
    assert len(both) == len(before["id"]) < len(after["id"])
    for name in ("x", "y"):
        np.testing.assert_array_equal(before[name][old], after[name][new])
    (rewrite,) = payload["rewrites"][1]
    assert (rewrite["number"], rewrite["rule"], rewrite["level"]) == (1, "SplitEdges", "exact")
    assert set(table(payload, 1)["birth"]) == {0, 1}
    gone = ~np.isin(table(payload, 0)["id"], table(payload, 1)["id"])
    np.testing.assert_array_equal(table(payload, 0)["removed"], gone.astype(int))
    assert payload["highlights"]["graph"] == 0
    np.testing.assert_array_equal(unpack(payload["highlights"]["parts"][0]["matches"]), np.flatnonzero(gone))


def test_a_rewrite_that_changed_nothing_shows_one_graph():
    payload = make_payload(apply(PruneEdges(below=0.0), mlp([3, 2])))
    assert [graph["name"] for graph in payload["graphs"]] == ["unchanged"]
    assert payload["rewrites"] == [[]]


def test_statistics_are_columns_of_the_graph_to_which_they_belong():
    result = apply(PruneVertices(only_dead=False), mlp([4, 6, 2]), limit=2)
    old, new = result.matches.graph, result.graph
    stats = Statistics(
        new.topology_hash,
        {"mean_abs_gradient": np.linspace(0, 1, len(new.edges)), "weight": np.ones(len(new.edges))},
        {"rms": np.arange(new.num_vertices)},
    )
    payload = make_payload(result, stats=stats)
    assert "mean_abs_gradient" not in table(payload, 0)
    np.testing.assert_allclose(table(payload, 1)["mean_abs_gradient"], np.linspace(0, 1, len(new.edges)))
    np.testing.assert_array_equal(table(payload, 1)["weight"], new.edges.weight)
    np.testing.assert_array_equal(table(payload, 1)["weight (2)"], 1)
    np.testing.assert_array_equal(table(payload, 1, "vertices")["rms"], np.arange(new.num_vertices))
    with pytest.raises(StatisticsError, match="collect them again"):
        make_payload(old, stats=stats)
    with pytest.raises(StatisticsError, match="none of the graphs"):
        make_payload(result, stats=Statistics("0" * 8))


def test_graphs_of_different_histories_stand_beside_each_other_and_share_no_ids():
    payload = make_payload(mlp([3, 4, 2]), beside=mlp([5, 2]))
    assert not payload["paired"]
    assert len(payload["graphs"]) == 2
    one = mlp([3, 4, 2])
    assert make_payload(one, beside=apply(PruneEdges(below=0.3), one).graph)["paired"]


def test_names_of_layers_may_be_any_text():
    builder = GraphBuilder()
    name = "</script>\u202e\ud800\n☃"
    builder.input(name, 2)
    builder.output("out", 3)
    builder.dense(name, "out")
    payload = make_payload(builder.build())
    assert payload["graphs"][0]["layers"][0]["name"] == "</script>\ufffd\ufffd\n☃"
    json.dumps(payload).encode()


@pytest.mark.parametrize("subject", [None, 3, [mlp([2, 1])], SplitEdges()])
def test_other_things_are_refused(subject):
    with pytest.raises(OptionError, match="explore shows a Graph"):
        make_payload(subject)
