"""Texts that may hold anything, as they are shown, in HTML and in markdown."""

from __future__ import annotations

import html
import re
import unicodedata

LONGEST_NAME = 28
"""Letters of a name in a picture."""


def printable(text: str, keep: str = "") -> str:
    """The text with U+FFFD for every character that does not print; blanks of any width stay, line ends become blanks.

    Among those that go are all that XML forbids, and those that turn the direction of what follows.

    Args:
        text: any text.
        keep: characters that stay as they are, such as line ends.
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c in keep or unicodedata.category(c) == "Zs" else " " if c in "\t\n" else "\ufffd"
        for c in text
    )


def shortened(text: str, longest: int = LONGEST_NAME) -> str:
    """The text, or its two ends if it has more than `longest` characters."""
    if len(text) <= longest:
        return text
    half = (longest - 1) // 2
    return f"{text[:half]}…{text[-half:]}"


def escape(text: object) -> str:
    """`str(text)`, taken literally in HTML, SVG and their attributes; what does not print becomes U+FFFD."""
    return html.escape(printable(str(text), "\n\t"), quote=True)


_MARKS = re.compile(
    r"[\\`*<>|&~]|\](?=[(\[:])|(?<![^\W_])_|_(?![^\W_])|^\s*[#=]|^\s*[+-](?=[\s-]|$)|(?<=:)//",
)


def markdown(text: object) -> str:
    """`str(text)` on one line, taken literally in markdown: no table cell, link, picture, code, tag or heading begins.

    What does not print becomes U+FFFD, as in HTML.
    """
    return _MARKS.sub(lambda found: f"{found[0][:-1]}\\{found[0][-1]}", printable(str(text)))
