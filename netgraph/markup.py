"""Texts that may hold anything, as they are shown, and small pieces of HTML, in which every text is escaped."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Sequence

LONGEST_NAME = 28
"""Letters of a name in a picture."""
_CELL = "padding:2px 10px 2px 0"


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
    """At most so many characters of a text; its middle is left out."""
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


def markdown_row(cells: Iterable[object]) -> str:
    """A line of a table in markdown."""
    return "| " + " | ".join(map(markdown, cells)) + " |"


def html_table(columns: Sequence[str], rows: Iterable[Sequence[object]], caption: str | None = None) -> str:
    """A table that stands alone, for `_repr_html_`; colours are those of the page around it.

    Args:
        columns: headings.
        rows: cells, as many as headings in each row. Numbers stand to the right.
        caption: a line above the table.
    """
    heading = (
        "" if caption is None else f'<caption style="text-align:left;white-space:nowrap">{escape(caption)}</caption>'
    )
    head = "".join(f'<th style="text-align:left;{_CELL}">{escape(name)}</th>' for name in columns)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<table>{heading}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: object) -> str:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    text = f"{value:,}" if isinstance(value, int) and number else f"{value:.4g}" if number else value
    return f'<td style="text-align:{"right" if number else "left"};{_CELL}">{escape(text)}</td>'
