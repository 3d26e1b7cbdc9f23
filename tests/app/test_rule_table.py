"""`netgraph rules`: what every shipped rule is proved to do."""

import subprocess
import sys

import pytest

from netgraph.app import rule_table
from netgraph.app.rule_table import GRAPHS, Cell, table
from netgraph.proof import LEVELS
from netgraph.rules import RULES, variants


@pytest.fixture(scope="module")
def rows():
    return dict(rule_table.rows())


def test_every_shipped_rule_has_a_row():
    assert {type(rule) for variant, rule in variants() if variant.title} == set(RULES.values())


def test_every_row_has_a_cell_for_every_graph_and_most_match(rows):
    assert list(rows) == [variant.title for variant, _rule in variants() if variant.title]
    cells = [cell for row in rows.values() for cell in row.values()]
    assert all(list(row) == list(GRAPHS) for row in rows.values())
    assert sum(cell.proved is None for cell in cells) == 2  # neither relu nor leaky_relu keeps what tanh gives
    assert rows["insert relu layers"]["dense, signed"].proved is None


def test_what_is_proved_is_what_is_promised(rows):
    for name, row in rows.items():
        for kind, cell in row.items():
            assert not cell.failure, f"{name} on {kind}: {cell}"
            assert cell.proved == cell.promised, f"{name} on {kind}: {cell}"
            assert "but promised" not in str(cell)


def test_what_is_exact_is_exact_in_train_mode_too(rows):
    for name, row in rows.items():
        for kind, cell in row.items():
            assert cell.proved != "exact" or not cell.assumptions, f"{name} on {kind}: {cell}"


def test_levels_are_those_that_the_docstrings_promise(rows):
    levels = {name: {cell.proved for cell in row.values()} - {None} for name, row in rows.items()}
    for name, found in levels.items():
        usual = "bounded" if "U(" in name or name in ("prune edges", "prune vertices") else "exact"
        if name == "insert rational layers" or "of K" in name or "given K" in name:
            usual = "exact up to rounding"
        expected = {usual, "exact up to rounding"} if name == "split edges by leaky_relu" else {usual}
        assert found == expected, name


@pytest.mark.parametrize("level", LEVELS)
def test_a_promise_that_is_not_kept_is_told(level):
    assert str(Cell(level, level)) == level
    assert str(Cell("exact", "unknown")) == "unknown, but promised exact"
    assert str(Cell("bounded", "bounded", ("batch norm in eval mode",))) == "bounded (batch norm in eval mode)"
    assert str(Cell(None, None)) == "-"
    assert str(Cell(None, None, failure="RewriteError")) == "RewriteError"


def test_markdown_has_one_line_per_variant(rows):
    lines = table().markdown()
    assert len(lines) == len(rows) + 2
    assert len({line.count("|") for line in lines}) == 1
    assert lines[0] == "| rule | " + " | ".join(GRAPHS) + " |"


def test_the_command_prints_a_table(call):
    code, out, err = call("rules")
    assert (code, err) == (0, "")
    for words in ("what the shipped rules are proved to do", "split", "merge", "exact up to", "bounded"):
        assert words in out


def test_the_command_prints_markdown_and_loads_no_torch():
    code = (
        "import sys\n"
        "from netgraph.app.cli import main\n"
        "status = main(['rules', '--markdown'])\n"
        "print(status, sorted({'torch', 'compilers', 'sklearn'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "\n".join([*table().markdown(), "0 []\n"])
