"""Rows of a table by the values of some columns, and blocks of rows that are joined at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from netgraph.columns import Array
from netgraph.errors import OptionError
from netgraph.rewriting.patterns.matches import MatchedRows, Matches

BLOCK = 1 << 18
"""Number of matches that are extended at once, which bounds the memory of a search."""


class RowIndex:
    """Rows of a table by the values of some of its columns.

    Args:
        columns: columns of whole numbers from 0, at least one, `(rows,)` each.

    Costs O(rows) for one column, O(rows log rows) for several.
    """

    def __init__(self, columns: Sequence[Array]) -> None:
        self._levels: list[tuple[Array, int]] = []
        code = columns[0]
        for more in columns[1:]:
            span = int(more.max(initial=0)) + 1
            distinct, code = np.unique(code * span + more, return_inverse=True)
            self._levels.append((distinct, span))
        self.order = np.argsort(code, kind="stable")
        self._count = np.bincount(code, minlength=1)
        self._start = np.cumsum(self._count) - self._count

    def look_up(self, columns: Sequence[Array]) -> tuple[Array, Array]:
        """First position in `order`, and number, of the rows that have these values, `(asked,)` each."""
        code, found = columns[0], np.ones(len(columns[0]), dtype=bool)
        for more, (distinct, span) in zip(columns[1:], self._levels, strict=True):
            found &= more < span
            value = code * span + more
            code = np.minimum(np.searchsorted(distinct, value), max(len(distinct) - 1, 0))
            found &= distinct[code] == value if len(distinct) else False
        found &= code < len(self._count)
        code = np.where(found, code, 0)
        return self._start[code], np.where(found, self._count[code], 0)


def end_of_block(ends: Array, begin: int) -> int:
    """End of the block that begins at row `begin` and has at most `BLOCK` extensions, or one row; `ends` are sums."""
    before = ends[begin - 1] if begin else 0
    return max(begin + 1, int(np.searchsorted(ends, before + BLOCK, side="right")))


def check_kinds(kinds: Mapping[str, type[MatchedRows]], matches: Matches) -> None:
    """Raise `OptionError` unless matches bind the names of `kinds` to rows of the same type."""
    for name, rows in matches.bound.items():
        if name in kinds and type(rows) is not kinds[name]:
            raise OptionError(
                f"{name!r} is bound to {kinds[name].__name__} by one part and to {type(rows).__name__} by another; a "
                "name that parts share is one vertex, one layer, one edge or one link."
            )
