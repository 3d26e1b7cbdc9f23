"""Depths of the vertices of a DAG, and the cycle of a graph that is none."""

from __future__ import annotations

import numpy as np

from netgraph.columns import Array, spans


def longest_paths(src: Array, dst: Array, count: int) -> tuple[Array, list[int]]:
    """Return the length of the longest path to each of `count` vertices, and a cycle.

    Args:
        src, dst: source and target of each edge, as numbers from 0 to `count - 1`.
        count: number of vertices.

    Returns:
        The depths, `(count,)`, and the vertices of a cycle in the direction of its edges; an empty list for a DAG.

    Cost: O(edges log edges), and a few calls of NumPy per level of depth.
    """
    order = np.argsort(src, kind="stable")
    ends, sizes = dst[order], np.bincount(src, minlength=count)
    starts = np.cumsum(sizes) - sizes
    left = np.bincount(dst, minlength=count)
    depth = np.zeros(count, np.int64)
    level, front = 0, np.flatnonzero(left == 0)
    while len(front):
        level += 1
        found, times = np.unique(ends[spans(starts[front], sizes[front])], return_counts=True)
        depth[found] = level
        left[found] -= times
        front = found[left[found] == 0]
    return depth, _cycle(src, dst, left > 0) if left.any() else []


def _cycle(src: Array, dst: Array, behind: Array) -> list[int]:
    """Return a cycle among vertices each of which lies on a cycle or behind one."""
    inside = behind[src] & behind[dst]
    before = np.full(len(behind), -1)
    before[dst[inside]] = src[inside]
    at, walked = int(np.flatnonzero(behind)[0]), dict[int, int]()
    while at not in walked:
        walked[at] = len(walked)
        at = int(before[at])
    cycle = [vertex for vertex, step in walked.items() if step >= walked[at]][::-1]
    first = cycle.index(min(cycle))
    return cycle[first:] + cycle[:first]
