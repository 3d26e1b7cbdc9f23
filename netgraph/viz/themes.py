"""Colours of pages by name, in a light and in a dark theme."""

from __future__ import annotations

from collections.abc import Mapping

from netgraph.viz.colors import ADDED, FAINT, GRAY, INK, NEGATIVE, PAPER, POSITIVE, QUIET, REMOVED, ROLES

LIGHT: Mapping[str, str] = {
    "paper": PAPER,
    "ink": INK,
    "quiet": QUIET,
    "faint": FAINT,
    "wire": GRAY,
    "new": ADDED,
    "going": REMOVED,
    "positive": POSITIVE[1],
    "negative": NEGATIVE[1],
    **{role: fill for role, (fill, _) in ROLES.items()},
    **{f"{role}-line": line for role, (_, line) in ROLES.items()},
}
DARK: Mapping[str, str] = {
    "paper": "#15181c",
    "ink": "#e6e9ed",
    "quiet": "#a3abb5",
    "faint": "#343a42",
    "wire": "#6b737d",
    "new": "#3ddc84",
    "going": "#ff6b5e",
    "positive": "#6cb2f5",
    "negative": "#c79be0",
    "input": "#1d3a5f",
    "input-line": "#7fb0ea",
    "position": "#1b3f45",
    "position-line": "#6cc5d1",
    "hidden": "#2c3138",
    "hidden-line": "#a3abb5",
    "output": "#4d3413",
    "output-line": "#e9a94b",
}
