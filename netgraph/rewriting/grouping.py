"""Grouping of rows by value."""

from __future__ import annotations

import numpy as np

from netgraph.columns import Array


def by_value(values: Array) -> dict[int, Array]:
    """Positions of every distinct value, values and positions in ascending order. O(n log n)."""
    if not len(values):
        return {}
    order = np.argsort(values, kind="stable")
    distinct, starts = np.unique(values[order], return_index=True)
    return {int(v): part for v, part in zip(distinct, np.split(order, starts[1:]), strict=True)}
