"""Texts in pictures: escaped, measured, and cut to a readable length."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterable
from typing import cast

from netgraph.markup import printable

_LINE_LETTERS, _MOST_LINES = 96, 4


def plain(text: str) -> str:
    """Escape a text for DOT, so that it is shown literally, and replace invisible and forbidden characters."""
    return visible(text).replace("\\", "\\\\").replace("&", "&amp;")


def visible(text: str) -> str:
    """Replace characters that are invisible or that XML forbids; replace an empty text by "(no name)"."""
    return printable(text) or "(no name)"


def wrap(text: str) -> list[str]:
    """Break a text into at most four lines of at most 96 characters; the rest is left out."""
    lines = textwrap.wrap(visible(text), _LINE_LETTERS, max_lines=_MOST_LINES, placeholder=" …")
    return lines or ["(no name)"]


def label(*lines: str, align: str = "n") -> str:
    """Join lines that `plain` has escaped to one label: centred, or aligned to the left with `align="l"`."""
    from graphviz import nohtml

    text = "\\n".join(lines) if align == "n" else "".join(f"{line}\\{align}" for line in lines)
    return cast("str", nohtml(text))  # a call of str() would lose the mark of `nohtml`


def literal(text: str) -> str:
    """Escape a text for an attribute in DOT, so that it is shown literally."""
    return label(plain(text))


def text_width(text: str, size: float) -> float:
    """Estimate the width of a text in points, not below its width in common sans-serif fonts."""
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
    """Format sizes, as in `3x3`."""
    return "x".join(map(str, sizes))


def format_count(n: int, one: str, many: str | None = None) -> str:
    """Format a number with its noun, as in `1 edge` and `1,200 edges`.

    Args:
        n: the number.
        one: singular of the noun.
        many: plural; by default the singular with an "s".
    """
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def number(value: float) -> str:
    """Format a number with three digits, or in full if it is whole and below a million."""
    value += 0.0  # not -0
    return f"{value:,.0f}" if value == round(value) and abs(value) < 1e6 else f"{value:.3g}"
