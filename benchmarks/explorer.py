"""Seconds until interactive pages are written and open, and frames a second while they are moved, by number of edges.

python -m benchmarks.explorer

Pages are opened in headless Chromium without a graphics processor, so that all is drawn by the cores of this machine.
A page is open when its first complete picture is shown. Then the drawing is moved a little in every frame for some
seconds; the slowest frames are those of the 95th percentile. Needs selenium, Chromium and its driver.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

import netgraph as ng
from benchmarks.common import Column, Report, arguments_of

COLUMNS = (
    Column("graph", "graph"),
    Column("edges", "edges", ","),
    Column("written, s", "written", ".2f"),
    Column("MB", "megabytes", ".1f"),
    Column("open, s", "open", ".2f"),
    Column("frames a second", "frames", ".0f"),
    Column("slow frames, ms", "slow", ".0f"),
    Column("search, ms", "search", ".0f"),
)

SIZES = {
    "4 dense layers": [256, 192, 160, 128, 10],
    "2 dense layers": [784, 300, 100],
    "4 wide layers": [784, 512, 512, 512, 10],
}
SECONDS = 3.0
"""Seconds for which a drawing is moved."""

_MOVE = """
const [seconds, done] = arguments;
const times = [];
const view = explorer.views[0];
let begin = null;
function frame(now) {
  begin ??= now;
  times.push(now);
  view.panBy(6 * Math.cos((now - begin) / 300), 4 * Math.sin((now - begin) / 200));
  if (now - begin < 1000 * seconds) requestAnimationFrame(frame);
  else done(times);
}
requestAnimationFrame(frame);
"""

_SEARCH = """
const box = document.querySelector("input[type=search]");
const begin = performance.now();
box.value = arguments[0];
box.dispatchEvent(new Event("input"));
return performance.now() - begin;
"""


def browser() -> webdriver.Chrome:
    """Headless Chromium without a graphics processor."""
    options = webdriver.ChromeOptions()
    for flag in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--window-size=1400,900",
    ):
        options.add_argument(flag)
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
    return webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))


def measure(driver: webdriver.Chrome, name: str, sizes: Sequence[int], folder: Path) -> dict[str, Any]:
    """Measure one page."""
    graph = ng.mlp(list(sizes), domain=(0, 1), seed=0)
    path = folder / "page.html"
    started = time.perf_counter()
    ng.viz.explore(graph, path)
    written = time.perf_counter() - started
    driver.get(path.as_uri())
    while (opened := driver.execute_script("return window.explorer && explorer.inspect().openedAfter")) is None:
        time.sleep(0.05)
    driver.execute_script("explorer.foldAll(false)")
    times = np.diff(driver.execute_async_script(_MOVE, SECONDS))
    return {
        "graph": name,
        "edges": len(graph.edges),
        "written": written,
        "megabytes": path.stat().st_size / 1e6,
        "open": opened / 1000,
        "frames": 1000 / times.mean(),
        "slow": float(np.percentile(times, 95)),
        "search": driver.execute_script(_SEARCH, str(len(graph.edges) // 2)),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    options = arguments_of("explorer", __doc__, rounds=1).parse_args(arguments)
    torch.set_num_threads(options.threads)
    report = Report("explorer")
    driver = browser()
    driver.set_script_timeout(60)
    try:
        with tempfile.TemporaryDirectory() as folder:
            records = [measure(driver, name, sizes, Path(folder)) for name, sizes in SIZES.items()]
    finally:
        driver.quit()
    report.add("Interactive pages in Chromium", COLUMNS, records)
    report.finish(options.json)


if __name__ == "__main__":
    main()
