"""Tables are never cut, however narrow the terminal is."""

import io

import pytest
from rich.console import Console

from netgraph.app.cli import main
from netgraph.app.tables import print_table
from netgraph.tables import Table


def printed(table, width):
    console = Console(width=width, file=io.StringIO(), record=True)
    print_table(console, table)
    return console.export_text()


@pytest.fixture
def table():
    rows = [("input-of-many-letters", "1,234", "plus 3 vertices"), ("output", "", "nothing")]
    return Table(
        "All that there is", ("layer", "edges", "what changed"), rows, left=(0, 2), note="one sentence below it"
    )


@pytest.mark.parametrize("width", [12, 25, 40, 60, 120])
def test_every_word_of_a_table_is_there_at_any_width(table, width):
    text = printed(table, width)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    letters = "".join(c for c in text if c.isalnum())
    for word in ("inputofmanyletters", "1234", "nothing", "Allthatthereis", "onesentencebelowit"):
        assert word in letters or width > 25


def test_what_is_too_wide_becomes_a_list_for_each_row(table):
    lines = [line.rstrip() for line in printed(table, 34).splitlines()]
    assert lines == [
        "All that there is", "layer input-of-many-letters", "  edges: 1,234", "  what changed: plus 3 vertices",
        "layer output", "  what changed: nothing", "one sentence below it",
    ]  # fmt: skip
    assert "│ output" in printed(table, 80)


@pytest.mark.parametrize("columns", ["20", "40", "80"])
def test_commands_cut_nothing(columns, finished, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", columns)
    for command in (["show", str(finished)], ["rules"], ["data"], ["methods"]):
        assert main(command) == 0
        assert "…" not in capsys.readouterr().out, command
