"""Vertices that merge their ports: comparison with their twins, and bounds of their values and of their changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netgraph.graph import port_wires
from netgraph.graph.bounds import Pair, add_bias

if TYPE_CHECKING:
    from netgraph.graph import Layer
    from netgraph.proof.walk import Walk


def merged_interval(walk: Walk, layer: Layer) -> Pair:
    """Interval of `z` of every vertex of a merging layer of the new graph, `(vertices,)` each."""
    assert layer.merge is not None
    pairs: list[Pair] = []
    for wires in port_wires(walk.new, layer.id):
        starts = np.array([walk.new.vertices.offset(i) for i in wires.sources], dtype=np.int64)
        at = walk.space.own + starts[wires.source] + wires.src
        pairs.append((walk.space.low[at], walk.space.high[at]))
    return add_bias(layer, layer.merge.interval(pairs[0], pairs[1], len(layer)))
