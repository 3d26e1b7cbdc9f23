"""Values that edits set: which of several counts, which of them change anything, which are refused."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from netgraph.columns import Array
from netgraph.errors import RewriteError


class ColumnChange(NamedTuple):
    """Values of a vertex column, before and after; `chosen` by the rule, or those at which an activation starts."""

    id: Array
    old: Array
    new: Array
    chosen: bool


def check_once(what: str, name: str, ids: Array, values: Array) -> None:
    """Refuse a call that gives one vertex or edge two values: which of them is meant depends on the order of rows."""
    order = np.argsort(ids, kind="stable")
    twice = np.flatnonzero((np.diff(ids[order]) == 0) & (np.diff(values[order]) != 0))
    if len(twice):
        a, b = order[twice[0]], order[twice[0] + 1]
        raise RewriteError(
            f"The {what} {ids[a]} is named twice in one call, with the {name} {values[a]:g} and {values[b]:g}; "
            f"give every {what} once."
        ).concerning(**{"edges" if what == "edge" else "vertices": ids[[a]]})


def as_stored(values: Array, narrow: Array) -> Array:
    """Values as a column holds them: rounded to float32 where it is `narrow`."""
    with np.errstate(over="ignore"):  # what becomes infinite is refused by the commit
        return np.where(narrow, values.astype(np.float32).astype(np.float64), values)


def differ(old: Array, new: Array) -> Array:
    """Whether values are not the same, bit for bit but for NaN, which says that a column is not there."""
    same = (old == new) & (np.signbit(old) == np.signbit(new))
    return np.asarray(~same & ~(np.isnan(old) & np.isnan(new)))


def last_wins(keys: Array, values: Array) -> tuple[Array, Array]:
    """Every key once, ascending, with its last value."""
    unique, reverse_first = np.unique(keys[::-1], return_index=True)
    return unique, values[::-1][reverse_first]
