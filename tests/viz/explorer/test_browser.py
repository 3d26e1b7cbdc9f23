"""Explorer pages as a browser shows them: what is drawn, found, chosen, folded and marked."""

import json
import time

import numpy as np
import pytest
from browser import CHROMIUM, DRIVER, MISSING, console_errors, open_file, widest, window

import netgraph as ng

pytestmark = [pytest.mark.browser, pytest.mark.skipif(not (CHROMIUM and DRIVER), reason=MISSING)]

SMALL = ng.mlp([6, 4, 3], domain=(0, 1), seed=2)


@pytest.fixture
def show(browser, tmp_path):
    """Open the page of a subject, and wait until its drawings stand still."""

    def opened(subject, *, width=1200, height=900, dark=False, **options):
        driver = window(browser, width=width, height=height, dark=dark)
        ng.viz.explore(subject, tmp_path / "page.html", **options)
        open_file(driver, tmp_path / "page.html")
        settle(driver)
        return driver

    return opened


def settle(driver, seconds=30):
    end = time.monotonic() + seconds
    script = "return Boolean(window.explorer && explorer.inspect().graphs.every((graph) => graph.still))"
    while not driver.execute_script(script):
        assert time.monotonic() < end, "the drawing never stands still"
        time.sleep(0.05)


def state(driver, graph=None):
    settle(driver)
    found = driver.execute_script("return explorer.inspect()")
    return found if graph is None else found["graphs"][graph]


def press(driver, keys):
    for key in keys:
        shift = key.isupper()
        driver.execute_script(
            "document.body.dispatchEvent(new KeyboardEvent('keydown',"
            " {key: arguments[0], shiftKey: arguments[1], bubbles: true}))", key, shift
        )  # fmt: skip


def text(driver, selector):
    return driver.execute_script("return document.querySelector(arguments[0]).textContent", selector)


def search(driver, words):
    driver.execute_script(
        "const box = document.querySelector('input[type=search]'); box.value = arguments[0];"
        " box.dispatchEvent(new Event('input')); box.dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter'}))", words
    )  # fmt: skip
    return state(driver)["chosen"]


def facts(driver):
    """Values of the columns of the chosen item, by name, in the panel."""
    script = """
        const list = document.querySelector('#details dl');
        return [...list.querySelectorAll('dt')].map((dt) => [dt.textContent, dt.nextElementSibling.textContent]);
    """
    return dict(driver.execute_script(script))


def test_a_hundred_thousand_edges_are_drawn_and_each_is_found_by_its_id(show):
    graph = ng.mlp([256, 192, 160, 128, 10], domain=(0, 1), seed=0)
    assert len(graph.edges) > 100_000
    driver = show(graph)
    assert state(driver, 0)["edges"] == len(graph.edges)
    for edge in (0, 77_777, int(graph.edges.id[-1])):
        one = graph.edges[edge]
        assert search(driver, f"e{edge}").startswith(f"Edge {edge}: ")
        shown = facts(driver)
        assert float(shown["weight"]) == pytest.approx(one.weight, rel=1e-3)
        assert f"Vertex {one.source}:" in shown["from"]
        assert f"Vertex {one.target}:" in shown["to"]
    assert search(driver, "hidden2") == "Layer hidden2: 160 vertices"
    before = state(driver, 0)["transform"]
    press(driver, ["ArrowLeft", "+"])
    assert state(driver, 0)["transform"] != before
    assert driver.execute_script("return performance.getEntriesByType('resource').length") == 0
    assert console_errors(driver) == []


def test_the_history_of_edges_is_that_of_the_journal(show, journal):
    driver = show(journal)
    end = journal.entries()[-1].rewrite
    graph = ng.apply_delta(journal.before(end), journal.delta(end))[0]
    entries = {entry.rewrite: entry for entry in journal.entries()}
    chosen = np.random.default_rng(0).choice(graph.edges.id, 20, replace=False).tolist()
    births = set()
    for edge in chosen:
        driver.execute_script(
            "explorer.select({kind: 'edge', graph: 1, row: explorer.graphs[1].edges.rowOf(arguments[0])})", edge
        )
        shown = text(driver, "#details")
        birth = int(graph.edges.birth[graph.edges.find(np.array([edge]))[0]])
        births.add(birth)
        if not birth:
            assert "Part of the first graph of its history." in shown
            continue
        entry = entries[birth]
        assert f"Born by Rewrite {birth}: {entry.rule}" in shown
        assert str(entry.certificate) in shown
        assert f"epoch{entry.epoch}" in shown.replace(" ", "")
        assert "Weight" in shown, "no curve"
    assert len(births) > 2


def test_layers_fold_to_bands_and_unfold(show):
    driver = show(SMALL)
    press(driver, ["F"])
    assert state(driver, 0)["folded"] == ["input", "hidden1", "output"]
    assert (state(driver, 0)["edges"], state(driver, 0)["bands"]) == (0, 2)
    assert search(driver, "v7").startswith("Vertex 7")  # to find a vertex unfolds its layer
    assert state(driver, 0)["folded"] == ["input", "output"]
    press(driver, ["f"])
    assert state(driver, 0)["folded"] == ["input", "hidden1", "output"]
    press(driver, ["F"])
    assert (state(driver, 0)["folded"], state(driver, 0)["edges"]) == ([], len(SMALL.edges))


def test_filters_leave_the_edges_of_a_range(show):
    driver = show(SMALL)
    driver.execute_script("explorer.set({filters: [{kind: 'edges', column: 'weight', low: 0.1, high: 10}]})")
    assert state(driver, 0)["edges"] == (SMALL.edges.weight >= 0.1).sum()
    driver.execute_script("explorer.set({filters: [{kind: 'vertices', column: 'id', low: 0, high: 5}]})")
    assert state(driver, 0)["edges"] == 0, "edges end with their vertices"
    assert state(driver, 0)["vertices"] == 6


def test_every_column_colours_and_has_a_legend(show):
    stats = ng.Statistics(SMALL.topology_hash, {"mean_abs_gradient": np.linspace(0, 1, len(SMALL.edges))})
    driver = show(SMALL, stats=stats)
    columns = driver.execute_script(
        "return [...document.querySelectorAll('#controls select')[0].options].map((o) => o.value)"
    )
    assert {"weight", "mean_abs_gradient", "birth", "tap", "port", "link", "frozen", "id"} <= set(columns)
    for column in columns:
        driver.execute_script("explorer.set({edgeColumn: arguments[0]})", column)
        assert f"edges by {column}:" in text(driver, ".legend")
    assert console_errors(driver) == []


def test_a_rewrite_shows_what_came_went_and_stayed(show):
    result = ng.apply(ng.rules.SplitEdges(), SMALL, limit=3)
    driver = show(result)
    before, after = state(driver)["graphs"]
    assert (before["name"], after["name"]) == ("before", "after")
    assert before["transform"] == after["transform"], "what stays is in one place"
    assert state(driver)["edgeColumn"] == "change"
    assert [word for word in ("in both", "removed", "added") if word in text(driver, ".legend")] == [
        "in both",
        "removed",
        "added",
    ]
    assert before["marks"] == [["edges", 3, False], ["vertices", 3, False], ["vertices", 1, False]]
    assert "[object" not in driver.execute_script("return document.body.textContent")


def test_matches_and_nearest_misses_of_a_rule_are_marked(show):
    rule = ng.rules.PruneEdges(below=0.2)
    driver = show(SMALL, rule=rule)
    found = len(ng.find(rule, SMALL))
    marks = state(driver, 0)["marks"]
    assert ["edges", found, False] in marks
    assert any(dashed for _, _, dashed in marks)
    press(driver, ["m"])
    chosen = state(driver)["chosen"]
    assert chosen.startswith(f"Edge {ng.find(rule, SMALL).e.id[0]}: ")
    assert "PruneEdges" in text(driver, "#rule")


@pytest.mark.parametrize(("width", "dark"), [(1200, True), (390, False)])
def test_a_phone_and_the_dark_are_served(show, width, dark):
    driver = show(SMALL, width=width, height=844, dark=dark)
    assert state(driver)["theme"] == ("dark" if dark else "light")
    assert widest(driver) == width
    press(driver, ["t"])
    assert state(driver)["theme"] == ("light" if dark else "dark")
    assert console_errors(driver) == []


def test_keys_walk_through_the_graph_and_names_are_said(show):
    driver = show(SMALL)
    press(driver, ["n", "n"])
    assert state(driver)["chosen"].startswith("Vertex 1: ")
    assert text(driver, "[role=status]").startswith("Vertex 1: ")
    press(driver, ["e"])
    assert state(driver)["chosen"].startswith("Edge ")
    unnamed = """
        return [...document.querySelectorAll('button, input, select, canvas, [role=tabpanel]')].filter((element) =>
            !(element.textContent.trim() || element.ariaLabel || element.getAttribute('aria-labelledby')
              || element.closest('label')?.textContent.trim())).map((element) => element.outerHTML);
    """
    assert driver.execute_script(unnamed) == []
    press(driver, ["Escape"])
    assert state(driver)["chosen"] is None


def test_two_runs_stand_side_by_side(show):
    other = ng.mlp([6, 8, 3], domain=(0, 1), seed=3)
    driver = show(SMALL, beside=other)
    one, two = state(driver)["graphs"]
    assert (one["edges"], two["edges"]) == (len(SMALL.edges), len(other.edges))
    assert "In network" in _details_of(driver, 0)


def _details_of(driver, graph):
    driver.execute_script("explorer.select({kind: 'edge', graph: arguments[0], row: 0})", graph)
    return text(driver, "#details")


def test_the_page_around_a_page_hears_what_is_chosen(browser, tmp_path):
    driver = window(browser)
    page = ng.viz.explore(SMALL)
    (tmp_path / "around.html").write_text(
        f"<!doctype html><script>addEventListener('message', (e) => heard = e.data)</script>{page._repr_html_()}"
    )
    open_file(driver, tmp_path / "around.html")
    driver.switch_to.frame(0)
    settle(driver)
    press(driver, ["n"])
    driver.switch_to.default_content()
    heard = driver.execute_script("return heard")
    assert json.loads(json.dumps(heard)) == {
        "netgraph": "chosen", "chosen": {"kind": "vertex", "id": 0, "graph": "network"}
    }  # fmt: skip
