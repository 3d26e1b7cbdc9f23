"""Tables on terminals of any width: side by side where every word fits, else a list for each row."""

from __future__ import annotations

from rich.console import Console
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text


def print_table(console: Console, table: Table) -> None:
    """Print a table, of which nothing is cut: where its words do not fit side by side, each row becomes a list."""
    if Measurement.get(console, console.options.update(max_width=10_000), table).minimum <= console.width:
        for column in table.columns:
            column.overflow = "fold"
        console.print(table)
        return
    if table.title:
        console.print(_text(console, table.title), style="italic")
    names = [_text(console, column.header) for column in table.columns]
    for cells in zip(*(column.cells for column in table.columns), strict=True):
        first, *others = (_text(console, cell) for cell in cells)
        console.print(Text.assemble(names[0], " " if names[0] else "", first), style="bold")
        for name, cell in zip(names[1:], others, strict=True):
            if cell:
                console.print(Padding(Text.assemble(name, ": ", cell), (0, 0, 0, 2)))
    if table.caption:
        console.print(_text(console, table.caption), style="italic")


def _text(console: Console, value: object) -> Text:
    text = value if isinstance(value, Text) else console.render_str(str(value))
    text.overflow = "fold"
    return text
