"""Checked conversions of numbers, names and arrays, and of the fields of a dataclass of options.

A whole number is what `operator.index` takes: an int, or an integer of NumPy or of a tensor. 3.0 is refused like 2.9,
and so is a truth value. Nothing is cut, wrapped or rounded on the way. Each message names the argument, the value and
the remedy.
"""

from netgraph.checks.fields import Bounds, Checked, Count, Extended, Natural, Seed, Share, check_fields
from netgraph.checks.values import (
    LARGEST,
    choice,
    flag,
    generator,
    number,
    real_numbers,
    share,
    truth_values,
    whole,
    whole_numbers,
)

__all__ = [
    "LARGEST",
    "Bounds",
    "Checked",
    "Count",
    "Extended",
    "Natural",
    "Seed",
    "Share",
    "check_fields",
    "choice",
    "flag",
    "generator",
    "number",
    "real_numbers",
    "share",
    "truth_values",
    "whole",
    "whole_numbers",
]
