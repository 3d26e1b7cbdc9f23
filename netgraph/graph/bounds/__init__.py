"""Intervals of layers and links, and the interval arithmetic that proofs use too."""

from netgraph.graph.bounds.intervals import (
    Bounds,
    Domains,
    add_bias,
    link_interval,
    norm_setting,
    normalise_interval,
    operate_interval,
    pool_interval,
    segments,
    used_edges,
)
from netgraph.graph.bounds.tables import chosen_interval
from netgraph.graph.norms import Mode
from netgraph.graph.outward import (
    EPS,
    LARGEST,
    UNIT,
    Pair,
    add,
    down,
    scaled,
    sum_bounds,
    times,
    up,
    widen,
)

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
    "chosen_interval",
    "down",
    "link_interval",
    "norm_setting",
    "normalise_interval",
    "operate_interval",
    "pool_interval",
    "scaled",
    "segments",
    "sum_bounds",
    "times",
    "up",
    "used_edges",
    "widen",
]
