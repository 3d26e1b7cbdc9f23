"""Alignment of two graphs: give a graph the ids of another one, where layers, vertices and edges correspond."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from netgraph.columns import Array, digest
from netgraph.graph import Graph, NextIds, Station
from netgraph.proof.layer_pairs import LayerPairs, OldValues, fits
from netgraph.proof.operators import Operators
from netgraph.proof.pairing import edge_rows

if TYPE_CHECKING:
    from netgraph.graph import Layer


def aligned(old: Graph, new: Graph) -> Graph:
    """Give a graph the ids of another one, wherever a layer, a vertex or an edge corresponds to one of the other.

    Correspondence is found by structure and value, never by id, so that the result is certified as tightly as if
    rewrites had made it: `certify(old, aligned(old, new))`. Inputs and outputs correspond by their order. A hidden
    layer is the old layer with which most of its vertices share their value; else that of the same name; else the first
    one that reads the same layers, among layers whose values have the same grid. Vertices of two layers correspond
    where their values are equal, whatever the order of rows; the remaining ones by the nearest incoming weights. Of
    several copies of one vertex the first keeps its id. Everything else has an id that is new to both graphs.

    Only ids, births and the history change: the function, names and order of rows are those of `new`. The history is
    that of `old`, and one step more.

    Args:
        old, new: the graphs.

    Returns:
        `new` with other ids.

    Costs O(edges) for sums and bounds, O(n log n) for n vertices, and for changed layers of up to 1,000 vertices an
    assignment of O(n^3) at worst; wider ones pair vertices that are nearest to each other.
    """
    known = OldValues(old, Operators())
    pairs = LayerPairs(known, new, {}, frozenset(), guess=False)
    if not pairs.complete:  # equal values decide first; then close ones, names and places
        hidden = [layer for layer in new.layers if layer.role == "hidden"]
        fixed = {layer.id: pairs.layers[layer.id] for layer in hidden if layer.id in pairs.layers}
        taken = frozenset(layer.id for layer in fixed.values())
        pairs = LayerPairs(known, new, {**_by_name(old, hidden, taken), **fixed}, taken, guess=True)
    return _with_ids(old, new, pairs)


def _by_name(old: Graph, hidden: list[Layer], taken: Set[int]) -> dict[int, Layer]:
    """Old layer of the name of each of some hidden layers, by id, if there is one that fits and is not `taken`."""
    found = {}
    for layer in hidden:
        other = old.layers.get(layer.name)
        if other is not None and other.role == "hidden" and other.id not in taken and fits(other, layer):
            found[layer.id] = other
    return found


def _with_ids(old: Graph, new: Graph, pairs: LayerPairs) -> Graph:
    """Return the new graph with the ids of the old one, and fresh ones where nothing corresponds."""
    first = NextIds(*map(max, old.next_ids, new.next_ids))
    ids, next_layer = {}, first.layer
    for layer in new.layers_by_id.values():
        if layer.id in pairs.layers:
            ids[layer.id] = pairs.layers[layer.id].id
        else:
            ids[layer.id], next_layer = next_layer, next_layer + 1
    births = old.rewrites + 1
    layers, next_vertex = [], first.vertex
    for layer in new.layers_by_id.values():
        vertex, birth, next_vertex = _fresh(len(layer), next_vertex, births)
        if layer.id in pairs.layers:
            other, rows = pairs.layers[layer.id], pairs.rows[layer.id]
            some = np.flatnonzero(rows >= 0)
            vertex[some], birth[some] = other.vertex_ids[rows[some]], other.birth[rows[some]]
        layers.append(replace(layer, id=ids[layer.id], vertex_ids=vertex, birth=birth))
    links, next_edge = [], first.edge
    for link in new.links_by_key.values():
        before = old.link((ids[link.source], ids[link.target], link.port))
        edge, birth, next_edge = _fresh(len(link), next_edge, births)
        if before is not None:
            rows = edge_rows(old, before, new, link, (pairs.rows[link.source], pairs.rows[link.target]))
            some = np.flatnonzero(rows >= 0)
            edge[some], birth[some] = before.id[rows[some]], before.birth[rows[some]]
        source, target = ids[link.source], ids[link.target]
        links.append(replace(link, source=source, target=target, id=edge, birth=birth))
    next_ids, past = NextIds(next_layer, next_vertex, next_edge), Station.of(old)
    found = Graph(layers, links, next_ids=next_ids, lineage="", rewrites=births, past=past, validate=False)
    found.__dict__["lineage"] = digest("aligned", old.lineage, found.topology_hash).hex()
    return found


def _fresh(count: int, first: int, rewrites: int) -> tuple[Array, Array, int]:
    """New ids from `first` on, births in the rewrite of a number, and the next unused id."""
    return first + np.arange(count), np.full(count, rewrites, dtype=np.int32), first + count
