"""Columns to which rows are appended, at a cost that does not depend on the rows that are already there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from netgraph.columns import Array


class Growing:
    """Columns of one length that grow at the end. Appending n rows costs O(n), averaged over all calls.

    Args:
        dtypes: dtype of each column by name.
    """

    def __init__(self, **dtypes: Any) -> None:
        self._columns = {name: np.empty(0, dtype) for name, dtype in dtypes.items()}
        self._rows = 0

    def __len__(self) -> int:
        return self._rows

    def __getitem__(self, name: str) -> Array:
        """View of a column, `(rows,)`. It does not grow: rows that are appended later are not in it."""
        return self._columns[name][: self._rows]

    def append(self, columns: Mapping[str, Array]) -> None:
        """Append rows, given as one array per column, all of one length."""
        count = len(next(iter(columns.values())))
        stop = self._rows + count
        for name, own in self._columns.items():
            if stop > len(own):
                larger = np.empty(max(stop, 2 * len(own)), own.dtype)
                larger[: self._rows] = own[: self._rows]
                self._columns[name] = own = larger
            own[self._rows : stop] = columns[name]
        self._rows = stop
