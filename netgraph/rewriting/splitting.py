"""Splitting of vertices: the edges of their copies, and shares of weights that add up exactly as stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from netgraph.checks import number
from netgraph.columns import Array, by_value, spans
from netgraph.errors import RewriteError
from netgraph.graph import get_norm
from netgraph.rewriting.edits import EditBuffer
from netgraph.rewriting.operands import NewVertices
from netgraph.rewriting.patterns import EdgeRows, VertexRows

if TYPE_CHECKING:
    from netgraph.rewriting.rewriter import Rewriter


@dataclass(frozen=True)
class EdgeShares:
    """Edges at split vertices after the split, one row per edge.

    Attributes:
        edge: row in `graph.edges` of the edge from which it comes.
        source, target: number of the copy at each end, 0 for the vertex itself.
        among: number of sources among which the weight was divided.
        weight: share of the weight.
    """

    edge: Array
    source: Array
    target: Array
    among: Array
    weight: Array

    @property
    def kept(self) -> Array:
        """Whether each edge joins the split vertices themselves, and so is the old edge."""
        return np.asarray((self.source == 0) & (self.target == 0))

    def take(self, chosen: Array) -> EdgeShares:
        """Return the rows at the given positions or mask."""
        return EdgeShares(**{f.name: getattr(self, f.name)[chosen] for f in fields(self)})


def split(
    rw: Rewriter, buffer: EditBuffer, vertices: VertexRows, parts: Array, draw: Callable[[int], Array]
) -> dict[int, NewVertices]:
    """Add the copies of vertices with their edges, and share out the weights; return the copies by layer id."""
    buffer.use_vertices("is split", vertices.rows)
    first_copy, by_layer = _copies(rw, vertices, parts)
    shares = share_edges(vertices, parts, buffer.edges_left(), draw)
    buffer.split_edges(np.unique(shares.edge))
    edges = rw.graph.edges
    changed = shares.take(shares.kept & (shares.among > 1))
    rw.set_weight(EdgeRows(rw.graph, changed.edge), changed.weight)
    new = shares.take(~shares.kept)
    source, target = (
        np.where(which == 0, ids[new.edge], first_copy[rows[new.edge]] + which - 1)
        for which, ids, rows in (
            (new.source, edges.source, edges.source_row),
            (new.target, edges.target, edges.target_row),
        )
    )
    layer = rw.graph.vertices.layer
    for port, mine in by_value(edges.port[new.edge]).items():
        e = new.edge[mine]
        buffer.add_edges(
            source=source[mine], source_layer=layer[edges.source_row[e]], target=target[mine],
            target_layer=layer[edges.target_row[e]], tap=edges.tap[e], weight=new.weight[mine], kind=None,
            port=port, frozen=edges.frozen[e],
        )  # fmt: skip
    return by_layer


def _copies(rw: Rewriter, vertices: VertexRows, parts: Array) -> tuple[Array, dict[int, NewVertices]]:
    """Add `parts - 1` copies of each vertex; return the first copy's id by flat row or -1, and copies by layer."""
    first_copy = np.full(len(rw.graph.vertices), -1, dtype=np.int64)
    by_layer = {}
    for layer_id, mine in by_value(vertices.layer).items():
        layer, rows, extra = rw.graph.layer(layer_id), vertices.rows[mine], parts[mine] - 1
        if not extra.any():
            continue
        origin = np.repeat(rows, extra) - rw.graph.vertices.offset(layer_id)
        values = {name: column[origin] for name, column in layer.values.items()}
        new = rw.add_vertices(layer, len(origin), **values)
        first_copy[rows] = new.id[0] + np.cumsum(extra) - extra
        by_layer[layer_id] = new
    return first_copy, by_layer


def share_edges(vertices: VertexRows, parts: Array, left: Array, draw: Callable[[int], Array]) -> EdgeShares:
    """Compute the edges after a split of vertices; both ends of an edge may be split.

    Args:
        vertices: the vertices, each once.
        parts: number of vertices into which each is split.
        left: (edges,) mask of the edges to divide.
        draw: function that draws n reductions of shares in [0, 1]: see `split_weights`.
    """
    graph, edges = vertices.graph, vertices.graph.edges
    count = np.ones(len(graph.vertices), dtype=np.int64)
    count[vertices.rows] = parts
    touched = np.flatnonzero(((count[edges.source_row] > 1) | (count[edges.target_row] > 1)) & left)
    targets = count[edges.target_row[touched]]
    # Every copy of the target gets the whole weight, divided among the copies of the source.
    piece, which = np.repeat(touched, targets), spans(0, targets)
    sources = count[edges.source_row[piece]]
    weight = split_weights(edges.weight[piece], sources, edges.narrow[piece], draw(int(sources.sum())))
    edge, target, among = (np.repeat(values, sources) for values in (piece, which, sources))
    return EdgeShares(edge, spans(0, sources), target, among, weight)


def check_split(vertices: VertexRows, parts: Array, noise: float) -> None:
    """Raise `RewriteError` unless the vertices can be split into these numbers of parts, with this noise."""
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
    """Whether a wire enters or leaves each vertex, `(rows,)`."""
    edges = vertices.graph.edges
    wires = np.flatnonzero(edges.wired)
    ends = np.concatenate([edges.source_row[wires], edges.target_row[wires]])
    return np.isin(vertices.rows, ends)


def divides(weight: Array, count: Array, quotient: Array) -> Array:
    """Whether `count * quotient == weight` in real arithmetic, for whole counts."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = weight / quotient
        whole = (np.fmod(weight, quotient) == 0) & (ratio == count)  # fmod does not round
    return np.asarray(np.where(weight == 0, quotient == 0, whole))


def split_weights(weight: Array, count: Array, single: Array, reduction: Array) -> Array:
    """Split every weight into `count` shares whose sum is the weight, in real arithmetic on the stored shares.

    Shares are equal where `weight / count` can be stored and `reduction` is 0. Otherwise all shares but the first are
    rounded to whole multiples of the last bit of the weight, and the first share is the remainder.

    Args:
        weight: (n,) weights.
        count: (n,) number of shares of each, at least 1.
        single: (n,) whether a weight is stored in float32.
        reduction: (sum of counts,) fraction in [0, 1] by which each share is smaller than weight / count, weight by
            weight. The entries of first shares are not used.

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
    reduction = np.array(reduction)
    reduction[first] = 0.0
    # The shares are multiples of the last bit and add up to at most 2**53 of it, so no partial sum is rounded.
    share = np.rint(quotient[row] * (1.0 - reduction) / last_bit[row]) * last_bit[row]
    share[first] = 0.0
    share[first] = weight - np.add.reduceat(share, first)
    equal = divides(weight, count, stored) & (np.maximum.reduceat(reduction, first) == 0)
    return np.where(equal[row], stored[row], share)
