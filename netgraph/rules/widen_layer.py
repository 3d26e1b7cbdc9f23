"""Widen a layer by new vertices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from netgraph.errors import OptionError
from netgraph.graph import Identity, Layer, Link, get_activation
from netgraph.graph.columns import Array
from netgraph.graph.layer import required_columns
from netgraph.proof import Level
from netgraph.rewriting import Matches, Rewriter, Rule, VertexRows, layer
from netgraph.rules.influence import under_layer_norm
from netgraph.statistics import Statistics

INITS = ("outgoing zero", "incoming zero", "duplicate")


@dataclass(frozen=True, kw_only=True)
class WidenLayer(Rule):
    """Add `count` vertices to every matched hidden layer, without changing the function: **exact**.

    In train and in eval mode, whatever the init:

    * "outgoing zero": incoming weights are drawn from N(0, 2 / fan-in), outgoing ones are 0 and receive gradient
      from the first step.
    * "incoming zero": outgoing weights are drawn from N(0, 2 / fan-in of the reader), incoming ones are 0. The new
      vertices have the value f(0), so layers whose activation does not map 0 to 0 are refused.
    * "duplicate": the new vertices are copies of random old ones, with their incoming edges, and every outgoing weight
      is shared out among a vertex and its copies (Net2WiderNet, Chen et al. 2016, section 3.1). Copies are drawn
      as evenly as possible, where the paper draws with replacement.

    New vertices are joined to all neighbours, copies to those of their vertex; biases are 0, norms start at scale 1 and
    shift 0, copies have those of their vertex. A layer under layer norm is refused (new vertices change what the
    old ones are normalised by), and so is one with identity wires, whose neighbours would have to widen with it.

    Attributes:
        count: vertices to add to each layer.
        init: "outgoing zero", "incoming zero" or "duplicate".
        noise: a copy gets up to this part less than its equal share of a weight, at random, and its vertex gets the
            rest; without it training changes vertex and copy alike. From 0 to 1.
    """

    count: int = 1
    init: Literal["outgoing zero", "incoming zero", "duplicate"] = "outgoing zero"
    noise: float = 0.0

    pattern = layer("l", role="hidden")

    def __post_init__(self) -> None:
        if self.count < 1:
            raise OptionError(f"count={self.count} is below 1; a layer widens by at least one vertex.")
        if self.init not in INITS:
            raise OptionError(f"init={self.init!r} is none of {', '.join(map(repr, INITS))}.")
        if not 0 <= self.noise <= 1 or (self.noise and self.init != "duplicate"):
            raise OptionError(f"noise={self.noise} is refused; it is from 0 to 1, and 0 unless init='duplicate'.")

    def where(self, m: Matches, stats: Statistics | None) -> dict[str, Array]:
        """No layer norm, no identity wires, and for "incoming zero" an activation with f(0) = 0."""
        wires = {end for k in m.graph.links if isinstance(k.kind, Identity) for end in (k.source, k.target)}
        named = {
            "layer has no layer norm": ~under_layer_norm(m.graph, m.l.id),
            "layer has no identity wires": ~np.isin(m.l.id, list(wires)),
        }
        if self.init == "incoming zero":
            named["activation maps 0 to 0"] = np.array([_keeps_zero(x) for x in m.l], dtype=bool)
        return named

    def rewrite(self, m: Matches, rw: Rewriter) -> None:
        """Add the vertices and their edges, layer by layer, so that later layers see earlier ones."""
        if self.init == "duplicate":
            self._duplicate(m, rw)
            return
        graph = m.graph
        added = {x.id: rw.add_vertices(x, self.count) for x in m.l}
        for x in m.l:
            new = added[x.id]
            for k in graph.incoming[x.id]:
                size = len(graph.layer(k.source)) * self.count * k.kind.taps
                weight = self._draw(rw, k, size) if self.init == "outgoing zero" else 0.0
                rw.connect_all(_all(m, k.source), new, weight=weight, kind=k.kind, port=k.port)
            for k in graph.outgoing[x.id]:
                size = len(graph.layer(k.target)) * self.count * k.kind.taps
                weight = self._draw(rw, k, size) if self.init == "incoming zero" else 0.0
                rw.connect_all(new, _all(m, k.target), weight=weight, kind=k.kind, port=k.port)

    @staticmethod
    def _draw(rw: Rewriter, link: Link, size: int) -> Array:
        graph = rw.graph
        fan_in = sum(len(graph.layer(k.source)) * k.kind.taps for k in graph.incoming[link.target])
        return rw.rng.normal(0.0, np.sqrt(2.0 / fan_in), size)

    def _duplicate(self, m: Matches, rw: Rewriter) -> None:
        rows, parts = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for x in m.l:
            extra = np.full(len(x), self.count // len(x))
            extra[rw.rng.permutation(len(x))[: self.count % len(x)]] += 1
            rows.append(_all(m, x.id).rows)
            parts.append(1 + extra)
        rw.split_vertices(VertexRows(m.graph, np.concatenate(rows)), np.concatenate(parts), noise=self.noise)

    def claim(self, m: Matches) -> Level | None:
        """Exact: new vertices are not read, or are 0, or share a weight out to the last bit."""
        return "exact"


def _keeps_zero(x: Layer) -> bool:
    """Whether the activation maps 0 to 0, with vertex parameters as they start."""
    activation = get_activation(x.activation)
    start = {name: np.array([value]) for name, value in required_columns("hidden", "none", x.activation).items()}
    return bool(activation.function(np.zeros(1), start, x.slope)[0] == 0)


def _all(m: Matches, layer_id: int) -> VertexRows:
    """The vertices of a layer as they were; two neighbours widened together stay apart at the new ones."""
    start = m.graph.vertices.offset(layer_id)
    return VertexRows(m.graph, np.arange(start, start + len(m.graph.layer(layer_id))))
