"""The browser that other tests open pages in: it reports errors, knows dark mode and small windows, and is offline."""

import pytest
from browser import CHROMIUM, DRIVER, MISSING, console_errors, open_file, widest, window

pytestmark = [pytest.mark.browser, pytest.mark.skipif(not (CHROMIUM and DRIVER), reason=MISSING)]

PAGE = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">
<style>p{width:300px} @media (prefers-color-scheme: dark){p{width:700px}}</style><p>text</p>"""


def test_errors_and_requests_are_reported(browser, tmp_path):
    page = tmp_path / "page.html"
    page.write_text(PAGE + '<script>missing()</script><img src="https://example.org/a.png">')
    driver = window(browser, width=390, dark=True)
    open_file(driver, page)
    errors = console_errors(driver)
    assert any("missing is not defined" in error for error in errors)
    assert any("example.org" in error for error in errors)
    assert widest(driver) > 390


def test_a_page_without_errors_has_none(browser, tmp_path):
    page = tmp_path / "page.html"
    page.write_text(PAGE)
    driver = window(browser, width=390)
    open_file(driver, page)
    assert console_errors(driver) == []
    assert widest(driver) == 390
