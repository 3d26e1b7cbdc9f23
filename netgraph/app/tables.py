"""Tables on terminals of any width: side by side where every word fits, else a list for each row."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.measure import Measurement
from rich.padding import Padding
from rich.text import Text

from netgraph.tables import Table


def print_table(console: Console, table: Table, **options: Any) -> None:
    """Print a table, of which nothing is cut: where its words do not fit side by side, each row becomes a list.

    Args:
        console: where it is printed.
        table: the table.
        options: further arguments of `rich.table.Table`.
    """
    whole = table.rich(**options)
    if Measurement.get(console, console.options.update(max_width=10_000), whole).minimum <= console.width:
        console.print(whole)
        return
    if table.title:
        console.print(_text(console, table.title), style="italic")
    names = [_text(console, name) for name in table.columns]
    for row in table.rows:
        first, *others = (_text(console, str(cell)) for cell in row)
        console.print(Text.assemble(names[0], " " if names[0] else "", first), style="bold")
        for name, cell in zip(names[1:], others, strict=True):
            if cell:
                console.print(Padding(Text.assemble(name, ": ", cell), (0, 0, 0, 2)))
    if table.note:
        console.print(_text(console, table.note), style="italic")


def _text(console: Console, value: str) -> Text:
    text = console.render_str(value)
    text.overflow = "fold"
    return text
