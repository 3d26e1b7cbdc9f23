"""Pictures stay as they were looked at. After a wanted change, look at them again and store the new ones:

    NETGRAPH_UPDATE_SNAPSHOTS=1 python -m pytest tests/viz/test_draw_snapshots.py

Small ones are stored as DOT in `snapshots/`, large ones as counts and a hash in `snapshots/large.json`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from pictures import NASTY, all_pairs, ladder, nasty, residual, skips, split, transformer, two_ends, unlinked

import netgraph as ng
from netgraph.graph import mlp
from netgraph.viz import Drawing, draw, draw_delta

FOLDER = Path(__file__).parent / "snapshots"
LARGE = FOLDER / "large.json"
UPDATE = os.environ.get("NETGRAPH_UPDATE_SNAPSHOTS") == "1"

SMALL_ONES: dict[str, Callable[[], Drawing]] = {
    "mlp": lambda: draw(mlp([4, 3, 2]), title="A small network"),
    "one_edge": lambda: draw(mlp([1, 1])),
    "no_edges": lambda: draw(unlinked()),
    "skips": lambda: draw(skips(), title="Skip links"),
    "skips_as_layers": lambda: draw(skips(), detail="layers"),
    "two_ends": lambda: draw(two_ends()),
    "image": lambda: draw(mlp([12, 2]), pixels=(3, 2, 2)),
    "birth_and_bias": lambda: draw(split([4, 2], limit=3).graph, edge_color="birth", vertex_color="bias"),
    "means": lambda: draw(split([4, 2], limit=3).graph, detail="layers", edge_color="birth", vertex_color="birth"),
    "residual": lambda: draw(residual(), detail="vertices"),
    "residual_as_layers": lambda: draw(residual(), detail="layers"),
    "resnet": lambda: draw(ng.resnet(8), title="A residual network"),
    "convnet": lambda: draw(ng.convnet([[8, 8], [16]], input_size=(1, 8, 8)), detail="layers"),
    "attention": lambda: draw(transformer()),
    "gated_as_layers": lambda: draw(transformer(gated=True), detail="layers"),
    "transformer": lambda: draw(transformer(12, width=64, tokens=32, symbols=99, heads=4), title="Twelve blocks"),
    "nasty": lambda: draw(nasty(), title=NASTY),
    "nasty_as_layers": lambda: draw(nasty(), title=NASTY, detail="layers"),
    "ladder": lambda: draw(ladder(60, back=4)),
    "side_by_side": lambda: draw(ladder(200, back=0)),
    "chain": lambda: draw(mlp([5] * 500)),
    "change": lambda: draw_delta(split([4, 3], limit=3), title="Splits"),
    "change_as_layers": lambda: draw_delta(split([64, 10], limit=60)),
}
LARGE_ONES: dict[str, Callable[[], Drawing]] = {
    "grown": lambda: draw(split([64, 10], limit=60).graph, pixels=(8, 8), vertex_color="birth"),
    "a_million_edges": lambda: draw(mlp([50_000, 10, 10, 49_980])),
    "a_million_edges_as_vertices": lambda: draw(mlp([1000, 1000]), detail="vertices"),
    "all_pairs": lambda: draw(all_pairs(60)),
    "ten_thousand_layers": lambda: draw(mlp([1] * 10_000)),
    "large_change": lambda: draw_delta(split([64, 10]), detail="vertices"),
}


def lines(dot: str) -> list[str]:
    """The lines, with numbers that the last bits of floating point may move rounded."""
    return [re.sub(r"-?\d+\.\d+", lambda found: f"{float(found[0]):.3g}", line) for line in dot.splitlines()]


@pytest.mark.parametrize("name", SMALL_ONES)
def test_small_picture_is_the_stored_one(name: str) -> None:
    dot, path = SMALL_ONES[name]().dot, FOLDER / f"{name}.dot"
    if UPDATE:
        FOLDER.mkdir(exist_ok=True)
        path.write_text(dot, encoding="utf-8")
    assert lines(dot) == lines(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", LARGE_ONES)
def test_large_picture_is_the_stored_one(name: str) -> None:
    dot = LARGE_ONES[name]().dot
    facts = {
        "items": len(re.findall(r"^\t[^\s].* \[", dot, re.M)) - len(re.findall(" -> ", dot)),
        "arrows": len(re.findall(" -> ", dot)),
        "hash": hashlib.sha256("\n".join(lines(dot)).encode()).hexdigest()[:16],
    }
    stored = json.loads(LARGE.read_text(encoding="utf-8")) if LARGE.exists() else {}
    if UPDATE:
        stored[name] = facts
        LARGE.write_text(json.dumps(stored, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    assert facts == stored[name]


def test_no_stored_picture_is_left_over() -> None:
    assert {path.stem for path in FOLDER.glob("*.dot")} == set(SMALL_ONES)
    assert set(json.loads(LARGE.read_text(encoding="utf-8"))) == set(LARGE_ONES)
