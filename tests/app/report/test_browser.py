"""Reports and live pages as a browser shows them."""

import json
import os
import shutil
import threading
import time

import numpy as np
import pytest
from browser import CHROMIUM, DRIVER, MISSING, console_errors, open_file, widest, window

from netgraph.app.report.server import serve

pytestmark = [pytest.mark.browser, pytest.mark.skipif(not (CHROMIUM and DRIVER), reason=MISSING)]


@pytest.fixture
def wide(browser):
    return window(browser)


@pytest.fixture
def phone(browser):
    return window(browser, width=390, height=844)


def pixels(driver):
    """The window as an array (height, width, 3)."""
    import io

    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(driver.get_screenshot_as_png())).convert("RGB"))


def ask(driver, script, *arguments):
    return driver.execute_script(f"return {script}", *arguments)


def until(driver, script, expected=True, seconds=30):
    """Wait until a script gives what is expected."""
    end = time.monotonic() + seconds
    while ask(driver, script) != expected and time.monotonic() < end:
        time.sleep(0.1)
    assert ask(driver, script) == expected


@pytest.mark.parametrize(("width", "dark"), [(1200, False), (1200, True), (390, False), (390, True)])
def test_the_page_has_no_errors_and_fits(width, dark, browser, finished):
    driver = window(browser, width=width, height=844, dark=dark)
    open_file(driver, finished / "report.html")
    assert console_errors(driver) == []
    assert widest(driver) == width
    shown = pixels(driver)
    assert len(np.unique(shown.reshape(-1, 3), axis=0)) > 50
    assert (shown.mean() < 100) == dark
    driver.execute_script("for (const d of document.querySelectorAll('details')) d.open = true")
    assert widest(driver) == width
    assert console_errors(driver) == []


def test_curves_and_tables_are_visible(wide, finished):
    open_file(wide, finished / "report.html")
    sizes = ask(wide, "[...document.querySelectorAll('.curve svg')].map(s => [s.clientWidth, s.clientHeight])")
    assert len(sizes) == 4
    assert all(width > 300 and height > 150 for width, height in sizes)
    rows = ask(wide, "document.querySelectorAll('.rewrites tbody tr').length")
    assert rows == len((finished / "journal.jsonl").read_text().splitlines())
    for selector in ("#topology svg", "#curve-loss, .curve svg", ".netgraph-timeline canvas"):
        wide.execute_script("document.querySelector(arguments[0]).scrollIntoView({behavior: 'instant'})", selector)
        assert len(np.unique(pixels(wide).reshape(-1, 3) @ [1 << 16, 1 << 8, 1])) > 50


def test_letters_of_curves_can_be_read_on_a_phone(browser, finished):
    phone = window(browser, width=360, height=800)
    open_file(phone, finished / "report.html")
    script = """[...document.querySelectorAll('.curve svg text')].map(
        t => parseFloat(getComputedStyle(t).fontSize) * t.getScreenCTM().a)"""
    sizes = ask(phone, script)
    assert len(sizes) > 20
    assert min(sizes) >= 10
    cut = """[...document.querySelectorAll('.curve svg')].flatMap(s => { const b = s.getBoundingClientRect();
        return [...s.querySelectorAll('text')].filter(t => { const r = t.getBoundingClientRect();
        return r.left < b.left - 1 || r.right > b.right + 1 || r.top < b.top - 1 || r.bottom > b.bottom + 1; })
        .map(t => t.textContent); })"""
    assert ask(phone, cut) == []


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [320, 360, 390, 480])
def test_no_table_and_no_drawing_is_cut_on_a_phone(width, dark, browser, finished):
    phone = window(browser, width=width, height=844, dark=dark)
    open_file(phone, finished / "report.html")
    script = """[...document.querySelectorAll('main .scroll')].filter(e => e.scrollWidth > e.clientWidth + 1)
        .map(e => e.dataset.key)"""
    assert set(ask(phone, script)) <= {"plan"}  # text in columns
    phone.execute_script("for (const d of document.querySelectorAll('.rewrites details')) d.open = true")
    assert "rewrites" not in ask(phone, script)
    labels = """[...document.querySelectorAll('.stack td[data-label]')].map(
        d => getComputedStyle(d, '::before').content.slice(1, -1))"""
    named = set(ask(phone, labels))
    assert {"balanced accuracy", "matches", "proved", "edges", "FLOPs"} <= named


def test_a_drawing_can_be_made_larger_on_a_phone(phone, finished):
    open_file(phone, finished / "report.html")
    width = "document.querySelector('[data-key=after] svg').getBoundingClientRect().width"
    small = ask(phone, width)
    assert small <= 358
    phone.execute_script("document.querySelector('[data-key=larger-after]').click()")
    assert ask(phone, width) > 1.4 * small
    wide = window(phone)
    open_file(wide, finished / "report.html")
    assert not ask(wide, "document.querySelector('[data-key=larger-after]').checkVisibility()")


def test_what_scrolls_sideways_shows_that_there_is_more(phone, finished):
    open_file(phone, finished / "report.html")
    phone.execute_script("document.querySelector('[data-key=larger-after]').click()")
    for key in ("after", "plan"):
        select = f"document.querySelector('[data-key={key}]')"
        phone.execute_script(f"{select}.scrollIntoView({{behavior: 'instant', block: 'center'}})")
        assert ask(phone, f"{select}.scrollWidth > {select}.clientWidth"), key
        box = ask(phone, f"(r => [r.top, r.bottom, r.right])({select}.getBoundingClientRect())")
        place = slice(max(round(box[0]), 60), min(round(box[1]), 844)), round(box[2]) - 3
        shaded = np.median(pixels(phone)[place].astype(int), axis=0)
        phone.execute_script(f"{select}.scrollLeft = 10000")
        assert (np.median(pixels(phone)[place].astype(int), axis=0) - shaded > 20).all(), key


def test_certificates_open_in_full(wide, finished):
    open_file(wide, finished / "report.html")
    closed = ask(wide, "document.querySelector('.certificate').checkVisibility()")
    wide.execute_script("document.querySelector('[data-key=proof-1] summary').click()")
    assert not closed
    assert ask(wide, "document.querySelector('.certificate').checkVisibility()")
    entry = json.loads((finished / "journal.jsonl").read_text().splitlines()[0])
    assert entry["certificate"]["reason"] in ask(wide, "document.querySelector('.certificate').textContent")


def test_the_timeline_steps_through_the_growth(wide, finished):
    open_file(wide, finished / "report.html")
    before = ask(wide, "document.querySelector('.netgraph-timeline .heading').textContent")
    wide.execute_script("document.querySelector('.netgraph-timeline .next').click()")
    until(wide, f"document.querySelector('.netgraph-timeline .heading').textContent !== {json.dumps(before)}")
    assert "SplitEdges" in ask(wide, "document.querySelector('.netgraph-timeline').textContent")
    assert console_errors(wide) == []


def test_what_is_printed_fits_the_paper_and_has_no_controls(wide, finished):
    open_file(wide, finished / "report.html")
    paper = {"width": 640, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
    wide.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    wide.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", paper)
    for selector in ("nav", ".netgraph-timeline .controls", ".certificate", "#settings .facts"):
        assert not ask(wide, f"document.querySelector('{selector}').checkVisibility()"), selector
    rows = ask(wide, "[...document.querySelectorAll('.rewrites tbody tr')].every(r => r.checkVisibility())")
    assert rows
    wide.execute_script("for (const d of document.querySelectorAll('#settings details')) d.open = true")
    assert ask(wide, "document.querySelector('#settings .facts').checkVisibility()")
    cut = """[...document.querySelectorAll('td, th, svg, pre, canvas, dd')].filter(
        e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))"""
    assert ask(wide, cut) == []
    assert widest(wide) == 640


@pytest.fixture
def live(tmp_path):
    """A directory that is watched, and the address of its page."""
    folder = tmp_path / "a <b> & 'run'"
    server = serve(folder)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def begin(finished, folder, epochs, rewrites):
    """A run as it was after some epochs and rewrites."""
    shutil.copytree(finished, folder, ignore=shutil.ignore_patterns("summary.*", "graph.*", "checkpoint.*", "config*"))
    for name, kept in (("metrics.jsonl", epochs), ("journal.jsonl", rewrites)):
        lines = (finished / name).read_text().splitlines(keepends=True)
        (folder / name).write_text("".join(lines[:kept]))
    shutil.copy(finished / "config.json", folder)


def test_the_page_follows_a_run_from_before_its_start_to_its_end(wide, live, finished):
    folder, address = live
    wide.get(address)
    until(wide, "document.querySelector('#notice h1').textContent.startsWith('Waiting')")
    assert str(folder) in ask(wide, "document.body.textContent")
    begin(finished, folder, 3, 1)
    until(wide, "document.querySelector('.value') && document.querySelector('.value').textContent", "3")
    until(wide, "document.querySelectorAll('.rewrites tbody tr').length", 1)
    assert not ask(wide, "document.getElementById('notice')")
    wide.execute_script("""
        const proof = document.querySelector('[data-key=proof-1]');
        proof.open = true;
        proof.querySelector('summary').focus();
        proof.scrollIntoView({block: 'center', behavior: 'instant'});
    """)
    place = "Math.round(document.querySelector('[data-key=proof-1]').getBoundingClientRect().top)"
    before = ask(wide, place)
    curves = "document.querySelector('.curve svg').getAttribute('aria-label')"
    assert "over 3 epochs" in ask(wide, curves)
    lines = (finished / "metrics.jsonl").read_text().splitlines(keepends=True)
    with (folder / "metrics.jsonl").open("a") as file:
        file.write("".join(lines[3:5]))
    entries = (finished / "journal.jsonl").read_text().splitlines(keepends=True)
    with (folder / "journal.jsonl").open("a") as file:
        file.write(entries[1])
    until(wide, "document.querySelectorAll('.rewrites tbody tr').length", 2)
    until(wide, "document.querySelector('.value').textContent", "5")
    assert "over 5 epochs" in ask(wide, curves)
    assert ask(wide, "document.querySelector('[data-key=proof-1]').open")
    assert ask(wide, "document.activeElement.closest('details').dataset.key") == "proof-1"
    assert abs(ask(wide, place) - before) <= 1
    # The timeline that came with the update runs.
    until(wide, "document.querySelector('.netgraph-timeline .heading').textContent !== ''")
    shutil.rmtree(folder)
    until(wide, "document.querySelector('#notice h1') !== null")
    shutil.copytree(finished, folder)
    until(wide, "document.querySelector('.badge').textContent", "ended")
    until(wide, "document.getElementById('notice') === null")
    assert ask(wide, "[...document.querySelectorAll('main > section')].map(s => s.id)[0]") == "head"
    assert console_errors(wide) == []


def test_the_page_says_when_a_run_that_has_not_ended_last_changed(wide, live, finished):
    folder, address = live
    begin(finished, folder, 3, 1)
    age = "document.querySelector('#head .age').textContent"
    wide.get(address)
    until(wide, f"/^Last change \\d+ s ago\\.$/.test({age})")
    for file in folder.rglob("*"):
        os.utime(file, (time.time() - 600, time.time() - 600))
    until(wide, f"{age}.startsWith('Nothing has changed for 10 min; if it was interrupted')")
    assert "--resume" in ask(wide, "document.querySelector('#again').textContent")


def test_a_part_that_did_not_change_is_left_alone(wide, live, finished):
    folder, address = live
    begin(finished, folder, 3, 1)
    wide.get(address)
    until(wide, "document.getElementById('live').textContent.startsWith('Live')")
    wide.execute_script("document.querySelector('.rewrites').dataset.same = 'yes'")
    lines = (finished / "metrics.jsonl").read_text().splitlines(keepends=True)
    with (folder / "metrics.jsonl").open("a") as file:
        file.write(lines[3])
    until(wide, "document.querySelector('.value').textContent", "4")
    assert ask(wide, "document.querySelector('.rewrites').dataset.same") == "yes"


def test_a_film_goes_on_where_a_person_was(wide, live, finished):
    folder, address = live
    begin(finished, folder, 99, 99)
    wide.get(address)
    until(wide, "document.getElementById('live').textContent.startsWith('Live')")
    wide.execute_script("document.querySelector('.netgraph-timeline .next').click()")
    heading = "document.querySelector('.netgraph-timeline .heading').textContent"
    said = ask(wide, heading)
    shutil.copy(finished / "summary.json", folder)
    until(wide, "document.querySelector('.badge').textContent", "ended")
    until(wide, "document.querySelector('.netgraph-timeline .slide').value", "1")
    assert ask(wide, heading) == said
    assert console_errors(wide) == []


def test_a_film_that_is_replaced_ends(wide, live, finished):
    folder, address = live
    begin(finished, folder, 99, 99)
    wide.get(address)
    until(wide, "document.getElementById('live').textContent.startsWith('Live')")
    # It would play for minutes, and listen to the window for good.
    wide.execute_script("""
        window.old = document.querySelector('.netgraph-timeline');
        window.heard = 0;
        const width = Object.getOwnPropertyDescriptor(Element.prototype, 'clientWidth').get;
        const stage = window.old.querySelector('.stage');
        Object.defineProperty(stage, 'clientWidth', {get() { window.heard++; return width.call(stage); }});
        window.old.querySelector('.speed').innerHTML = '<option value="0.001">slow</option>';
        window.old.film.play();
    """)
    assert ask(wide, "window.old.film.inspect().playing")
    shutil.copy(finished / "summary.json", folder)
    until(wide, "document.querySelector('.badge').textContent", "ended")
    until(wide, "window.old.isConnected", False)
    assert not ask(wide, "window.old.film.inspect().playing")
    scheme = {"name": "prefers-color-scheme", "value": "dark"}
    wide.execute_script("window.heard = 0")
    wide.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    until(wide, "matchMedia('(prefers-color-scheme: dark)').matches")
    wide.execute_async_script("requestAnimationFrame(() => setTimeout(arguments[0], 50))")
    wide.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert ask(wide, "window.heard") == 0
    assert console_errors(wide) == []


def test_the_page_says_when_nobody_answers(wide, finished):
    server = serve(finished)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    wide.get(f"http://127.0.0.1:{server.server_port}/")
    until(wide, "document.getElementById('live').textContent.startsWith('Live')")
    server.shutdown()
    server.server_close()
    until(wide, "document.getElementById('live').textContent.startsWith('No answer')")
    console_errors(wide)


def test_the_live_page_fits_a_phone(phone, live, finished):
    folder, address = live
    begin(finished, folder, 4, 2)
    phone.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": False}
    )
    phone.get(address)
    until(phone, "document.getElementById('live').textContent.startsWith('Live')")
    assert widest(phone) == 390
    assert console_errors(phone) == []
    assert len(np.unique(pixels(phone).reshape(-1, 3) @ [1 << 16, 1 << 8, 1])) > 50
