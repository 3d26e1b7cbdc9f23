"""`draw_delta`: what a rewrite added, removed, changed and kept, vertex by vertex and layer by layer."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import NASTY, nasty, skips, split

import netgraph as ng
from netgraph.errors import OptionError
from netgraph.graph import Graph, GraphBuilder, mlp
from netgraph.rewriting import Result
from netgraph.testing import graphs, rewrites
from netgraph.viz import draw, draw_delta
from netgraph.viz.colors import ADDED, CHANGED, FAINT, GRAY, REMOVED
from netgraph.viz.delta.difference import Difference
from netgraph.viz.delta.layers import layer_delta_dot


def colors_of_edges(dot: str) -> dict[int, str]:
    """Colour of each arrow, by the id of its edge."""
    found = re.findall(r' -> .*\[.*color="(#\w{6}).*tooltip="edge (\d+): ', dot)
    return {int(i): color for color, i in found}


def colors_of(dot: str, kind: str) -> dict[int, str]:
    """Colour of the line of each vertex or layer, by id."""
    found = re.findall(rf'^\s*"{kind} (\d+)" \[(.*)\]$', dot, re.M)
    return {int(i): re.search(r'\bcolor="(#\w+)"', text)[1] for i, text in found}  # type: ignore[index]


def labels(dot: str) -> str:
    found = re.findall(r'label="(.*?)(?<!\\)"', dot)
    return "\n".join(" ".join(re.split(r"(?:\\[nl]|\s)+", text)).strip() for text in found)


# ---- vertices ------------------------------------------------------------------------------------------


def test_each_edge_vertex_and_layer_has_the_color_of_its_fate() -> None:
    result = split([4, 3], limit=3)
    delta = result.delta
    dot = draw_delta(result).dot
    expected = dict.fromkeys(result.graph.edges.id.tolist(), FAINT)
    expected |= dict.fromkeys(delta.edges_added.id.tolist(), ADDED)
    expected |= dict.fromkeys(delta.edges_removed.id.tolist(), REMOVED)
    assert colors_of_edges(dot) == expected
    vertices = dict.fromkeys(range(7), GRAY) | dict.fromkeys(delta.vertices_added.id.tolist(), ADDED)
    assert colors_of(dot, "vertex") == vertices
    assert colors_of(dot, "layer") == {0: GRAY, 1: GRAY, 2: ADDED}
    assert len(re.findall(r"-> .*style=dashed", dot)) == 3
    assert "SplitEdges: 3 matches, 9 skipped." in labels(dot)
    assert "12 → 21 edges: +12 edges, -3 edges, +3 vertices, +1 layer." in labels(dot)
    assert "Certificate: exact." in labels(dot)


def test_what_went_stays_in_the_picture() -> None:
    result = split([4, 3], limit=3)
    dot = draw_delta(result.graph, result.delta.graphs[0]).dot  # type: ignore[index]
    gone = result.delta.vertices_added.id.tolist()
    assert {colors_of(dot, "vertex")[i] for i in gone} == {REMOVED}
    assert colors_of(dot, "layer")[2] == REMOVED
    assert "21 → 12 edges: +3 edges, -12 edges, -3 vertices, -1 layer." in labels(dot)


def test_changed_values_are_amber() -> None:
    old = mlp([3, 2])
    weight = old.edges.weight.copy()
    weight[1] += 1
    bias = np.zeros(5, np.float32)
    bias[4] = 2
    new = old.with_weights(weight, vertices={"bias": bias})
    dot = draw_delta(old, new).dot
    assert [i for i, color in colors_of_edges(dot).items() if color == CHANGED] == [old.edges.id[1]]
    assert [i for i, color in colors_of(dot, "vertex").items() if color == CHANGED] == [4]
    assert "1 edge changed, 1 vertex changed" in labels(dot)


def test_nothing_is_said_to_be_nothing() -> None:
    graph = skips()
    dot = draw(graph).diff(graph).dot
    assert "No difference." in labels(dot)
    assert set(colors_of_edges(dot).values()) == {FAINT}


def test_an_id_that_means_another_edge_went_and_came() -> None:
    def one(source: int) -> Graph:
        b = GraphBuilder()
        b.input("x", 2)
        b.output("y", 1)
        b.edges("x", "y", source, 0, weight=1.0)
        return b.build()

    difference = Difference.between(one(0), one(1))
    assert difference.edges_added.tolist() == difference.edges_removed.tolist() == [True]
    assert not difference.edges_kept.any()


def test_the_most_important_arrows_are_drawn_and_the_rest_is_counted() -> None:
    result = split([20, 10])
    dot = draw_delta(result, detail="vertices").dot
    assert re.search(r"\d+ of [\d,]+ arrows of what was added are drawn, the largest by \|weight\|\.", labels(dot))
    assert len(re.findall(" -> ", dot)) <= 900


# ---- layers --------------------------------------------------------------------------------------------


def test_layers_say_how_many_came_and_went() -> None:
    result = split([64, 10], limit=40)
    dot = draw_delta(result).dot
    (layer,) = result.delta.layers_added
    assert colors_of(dot, "layer")[layer.id] == ADDED
    said = labels(dot)
    added, removed = len(result.delta.edges_added), len(result.delta.edges_removed)
    assert f"640 → {640 + added - removed:,} edges: +{added:,} edges, -{removed} edges, +40 vertices, +1 layer." in said
    assert "+40 vertices relu" in said
    assert f"-{removed} edges {640 - removed} edges kept" in said
    (line,) = re.findall(r'"layer 0" -> "layer 1" \[(.*)\]', dot)
    assert REMOVED in line
    assert "dashed" not in line  # some of it is kept


def test_links_that_are_gone_are_dashed_and_both_ways_amber() -> None:
    def graph(first: list[int], second: list[int]) -> Graph:
        b = GraphBuilder()
        b.input("x", 3)
        b.layer("h", 1)
        b.output("y", 1)
        b.edges("x", "h", first, 0, weight=1.0)
        b.edges("h", "y", 0, 0, weight=1.0)
        if second:
            b.edges("x", "y", second, 0, weight=1.0)
        return b.build()

    dot = layer_delta_dot(Difference.between(graph([0, 1], [2]), graph([0, 2], [])), None, [])
    (gone,) = re.findall(r'"layer 0" -> "layer 2" \[(.*)\]', dot)
    assert REMOVED in gone
    assert "style=dashed" in gone
    (both,) = re.findall(r'"layer 0" -> "layer 1" \[(.*)\]', dot)
    assert CHANGED in both
    assert "+1 / -1 edges" in both


def test_wires_are_counted_apart_from_edges() -> None:
    result = ng.apply(ng.rules.WidenLayer(), ng.resnet(8), limit=1, rng=0, probe=None)
    old, new = result.delta.graphs  # type: ignore[misc]
    wires = int(new.edges.frozen.sum() - old.edges.frozen.sum())
    assert wires > 0
    said = labels(draw_delta(result).dot)
    assert (
        f"{old.num_edges:,} → {new.num_edges:,} edges: +{new.num_edges - old.num_edges} edges, +{wires} wires" in said
    )
    assert "+1 wire, 16 wires kept" in said


def test_of_many_layers_those_that_changed_are_shown() -> None:
    old = mlp([3] * 300, domain=(0, 1))
    weight = old.edges.weight.copy()
    here = old.edges.offsets[150]
    weight[here] += 1
    dot = draw_delta(old, old.with_weights(weight)).dot
    source, target, _ = list(old.links_by_key)[150]
    (line,) = re.findall(rf'"layer {source}" -> "layer {target}" \[(.*)\]', dot)
    assert CHANGED in line
    assert dot.count("layers left out …") == 2
    assert len(re.findall(r'^\s*"layer \d+" \[', dot, re.M)) == 10


def test_a_million_edges_and_ten_thousand_splits_are_one_small_picture() -> None:
    graph = mlp([1000, 1000], domain=(0, 1))
    result = ng.apply(ng.rules.SplitEdges(cross="none"), graph, limit=10_000, rng=0, probe=None)
    dot = draw_delta(result).dot
    assert len(dot) < 10_000
    assert "-10,000 edges 990,000 edges kept" in labels(dot)
    assert "+10,000 vertices" in labels(dot)


# ---- options and errors --------------------------------------------------------------------------------


def test_wrong_arguments_are_refused() -> None:
    result = split([2, 2], limit=1)
    graph = result.graph
    with pytest.raises(OptionError, match="lacks the later graph"):
        draw_delta(graph)
    with pytest.raises(OptionError, match="leave out the second"):
        draw_delta(result, graph)
    with pytest.raises(OptionError, match="read from a file"):
        draw_delta(replace(result, delta=replace(result.delta, graphs=None)))
    with pytest.raises(OptionError, match="'layers'"):
        draw_delta(result, detail="layer")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="made without a graph"):
        type(draw(graph))("digraph {}").diff(graph)


def test_pictures_and_graphs_can_be_compared() -> None:
    result = split([4, 3], limit=3)
    old = result.delta.graphs[0]  # type: ignore[index]
    drawing = draw(old, title="t", pixels=(2, 2))
    assert drawing.diff(result.graph) == drawing.diff(draw(result.graph))
    assert drawing.diff(result.graph).graph is result.graph
    assert "label=t" in drawing.diff(result.graph).dot or 'label="t' in drawing.diff(result.graph).dot


def test_a_rule_that_matches_nothing_says_so() -> None:
    result = ng.apply(ng.rules.PruneVertices(), mlp([2, 2]))
    assert not result.changed
    assert "PruneVertices matched nothing." in labels(draw_delta(result).dot)


def test_nasty_names_are_literal_in_pictures_of_changes() -> None:
    old = nasty()
    result: Result = ng.apply(ng.rules.SplitEdges(), old, rng=0, probe=None)
    for detail in ("vertices", "layers"):
        shown = draw_delta(result, detail=detail, title=NASTY).svg  # type: ignore[arg-type]
        assert "<b>" not in shown
        assert "&lt;b&gt;&amp;amp;&quot;" in shown


@given(st.data())
def test_any_rewrite_can_be_drawn(data: st.DataObject) -> None:
    result = data.draw(rewrites(data.draw(graphs())))
    if result.delta.graphs is None:
        return
    old, new = result.delta.graphs
    difference = Difference.between(old, new)
    assert difference.edges_added.sum() == len(result.delta.edges_added)
    assert difference.edges_removed.sum() == len(result.delta.edges_removed)
    assert difference.vertices_added.sum() == len(result.delta.vertices_added)
    assert difference.vertices_removed.sum() == len(result.delta.vertices_removed)
    assert difference.edges_changed.sum() == len(set().union(*(c.id for c in result.delta.edges_changed.values())))
    for detail in ("vertices", "layers"):
        assert draw_delta(result, detail=detail).dot.startswith("digraph")  # type: ignore[arg-type]
