"""Values that edits set: find duplicates, round as stored, compare with the old values."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from netgraph.columns import Array
from netgraph.errors import RewriteError


class ColumnChange(NamedTuple):
    """Values of a vertex column before and after a change.

    `chosen` is True for values that the rule sets, False for the initial values of a new activation.
    """

    id: Array
    old: Array
    new: Array
    chosen: bool


def check_once(what: str, name: str, ids: Array, values: Array) -> None:
    """Refuse a call that gives one vertex or edge two values, since only the order of rows would choose one."""
    order = np.argsort(ids, kind="stable")
    twice = np.flatnonzero((np.diff(ids[order]) == 0) & (np.diff(values[order]) != 0))
    if len(twice):
        a, b = order[twice[0]], order[twice[0] + 1]
        raise RewriteError(
            f"The {what} {ids[a]} is named twice in one call, with the {name} {values[a]:g} and {values[b]:g}; "
            f"give every {what} once."
        ).concerning(**{"edges" if what == "edge" else "vertices": ids[[a]]})


def as_stored(values: Array, narrow: Array) -> Array:
    """Round values to float32 where the column is `narrow` (stored in float32), as float64."""
    with np.errstate(over="ignore"):  # the commit refuses values that overflow to infinity
        return np.where(narrow, values.astype(np.float32).astype(np.float64), values)


def differ(old: Array, new: Array) -> Array:
    """Whether values differ, bit for bit; two NaN (no such column before and after) are equal."""
    same = (old == new) & (np.signbit(old) == np.signbit(new))
    return np.asarray(~same & ~(np.isnan(old) & np.isnan(new)))


def last_wins(keys: Array, values: Array) -> tuple[Array, Array]:
    """Every distinct key, ascending, with its last value."""
    unique, reverse_first = np.unique(keys[::-1], return_index=True)
    return unique, values[::-1][reverse_first]
