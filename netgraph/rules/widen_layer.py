"""Widen a layer by new vertices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netgraph.errors import OptionError
from netgraph.graph import Identity
from netgraph.graph.columns import Array
from netgraph.rewriting import Claim, Matches, Rewriter, Rule, VertexRows, layer
from netgraph.statistics import Statistics


@dataclass(frozen=True, kw_only=True)
class WidenLayer(Rule):
    """Add `count` vertices to every matched hidden layer, joined to all of its neighbours.

    Incoming weights are drawn from N(0, 2 / fan-in), biases are 0, norms start at scale 1 and shift 0.
    Outgoing weights are 0, so the function stays: **exact**, in train and in eval mode; they receive gradient from
    the first step. A layer under layer norm is refused (new vertices change what the old ones are
    normalised by), and so is one with identity wires, whose neighbours would have to widen with it.

    Attributes:
        count: vertices to add to each layer.
    """

    count: int = 1

    pattern = layer("l", role="hidden")

    def __post_init__(self) -> None:
        if self.count < 1:
            raise OptionError(f"count={self.count} is below 1; a layer widens by at least one vertex.")

    def where(self, m: Matches, stats: Statistics | None) -> dict[str, Array]:
        """No layer norm, and no identity wires."""
        graph = m.graph
        wires = {end for k in graph.links if isinstance(k.kind, Identity) for end in (k.source, k.target)}
        return {
            "layer has no layer norm": np.array([x.norm != "layer" for x in m.l], dtype=bool),
            "layer has no identity wires": ~np.isin(m.l.id, list(wires)),
        }

    def rewrite(self, m: Matches, rw: Rewriter) -> None:
        """Add the vertices and their edges, layer by layer, so that later layers see earlier ones."""
        graph = m.graph
        added = {x.id: rw.add_vertices(x, self.count) for x in m.l}
        for x in m.l:
            incoming = graph.incoming[x.id]
            fan_in = sum(len(graph.layer(k.source)) * k.kind.taps for k in incoming)
            for k in incoming:
                bound = np.sqrt(2.0 / fan_in)
                weight = rw.rng.normal(0.0, bound, len(graph.layer(k.source)) * self.count * k.kind.taps)
                rw.connect_all(_all(m, k.source), added[x.id], weight=weight, kind=k.kind, port=k.port)
            for k in graph.outgoing[x.id]:
                rw.connect_all(added[x.id], _all(m, k.target), weight=0.0, kind=k.kind, port=k.port)

    def claim(self, m: Matches) -> Claim:
        """Exact: nothing reads the new vertices with a weight other than 0."""
        return Claim("exact", "new vertices have outgoing weights 0")


def _all(m: Matches, layer_id: int) -> VertexRows:
    """The vertices of a layer as they were; two neighbours widened together stay apart at the new ones."""
    start = m.graph.vertices.offset(layer_id)
    return VertexRows(m.graph, np.arange(start, start + len(m.graph.layer(layer_id))))
