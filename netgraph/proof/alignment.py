"""Alignment of two graphs: give a graph the ids of another one, where layers, vertices and edges correspond."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from netgraph.columns import Array, concatenate
from netgraph.graph import Graph, NextIds
from netgraph.proof.operators import Operators
from netgraph.proof.pairing import edge_ids, equal_rows, nearest_rows, plain_keys, sizes_of_outgoing
from netgraph.proof.sketches import CLOSE, EQUAL, WIDTH, Neighbours, Sketch, Sketches, groups, kind_of, noise

if TYPE_CHECKING:
    from netgraph.graph import Layer, Link

STEADY = 0.25
"""Largest relative change of the length of a sum that counts as a change of its weights, and not of its scale."""


def aligned(old: Graph, new: Graph) -> Graph:
    """Give a graph the ids of another one, wherever a layer, a vertex or an edge corresponds to one of the other.

    Correspondence is found by structure and value, never by id, so that the result is certified as tightly as if
    rewrites had made it: `certify(old, aligned(old, new))`. Inputs and outputs correspond by their order. A hidden
    layer is the old layer with which most of its vertices share their value; else that of the same name; else the first
    one that reads the same layers, among layers whose values have the same grid. Vertices of two layers correspond
    where their values are equal, whatever the order of rows; the remaining ones by the nearest incoming weights. Of
    several copies of one vertex the first keeps its id. Everything else has an id that is new to both graphs.

    Only ids change: the function, names and order of rows are those of `new`.

    Args:
        old, new: the graphs.

    Returns:
        `new` with other ids.

    Costs O(edges) for sums and bounds, O(n log n) for n vertices, and for changed layers of up to 1,000 vertices an
    assignment of O(n^3) at worst; wider ones pair vertices that are nearest to each other.
    """
    return _Alignment(old, new).graph()


class _Alignment:
    """State of one alignment.

    Attributes:
        layers: old layer of each new layer that has one, by id.
        twins: old row of each row of such a layer, -1 for none.
        _own: see `Sketch.values`, by id of the old layer.
        _repeating: ids of new layers that repeat values which the old graph has in other layers.
    """

    def __init__(self, old: Graph, new: Graph) -> None:
        self.old, self.new = old, new
        operators = Operators()
        self._before, self._after = Sketches(old, operators), Sketches(new, operators)
        self._kinds: dict[tuple[object, ...], list[Layer]] = {}
        self._known: dict[tuple[object, ...], tuple[Neighbours, Array]] = {}
        self._place = {i: place for place, i in enumerate(old.topological_order)}
        self._repeating: set[int] = set()
        self._own: dict[int, Array] = {}
        self._taken: set[int] = set()
        self.layers: dict[int, Layer] = {}
        self.twins: dict[int, Array] = {}
        self._ends(old.inputs, new.inputs)
        self._ends(old.outputs, new.outputs)
        self._awaited = self._by_name()
        self._reserved = {other.id for other in self._awaited.values()}
        self._look_at_old()
        self._values = Neighbours(self._before.values)
        self._look_at_new()
        self._pair_the_rest()

    def _ends(self, before: tuple[Layer, ...], after: tuple[Layer, ...]) -> None:
        for old, new in zip(before, after, strict=False):
            self._pair(new, old, np.where(np.arange(len(new)) < len(old), np.arange(len(new)), -1))

    def _pair(self, new: Layer, old: Layer, twins: Array) -> None:
        self.layers[new.id], self.twins[new.id] = old, twins
        self._taken.add(old.id)

    def _by_name(self) -> dict[int, Layer]:
        """Old layer of the same name by the id of each hidden new layer that has one."""
        found = {}
        for layer in self.new.layers:
            other = self.old.layers.get(layer.name)
            if other is not None and layer.role == other.role == "hidden" and _fits(other, layer):
                found[layer.id] = other
        return found

    # -- values of the old graph ------------------------------------------------------------------

    def _look_at_old(self) -> None:
        sketches = self._before
        for number, layer in enumerate(self.old.inputs):
            sketches.values[sketches.rows(layer)] = noise("input", number, rows=len(layer))
        for layer in self.old.layers:
            if layer.role == "position":
                sketches.values[sketches.rows(layer)] = noise("position", layer.grid, rows=len(layer))
            elif layer.role != "input":
                found = sketches.look(layer)
                self._own[layer.id] = noise("vertex", layer.id, rows=len(layer))[groups(found.key)]
                sketches.values[sketches.rows(layer)] = found.values(self._own[layer.id])
                if layer.role == "hidden":
                    self._kinds.setdefault(kind_of(layer), []).append(layer)

    def _known_vertices(self, kind: tuple[object, ...]) -> tuple[Neighbours, Array]:
        """All hidden old vertices of one operation that are not constant, by their keys, and the layer of each."""
        if kind not in self._known:
            layers = self._kinds.get(kind, [])
            parts = [(self._before.look(x), x.id) for x in layers]
            keys = [s.key[~s.constant] for s, _ in parts]
            ids = [np.full(len(key), i) for key, (_, i) in zip(keys, parts, strict=True)]
            self._known[kind] = (
                Neighbours(np.concatenate([*keys, np.zeros((0, WIDTH + 1))])),
                concatenate(ids, np.int64),
            )
        return self._known[kind]

    # -- layers of the new graph ------------------------------------------------------------------

    def _look_at_new(self) -> None:
        sketches = self._after
        for number, layer in enumerate(self.new.inputs):
            sketches.values[sketches.rows(layer)] = noise("input", number, rows=len(layer))
        for layer in self.new.layers:
            if layer.role == "position":
                sketches.values[sketches.rows(layer)] = noise("position", layer.grid, rows=len(layer))
                self._position(layer)
            elif layer.role != "input":
                found = sketches.look(layer)
                if layer.role == "hidden" and (other := self._corresponding(layer, found)) is not None:
                    self._pair(layer, other, np.full(len(layer), -1))
                sketches.values[sketches.rows(layer)] = self._settle(layer, found)

    def _position(self, layer: Layer) -> None:
        """Pair a layer of positions with the first free one on the same grid; both are the same constant."""
        for other in self.old.layers:
            if other.role == "position" and other.grid == layer.grid and other.id not in self._taken:
                self._pair(layer, other, np.arange(len(layer)))
                return

    def _corresponding(self, layer: Layer, found: Sketch) -> Layer | None:
        """Old layer that corresponds to a new hidden layer, or None for a layer that is new."""
        free = self._awaited.get(layer.id)
        free = None if free is None or free.id in self._taken else free
        known, layer_ids = self._known_vertices(kind_of(layer))
        asked = np.flatnonzero(~found.constant)
        same, distance = known.near(found.key[asked], CLOSE)
        votes = Counter(layer_ids[same[same >= 0]].tolist())
        of_free = {i: n for i, n in votes.items() if i not in self._taken}
        if of_free:
            best = max(of_free.values())
            names = [self.old.layer(i) for i, n in of_free.items() if n == best]
            other = free if free in names else min(names, key=lambda x: self._place[x.id])
            if 2 * best >= min(len(asked), int((~self._before.look(other).constant).sum())):
                return other
        equal = np.zeros(len(layer), dtype=bool)
        equal[asked[(same >= 0) & (distance <= EQUAL)]] = True
        if 2 * np.count_nonzero(equal | self._passed_on(found)) >= len(layer):
            self._repeating.add(layer.id)
            return None
        return free if free is not None else self._by_place(layer)

    def _passed_on(self, found: Sketch) -> Array:
        """Mask of the vertices that hand on the value of an old vertex."""
        with np.errstate(invalid="ignore"):
            values = found.linear[:, None] * found.sum
        result = np.isfinite(found.linear)
        rows = np.flatnonzero(result)
        _, distance = self._values.near(values[rows], EQUAL)
        result[rows] = distance <= EQUAL
        return result

    def _by_place(self, layer: Layer) -> Layer | None:
        """First free old layer of the same operation that reads what corresponds to a source of a new layer, or None.

        Layers that another new layer has by name are not free.
        """
        sources = [self.layers[k.source].id for k in self.new.incoming[layer.id] if k.source in self.layers]
        readers = {k.target for i in sources for k in self.old.outgoing[i]} - self._reserved - self._taken
        fitting = [x for x in map(self.old.layer, readers) if x.role == "hidden" and _fits(x, layer)]
        kind = kind_of(layer)
        return min((x for x in fitting if kind_of(x) == kind), key=lambda x: self._place[x.id], default=None)

    def _pair_the_rest(self) -> None:
        """Pair the hidden layers that are left, in their order, whatever their operations."""
        free = [x for x in self.old.layers if x.role == "hidden" and x.id not in self._taken]
        for layer in self.new.layers:
            if layer.role == "hidden" and layer.id not in self.layers and layer.id not in self._repeating:
                other = next((x for x in free if _fits(x, layer)), None)
                if other is not None:
                    free.remove(other)
                    self._pair(layer, other, np.full(len(layer), -1))
                    self._settle(layer, self._after.look(layer))

    # -- rows -------------------------------------------------------------------------------------

    def _settle(self, layer: Layer, found: Sketch) -> Array:
        """Pair the rows of a layer, and return sketches of the values of its vertices."""
        own = noise("new", layer.id, rows=len(layer))[groups(found.key)]
        old = self.layers.get(layer.id)
        if old is None:
            return found.values(own)
        before = self._before.look(old)
        same = np.full(len(layer), -1, dtype=np.int64)
        alike = kind_of(old) == kind_of(layer)
        twins = self.twins[layer.id]
        if layer.role != "output":
            if alike:
                order = sizes_of_outgoing(self.old, old), sizes_of_outgoing(self.new, layer)
                same, twins = equal_rows(before, found, order)
            rest = np.flatnonzero((twins < 0) & (same < 0))
            keys = (before.direct, found.direct) if alike else (plain_keys(before), plain_keys(found))
            a, b = nearest_rows(*keys, np.setdiff1d(np.arange(len(old)), twins), rest)
            twins[b] = a
            self.twins[layer.id] = twins
        some = np.flatnonzero(same >= 0)
        own[some] = self._own[old.id][same[some]]
        values = found.values(own)
        near = np.flatnonzero((same < 0) & (twins >= 0))
        ratio = found.scale[near] / before.scale[twins[near]]
        ratio[np.abs(ratio - 1) < STEADY] = 1.0
        values[near] = self._before.values[self._before.rows(old)][twins[near]] * ratio[:, None]
        return values

    # -- the result -------------------------------------------------------------------------------

    def graph(self) -> Graph:
        """Return the new graph with the ids of the old one, and fresh ones where nothing corresponds."""
        ids = NextIds(*map(max, self.old.next_ids, self.new.next_ids))
        layer_ids, next_layer = {}, ids.layer
        for layer in self.new.layers_by_id.values():
            if layer.id in self.layers:
                layer_ids[layer.id] = self.layers[layer.id].id
            else:
                layer_ids[layer.id], next_layer = next_layer, next_layer + 1
        layers, next_vertex = [], ids.vertex
        for layer in self.new.layers_by_id.values():
            vertex = np.full(len(layer), -1, dtype=np.int64)
            if layer.id in self.layers:
                twins = self.twins[layer.id]
                vertex[twins >= 0] = self.layers[layer.id].vertex_ids[twins[twins >= 0]]
            next_vertex = _fill(vertex, next_vertex)
            layers.append(replace(layer, id=layer_ids[layer.id], vertex_ids=vertex))
        links, next_edge = [], ids.edge
        for link in self.new.links_by_key.values():
            edge = self._edges(link, (layer_ids[link.source], layer_ids[link.target], link.port))
            next_edge = _fill(edge, next_edge)
            links.append(replace(link, source=layer_ids[link.source], target=layer_ids[link.target], id=edge))
        return Graph(layers, links, next_ids=NextIds(next_layer, next_vertex, next_edge), validate=False)

    def _edges(self, link: Link, key: tuple[int, int, int]) -> Array:
        before = self.old.link(key)
        if before is None:
            return np.full(len(link), -1, dtype=np.int64)
        rows = self.twins[link.source], self.twins[link.target]
        return edge_ids(self.old, before, self.new, link, rows)


def _fits(old: Layer, new: Layer) -> bool:
    """Whether two layers may correspond, with other weights: their values have one grid, and they merge alike."""
    return old.output_grid == new.output_grid and type(old.merge) is type(new.merge) and old.is_table == new.is_table


def _fill(ids: Array, first: int) -> int:
    """Replace ids of -1 by new ones from `first` on; return the next unused id."""
    missing = np.flatnonzero(ids < 0)
    ids[missing] = first + np.arange(len(missing))
    return first + len(missing)
