"""Checked conversions of numbers, names and arrays, for the fields of dataclasses and the arguments of functions.

A whole number is anything that `operator.index` takes: an int, or an integer of NumPy or of a tensor. 3.0 is refused
like 2.9, and so is a truth value. No value is truncated, wrapped around or rounded. Each message names the argument,
the value and the remedy.
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
