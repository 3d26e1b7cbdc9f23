"""The page in a browser: what it shows is the run, it can be used, and no text becomes markup."""

from __future__ import annotations

import time

import numpy as np
import pytest
from browser import CHROMIUM, DRIVER, MISSING, console_errors, open_file, widest, window
from timeline_browser import film, press, set_slider, text
from timeline_runs import ladder

from netgraph.graph import GraphBuilder, mlp, resnet
from netgraph.rewriting import apply
from netgraph.rules import WidenLayer
from netgraph.viz import timeline

pytestmark = [pytest.mark.browser, pytest.mark.skipif(not (CHROMIUM and DRIVER), reason=MISSING)]


@pytest.fixture
def driver(browser):
    return window(browser)


@pytest.fixture
def phone(browser):
    return window(browser, width=390, height=844, dark=True)


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    return ladder(tmp_path_factory.mktemp("runs") / "ladder")


@pytest.fixture(scope="module")
def graphs(journal):
    return [journal.first(), *(graph for _, graph in journal.replay())]


@pytest.fixture(scope="module")
def page(journal, tmp_path_factory):
    path = tmp_path_factory.mktemp("pages") / "growth.html"
    timeline(journal).save(path)
    return path


@pytest.fixture
def opened(driver, page):
    open_file(driver, page)
    return driver


def ink(driver):
    """How many pixels of the canvas have each of the colours that mean something."""
    return driver.execute_script("""
        const c = document.querySelector('canvas'), s = getComputedStyle(document.querySelector('section'));
        const data = c.getContext('2d').getImageData(0, 0, c.width, c.height).data, found = {all: 0};
        const wanted = {};
        for (const name of ['new', 'going']) {
          const v = s.getPropertyValue('--' + name).trim();
          wanted[name] = [1, 3, 5].map((k) => parseInt(v.slice(k, k + 2), 16)); found[name] = 0;
        }
        for (let k = 0; k < data.length; k += 4) {
          if (data[k + 3]) found.all++;
          if (data[k + 3] < 255) continue;
          for (const [name, rgb] of Object.entries(wanted))
            if (rgb.every((v, j) => Math.abs(data[k + j] - v) < 4)) found[name]++;
        }
        return found;""")


# ---- what it shows ------------------------------------------------------------------------------------


def test_it_opens_without_a_word_on_the_console(opened):
    assert console_errors(opened) == []
    assert text(opened, ".title") == "Growth of ladder"
    assert text(opened, ".at").startswith("Step 0 of ")
    assert ink(opened)["all"] > 1000


def test_every_step_shows_the_replayed_graph(opened, graphs):
    for step, graph in enumerate(graphs):
        set_slider(opened, step)
        state = film(opened)
        assert state["step"] == step
        assert sorted(map(int, map(float, state["points"]))) == sorted(graph.vertices.id.tolist())
        assert sum(state["edges"]) == len(graph.edges)
        before = graphs[step - 1].edges.id if step else graph.edges.id
        assert state["edges"][1] == (~np.isin(graph.edges.id, before)).sum()
        assert text(opened, ".counts") == (
            f"{graph.num_edges:,} edges, {graph.num_vertices:,} vertices, {graph.num_layers} layers"
        )
        assert f"Drawn: {len(graph.edges):,} of {len(graph.edges):,} edges." in text(opened, ".drawn")


def test_captions_are_those_of_the_journal(opened, journal):
    for entry in journal.entries():
        set_slider(opened, entry.rewrite)
        assert text(opened, ".heading") == f"Rewrite {entry.rewrite} of {len(journal)}: {entry.rule}"
        words = text(opened, "dl")
        assert entry.summary in words
        assert entry.certificate.level in words


def test_vertices_keep_their_places(opened, graphs):
    known = {}
    for step in range(len(graphs)):
        set_slider(opened, step)
        for vertex, (x, y, _) in film(opened)["points"].items():
            assert known.setdefault(vertex, (x, y)) == (x, y)
    assert len(known) > len(graphs[0].vertices)


def test_new_things_are_green_and_what_goes_is_red(opened, journal):
    kinds = [entry.rule for entry in journal.entries()]
    set_slider(opened, 1)
    assert ink(opened)["new"] > 100
    set_slider(opened, kinds.index("PruneEdges"))  # the step before it
    assert ink(opened)["going"] > 20
    set_slider(opened, 0)
    assert ink(opened)["new"] == 0


def test_the_spark_line_is_as_high_as_the_edges_are_many(opened, graphs):
    path = opened.execute_script("return document.querySelector('.spark .line').getAttribute('d')")
    heights = [26 - float(point.split()[1]) for point in path[1:].split("L")]
    most = max(graph.num_edges for graph in graphs)
    assert heights == pytest.approx([23 * graph.num_edges / most for graph in graphs], abs=0.01)


def test_layers_as_boxes(driver, tmp_path):
    start = mlp([30, 20, 4])
    wide = apply(WidenLayer(count=5), start, limit=1).graph
    timeline([start, wide], detail="layers").save(tmp_path / "a.html")
    open_file(driver, tmp_path / "a.html")
    boxes = [{box[0]: box[5] for box in film(driver)["boxes"]}]
    film(driver, "show(1)")
    assert ink(driver)["new"] > 100
    boxes.append({box[0]: box[5] for box in film(driver)["boxes"]})
    assert boxes[0] == {name: len(layer) for name, layer in start.layers.items()}
    assert boxes[1] == {name: len(layer) for name, layer in wide.layers.items()}
    assert "170 edges, 5 vertices" in text(driver, ".legend .new")
    assert console_errors(driver) == []


def test_wires_are_named(driver, tmp_path):
    graph = resnet(8, width=2, input_size=(3, 8, 8))
    for detail in ("vertices", "layers"):
        timeline([graph, graph], detail=detail).save(tmp_path / f"{detail}.html")
        open_file(driver, tmp_path / f"{detail}.html")
        assert "0 edges and wires" in text(driver, ".legend .new")
        assert console_errors(driver) == []
    open_file(driver, tmp_path / "vertices.html")
    assert f"of {len(graph.edges):,} edges and wires" in text(driver, ".drawn")
    assert "wires, not trained" in text(driver, ".legend")


# ---- how it is used -----------------------------------------------------------------------------------


def test_playing_goes_on_to_the_end_and_stops(opened, graphs):
    opened.execute_script("document.querySelector('.speed').value = '16'; document.querySelector('.play').click()")
    assert film(opened)["playing"]
    label = "return document.querySelector('.play').getAttribute('aria-label')"
    assert opened.execute_script(label) == "Pause"
    deadline = time.monotonic() + 60
    while film(opened)["playing"] and time.monotonic() < deadline:
        time.sleep(0.05)
    state = film(opened)
    assert (state["step"], state["playing"]) == (len(graphs) - 1, False)
    assert opened.execute_script(label) == "Play"
    opened.execute_script("document.querySelector('.play').click()")  # from the end it starts again
    assert film(opened)["step"] < len(graphs) - 1
    film(opened, "stop()")


def test_keys(opened, graphs):
    last = len(graphs) - 1
    for key, step in [("ArrowLeft", 0), ("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", last)]:
        press(opened, key)
        assert film(opened)["step"] == step
    press(opened, "ArrowRight")
    assert film(opened)["step"] == last
    press(opened, "Home")
    press(opened, " ")
    assert film(opened)["playing"]
    press(opened, " ")
    assert not film(opened)["playing"]


def test_real_keys_move_the_slider_one_step(opened):
    slider = opened.find_element("css selector", ".slide")
    slider.send_keys("\ue014")
    assert film(opened)["step"] == 1
    slider.send_keys("\ue014\ue014\ue012")
    assert film(opened)["step"] == 2


def test_step_buttons_and_their_ends(opened, graphs):
    back, forward = (opened.find_element("css selector", f".{name}") for name in ("back", "next"))
    assert not back.is_enabled()
    forward.click()
    assert film(opened)["step"] == 1
    assert back.is_enabled()
    set_slider(opened, len(graphs) - 1)
    assert not forward.is_enabled()
    back.click()
    assert film(opened)["step"] == len(graphs) - 2


def test_a_click_on_the_spark_line_goes_there(opened, graphs):
    last = len(graphs) - 1
    for share in (1.0, 0.0, 0.5):
        opened.execute_script(
            "const s = document.querySelector('.spark'), a = s.getBoundingClientRect();"
            "s.dispatchEvent(new PointerEvent('pointerdown', {clientX: a.left + arguments[0] * a.width}))",
            share,
        )
        assert film(opened)["step"] == int(np.floor(last * share + 0.5))


def test_readers_are_told_the_step(opened):
    set_slider(opened, 1)
    heading = text(opened, ".heading")
    get = "return document.querySelector(arguments[0]).getAttribute(arguments[1])"
    assert heading in opened.execute_script(get, "canvas", "aria-label")
    assert heading in opened.execute_script(get, ".slide", "aria-valuetext")
    assert opened.execute_script(get, ".caption", "aria-live") == "polite"
    unnamed = opened.execute_script(
        "const all = document.querySelectorAll('button, input, select, canvas');"
        "return [...all].filter(e => !e.getAttribute('aria-label')).length"
    )
    assert unnamed == 0


def test_the_pointer_tells_the_whole_name(driver, tmp_path):
    b = GraphBuilder()
    b.input("x" * 60, 2)
    b.output("y", 1)
    b.dense("x" * 60, "y")
    timeline([b.build()], detail="layers").save(tmp_path / "a.html")
    open_file(driver, tmp_path / "a.html")
    (_, x, y, *_), _ = film(driver)["boxes"]
    told = driver.execute_script(
        "const c = document.querySelector('canvas'), a = c.getBoundingClientRect(), s = a.width / 1000;"
        "const move = (x, y) => { c.dispatchEvent(new PointerEvent('pointermove',"
        " {clientX: a.left + x * s, clientY: a.top + y * s})); return c.title; };"
        "return [move(...arguments), move(500, 1)]",
        x,
        y,
    )
    assert told == ["x" * 60 + ": 2 vertices", ""]


def test_one_step_alone_has_no_controls(driver, tmp_path):
    timeline([mlp([3, 2])]).save(tmp_path / "a.html")
    open_file(driver, tmp_path / "a.html")
    assert not driver.find_element("css selector", ".play").is_displayed()
    press(driver, "ArrowRight")
    press(driver, " ")
    assert (film(driver)["step"], film(driver)["playing"]) == (0, False)
    assert console_errors(driver) == []


def test_without_motion_nothing_fades(driver, page):
    driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-reduced-motion", "value": "reduce"}]}
    )
    open_file(driver, page)
    frames = driver.execute_script("""
        let asked = 0; const old = window.requestAnimationFrame;
        window.requestAnimationFrame = (f) => { asked++; return old(f); };
        const film = document.querySelector('section').film; film.play(); film.show(1); film.stop();
        window.requestAnimationFrame = old; return asked;""")
    assert frames == 0


# ---- screens ------------------------------------------------------------------------------------------


def test_a_phone_needs_no_sideways_scrolling_and_is_dark(phone, page, graphs):
    open_file(phone, page)
    for step in range(len(graphs)):
        set_slider(phone, step)
        assert widest(phone) == 390
    assert film(phone)["portrait"]
    background = phone.execute_script("return getComputedStyle(document.querySelector('section')).backgroundColor")
    assert max(map(int, background[4:-1].split(","))) < 60
    assert phone.execute_script("return getComputedStyle(document.body).backgroundColor") == background
    assert console_errors(phone) == []


def test_long_names_do_not_widen_a_phone(phone, tmp_path):
    b = GraphBuilder()
    b.input("x" * 300, 2)
    b.output("y" * 300, 1)
    b.dense("x" * 300, "y" * 300)
    for detail in ("vertices", "layers"):
        timeline([(b.build(), "z" * 500)], detail=detail, title="t" * 400).save(tmp_path / f"{detail}.html")
        open_file(phone, tmp_path / f"{detail}.html")
        assert widest(phone) == 390


def test_light_pages_are_light_and_sharp_screens_get_more_pixels(opened):
    assert "255" in opened.execute_script("return getComputedStyle(document.body).backgroundColor")
    width = opened.execute_script("return document.querySelector('canvas').width")
    metrics = {"width": 1200, "height": 900, "deviceScaleFactor": 2, "mobile": False}
    opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        opened.refresh()
        assert opened.execute_script("return document.querySelector('canvas').width") == 2 * width
    finally:
        opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {**metrics, "deviceScaleFactor": 1})
