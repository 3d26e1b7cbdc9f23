"""Checked conversions of single numbers and of arrays."""

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from netgraph import checks
from netgraph.errors import GraphError, OptionError

NO_WHOLE_NUMBERS = [2.9, 3.0, math.nan, math.inf, True, np.True_, "3", None, 3j, Fraction(3), [3], np.array([3])]
NO_NUMBERS = [math.nan, math.inf, -math.inf, True, np.False_, "0.5", None, 1j, [0.5], Decimal("0.5"), 10**400]


@pytest.mark.parametrize("value", [3, np.int8(3), np.uint64(3), np.array(3)])
def test_integers_of_every_kind_are_whole_numbers(value):
    number = checks.whole("count", value)
    assert number == 3
    assert type(number) is int


@pytest.mark.parametrize("value", NO_WHOLE_NUMBERS, ids=repr)
def test_what_is_no_integer_is_refused_by_name_and_value(value):
    with pytest.raises(GraphError, match=r"count=.*; give "):
        checks.whole("count", value, error=GraphError)


def test_whole_numbers_beyond_64_bits_are_refused_unless_asked_for():
    with pytest.raises(OptionError, match=f"count={2**63} is above"):
        checks.whole("count", 2**63)
    assert checks.whole("seed", 2**70, most=None) == 2**70


def test_a_message_tells_the_limit_and_the_nearest_whole_numbers():
    with pytest.raises(OptionError, match=r"count=0 is below 1; give at least 1\."):
        checks.whole("count", 0, least=1)
    with pytest.raises(OptionError, match=r"count=2\.9 is not a whole number; give 2 or 3\."):
        checks.whole("count", 2.9)
    with pytest.raises(OptionError, match=r"count=3\.0 is not a whole number; give 3\."):
        checks.whole("count", 3.0)


@pytest.mark.parametrize("value", [1, 0.5, np.float32(0.5), np.int64(1), Fraction(1, 2), np.array(0.5)])
def test_real_numbers_of_every_kind_become_floats(value):
    assert type(checks.number("rate", value)) is float


@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda value: repr(value)[:9])
def test_what_is_no_finite_number_is_refused(value):
    with pytest.raises(OptionError, match=r"rate=.* is not a (finite )?number; give one"):
        checks.number("rate", value)


def test_limits_of_numbers_hold_at_their_ends():
    assert checks.number("rate", 0, least=0) == 0
    assert checks.number("rate", math.inf, infinite=True) == math.inf
    for value, limits in ((0, {"above": 0}), (-0.1, {"least": 0}), (1.1, {"most": 1})):
        with pytest.raises(OptionError, match=r"rate=.* is out of range; give a number"):
            checks.number("rate", value, **limits)
    with pytest.raises(OptionError, match=r"density=1.5 is out of range; give a number from 0 to 1\."):
        checks.share("density", 1.5)


def test_truth_values_and_names_are_taken_as_they_are():
    assert checks.flag("bias", np.True_) is True
    for value in (1, 0.0, "false", None):
        with pytest.raises(OptionError, match=r"bias=.* give True or False"):
            checks.flag("bias", value)
    with pytest.raises(OptionError, match="Did you mean 'relu'"):
        checks.choice("activation", "rellu", ["relu", "gelu"])
    with pytest.raises(OptionError, match="depth=True is none of 1, 2"):
        checks.choice("depth", True, [1, 2])


def test_seeds_are_whole_numbers_from_zero():
    assert checks.generator("seed", 3).random() == np.random.default_rng(3).random()
    rng = np.random.default_rng(0)
    assert checks.generator("rng", rng) is rng
    for value in (-1, 1.5, True, "3"):
        with pytest.raises(OptionError, match="seed="):
            checks.generator("seed", value)


@pytest.mark.parametrize("values", [[], [1, 0], np.array([1, 0], np.uint8), [np.int64(1)], range(3), 2])
def test_arrays_of_whole_numbers_become_the_asked_type(values):
    assert checks.whole_numbers("rows", values, dtype=np.int32).dtype == np.int32


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_values_are_compared_before_they_are_converted(dtype):
    for values in ([2**32 + 1, 0], [0, 2**70], np.array([0, 2**63 + 1], np.uint64), [-1, 0]):
        with pytest.raises(OptionError, match=r"rows\[[01]\]=.* is outside 0\.\.2\."):
            checks.whole_numbers("rows", values, least=0, most=2, dtype=dtype)
    with pytest.raises(OptionError, match=r"rows\[0, 1\]=2147483648 is outside"):
        checks.whole_numbers("rows", [[0, 2**31]], dtype=np.int32)


@pytest.mark.parametrize(
    "values", [[True, False], [[1, True]], [0.5], [1.0], [math.nan], ["1"], [None], [[1], [1, 2]], [1, 2.5]]
)
def test_masks_fractions_and_texts_are_no_whole_numbers(values):
    with pytest.raises(OptionError, match=r"rows.* give "):
        checks.whole_numbers("rows", values)


def test_real_arrays_are_finite_and_of_the_shape_asked_for():
    assert checks.real_numbers("bias", [1, 2], shape=(2,)).dtype == np.float64
    assert checks.real_numbers("low", [-math.inf], infinite=True)[0] == -math.inf
    with pytest.raises(OptionError, match=r"bias has shape \(2,\), expected \(3,\)"):
        checks.real_numbers("bias", [1, 2], shape=(3,))
    for values, reason in (([0, math.nan], "not finite"), ([0, 1e300], "too large for float32")):
        with pytest.raises(OptionError, match=rf"bias\[1\]=.* is {reason}"):
            checks.real_numbers("bias", values, dtype=np.float32)
    for values in (["a"], [True], [1j], [None]):
        with pytest.raises(OptionError, match="bias"):
            checks.real_numbers("bias", values)
    with pytest.raises(OptionError, match="low"):
        checks.real_numbers("low", [math.nan], infinite=True)


def test_truth_arrays_hold_no_numbers():
    assert checks.truth_values("frozen", [True, False]).tolist() == [True, False]
    with pytest.raises(OptionError, match="frozen"):
        checks.truth_values("frozen", [1, 0])


def test_numbers_of_thousands_of_digits_keep_their_sign_and_are_not_written_out():
    huge = 10**5000
    assert checks.number("rate", -huge, infinite=True) == -math.inf
    for call in (
        lambda: checks.whole("count", huge),
        lambda: checks.whole("count", -huge, least=0),
        lambda: checks.number("rate", huge),
        lambda: checks.number("rate", -huge, least=0, infinite=True),
        lambda: checks.whole_numbers("rows", [0, huge]),
    ):
        with pytest.raises(OptionError, match=r"=a whole number of 16,610 bits is "):
            call()


def test_the_value_that_is_infinite_is_named_among_floats_that_are_whole():
    with pytest.raises(OptionError, match=r"rows\[1\]=inf"):
        checks.whole_numbers("rows", [1.0, math.inf], floats=True)
