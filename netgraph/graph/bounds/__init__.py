"""Bounds of one graph: the interval of every vertex, and the arithmetic that proofs share with it."""

from netgraph.graph.bounds.intervals import (
    EPS,
    Bounds,
    Domains,
    Mode,
    add,
    add_bias,
    bounds,
    check_domain,
    link_interval,
    normalise_interval,
    operate_interval,
    scaled,
    segments,
    used_edges,
)
from netgraph.graph.bounds.outward import UNIT, down, sum_bounds, times, up, widen

__all__ = [
    "Bounds",
    "Domains",
    "EPS",
    "Mode",
    "UNIT",
    "add",
    "add_bias",
    "bounds",
    "check_domain",
    "down",
    "link_interval",
    "normalise_interval",
    "operate_interval",
    "scaled",
    "segments",
    "sum_bounds",
    "times",
    "up",
    "used_edges",
    "widen",
]
