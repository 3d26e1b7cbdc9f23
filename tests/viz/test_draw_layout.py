"""Layouts: everything has one place in a whole history, and no two things share one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import skips, split, two_ends

import netgraph as ng
from netgraph.columns import Array
from netgraph.errors import OptionError
from netgraph.graph import Graph, GraphBuilder, mlp
from netgraph.testing import graphs
from netgraph.viz.layout import Layout, layout


def apart(points: Array) -> float:
    """Smallest distance between two points."""
    distance = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1))
    return float(np.min(distance + np.diag(np.full(len(points), np.inf))))


def overlapping(places: Layout) -> list[tuple[int, int]]:
    frames = list(places.frames.values())
    return [
        (a.layer, b.layer)
        for k, a in enumerate(frames)
        for b in frames[k + 1 :]
        if abs(a.x - b.x) < (a.width + b.width) / 2 and abs(a.y - b.y) < (a.height + b.height) / 2
    ]


def history() -> list[Graph]:
    graph = mlp([6, 4], domain=(0, 1), seed=3)
    found = [graph]
    for k in range(4):
        found.append(ng.apply(ng.rules.SplitEdges(), found[-1], limit=3, rng=k, probe=None).graph)
        found.append(ng.apply(ng.rules.PruneEdges(), found[-1], limit=5 + 4 * k, probe=None).graph)
        found.append(ng.apply(ng.rules.PruneVertices(), found[-1], probe=None).graph)
    return [*found, found[1]]  # and back, so that some vertices went


def test_every_vertex_of_a_history_has_one_place_of_its_own_in_its_frame() -> None:
    found = history()
    places = layout(iter(found))  # read once
    ids = np.unique(np.concatenate([graph.vertices.id for graph in found]))
    assert len(ids) > found[-1].num_vertices
    assert apart(places.places(ids)) > 2 * places.radius
    assert overlapping(places) == []
    for graph in found:
        for layer in graph.layers.values():
            frame = places.frames[layer.id]
            x, y = places.places(layer.vertex_ids).T
            assert (np.abs(x - frame.x) <= frame.width / 2 - places.radius).all()
            assert (y >= frame.y - frame.height / 2 + frame.heading + places.radius).all()
            assert (y <= frame.y + frame.height / 2 - places.radius).all()


def test_links_go_from_left_to_right_and_outputs_stand_last() -> None:
    found = history()
    places = layout(found)
    for graph in found:
        for link in graph.links:
            assert places.frames[link.source].column < places.frames[link.target].column
    last = max(frame.column for frame in places.frames.values())
    assert [i for i, frame in places.frames.items() if frame.column == last] == [found[0].outputs[0].id]


def test_a_layer_without_links_stands_between_inputs_and_outputs() -> None:
    graph = two_ends()
    columns = {layer.name: layout(graph).frames[layer.id].column for layer in graph.layers}
    assert columns == {"left": 0, "right": 0, "both": 1, "alone": 1, "one": 2, "two": 2}
    assert overlapping(layout(graph)) == []


def two_layers(forward: bool) -> Graph:
    b = GraphBuilder()
    b.input("x", 2)
    b.layer("a", 2)
    b.layer("b", 2)
    b.output("y", 1)
    first, second = ("a", "b") if forward else ("b", "a")
    for source, target in (("x", first), (first, second), (second, "y")):
        b.dense(source, target)
    return b.build()


@pytest.mark.parametrize("forward", [True, False])
def test_links_that_run_both_ways_at_different_times_keep_the_first_direction(forward: bool) -> None:
    first = two_layers(forward)
    columns = {i: f.column for i, f in layout([first, two_layers(not forward), first]).frames.items()}
    assert columns == {i: f.column for i, f in layout(first).frames.items()}


def test_a_chain_laid_out_with_its_reverse() -> None:
    n = 3000
    b, back = GraphBuilder(), GraphBuilder()
    for builder in (b, back):
        builder.input("x", 1)
        for i in range(n):
            builder.layer(f"h{i}", 1)
    for i in range(n - 1):
        b.dense(f"h{i}", f"h{i + 1}")
        back.dense(f"h{i + 1}", f"h{i}")
    b.output("y", 1)
    back.output("y", 1)
    b.dense("x", "h0")
    back.dense("x", f"h{n - 1}")
    places = layout([b.build(), back.build()], level="layers")
    assert [places.frames[i + 1].column for i in range(n)] == list(range(1, n + 1))


def test_long_layers_wrap_and_longer_ones_still_have_a_shape() -> None:
    for n, most in ((40, 1), (41, 2), (188, 5), (20_000, 101)):
        graph = mlp([n, 1])
        x, y = layout(graph).places(graph.layers["input"].vertex_ids).T
        assert len(np.unique(x)) <= most
        assert len(np.unique(y)) <= max(40, 200)


def test_many_layers_of_one_column_stand_in_several_stacks() -> None:
    b = GraphBuilder()
    b.input("x", 1)
    b.output("y", 1)
    for i in range(300):
        b.layer(f"h{i}", 2)
        b.dense("x", f"h{i}")
        b.dense(f"h{i}", "y")
    places = layout(b.build())
    assert places.height < 1300
    assert overlapping(places) == []


def test_channels_of_an_image_stand_below_each_other() -> None:
    graph = mlp([12, 1])
    x, y = layout(graph, pixels=(3, 2, 2)).places(graph.layers["input"].vertex_ids).T
    assert len(np.unique(x)) == 2
    assert (np.diff(y.reshape(3, 4), axis=0) > 0).all()


def test_boxes_of_layers_alone_need_no_vertices() -> None:
    graph = skips()
    places = layout(graph, level="layers")
    assert overlapping(places) == []
    with pytest.raises(OptionError, match="has no place"):
        places.places(graph.vertices.id)


def test_vertices_of_other_graphs_have_no_place() -> None:
    result = split([3, 2], limit=1)
    with pytest.raises(OptionError, match=r"Vertex 5 has no place.*lay out the graph"):
        layout(mlp([3, 2])).places(result.graph.vertices.id)
    with pytest.raises(OptionError, match="no graph"):
        layout([])


@given(st.lists(graphs(), min_size=1, max_size=3))
def test_any_graphs_have_a_layout(found: list[Graph]) -> None:
    places = layout(found)
    assert overlapping(places) == []
    ids = np.unique(np.concatenate([graph.vertices.id for graph in found]))
    if len(ids) > 1:
        assert apart(places.places(ids)) > 2 * places.radius - 1e-6
