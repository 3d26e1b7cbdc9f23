"""`netgraph methods` and `netgraph rules NAME`: every option is explained, at any width."""

import io
import re
from dataclasses import dataclass, fields
from typing import Literal

import pytest
from grow_runs import refused
from rich.console import Console

from compilers.training import TrainSettings
from netgraph.app.inputs import RunSettings
from netgraph.app.listing import print_method, print_methods, print_rule
from netgraph.app.option_texts import as_typed, explained, option_texts, values_of
from netgraph.app.options import split_assignments
from netgraph.methods import METHODS
from netgraph.rules import RULES
from netgraph.schedules import CURVES

METHOD_OPTIONS = {name: spec.options for name, spec in METHODS.items()}
SHOWN = {**METHOD_OPTIONS, "training": TrainSettings, "machine": RunSettings, **RULES}


def printed(what, *arguments, width=80):
    console = Console(width=width, file=io.StringIO(), record=True)
    what(*arguments, console)
    return console.export_text()


@pytest.mark.parametrize("name", SHOWN)
def test_every_option_has_a_line_of_its_own_in_plain_words(name):
    for option in option_texts(SHOWN[name]):
        place = f"{name}: {option.name}: {option.meaning!r}"
        assert 12 <= len(option.meaning) <= 560, place
        assert len(option.meaning.split()) >= 3, place
        assert option.meaning.endswith("."), place
        assert not option.meaning.endswith(",."), place  # it would run on into the next option
        assert not re.match(r"(?i)(and|of|instead|at) ", option.meaning), place
        assert not re.search(r"(?i)\b(so many|how many|those that|what it)\b", option.meaning), place


@pytest.mark.parametrize("name", [*METHOD_OPTIONS, "training", "machine"])
def test_no_two_options_share_a_line(name):
    meanings = [option.meaning for option in option_texts(SHOWN[name])]
    assert len(set(meanings)) == len(meanings)


@pytest.mark.parametrize("name", [*METHOD_OPTIONS, "training", "machine"])
def test_choices_of_an_option_are_all_in_its_line_and_its_default_can_be_set(name):
    for option in option_texts(SHOWN[name]):
        if " | " in option.values:
            words = set(re.split(r"[^\w+-]+", f"{option.meaning} {option.meaning.lower()}"))
            assert set(option.values.split(" | ")) <= words, f"{option.name}: {option.meaning}"
        value = "" if option.default == '""' else option.default
        (values,) = split_assignments({option.name: value}, SHOWN[name])
        default = next(field.default for field in fields(SHOWN[name]) if field.name == option.name)
        assert values == {option.name: default}


def test_curves_are_all_named():
    assert all(f'"{name}"' in explained(TrainSettings)["curve"] for name in CURVES)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_listed_with_all_its_options_and_those_of_training_and_machine(name):
    spec, text = METHODS[name], printed(print_method, name)
    flat = " ".join(text.split())
    for options, suited in ((spec.options, spec.defaults), (TrainSettings, spec.training), (RunSettings, {})):
        for option in option_texts(options, suited):
            default = f"; default {option.default}" if option.default else ""
            assert f"{option.name} ({option.values}{default}) {option.meaning}" in flat
    assert spec.description in flat


def test_all_methods_have_a_line_each_and_the_way_to_their_options():
    text = printed(print_methods)
    lines = [line.split()[0] for line in text.splitlines() if line and not line.startswith(" ")]
    assert set(METHODS) <= set(lines)
    assert "`netgraph methods NAME` explains every option" in " ".join(text.split())
    assert "batch_size" not in text


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_nothing_is_cut_at_any_width(width):
    pages = {
        **{name: (print_method, name) for name in METHODS},
        "all": (print_methods,),
        **{name: (print_rule, name) for name in RULES},
    }
    for name, call in pages.items():
        text = printed(*call, width=width)
        assert max(map(len, text.splitlines())) <= width, name
        assert "…" not in text, name
        # Columns side by side are read row by row.
        assert sorted("".join(text.split())) == sorted("".join(printed(*call, width=1000).split())), name


@pytest.mark.parametrize(
    ("command", "name", "nearest"),
    [("methods", "son", "ssonn"), ("methods", "sparse", "Known: "), ("rules", "split-edge", "split-edges"),
     ("rules", "methods", "Known: ")],
)  # fmt: skip
def test_names_that_do_not_exist_are_refused_with_the_nearest(command, name, nearest, call):
    assert refused(call(command, name), f"{name!r}", nearest)


def test_a_rule_is_explained_with_its_options(call):
    for name, rule in RULES.items():
        code, out, err = call("rules", name)
        assert (code, err) == (0, "")
        assert rule.__name__ in out
        for option in option_texts(rule):
            assert f"{option.name} ({option.values}" in out
            assert option.meaning in out
    assert "It has no options." in call("rules", "merge-vertices")[1]
    assert f"`netgraph rules RULE` explains one: {', '.join(sorted(RULES))}." in call("rules")[1]


@dataclass(frozen=True)
class Base:
    """Options.

    Attributes:
        one, two: both
            of them: yes.

        kind: "a" or "b".
        again: `one` once more

    And a word that is none: at the end.
    """

    one: int = 1
    two: float | None = None
    kind: Literal["a", "b"] = "a"
    again: bool = False


@dataclass(frozen=True)
class Derived(Base):
    """More.

    Attributes:
        two: mine alone.
    """

    two: float | None = 0.25
    bare: str = ""


def test_a_class_explains_its_fields_before_its_bases():
    assert [(o.name, o.values, o.default, o.meaning) for o in option_texts(Derived)] == [
        ("one", "whole number", "1", "Both of them: yes."),
        ("two", "number or none", "0.25", "Mine alone."),
        ("kind", "a | b", "a", '"a" or "b".'),
        ("again", "true or false", "false", "`one` once more."),
        ("bare", "text", '""', ""),
    ]
    assert explained(int) == {}


def test_values_are_written_as_they_are_typed():
    assert [as_typed(v) for v in (None, True, 1e9, 1 / 12, 5, "x")] == ["none", "true", "1e+09", str(1 / 12), "5", "x"]
    assert values_of(list[int]) == "given in Python only"
    assert values_of(Literal["a", "b"] | None) == "a | b | none"
