"""Checked conversions of numbers, names and arrays, of the fields of a dataclass and of arguments of a function.

A whole number is what `operator.index` takes: an int, or an integer of NumPy or of a tensor. 3.0 is refused like 2.9,
and so is a truth value. Nothing is cut, wrapped or rounded on the way. Each message names the argument, the value and
the remedy.
"""

from netgraph.checks.fields import Checked, Count, Extended, FieldLimits, Natural, Seed, Share, check_fields, checked
from netgraph.checks.values import (
    LARGEST,
    Array,
    choice,
    flag,
    generator,
    mask,
    number,
    real_numbers,
    share,
    truth_values,
    whole,
    whole_numbers,
)

__all__ = [
    "LARGEST",
    "Array",
    "FieldLimits",
    "Checked",
    "Count",
    "Extended",
    "Natural",
    "Seed",
    "Share",
    "check_fields",
    "checked",
    "choice",
    "flag",
    "generator",
    "mask",
    "number",
    "real_numbers",
    "share",
    "truth_values",
    "whole",
    "whole_numbers",
]
