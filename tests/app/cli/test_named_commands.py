"""Commands, options and files that a text of the product or the docs names exist."""

import argparse
import ast
import re
from dataclasses import fields
from pathlib import Path

import pytest

from compilers.training import TrainSettings
from netgraph.app.cli import COMMANDS, build_parser
from netgraph.app.inputs import RunSettings
from netgraph.methods import METHODS
from netgraph.rules import RULES

ROOT = Path(__file__).parents[3]
COMMAND = re.compile(r"`netgraph ([^`\n]+)`")
LINE = re.compile(r"^(?:\$ )?netgraph ([a-z][^\n#]*)", re.MULTILINE)
BLOCK = re.compile(r"```[a-z]*\n(.*?)```", re.DOTALL)
OPTION = re.compile(r"(?<![\w(-])--([a-z][a-z-]+)")
FOREIGN = {"no-build-isolation", "no-deps"}
"""Options of pip."""


def texts():
    """Texts of the product, without those that stand for styles, and the pages of the docs."""
    for folder in ("netgraph", "compilers"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and "var(--" not in node.value:
                    yield path.relative_to(ROOT), node.value
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        yield path.relative_to(ROOT), path.read_text()


TEXTS = list(texts())


def options_of(parser):
    return {text.removeprefix("--") for action in parser._actions for text in action.option_strings}


@pytest.fixture(scope="module")
def parsers():
    (commands,) = [a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction)]
    return dict(commands.choices)


def test_commands_that_are_named_exist_with_their_options(parsers):
    named = [(path, command) for path, text in TEXTS for command in COMMAND.findall(text)]
    blocks = [(path, block) for path, text in TEXTS if path.suffix == ".md" for block in BLOCK.findall(text)]
    named += [(path, command) for path, block in blocks for command in LINE.findall(block)]
    assert len(named) > 40
    for path, command in named:
        name = command.split()[0]
        if name.isupper() or name.startswith(("{", "-")):  # a stand-in, or an option of all commands
            continue
        assert name in COMMANDS, f"{path}: netgraph {command}"
        wrong = set(OPTION.findall(command)) - options_of(parsers[name])
        assert not wrong, f"{path}: netgraph {command}: {wrong}"


def test_options_that_are_named_exist(parsers):
    known = FOREIGN | options_of(build_parser()).union(*map(options_of, parsers.values()))
    product = [(path, text) for path, text in TEXTS if path.suffix == ".py"]
    for path, text in product:
        assert set(OPTION.findall(text)) <= known, f"{path}: {text[:200]}"


def test_settings_that_are_named_exist():
    classes = [TrainSettings, RunSettings, *(spec.options for spec in METHODS.values()), *RULES.values()]
    known = {field.name for cls in classes for field in fields(cls)} | {"KEY", "NAME", "key"}
    for path, text in TEXTS:
        for name in re.findall(r"--set[ =]([a-zA-Z_.]+)=", text):
            assert name.split(".")[-1] in known, f"{path}: --set {name}"


def test_targets_of_make_that_are_named_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for path, text in TEXTS:
        for name in re.findall(r"`make ([a-z-]+)", text):
            assert name in targets, f"{path}: make {name}"
