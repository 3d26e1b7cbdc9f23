"""`draw` at the level of layers: what boxes and arrows say, and how many layers are folded into few boxes."""

from __future__ import annotations

import re

import numpy as np
import pytest
from pictures import all_pairs, arrow, arrows, attribute, edges_said, inside, item, ladder, residual, split, transformer

from netgraph.graph import Graph, mlp, resnet
from netgraph.viz import draw
from netgraph.viz.colors import MISSING, NEGATIVE, POSITIVE, SEQUENTIAL


def test_a_layer_shows_name_width_activation_and_the_color_of_its_role() -> None:
    dot = draw(mlp([784, 30, 10], activation="tanh")).dot
    assert inside(item(dot, "layer 1")) == ["hidden1", "30 vertices", "tanh"]
    assert inside(item(dot, "layer 0")) == ["input", "784 vertices"]
    assert len({attribute(item(dot, f"layer {i}"), "fillcolor") for i in range(3)}) == 3
    assert "3 layers, 824 vertices, 23,820 edges, density 1" in dot
    assert "rankdir=LR" in dot


def test_boxes_of_wide_layers_are_taller() -> None:
    dot = draw(mlp([784, 30, 10])).dot
    heights = [float(attribute(item(dot, f"layer {i}"), "height")) for i in range(3)]
    assert heights == sorted(heights, reverse=True)
    assert heights[0] - heights[2] == pytest.approx(0.3 * np.log10(785 / 11), abs=0.01)


def test_a_link_shows_edges_density_and_a_width_that_grows_with_them() -> None:
    dot = draw(mlp([784, 100, 10], density=0.5)).dot
    first, second = arrow(dot, "layer 0", "layer 1"), arrow(dot, "layer 1", "layer 2")
    assert inside(first) == ["39,200 edges", "density 0.5"]
    widths = [float(attribute(a, "penwidth")) for a in (first, second)]
    assert widths[0] > widths[1] > 0.5


def test_maps_norms_pools_kernels_and_wires_are_said() -> None:
    dot = draw(residual(), detail="layers").dot
    assert inside(item(dot, "layer 1")) == ["a", "3 vertices on 4x4", "batch norm", "relu"]
    assert inside(item(dot, "layer 2"))[-2:] == ["relu", "max pool 4x4"]
    assert inside(arrow(dot, "layer 0", "layer 1")) == ["3x3 convolution", "27 edges", "density 0.5"]
    conv, wires = re.findall(r'"layer 1" -> "layer 2" \[(.*)\]', dot)
    assert "dashed" not in conv
    assert attribute(wires, "style") == "dashed"
    assert inside(wires) == ["port 1", "3 wires"]


def test_deep_networks_run_down_the_page() -> None:
    assert "rankdir=LR" in draw(mlp([2] * 7), detail="layers").dot
    dot = draw(mlp([2] * 8), detail="layers").dot
    assert "rankdir=TB" in dot
    assert inside(arrow(dot, "layer 0", "layer 1")) == ["4 edges, density 1"]


def test_forty_layers_are_all_shown_and_of_more_the_first_and_last() -> None:
    assert "left out" not in draw(mlp([2] * 40), detail="layers").dot
    dot = draw(mlp([5] * 500)).dot
    assert len(re.findall(r'^\s*"layer \d+" \[', dot, re.M)) == 24
    (gap,) = re.findall(r'^\s*"left out from layer \d+" \[(.*)\]', dot, re.M)
    assert inside(gap) == ["… 476 layers left out …", "2,380 vertices", "475 links among them", "with 11,875 edges"]
    assert dot.count("1 link, 25 edges") == 2


def test_a_chain_of_many_layers_does_not_reach_a_recursion_limit() -> None:
    assert "… 4,976 layers left out …" in draw(mlp([1] * 5000)).dot


def test_layers_that_are_alike_and_side_by_side_share_a_box() -> None:
    dot = draw(ladder(200, back=0)).dot
    (group,) = re.findall(r'^\s*"group of layer \d+" \[(.*)\]', dot, re.M)
    assert inside(group) == ["200 layers side by side", "split-0 … split-199", "600 vertices", "relu"]
    assert "200 links   \\n   9,600 edges" in dot
    assert "200 links   \\n   6,000 edges" in dot
    assert arrows(dot) == 3
    assert "layers that are alike, at the same depth" in dot


@pytest.mark.parametrize("graph", [all_pairs(40), ladder(200, back=4), ladder(60, back=60)])
def test_many_links_fold_into_few_arrows_that_stand_for_all_edges(graph: Graph) -> None:
    dot = draw(graph, detail="layers").dot
    assert "left out" in dot
    assert arrows(dot) <= 45
    assert edges_said(dot) == graph.num_edges


def test_means_of_columns_color_arrows_and_boxes() -> None:
    result = split([8, 4], limit=4)
    graph = result.graph.with_weights(vertices={"bias": np.where(result.graph.vertices.layer == 1, 1.0, -1.0)})
    dot = draw(graph, detail="layers", edge_color="birth", vertex_color="bias").dot
    layers = {layer.name: layer.id for layer in graph.layers.values()}
    new = next(i for name, i in layers.items() if name not in ("input", "output"))
    assert attribute(arrow(dot, "layer 0", f"layer {new}"), "color") == SEQUENTIAL[-1]
    assert attribute(arrow(dot, "layer 0", "layer 1"), "color") == SEQUENTIAL[0]
    assert attribute(item(dot, "layer 1"), "fillcolor") == POSITIVE[1]
    assert attribute(item(dot, f"layer {new}"), "fillcolor") == NEGATIVE[1]
    assert attribute(item(dot, "layer 0"), "fillcolor") == MISSING
    assert "Arrows: mean birth, from 0 (light green) to 1 (dark blue)." in dot
    assert "Boxes: mean bias; blue above 0, purple below 0, strongest at 1; light grey: no value." in dot


def test_folded_boxes_count_wires_apart() -> None:
    graph = resnet(56)
    dot = draw(graph).dot
    assert "left out" in dot
    assert "1 link, 16 wires" in dot
    assert edges_said(dot) == graph.num_edges


def test_means_of_small_values_are_not_lost_behind_large_ones() -> None:
    graph = mlp([2, 3, 2])
    values = np.where(graph.edges.link == 0, 1e20, 3.0)
    dot = draw(graph, detail="layers", edge_color=values).dot
    assert "mean given values, from 3 (light green) to 1e+20 (dark blue)" in dot


def test_not_every_link_is_said_to_be_drawn_where_there_are_too_many() -> None:
    dot = draw(mlp([2] * 700), detail="vertices").dot
    assert "of 2,796 edges are drawn: the largest by |weight|." in dot
    assert "some of each link" not in dot


def test_of_alike_blocks_the_first_is_shown_in_a_frame_and_the_others_in_one_box() -> None:
    graph = resnet(56)
    dot = draw(graph).dot
    assert re.findall(r"one of (\d) alike blocks", dot) == ["9", "8", "7"]
    gaps = re.findall(r'^\s*"left out from layer \d+" \[(.*)\]', dot, re.M)
    assert [inside(gap)[0] for gap in gaps] == [f"… {n} alike blocks left out …" for n in (8, 7, 6)]
    assert sum(int(inside(gap)[1].split()[0].replace(",", "")) for gap in gaps) == 16 * 24 + 32 * 21 + 64 * 18
    shown = re.findall(r'^\s*"layer (\d+)" \[', dot, re.M)
    framed = re.findall(r'^\t\t"layer (\d+)"$', dot, re.M)
    assert len(framed) == 9
    assert set(framed) < set(shown)


def test_few_layers_are_drawn_without_frames() -> None:
    assert "cluster" not in draw(resnet(14)).dot


def test_heads_mixes_and_gates_have_shapes_and_their_wires_the_names_of_ports() -> None:
    graph = transformer(gated=True)
    dot = draw(graph, detail="layers").dot
    boxes = {layer.name: item(dot, f"layer {layer.id}") for layer in graph.layers.values()}
    assert inside(boxes["block1-heads"]) == ["block1-heads", "2 heads on 4x4", "attention, causal, rotary"]
    shapes = {name: re.findall(r"shape=(\w+)", look) for name, look in boxes.items()}
    assert [shapes[f"block1-{name}"] for name in ("heads", "mix", "gated")] == [["hexagon"], ["octagon"], ["ellipse"]]
    assert not any(shapes[name] for name in ("block1-q", "tokens", "positions", "class"))
    ids = {layer.name: f"layer {layer.id}" for layer in graph.layers.values()}
    wires = arrow(dot, ids["block1-k"], ids["block1-heads"])
    assert inside(wires) == ["keys, 4 wires"]
    assert attribute(wires, "style") == "dashed"
    assert inside(arrow(dot, ids["block1"], ids["last"])) == ["4 wires, position 3 of 4"]


@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize("blocks", [4, 12])
def test_of_a_transformer_one_block_is_shown_in_full(blocks: int, gated: bool) -> None:
    graph = transformer(blocks, gated=gated)
    dot = draw(graph, detail="layers").dot
    assert f"one of {blocks} alike blocks" in dot
    assert f"… {blocks - 1} alike blocks left out …" in dot
    assert edges_said(dot) == graph.num_edges
    shown = {int(i) for i in re.findall(r'^\s*"layer (\d+)" \[', dot, re.M)}
    assert {graph.layer(i).name for i in shown} == {
        layer.name for layer in graph.layers.values() if "block" not in layer.name or layer.name.startswith("block1-")
        or layer.name == "block1"
    }  # fmt: skip
