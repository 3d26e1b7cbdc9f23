"""Sums and products of float64 columns without rounding, as far as float64 can hold them.

A proof that two sums are equal must not rest on rounding that happens to agree. These functions return a float64
result together with a bound on what is missing from it; the bound is 0 when the result is the real number.
"""

from __future__ import annotations

import numpy as np

from netgraph.graph.columns import Array

_SPLIT = 134217729.0  # 2**27 + 1
_TINY, _HUGE = 1e-260, 1e290
_DEPTH = 4


def two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """fl(a + b) and its rounding error, exactly (Knuth); for finite values."""
    with np.errstate(over="ignore", invalid="ignore"):
        total = a + b
        part = total - a
        return total, (a - (total - part)) + (b - part)


def two_product(a: Array, b: Array) -> tuple[Array, Array, Array]:
    """fl(a * b), its rounding error (Dekker), and a bound on what both miss: not 0 near the ends of the range."""
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        product = a * b
        a1 = a * _SPLIT
        a1 = a1 - (a1 - a)
        b1 = b * _SPLIT
        b1 = b1 - (b1 - b)
        a2, b2 = a - a1, b - b1
        low = a2 * b2 - (((product - a1 * b1) - a2 * b1) - a1 * b2)
    size = np.abs(product)
    outside = (size < _TINY) | (size > _HUGE) | (np.abs(a) > _HUGE) | (np.abs(b) > _HUGE)
    outside &= (a != 0) & (b != 0) & (np.abs(a) != 1) & (np.abs(b) != 1)
    missing = np.zeros(product.shape)
    plain = outside | (np.abs(a) == 1) | (np.abs(b) == 1)
    if plain.any():
        low = np.where(plain, 0.0, low)
        missing[outside] = size[outside] * 2.0**-52 + 1e-300
    return product, low, missing


def sum_groups(values: Array, start: Array, depth: int = 0) -> tuple[Array, Array]:
    """Sum consecutive groups of `values`.

    Args:
        values: (n,) finite float64.
        start: (groups,) first row of each group, increasing; no group is empty.

    Returns:
        (groups,) sums, and (groups,) bounds on what is missing, 0 where a sum is exact.

    Costs O(n), in as many rounds of whole-column steps as the largest group has members.
    """
    size = np.diff(start, append=len(values))
    total = values[start]
    if not len(start) or size.max() == 1:
        return total, np.zeros(len(start))
    open_groups = np.flatnonzero(size > 1)
    left_group, left_value = [], []
    step = 1
    while len(open_groups):
        total[open_groups], rest = two_sum(total[open_groups], values[start[open_groups] + step])
        inexact = rest != 0
        if inexact.any():
            left_group.append(open_groups[inexact])
            left_value.append(rest[inexact])
        step += 1
        open_groups = open_groups[size[open_groups] > step]
    missing = np.zeros(len(start))
    if left_group:
        _add_the_rest(total, missing, np.concatenate(left_group), np.concatenate(left_value), depth)
    return total, missing


def _add_the_rest(total: Array, missing: Array, group: Array, value: Array, depth: int) -> None:
    """Add what rounding left over, in place; sums that cancel show only then what they are."""
    order = np.argsort(group, kind="stable")
    group, value = group[order], value[order]
    start = np.flatnonzero(np.diff(group, prepend=-1))
    which = group[start]
    if depth == _DEPTH:
        missing[which] = np.add.reduceat(np.abs(value), start) * (1 + 2.0**-20)
        return
    rest, left = sum_groups(value, start, depth + 1)
    total[which], low = two_sum(total[which], rest)
    missing[which] = (np.abs(low) + left) * (1 + 2.0**-40)
