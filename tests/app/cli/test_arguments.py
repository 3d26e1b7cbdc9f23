"""Arguments of commands follow from the fields of what they ask for."""

import argparse
from dataclasses import dataclass, field, fields
from pathlib import Path

import pytest

from netgraph.app.cli import build_parser
from netgraph.app.cli.arguments import add_request, given
from netgraph.app.option_texts import attribute_texts
from netgraph.app.requests import GrowRequest, StudyRequest, Task


@dataclass
class Asked:
    """Attributes of every kind.

    Attributes:
        place: where, in 100 % of cases
        names: of things
        shares: of things
        count: number of things
        task: kind
        full: all of it
        out: a path
    """

    place: str
    names: tuple[str, ...] = ()
    shares: tuple[float, ...] = (0.5,)
    count: int | None = field(default=None, metadata={"metavar": "N"})
    task: Task | None = None
    full: bool = False
    out: Path | None = None


@pytest.fixture
def parser():
    parser = argparse.ArgumentParser(prog="toy")
    add_request(parser, Asked, positional=("place",))
    return parser


def test_texts_become_values_of_the_fields(parser):
    words = [
        "here",
        "--names",
        "a,b",
        "--shares",
        ".1,.2",
        "--count",
        "3",
        "--task",
        "regression",
        "--full",
        "--out",
        "x",
    ]
    asked = Asked(**given(parser.parse_args(words), Asked))
    assert asked == Asked("here", ("a", "b"), (0.1, 0.2), 3, "regression", full=True, out=Path("x"))


def test_defaults_stand_in_the_request_alone(parser):
    assert given(parser.parse_args(["here"]), Asked) == {"place": "here", "full": False}


def test_help_has_the_lines_of_the_docstring(parser):
    text = " ".join(parser.format_help().split())
    assert "PLACE where, in 100 % of cases" in text
    assert "--count N number of things" in text
    assert "--task {classification,regression} kind" in text


@pytest.mark.parametrize("words", [["--count", "2.5"], ["--shares", "a"], ["--task", "sort"], ["--out", ""]])
def test_other_texts_are_refused(parser, words, capsys):
    with pytest.raises(SystemExit):
        parser.parse_args(["here", *words])
    assert f"argument {words[0]}" in capsys.readouterr().err


@pytest.mark.parametrize("request_class", [GrowRequest, StudyRequest])
def test_every_field_of_a_request_has_a_text(request_class):
    assert attribute_texts(request_class).keys() == {f.name for f in fields(request_class)}


def test_a_command_line_asks_for_a_run():
    words = ["grow", "digits", "--seed", "3", "--set", "share=0.5", "--resume"]
    request = GrowRequest(**given(build_parser().parse_args(words), GrowRequest))
    assert request == GrowRequest(data="digits", seed=3, assignments={"share": "0.5"}, resume=True)
    assert request.directory == Path("runs/digits-ssonn-seed3")
