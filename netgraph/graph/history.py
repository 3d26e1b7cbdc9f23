"""Histories of graphs: sequences of rewrites, in which an id keeps its meaning."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from netgraph.columns import Array, ReadOnly
from netgraph.errors import GraphError

if TYPE_CHECKING:
    from netgraph.graph.graph import Graph

MAX_STATIONS = 256
"""Largest number of stations in a file: the latest ones, and the first one of the history."""


class NextIds(NamedTuple):
    """Ids of the next new layer, vertex and edge. They only grow along a history."""

    layer: int
    vertex: int
    edge: int


class Station(ReadOnly):
    """Record of one graph of a history, linked to the stations before it. Later graphs share these records.

    Attributes:
        lineage: hash of the history up to this graph.
        rewrites: number of rewrites up to this graph.
        next_ids: smallest ids that were not yet given out.
        before: the station before this one, of the previous rewrite or of the graph that was thinned; None at the
            start of the history, and where the earlier history is unknown.
    """

    lineage: str
    rewrites: int
    next_ids: NextIds
    before: Station | None

    def __init__(self, lineage: str, rewrites: int, next_ids: NextIds, before: Station | None) -> None:
        self.__dict__.update(lineage=lineage, rewrites=rewrites, next_ids=next_ids, before=before)

    @classmethod
    def of(cls, graph: Graph) -> Station:
        """Make the station of a graph."""
        return cls(graph.lineage, graph.rewrites, graph.next_ids, graph.past)

    def __iter__(self) -> Iterator[Station]:
        at: Station | None = self
        while at is not None:
            yield at
            at = at.before

    def __repr__(self) -> str:
        return f"Station({self.rewrites} rewrites, lineage {self.lineage[:8]})"

    def __reduce__(self) -> tuple[Any, ...]:
        return stations, ([(s.lineage, s.rewrites, *s.next_ids) for s in self],)


def stations(rows: Iterable[Iterable[Any]]) -> Station | None:
    """Rebuild the latest station from the rows of `kept_rows`; None when there are none.

    Each row is `(lineage, rewrites, next layer, next vertex, next edge)`, the latest first.
    """
    at: Station | None = None
    for lineage, rewrites, *ids in reversed(list(rows)):
        at = Station(lineage, rewrites, NextIds(*ids), at)
    return at


def kept_rows(past: Station | None) -> list[list[Any]]:
    """List a station and all before it as rows for a file, the latest first, at most `MAX_STATIONS`; see `stations`."""
    rows = [[s.lineage, s.rewrites, *s.next_ids] for s in past or ()]
    return rows if len(rows) <= MAX_STATIONS else [*rows[: MAX_STATIONS - 1], rows[-1]]


def earlier(graph: Graph, lineage: str) -> Station | None:
    """Find the station with this lineage in the past of a graph; None when there is none."""
    return next((station for station in graph.past or () if station.lineage == lineage), None)


def check_one_history(one: Graph, other: Graph) -> None:
    """Check that an id means the same thing in both graphs. Functions that match two graphs by id call it first.

    Ids agree when rewrites lead from one graph to the other. They also agree when both graphs come from one graph and
    no id was given out in both since then. Files of older versions lack the early history. Then the vertices and edges
    of the start are compared: a layer id must have the same role in both graphs, and for inputs and outputs the same
    size; a vertex id must have the same layer, and an edge id the same source, target, tap and port.

    Raises:
        GraphError: when the ids disagree.

    Cost: O(rewrites); where neither graph comes from the other, also the sorting of all ids.
    """
    if one is other or one.lineage == other.lineage:
        return
    mine, theirs = list(Station.of(one)), list(Station.of(other))
    known = {station.lineage: station for station in theirs}
    common = next((station for station in mine if station.lineage in known), None)
    follows = common is not None and common.lineage in (one.lineage, other.lineage)
    parted = _part(mine, theirs)
    if common is None or not (follows or parted):
        _check_start(one, other)
    if parted:
        limit = common and NextIds(*map(min, common.next_ids, known[common.lineage].next_ids))
        _check_new(one, other, limit or NextIds(0, 0, 0), common)


def _part(mine: list[Station], theirs: list[Station]) -> bool:
    """Return whether two histories are known to differ: other lineages after the same number of rewrites."""
    places = [{station.rewrites: station.lineage for station in reversed(chain)} for chain in (mine, theirs)]
    return any(places[1].get(rewrites, lineage) != lineage for rewrites, lineage in places[0].items())


def _check_new(one: Graph, other: Graph, limit: NextIds, common: Station | None) -> None:
    """Raise `GraphError` for an id that was given out in both histories after their last common station.

    Without a common station all layers, vertices and edges that rewrites made count as new.
    """
    since = f"they part after rewrite {common.rewrites}" if common else "no graph is known to be in the past of both"
    for kind, least, (ids, new), (theirs, also) in (
        ("layer", limit.layer, _layer_ids(one, common), _layer_ids(other, common)),
        ("vertex", limit.vertex, _born(one.vertices, common), _born(other.vertices, common)),
        ("edge", limit.edge, _born(one.edges, common), _born(other.edges, common)),
    ):
        both, here, there = np.intersect1d(ids[ids >= least], theirs[theirs >= least], return_indices=True)
        mixed: Array = np.flatnonzero(new[ids >= least][here] | also[theirs >= least][there])
        if len(mixed):
            raise GraphError(f"{since}, and the {kind} id {both[mixed[0]]} was given to one thing in each of them")


def _born(table: Any, common: Station | None) -> tuple[Array, Array]:
    """Ids of a table, and the mask of the new ones. With a common station, the caller selects new ids by `next_ids`."""
    return table.id, np.ones(len(table), dtype=bool) if common else table.birth > 0


def _layer_ids(graph: Graph, common: Station | None) -> tuple[Array, Array]:
    layers = graph.layers_by_id.values()
    new = [common is not None or bool((layer.birth > 0).all()) for layer in layers]
    return np.array([layer.id for layer in layers], dtype=np.int64), np.array(new, dtype=bool)


def _check_start(old: Graph, new: Graph) -> None:
    """Raise `GraphError` when an id of the start stands for different things in the two graphs."""
    before, after = old.layers_by_id, new.layers_by_id
    for i in before.keys() & after.keys():
        if before[i].role != after[i].role:
            raise GraphError(f"layer {i} has role {before[i].role} in one and {after[i].role} in the other")
        sizes = len(before[i]), len(after[i])
        if before[i].role != "hidden" and sizes[0] != sizes[1]:
            raise GraphError(
                f"layer {i} ({before[i].role}) has {sizes[0]:,} vertices in one and {sizes[1]:,} in the other"
            )
    for kind, columns, a, b in (
        ("vertex", ("layer",), old.vertices, new.vertices),
        ("edge", ("source", "target", "tap", "port"), old.edges, new.edges),
    ):
        rows = a.find(b.id)
        there = np.flatnonzero(rows >= 0)
        there = there[(a.birth[rows[there]] == 0) & (b.birth[there] == 0)]
        for name in columns:
            one, other = getattr(a, name)[rows[there]], getattr(b, name)[there]
            differ: Array = np.flatnonzero(one != other)
            if len(differ):
                at = differ[0]
                raise GraphError(f"{kind} {b.id[there[at]]} has {name} {one[at]} in one and {other[at]} in the other")
