import math
from dataclasses import dataclass, fields
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compilers.training import TrainSettings
from netgraph.app.inputs import RunSettings
from netgraph.app.options import convert, parse_assignments, split_assignments
from netgraph.errors import OptionError
from netgraph.methods import METHODS, NagnOptions


@dataclass(frozen=True)
class Training:
    epochs: int = 3
    learning_rate: float = 0.1
    curve: Literal["cosine", "linear"] = "cosine"
    shared: int = 0


@dataclass(frozen=True)
class Growth:
    cap: int | None = None
    below: float | None = 0.0
    fast: bool = False
    name: str = ""
    shared: int = 0


def test_assignments_are_split_at_the_first_equals_sign():
    assert parse_assignments(["a=1", "b=x=y", "c="]) == {"a": "1", "b": "x=y", "c": ""}


def test_dashes_in_names_are_underscores_and_spaces_do_not_matter():
    assert parse_assignments([" learning-rate = 0.5 "]) == {"learning_rate": "0.5"}


def test_a_later_assignment_wins():
    assert parse_assignments(["a=1", "a=2"]) == {"a": "2"}


@pytest.mark.parametrize("text", ["epochs", "=3", " =3", ""])
def test_what_is_no_assignment_is_refused(text):
    with pytest.raises(OptionError, match="KEY=VALUE"):
        parse_assignments([text])


def test_every_option_goes_to_the_dataclass_that_has_it():
    training, growth = split_assignments({"epochs": "7", "fast": "true"}, Training, Growth)
    assert Training(**training) == Training(epochs=7)
    assert Growth(**growth) == Growth(fast=True)


def test_an_option_that_two_have_is_refused():
    with pytest.raises(OptionError, match="shared is an option of Training and of Growth"):
        split_assignments({"shared": "2"}, Training, Growth)


@pytest.mark.parametrize("name", sorted(METHODS))
def test_no_option_of_a_method_has_the_name_of_another_option(name):
    names = [field.name for kind in (RunSettings, TrainSettings, METHODS[name].options) for field in fields(kind)]
    assert len(names) == len(set(names))


def test_an_unknown_option_is_refused_with_the_nearest_of_all():
    with pytest.raises(OptionError, match="Did you mean 'learning_rate'"):
        split_assignments({"lerning_rate": "1"}, Training, Growth)


@pytest.mark.parametrize(
    ("hint", "text", "value"),
    [
        (int, "12", 12),
        (int, "-3", -3),
        (int, "1_000", 1000),
        (float, "1e-3", 0.001),
        (float, "2", 2.0),
        (bool, "true", True),
        (bool, "No", False),
        (bool, "1", True),
        (str, "a b", "a b"),
        (int | None, "none", None),
        (int | None, "4", 4),
        (float | None, "None", None),
        (float | None, "0.5", 0.5),
        (Literal["a", "b"], "b", "b"),
    ],
)
def test_texts_become_values_of_the_type(hint, text, value):
    converted = convert("key", text, hint)
    assert converted == value
    assert type(converted) is type(value)


@pytest.mark.parametrize(
    ("hint", "text"),
    [
        (int, "1.5"), (int, "x"), (int, ""), (float, "x"), (float, ""), (float, "nan"), (float, "inf"),
        (float, "-inf"), (float, "1e999"), (float | None, "nan"), (bool, "maybe"), (int | None, "x"),
        (Literal["a", "b"], "c"),
    ],
)  # fmt: skip
def test_texts_that_are_no_such_value_are_refused_with_their_name(hint, text):
    with pytest.raises(OptionError, match="key"):
        convert("key", text, hint)


@given(st.integers())
def test_whole_numbers_come_back(value):
    assert convert("key", str(value), int) == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_come_back_bit_for_bit(value):
    assert convert("key", repr(value), float).hex() == value.hex()


def test_every_option_of_the_command_line_can_be_set_to_its_default():
    from dataclasses import fields

    from compilers.training import TrainSettings
    from netgraph.methods import SsonnOptions

    for target in (TrainSettings, SsonnOptions):
        texts = {f.name: str(f.default) for f in fields(target)}
        (values,) = split_assignments(texts, target)
        assert target(**values) == target()


def test_thresholds_that_may_be_infinite_are_read_as_such():
    (read,) = split_assignments({"delta_stop": "-inf", "delta_acc": "inf"}, NagnOptions)
    assert NagnOptions(**read).delta_stop == -math.inf
    assert NagnOptions(**read).delta_acc == math.inf
    for key, text in (("delta_stop", "nan"), ("tau", "inf")):
        with pytest.raises(OptionError, match=f"{key}='{text}' is not a finite number"):
            split_assignments({key: text}, NagnOptions)
