"""Intervals of layers and links, and the arithmetic that proofs share with them."""

from netgraph.graph.bounds.intervals import (
    EPS,
    LARGEST,
    Bounds,
    Domains,
    Mode,
    Pair,
    add,
    add_bias,
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
    "LARGEST",
    "Mode",
    "Pair",
    "UNIT",
    "add",
    "add_bias",
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
