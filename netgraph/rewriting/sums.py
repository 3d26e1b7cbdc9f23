"""Weights that a rewrite adds to edges: they are summed at its end, and edges that are missing are made."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from netgraph.columns import Array, by_value
from netgraph.errors import RewriteError
from netgraph.graph import LinkKey, LinkKind
from netgraph.proof import sum_groups
from netgraph.rewriting.edits import EditBuffer
from netgraph.rewriting.patterns import EdgeRows

if TYPE_CHECKING:
    from netgraph.graph import Graph


@dataclass(frozen=True)
class Addends:
    """Weights to be added to edges of one link, one row per weight; ends are vertex ids."""

    source: Array
    target: Array
    tap: Array
    weight: Array
    frozen: Array

    def take(self, chosen: Array) -> Addends:
        """Return the rows at the given positions or mask."""
        return Addends(**{f.name: getattr(self, f.name)[chosen] for f in fields(self)})


class WeightSums:
    """Weights that are added to edges, in the order of the calls, until `settle` sums them."""

    def __init__(self) -> None:
        self._parts: dict[LinkKey, list[tuple[LinkKind | None, Addends]]] = {}

    def add(self, source_layer: Array, target_layer: Array, port: int, kind: LinkKind | None, rows: Addends) -> None:
        """Add weights at one port, which may belong to several links."""
        layers = int(max(source_layer.max(initial=0), target_layer.max(initial=0))) + 1
        for pair, mine in by_value(np.asarray(source_layer, np.int64) * layers + target_layer).items():
            self._parts.setdefault((*divmod(pair, layers), port), []).append((kind, rows.take(mine)))

    def settle(self, buffer: EditBuffer) -> None:
        """Set the weights of edges of the graph to their sums, and add the edges that are missing.

        Each sum is rounded once. O(n log n) for n weights, and one pass over the edges of each link concerned.
        """
        parts, self._parts = self._parts, {}
        now = buffer.weights() if parts else np.empty(0)
        for key, calls in parts.items():
            columns = [[getattr(rows, f.name) for _, rows in calls] for f in fields(Addends)]
            rows = Addends(*(np.concatenate(column) for column in columns))
            kind = next((kind for kind, _ in calls if kind is not None), None)
            _settle_link(buffer, key, kind, rows, now)


def _settle_link(buffer: EditBuffer, key: LinkKey, kind: LinkKind | None, rows: Addends, now: Array) -> None:
    order = np.lexsort((rows.tap, rows.source, rows.target))
    rows = rows.take(order)
    places = np.stack([rows.target, rows.source, rows.tap])
    start = np.flatnonzero(np.r_[True, (np.diff(places, axis=1) != 0).any(axis=0)][: len(order)])
    first = rows.take(start)
    edge = _edges_at(buffer.graph, key, first)
    there = edge >= 0
    if there.any() and buffer.graph.links_by_key[key].kind.wires:
        raise RewriteError(f"The link {key} has wires of weight 1, to which no weight can be added.")
    group = np.repeat(np.arange(len(start)), np.diff(start, append=len(order)))
    group, weight = np.r_[np.flatnonzero(there), group], np.r_[now[edge[there]], rows.weight]
    by_group = np.argsort(group, kind="stable")
    total, *_ = sum_groups(weight[by_group], np.flatnonzero(np.diff(group[by_group], prepend=-1)))
    buffer.change_edges("weight", EdgeRows(buffer.graph, edge[there]), total[there])
    new = first.take(~there)
    buffer.add_edges(
        source=new.source, source_layer=np.full(len(new.source), key[0]), target=new.target,
        target_layer=np.full(len(new.source), key[1]), tap=new.tap, weight=total[~there], kind=kind, port=key[2],
        frozen=new.frozen,
    )  # fmt: skip


def _edges_at(graph: Graph, key: LinkKey, places: Addends) -> Array:
    """Row in `graph.edges` of the edge at each place, -1 where there is none."""
    link = graph.link(key)
    if link is None or not len(link):
        return np.full(len(places.tap), -1)
    source, target = (graph.vertices.find(ids) for ids in (places.source, places.target))
    width, taps = len(graph.layer(key[0])), int(max(link.tap.max(), places.tap.max(initial=0))) + 1
    have = (link.dst.astype(np.int64) * width + link.src) * taps + link.tap  # increasing: the order of a link
    wanted = (target - graph.vertices.offset(key[1])) * width + source - graph.vertices.offset(key[0])
    wanted = np.where((source >= 0) & (target >= 0), wanted * taps + places.tap, -1)
    at = np.minimum(np.searchsorted(have, wanted), len(have) - 1)
    return np.where(have[at] == wanted, graph.edges.offset(key) + at, -1)
