"""Small pieces of HTML, as notebooks show them. Every text is escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

_CELL = "padding:2px 10px 2px 0"


def escape(text: object) -> str:
    """`str(text)`, taken literally in HTML, SVG and their attributes; characters that XML forbids become U+FFFD."""
    visible = "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in str(text))
    return html.escape(visible, quote=True)


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
