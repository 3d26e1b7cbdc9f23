"""Tables, written as text, in markdown, in HTML, and on a terminal."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from netgraph.markup import escape, markdown, printable

if TYPE_CHECKING:
    import rich.table

_CELL = "padding:2px 10px 2px 0"


@dataclass(frozen=True)
class Table:
    """Cells in rows, with headings.

    Attributes:
        title: a line above the table, or ''.
        columns: headings.
        rows: cells; each row has one per heading.
        left: indices of the left-aligned columns. All others are right-aligned, as numbers should be.
        note: a sentence below the table, or ''.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    left: Collection[int] = (0,)
    note: str = ""

    @classmethod
    def of_words(cls, title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
        """Make a table whose columns are all left-aligned."""
        return cls(title, columns, tuple(rows), left=range(len(columns)))

    def text(self, *, rule: bool = False) -> str:
        """Format headings and rows as aligned columns, two spaces apart.

        Args:
            rule: whether a line of dashes stands below the headings.
        """
        lines = [list(self.columns), *([str(cell) for cell in row] for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        if rule:
            lines.insert(1, ["-" * width for width in widths])
        return "\n".join("  ".join(map(self._padded, range(len(widths)), line, widths)).rstrip() for line in lines)

    def _padded(self, at: int, cell: str, width: int) -> str:
        return cell.ljust(width) if at in self.left else cell.rjust(width)

    def markdown(self, heading: str = "") -> list[str]:
        """Format as lines of markdown, with all cells escaped.

        Args:
            heading: mark of a heading, such as "##", to put title and note above and below the table; '' leaves them
                out.
        """
        marks = ["---" if at in self.left else "---:" for at in range(len(self.columns))]
        lines = [_row(self.columns), f"| {' | '.join(marks)} |", *map(_row, self.rows)]
        if not heading:
            return lines
        return [f"{heading} {self.title}", "", *lines, *(["", self.note] if self.note else [])]

    def html(self) -> str:
        """Format as HTML for `_repr_html_`, without a style sheet; colours are those of the page around it.

        Numbers are right-aligned in every column.
        """
        style = "text-align:left;white-space:nowrap"
        caption = f'<caption style="{style}">{escape(self.title)}</caption>' if self.title else ""
        head = "".join(f'<th style="text-align:left;{_CELL}">{escape(name)}</th>' for name in self.columns)
        body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in self.rows)
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def rich(self, **options: Any) -> rich.table.Table:
        """Convert to a table for a console of rich, with all cells escaped.

        Args:
            options: further arguments of `rich.table.Table`.
        """
        from rich.highlighter import ReprHighlighter
        from rich.table import Table as RichTable
        from rich.text import Text

        shown = ReprHighlighter()
        table = RichTable(title=self.title or None, caption=self.note or None, **options)
        for at, name in enumerate(self.columns):
            table.add_column(Text(printable(name)), justify="left" if at in self.left else "right", overflow="fold")
        for row in self.rows:
            table.add_row(*(shown(Text(printable(str(cell)))) for cell in row))
        return table


def _row(cells: Iterable[object]) -> str:
    return "| " + " | ".join(map(markdown, cells)) + " |"


def _cell(value: object) -> str:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    text = f"{value:,}" if isinstance(value, int) and number else f"{value:.4g}" if number else value
    return f'<td style="text-align:{"right" if number else "left"};{_CELL}">{escape(text)}</td>'
