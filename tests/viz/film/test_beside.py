"""Timelines inside other pages, and texts from users: nothing gets out of its place, nothing becomes markup."""

from __future__ import annotations

import pytest
from browser import CHROMIUM, DRIVER, MISSING, console_errors, open_file, window
from timeline_browser import film, press, text
from timeline_runs import ladder, record

from netgraph.graph import GraphBuilder, mlp
from netgraph.rewriting import apply
from netgraph.rules import SplitEdges, WidenLayer
from netgraph.viz import timeline

pytestmark = [pytest.mark.browser, pytest.mark.skipif(not (CHROMIUM and DRIVER), reason=MISSING)]

NASTY = "</script><script>alert(1)</script><!-- <b>\"'&amp;\n\u2028\x00 ${x} {{ 7*7 }} <img src=x onerror=alert(2)>"


@pytest.fixture
def driver(browser):
    return window(browser)


def test_two_films_on_a_page_are_independent(driver, tmp_path):
    blank = tmp_path / "blank.html"
    blank.write_text('<!doctype html><link rel="icon" href="data:,">')
    start = mlp([700, 3, 1])
    other = timeline([start, apply(WidenLayer(count=2), start).graph], title="Other")
    parts = timeline(ladder(tmp_path / "ladder")).fragment("one") + other.fragment("two")
    (tmp_path / "a.html").write_text(
        f'<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><body>{parts}</body>', encoding="utf-8"
    )
    open_file(driver, tmp_path / "a.html")
    film(driver, "show(2)", "#one")
    assert film(driver, root="#two")["step"] == 0
    film(driver, "show(1)", "#two")
    assert film(driver, root="#one")["step"] == 2
    press(driver, "ArrowLeft", "#one .title")
    assert (film(driver, root="#one")["step"], film(driver, root="#two")["step"]) == (1, 1)
    press(driver, "ArrowLeft")  # a key elsewhere on the page is none of theirs
    assert (film(driver, root="#one")["step"], film(driver, root="#two")["step"]) == (1, 1)
    assert text(driver, "#two .title") == "Other"
    assert console_errors(driver) == []
    names = set(driver.execute_script("return Object.getOwnPropertyNames(window)"))
    open_file(driver, blank)
    others = driver.execute_script("return Object.getOwnPropertyNames(window)")
    assert names - set(others) - {"ret_nodes"} == set()  # that one is the driver's


def test_a_notebook_shows_it_in_a_frame_of_its_own(driver, tmp_path):
    shown = timeline([mlp([2, 2])], title=NASTY)._repr_html_()
    (tmp_path / "a.html").write_text(
        f'<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><body>{shown}{shown}</body>',
        encoding="utf-8",
    )
    open_file(driver, tmp_path / "a.html")
    frames = driver.find_elements("css selector", "iframe")
    assert len(frames) == 2
    assert driver.execute_script("return document.body.children.length") == 2
    for frame in frames:
        driver.execute_script("arguments[0].loading = 'eager'; arguments[0].scrollIntoView()", frame)
        driver.switch_to.frame(frame)
        try:
            assert "alert(1)" in driver.find_element("css selector", ".title").text
            assert driver.execute_script("return document.querySelectorAll('section, script, img').length") == 3
        finally:
            driver.switch_to.default_content()
    assert console_errors(driver) == []


# ---- texts from users ---------------------------------------------------------------------------------


@pytest.mark.parametrize("detail", ["vertices", "layers"])
def test_texts_are_taken_literally(driver, tmp_path, detail):
    b = GraphBuilder()
    b.input(NASTY, 2)
    b.output("y" + NASTY, 2)
    b.dense(NASTY, "y" + NASTY)
    start = b.build()
    folder = tmp_path / "<img src=x onerror=alert(3)> '&"
    journal = record(folder, start, [(SplitEdges(), 1)])
    lines = (folder / "journal.jsonl").read_text(encoding="utf-8")
    (folder / "journal.jsonl").write_text(lines.replace('"SplitEdges"', '"</script><i>R"'), encoding="utf-8")
    timeline(journal, detail=detail).save(tmp_path / "a.html")
    timeline([(start, NASTY), (start, "plain")], detail=detail, title=NASTY).save(tmp_path / "b.html")
    for name in "ab":
        open_file(driver, tmp_path / f"{name}.html")
        film(driver, "show(1)")
        assert console_errors(driver) == []
        tags = driver.execute_script("return [...new Set([...document.querySelectorAll('*')].map(e => e.localName))]")
        assert not {"img", "i"} & set(tags)
        assert driver.execute_script("return document.querySelectorAll('script').length") == 2
        names = [box[0] for box in film(driver)["boxes"]]
        assert names[0].startswith("</script><scr")
    film(driver, "show(0)")
    assert (
        text(driver, ".heading")
        == text(driver, ".title")
        == NASTY.replace("\x00", "\ufffd").replace("\u2028", "\ufffd")
    )
    assert driver.title.startswith("</script><script>alert(1)</script><!--")


def test_the_name_of_a_rule_is_taken_literally(driver, tmp_path):
    record(tmp_path / "run", mlp([2, 2]), [(SplitEdges(), 1)])
    file = tmp_path / "run" / "journal.jsonl"
    file.write_text(file.read_text().replace('"SplitEdges"', '"</script><i>R"'))
    timeline(tmp_path / "run").save(tmp_path / "a.html")
    open_file(driver, tmp_path / "a.html")
    film(driver, "show(1)")
    assert text(driver, ".heading") == "Rewrite 1 of 1: </script><i>R"
    assert console_errors(driver) == []
