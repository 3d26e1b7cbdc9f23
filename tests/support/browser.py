"""Pages in headless Chromium, for tests marked `browser`."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
MISSING = "no Chromium with its driver is installed"

_FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
)  # fmt: skip


@contextmanager
def chromium() -> Iterator[Any]:
    """A selenium driver; its pages reach no network but this machine. The fixture `browser` has one for all tests."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in _FLAGS:
        options.add_argument(flag)
    options.add_argument("--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


def window(driver: Any, *, width: int = 1200, height: int = 900, dark: bool = False) -> Any:
    """The driver at an empty page, its window of this size in CSS pixels.

    `dark` makes pages see a system in dark mode.
    """
    driver.get("about:blank")
    # The size of a window cannot go below 500; that of the page in it can.
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": scheme})
    return driver


def open_file(driver: Any, path: Path) -> None:
    """Open a page from a file, and drop what the console said before."""
    driver.get_log("browser")
    driver.get(path.resolve().as_uri())


def console_errors(driver: Any) -> list[str]:
    """Warnings and errors that the console got since it was last asked."""
    return [entry["message"] for entry in driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]


def widest(driver: Any) -> int:
    """Width in CSS pixels of everything on the page; more than that of the window means sideways scrolling."""
    return int(driver.execute_script("return document.documentElement.scrollWidth"))
