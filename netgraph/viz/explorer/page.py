"""An explorer page: the payload and the colours of the pictures, put into the bundled page."""

from __future__ import annotations

import html
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from netgraph.markup import json_script, printable
from netgraph.viz.colors import CHANGED, MISSING, SEQUENTIAL
from netgraph.viz.themes import DARK, LIGHT

_OWN: Mapping[str, Mapping[str, Any]] = {
    "light": {
        **LIGHT,
        "kept": "#9aa1aa",
        "changed": CHANGED,
        "missing": MISSING,
        "match": "#d6007f",
        "band": "#c3c9d0",
        "sequential": SEQUENTIAL,
    },
    "dark": {
        **DARK,
        "kept": "#7d8590",
        "changed": "#f0b429",
        "missing": "#545b64",
        "match": "#ff5cb8",
        "band": "#434b55",
        "sequential": ("#2f5a6b", "#3f8fa8", "#62c3c4", "#d2f5d8"),
    },
}
"""Colours by name in each theme. One name has one meaning; `sequential` has the stops of a scale."""


def page(payload: Mapping[str, Any]) -> str:
    """Return the HTML of a page that shows a payload. It contains all that it needs, and requests nothing.

    Cost: O(size of the payload).
    """
    title = html.escape(printable(str(payload["title"])))
    data = json_script({**payload, "palette": _OWN})
    before, rest = _bundle().split("netgraph:title", 1)
    middle, after = rest.split("netgraph:payload", 1)
    return f"{before}{title}{middle}{data}{after}"


@cache
def _bundle() -> str:
    return (files("netgraph.viz.explorer") / "explorer.html").read_text(encoding="utf-8")
