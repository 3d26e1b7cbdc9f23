"""Sums and products of float64 columns as pairs of float64 numbers, with bounds on the remaining error.

A proof that two sums are equal must not rest on rounding errors that happen to agree. So a result is the sum of two
float64 numbers, with a bound on its error. The bound is 0 when the pair holds the result exactly.
"""

from __future__ import annotations

import numpy as np

from netgraph.columns import Array, spans

_SPLIT = 134217729.0  # 2**27 + 1
_TINY, _HUGE = 1e-260, 1e290
_ROUNDS = 12


def two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """Rounded sums of finite values and their exact rounding errors (Knuth): `fl(a + b)`, `a + b - fl(a + b)`."""
    with np.errstate(over="ignore", invalid="ignore"):
        total = a + b
        part = total - a
        return total, (a - (total - part)) + (b - part)


def two_product(a: Array, b: Array) -> tuple[Array, Array, Array]:
    """Rounded products, their rounding errors (Dekker), and bounds on the remaining errors.

    A bound is not 0 only for products or factors near the ends of the float64 range.
    """
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


def sum_groups(values: Array, start: Array) -> tuple[Array, Array, Array]:
    """Sum consecutive groups of `values`, each as a pair of float64 numbers.

    The rounding errors of a sum are kept and summed again together with the sum, at most `_ROUNDS` times (VecSum of
    Ogita, Rump and Oishi, Accurate sum and dot product, 2005, with errors of 0 left out).

    Args:
        values: (n,) finite float64.
        start: (groups,) first row of each group, increasing; no group is empty.

    Returns:
        (groups,) rounded sums, (groups,) their rounding errors, and (groups,) bounds on the errors of both together,
        0 where two numbers hold the sum exactly.

    Costs O(n), in operations on whole columns; their number grows with the logarithm of the largest group.
    """
    total, group, left = _sum_once(values, start)
    low = np.zeros(len(total))
    for _ in range(_ROUNDS):
        if not len(group):
            break
        which, count = np.unique(group, return_counts=True)
        group, left = np.concatenate([group, which]), np.concatenate([left, total[which]])
        order = np.argsort(group, kind="stable")  # stable: each sum stands behind its own errors
        total[which], again, left = _sum_once(left[order], np.flatnonzero(np.diff(group[order], prepend=-1)))
        settled = count[again] == 1  # two addends became sum and error; a further round would leave them as they are
        low[which[again[settled]]] = left[settled]
        group, left = which[again[~settled]], left[~settled]
    missing = np.bincount(group, weights=np.abs(left), minlength=len(total)) * (1 + 2.0**-30)
    overflown = ~np.isfinite(total) | ~np.isfinite(low)
    return total, np.where(overflown, 0.0, low), np.where(overflown, np.inf, missing)


def _sum_once(values: Array, start: Array) -> tuple[Array, Array, Array]:
    """Rounded sums of groups, added pair by pair, and the rounding errors that are not 0: group numbers and values."""
    total = values[start]
    size = np.diff(start, append=len(values))
    number = np.flatnonzero(size > 1)
    size = size[number]
    values = values[spans(start[number], size)]
    group, left = [start[:0]], [values[:0]]
    while len(number):
        first, pairs = np.cumsum(size) - size, size // 2
        at = np.repeat(first, pairs) + 2 * spans(0, pairs)
        sums, rest = two_sum(values[at], values[at + 1])
        inexact = np.flatnonzero(rest)
        group.append(np.repeat(number, pairs)[inexact])
        left.append(rest[inexact])
        odd = np.flatnonzero(size % 2)
        alone = values[first[odd] + size[odd] - 1]
        size = size - pairs
        values = np.empty(size.sum())
        first = np.cumsum(size) - size
        values[spans(first, pairs)] = sums
        values[first[odd] + size[odd] - 1] = alone
        done = size == 1
        total[number[done]] = values[first[done]]
        values = values[np.repeat(~done, size)]
        number, size = number[~done], size[~done]
    return total, np.concatenate(group), np.concatenate(left)
