"""Intervals of reads from a table: at each position exactly one vertex of the source is 1, and all others are 0."""

from __future__ import annotations

import numpy as np

from netgraph.columns import Array
from netgraph.graph.outward import Pair


def chosen_interval(group: Array, least: Array, most: Array, complete: Array) -> Pair:
    """Interval of the one value that is read, for each group of values, in the order of the groups.

    Args:
        group: (values,) number of the group of each value, ascending, without gaps from 0.
        least, most: (values,) bounds of the values.
        complete: (groups,) whether one of the values is read at every position; else 0 may be read as well.

    Returns:
        (groups,) lower and upper bounds.
    """
    first = np.flatnonzero(np.diff(group, prepend=-1))
    low, high = np.minimum.reduceat(least, first), np.maximum.reduceat(most, first)
    return np.where(complete, low, np.minimum(low, 0.0)), np.where(complete, high, np.maximum(high, 0.0))
