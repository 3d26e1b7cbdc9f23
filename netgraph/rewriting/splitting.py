"""Split vertices: what becomes of their edges, and shares of weights that add up to them exactly, as stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np

from netgraph.checks import number
from netgraph.columns import Array, spans
from netgraph.errors import RewriteError
from netgraph.graph import get_norm
from netgraph.rewriting.patterns import VertexRows


@dataclass(frozen=True)
class EdgeShares:
    """What the edges at split vertices become, one row per edge afterwards.

    Attributes:
        edge: row in `graph.edges` of the edge that it comes from.
        source, target: which copy of the ends it joins, 0 for the vertex itself.
        among: among how many sources the weight was shared out.
        weight: its share.
    """

    edge: Array
    source: Array
    target: Array
    among: Array
    weight: Array

    @property
    def kept(self) -> Array:
        """Whether it is the edge that was there before."""
        return np.asarray((self.source == 0) & (self.target == 0))

    def take(self, chosen: Array) -> EdgeShares:
        """The rows at the given positions or mask."""
        return EdgeShares(**{f.name: getattr(self, f.name)[chosen] for f in fields(self)})


def share_edges(vertices: VertexRows, parts: Array, left: Array, draw: Callable[[int], Array]) -> EdgeShares:
    """Edges at vertices that are split, both ends of an edge at once.

    Args:
        vertices: the vertices, each once.
        parts: into how many each is split.
        left: (edges,) which edges to look at.
        draw: numbers in [0, 1], by how much shares are cut; see `split_weights`.
    """
    graph, edges = vertices.graph, vertices.graph.edges
    count = np.ones(len(graph.vertices), dtype=np.int64)
    count[vertices.rows] = parts
    touched = np.flatnonzero(((count[edges.source_row] > 1) | (count[edges.target_row] > 1)) & left)
    targets = count[edges.target_row[touched]]
    # One piece per copy of the target, and in each of them one share per copy of the source.
    piece, which = np.repeat(touched, targets), spans(0, targets)
    sources = count[edges.source_row[piece]]
    weight = split_weights(edges.weight[piece], sources, edges.narrow[piece], draw(int(sources.sum())))
    edge, target, among = (np.repeat(values, sources) for values in (piece, which, sources))
    return EdgeShares(edge, spans(0, sources), target, among, weight)


def check_split(vertices: VertexRows, parts: Array, noise: float) -> None:
    """Raise `RewriteError` where vertices cannot be split, or not so."""
    if not 0 <= number("noise", noise, error=RewriteError) <= 1:
        raise RewriteError(f"noise={noise} is not in [0, 1]; it is the part of its share that a copy may lose.")
    if len(parts) and parts.min() < 1:
        raise RewriteError(f"A vertex cannot be split into {parts.min()} parts; 1 leaves it as it is.")
    if len(np.unique(vertices.rows)) < len(vertices):
        raise RewriteError("A vertex is named twice; give every vertex once, with the number of its parts.")
    graph = vertices.graph
    for layer_id in np.unique(vertices.layer):
        layer = graph.layer(int(layer_id))
        norm = get_norm(layer.norm)
        if layer.role != "hidden" or norm.couples_vertices:
            what = f"under {norm.label}" if norm.couples_vertices else f"an {layer.role} layer"
            raise RewriteError(f"Layer {layer.name!r} is {what}; its vertices cannot be split.")
    wired = vertices.take(at_wires(vertices))
    if len(wired):
        name = graph.layer(int(wired.layer[0])).name
        raise RewriteError(
            f"Vertex {wired.id[0]} of layer {name!r} has identity wires, whose weight 1 cannot be shared out; "
            "split other vertices, or replace the wires by edges."
        )


def at_wires(vertices: VertexRows) -> Array:
    """(rows,) whether identity wires reach or leave each vertex."""
    edges = vertices.graph.edges
    wires = np.flatnonzero(edges.wired)
    ends = np.concatenate([edges.source_row[wires], edges.target_row[wires]])
    return np.isin(vertices.rows, ends)


def divides(weight: Array, count: Array, quotient: Array) -> Array:
    """Whether `count` times `quotient` is `weight` in real arithmetic, for whole counts."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = weight / quotient
        whole = (np.fmod(weight, quotient) == 0) & (ratio == count)  # fmod does not round
    return np.asarray(np.where(weight == 0, quotient == 0, whole))


def split_weights(weight: Array, count: Array, single: Array, cut: Array) -> Array:
    """Split every weight into `count` shares whose sum is the weight, in real arithmetic on the stored shares.

    Shares are equal where the quotient of the weight can be stored. Elsewhere, and where `cut` is above 0, all but the
    first are rounded to whole multiples of the last bit of the weight, and the first share is what is left.

    Args:
        weight: (n,) weights.
        count: (n,) number of shares of each, at least 1.
        single: (n,) whether a weight is stored in float32.
        cut: (sum of counts,) part by which each share is below weight / count, in [0, 1]; weight by weight. Those of
            the first shares are not used.

    Returns:
        (sum of counts,) float64 shares, weight by weight.
    """
    if not len(weight):
        return np.empty(0)
    weight = np.asarray(weight, dtype=np.float64)
    quotient = weight / count
    stored = np.where(single, quotient.astype(np.float32), quotient)
    last_bit = np.abs(np.where(single, np.spacing(weight.astype(np.float32)), np.spacing(weight)))
    first = np.cumsum(count) - count
    row = np.repeat(np.arange(len(weight)), count)
    cut = np.array(cut)
    cut[first] = 0.0
    # Multiples of one unit that sum to at most 2**53 of it: no partial sum is rounded.
    share = np.rint(quotient[row] * (1.0 - cut) / last_bit[row]) * last_bit[row]
    share[first] = 0.0
    share[first] = weight - np.add.reduceat(share, first)
    equal = divides(weight, count, stored) & (np.maximum.reduceat(cut, first) == 0)
    return np.where(equal[row], stored[row], share)
