"""Texts in pictures: taken literally, measured, cut to a readable length."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterable
from typing import cast

from netgraph.markup import printable

_LINE_LETTERS, _MOST_LINES = 96, 4


def plain(text: str) -> str:
    """Take any text literally in DOT; characters that XML forbids or that do not show are replaced."""
    return visible(text).replace("\\", "\\\\").replace("&", "&amp;")


def visible(text: str) -> str:
    """The text with every character that does not show replaced, and words for an empty one."""
    return printable(text) or "(no name)"


def wrapped(text: str) -> list[str]:
    """The text in at most four lines of at most 96 characters; what is more is left out."""
    lines = textwrap.wrap(visible(text), _LINE_LETTERS, max_lines=_MOST_LINES, placeholder=" …")
    return lines or ["(no name)"]


def label(*lines: str, align: str = "n") -> str:
    """Lines, already plain, as one label: centred, or to the left with `align="l"`."""
    from graphviz import nohtml

    text = "\\n".join(lines) if align == "n" else "".join(f"{line}\\{align}" for line in lines)
    return cast("str", nohtml(text))  # str() of it would lose the mark


def literal(text: str) -> str:
    """Any text as it is, for an attribute in DOT."""
    return label(plain(text))


def text_width(text: str, size: float) -> float:
    """Width of a text in points, on the wide side of what common sans-serif fonts need."""
    return size * sum(map(_letter, text))


def _letter(c: str) -> float:
    if unicodedata.east_asian_width(c) in "WF":
        return 1.05
    if c in "ijltf.,:;'|! ()[]":
        return 0.36
    if c in "<>&#~^":
        return 0.88
    if c in "mwMW@%—…\ufffd":
        return 1.02
    return 0.74 if c.isupper() or not c.isascii() else 0.6


def times(sizes: Iterable[int]) -> str:
    """Sizes as in 3x3."""
    return "x".join(map(str, sizes))


def count(n: int, one: str, many: str | None = None) -> str:
    """A number with its noun, as in `1 edge` and `1,200 edges`."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def number(value: float) -> str:
    """A number with three digits; whole ones up to a million in full."""
    value += 0.0  # not -0
    return f"{value:,.0f}" if value == round(value) and abs(value) < 1e6 else f"{value:.3g}"
