"""Every class of options, every rule and every trigger refuses what is no number of its kind, field by field."""

import dataclasses
import importlib
import inspect
import math
import pkgutil
import types
import typing
from typing import Annotated

import numpy as np
import pytest

import compilers
import netgraph as ng
from netgraph.checks import Checked, FieldLimits
from netgraph.errors import NetgraphError
from netgraph.methods import METHODS
from netgraph.rewriting import Rule
from netgraph.schedules import Trigger

NO_WHOLE_NUMBERS = [math.nan, math.inf, 2.5, True, np.True_, "2", 2**70, [1], 1j]
NO_NUMBERS = [math.nan, True, np.False_, "0.5", [0.5], 1j]
NO_TRUTH_VALUES = [1, 0.0, "false", math.nan]


def classes():
    """Dataclasses of the packages that are checked: options, rules and triggers."""
    for package in (ng, compilers):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    found, waiting = set(), [Checked, Rule]
    while waiting:
        for kind in waiting.pop().__subclasses__():
            waiting.append(kind)
            found.add(kind)
    ours = [kind for kind in found if kind.__module__.split(".")[0] in ("netgraph", "compilers")]
    return sorted((kind for kind in ours if dataclasses.is_dataclass(kind)), key=lambda kind: kind.__qualname__)


CLASSES = classes()
GIVEN = {int: 1, float: 0.5, bool: True, "rule": ng.rules.PruneEdges(), "triggers": (), "shape": (2,)}
"""Values of fields without a default, by type or name."""


def plain(hint):
    """(type, bounds) of a field that holds one number or truth value, perhaps None; else (None, None)."""
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        others = [arg for arg in typing.get_args(hint) if arg is not types.NoneType]
        return plain(others[0]) if len(others) == 1 else (None, None)
    if typing.get_origin(hint) is Annotated:
        inner, *extras = typing.get_args(hint)
        return inner, next((extra for extra in extras if isinstance(extra, FieldLimits)), FieldLimits())
    return (hint, FieldLimits()) if hint in (int, float, bool) else (None, None)


def wrong_values(kind, hint):
    number, bounds = plain(hint)
    if number is bool:
        return NO_TRUTH_VALUES
    if number is int:
        return [value for value in NO_WHOLE_NUMBERS if bounds.most != math.inf or type(value) is not int]
    if number is float:
        return NO_NUMBERS + ([] if bounds.infinite or issubclass(kind, Rule) else [math.inf, 10**400])
    return []


def required(kind, hints):
    """Some value for every field that has to be given, or None where it will not be looked at."""
    needed = [f for f in dataclasses.fields(kind) if f.init and f.default is f.default_factory is dataclasses.MISSING]
    return {f.name: given(f.name, hints[f.name]) for f in needed}


def given(name, hint):
    if typing.get_origin(hint) is typing.Literal:
        return typing.get_args(hint)[0]
    return GIVEN.get(plain(hint)[0], GIVEN.get(name))


def test_all_options_of_methods_rules_and_triggers_are_checked():
    options = {entry.options for entry in METHODS.values()}
    triggers = {kind for kind in vars(ng.schedules).values() if inspect.isclass(kind) and issubclass(kind, Trigger)}
    rules = set(ng.rules.RULES.values())
    wanted = options | rules | triggers | {compilers.training.TrainSettings, ng.schedules.Phase}
    assert wanted - {Trigger} <= set(CLASSES)
    assert len(CLASSES) > 40


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__qualname__)
def test_no_field_takes_a_number_of_another_kind(kind):
    hints = typing.get_type_hints(kind, include_extras=True)
    values = required(kind, hints)
    for field in dataclasses.fields(kind):
        for value in wrong_values(kind, hints[field.name]) if field.init else []:
            with pytest.raises(NetgraphError, match=rf"(?s)\b{field.name}\b"):
                kind(**{**values, field.name: value})


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__qualname__)
def test_a_default_can_be_given_as_a_number_of_numpy(kind):
    hints = typing.get_type_hints(kind, include_extras=True)
    values = required(kind, hints)
    if None in values.values():
        return
    for field in dataclasses.fields(kind):
        number, value = plain(hints[field.name])[0], field.default
        if number is None or not field.init or not isinstance(value, int | float):
            continue
        array = {int: np.int64, float: np.float64, bool: np.bool_}[number](value)
        taken = getattr(kind(**{**values, field.name: array}), field.name)
        assert taken == value
        assert type(taken) is number


def test_arrays_to_train_on_are_finite_and_classes_are_whole_numbers():
    def made(task="classification", **given):
        x, y = np.zeros((4, 2)), np.array([0, 1, 0, 1]) if task == "classification" else np.zeros((4, 1))
        arrays = {"x_train": x, "y_train": y, "x_valid": x, "y_valid": y}
        return compilers.training.TrainingData.from_arrays(**{**arrays, **given}, task=task)

    assert made(y_train=np.array([0.0, 1.0, 0.0, 1.0])).y_train.tolist() == [0, 1, 0, 1]
    assert made(y_train=np.array([True, False, True, True])).y_train.tolist() == [1, 0, 1, 1]
    holed = np.zeros((4, 1))
    holed[3] = math.nan
    for words, given in {
        r"y_train\[1\]=0.9 is not a whole": {"y_train": np.array([0, 0.9, 1, 1])},
        r"y_valid\[0\]=-1 is outside": {"y_valid": np.array([-1, 0, 1, 1])},
        "y_train has NaN at row 3": {"task": "regression", "y_train": holed},
        "x_valid has NaN at row 3": {"x_valid": np.concatenate([holed, holed], axis=1)},
        "x_train.*not finite": {"x_train": np.full((4, 2), math.inf)},
        "x_train is an array of": {"x_train": np.full((4, 2), "a")},
    }.items():
        with pytest.raises(ng.errors.DataError, match=words):
            made(**given)


def test_a_weight_decay_is_a_finite_number():
    net = compilers.lower(ng.mlp([2, 2]))
    for value in (math.nan, math.inf, -1, "0", True):
        with pytest.raises(ng.errors.OptionError, match="weight_decay"):
            compilers.parameter_groups(net, weight_decay=value)


def test_more_threads_than_a_machine_can_use_are_refused():
    from netgraph.app.hardware import check_threads

    check_threads(1)
    for threads in (0, 100_000):
        with pytest.raises(ng.errors.OptionError, match=f"threads={threads}"):
            check_threads(threads)
