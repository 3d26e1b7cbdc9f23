"""Fields of dataclasses, checked by their annotations."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import pytest

from netgraph.checks import Checked, Count, Extended, FieldLimits, Natural, Seed, Share
from netgraph.errors import OptionError


@dataclass(frozen=True)
class Options(Checked):
    steps: Count = 3
    spare: Natural = 0
    seed: Seed = 0
    plain: int = 0
    rate: float = 0.5
    part: Share = 0.5
    above: Annotated[float, FieldLimits(above=0)] = 1.0
    limit: Extended = math.inf
    most: int | None = None
    on: bool = False
    kind: Literal["a", "b"] = "a"
    sizes: tuple[int, ...] = ()
    pair: tuple[int, float] = (1, 0.5)
    other: int | str = 0


GOOD = [
    {"steps": np.int64(4)}, {"seed": 2**70}, {"rate": 1}, {"rate": np.float32(0.5)}, {"limit": -math.inf}, {"most": 3},
    {"on": np.True_}, {"kind": "b"}, {"sizes": (1, np.int8(2))}, {"pair": (2, 1)}, {"other": "text"}, {"part": 0},
]  # fmt: skip
BAD = [
    {"steps": 0}, {"steps": 2.5}, {"steps": True}, {"steps": "3"}, {"spare": -1}, {"seed": -1}, {"seed": 1.0},
    {"plain": math.nan}, {"plain": 2**64}, {"plain": None}, {"rate": math.nan}, {"rate": math.inf}, {"rate": False},
    {"rate": "1"}, {"part": 1.01}, {"above": 0.0}, {"limit": math.nan}, {"most": 1.5}, {"most": True}, {"on": 1},
    {"on": "false"}, {"kind": "c"}, {"kind": 0}, {"sizes": (1, 2.5)}, {"pair": (1, math.nan)}, {"pair": (1,)},
    {"sizes": "12"},
]  # fmt: skip


@pytest.mark.parametrize("given", GOOD, ids=repr)
def test_good_values_are_taken_and_become_plain(given):
    ((name, value),) = given.items()
    taken = getattr(Options(**given), name)
    assert taken == value
    assert type(taken) in (int, float, bool, str, tuple)


@pytest.mark.parametrize("given", BAD, ids=repr)
def test_bad_values_are_refused_by_the_name_of_their_field(given):
    ((name, _),) = given.items()
    with pytest.raises(OptionError, match=name):
        Options(**given)


def test_fields_with_names_that_only_a_function_knows_are_taken_as_they_are():
    class Hidden:
        pass

    @dataclass(frozen=True)
    class Local(Checked):
        hidden: Hidden
        count: int = 1

    assert Local(hidden=3).hidden == 3
    with pytest.raises(OptionError, match=r"count=1\.5"):
        Local(hidden=Hidden(), count=1.5)


def test_a_default_is_taken_whatever_it_is():
    @dataclass(frozen=True)
    class Lazy(Checked):
        below: float = math.nan
        count: int = None

    assert Lazy().count is None
    with pytest.raises(OptionError, match="below"):
        Lazy(below=float("nan"))


def test_fields_of_a_base_class_are_checked_in_a_class_with_further_conditions():
    @dataclass(frozen=True)
    class More(Options):
        extra: float = 1.0

        def __post_init__(self):
            super().__post_init__()
            if self.extra < 0:
                raise OptionError("extra is negative")

    for given in ({"steps": 1.5}, {"extra": math.nan}, {"extra": -1}):
        with pytest.raises(OptionError):
            More(**given)
