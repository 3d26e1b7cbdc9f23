"""Text from unknown sources made safe to show: printable, shortened, and literal in HTML and in markdown."""

from __future__ import annotations

import html
import json
import re
import unicodedata
from typing import Any

LONGEST_NAME = 28
"""Largest number of characters of a name in a picture."""
# Only these characters could end a script element, or a line in it.
_UNSAFE = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


def printable(text: str, keep: str = "") -> str:
    """Replace characters that do not print by U+FFFD; spaces of any width stay, line ends and tabs become spaces.

    Replaced are, among others, all characters that XML forbids, and those that change the direction of writing.

    Args:
        text: any text.
        keep: characters that stay, such as line ends.
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c in keep or unicodedata.category(c) == "Zs" else " " if c in "\t\n" else "\ufffd"
        for c in text
    )


def shortened(text: str, longest: int = LONGEST_NAME) -> str:
    """Shorten a text to at most `longest` characters; an ellipsis stands for its middle."""
    if len(text) <= longest:
        return text
    half = (longest - 1) // 2
    return f"{text[:half]}…{text[-half:]}"


def escape(text: object) -> str:
    """Escape `str(text)` for HTML, SVG and their attributes; characters that do not print become U+FFFD."""
    return html.escape(printable(str(text), "\n\t"), quote=True)


_MARKS = re.compile(
    r"[\\`*<>|&~]|\](?=[(\[:])|(?<![^\W_])_|_(?![^\W_])|^\s*[#=]|^\s*[+-](?=[\s-]|$)|(?<=:)//",
)


def markdown(text: object) -> str:
    """Escape `str(text)` for one line of markdown: no table cell, link, picture, code, tag or heading begins in it.

    Characters that do not print become U+FFFD, as in HTML.
    """
    return _MARKS.sub(lambda found: f"{found[0][:-1]}\\{found[0][-1]}", printable(str(text)))


def json_script(values: Any) -> str:
    """Format values as JSON for a script element; no character of it can end the element or a line."""
    return json.dumps(values, separators=(",", ":"), ensure_ascii=False).translate(_UNSAFE)
