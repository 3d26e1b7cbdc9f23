"""One table, written as text, in markdown, in HTML and on a terminal."""

import io
import subprocess
import sys
from xml.etree import ElementTree as ET

from rich.console import Console

from netgraph.tables import Table

TABLE = Table("sizes", ("layer", "edges", "why"), [("h|1", "12", "*more*"), ("output", "3,456", "")], (0, 2), "a note")


def test_text_stands_in_columns():
    assert TABLE.text().splitlines() == ["layer   edges  why", "h|1        12  *more*", "output  3,456"]
    assert TABLE.text(rule=True).splitlines()[1] == "------  -----  ------"


def test_a_table_without_rows_has_its_headings():
    empty = Table("", ("a", "b"), [])
    assert empty.text() == "a  b"
    assert empty.markdown() == ["| a | b |", "| --- | ---: |"]


def test_markdown_takes_cells_literally():
    lines = ["| layer | edges | why |", "| --- | ---: | --- |", r"| h\|1 | 12 | \*more\* |", "| output | 3,456 |  |"]
    assert TABLE.markdown() == lines
    assert TABLE.markdown("##") == ["## sizes", "", *lines, "", "a note"]


def test_html_has_the_rows_and_numbers_to_the_right():
    root = ET.fromstring(Table("a & b", ["name", "n"], [["<b>", 12345], ["x", 0.123456]]).html())
    assert [cell.text for cell in root.iter("td")] == ["<b>", "12,345", "x", "0.1235"]
    assert root.find("caption").text == "a & b"
    assert ["right" in cell.get("style") for cell in root.iter("td")] == [False, True, False, True]
    assert ET.fromstring(Table("", ["n"], []).html()).find("caption") is None


def test_a_terminal_shows_cells_literally():
    console = Console(width=60, file=io.StringIO(), record=True)
    console.print(Table("all [b]of[/b] it", ("name",), [("[red]x[/red]",), (3,)]).rich())
    assert {"[red]x[/red]", "3"} <= {line.strip("│ ") for line in console.export_text().splitlines()}


def test_words_stand_to_the_left():
    assert Table.of_words("", ("a", "b"), [("1", "2")]).markdown()[1] == "| --- | --- |"


def test_tables_load_rich_only_for_a_terminal():
    code = "import sys, netgraph.tables; print('rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
