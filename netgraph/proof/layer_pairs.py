"""Layers and rows of a new graph that correspond to those of an old one, by structure and value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Set
from typing import TYPE_CHECKING

import numpy as np

from netgraph.columns import Array, concatenate
from netgraph.graph import Graph
from netgraph.proof.operators import Operators
from netgraph.proof.pairing import equal_rows, nearest_rows, plain_keys, sizes_of_outgoing
from netgraph.proof.sketches import CLOSE, EQUAL, WIDTH, Neighbours, Sketch, Sketches, groups, kind_of, noise

if TYPE_CHECKING:
    from netgraph.graph import Layer

STEADY = 0.25
"""Largest relative change of the length of a sum that counts as a change of its weights, and not of its scale."""


class OldValues:
    """Sketches of an old graph, among which the vertices of a new one are looked up.

    Args:
        graph: the old graph.
        operators: numbers of the maps of positions, shared by both graphs.

    Attributes:
        sketches: the sketches.
        own: see `Sketch.values`, by layer id.
        place: place of each layer in topological order, by id.
    """

    def __init__(self, graph: Graph, operators: Operators) -> None:
        self.graph, self.operators = graph, operators
        self.sketches = sketches = Sketches(graph, operators)
        self.own: dict[int, Array] = {}
        self.place = {i: place for place, i in enumerate(graph.topological_order)}
        self._kinds: dict[tuple[object, ...], list[Layer]] = {}
        self._found: dict[tuple[object, ...], tuple[Neighbours, Array]] = {}
        sketch_sources(sketches)
        for layer in graph.layers:
            if not layer.is_source:
                found = sketches.look(layer)
                self.own[layer.id] = noise("vertex", layer.id, rows=len(layer))[groups(found.likeness)]
                sketches.values[sketches.rows(layer)] = found.values(self.own[layer.id])
                if layer.role == "hidden":
                    self._kinds.setdefault(kind_of(layer), []).append(layer)
        self.values = Neighbours(sketches.values)

    def of_kind(self, kind: tuple[object, ...]) -> tuple[Neighbours, Array]:
        """All hidden vertices of one operation that are not constant, by their keys, and the layer id of each."""
        if kind not in self._found:
            parts = [(self.sketches.look(x), x.id) for x in self._kinds.get(kind, [])]
            keys = [s.key[~s.constant] for s, _ in parts]
            ids = [np.full(len(key), i) for key, (_, i) in zip(keys, parts, strict=True)]
            keys.append(np.zeros((0, WIDTH + 1)))
            self._found[kind] = Neighbours(np.concatenate(keys)), concatenate(ids, np.int64)
        return self._found[kind]


def sketch_sources(sketches: Sketches) -> None:
    """Set the values of inputs, by their order and rows, and of positions: the same in all graphs."""
    for number, layer in enumerate(sketches.graph.inputs):
        sketches.values[sketches.rows(layer)] = noise("input", number, rows=len(layer))
    for layer in sketches.graph.layers:
        if layer.role == "position":
            sketches.values[sketches.rows(layer)] = noise("position", layer.grid, rows=len(layer))


class LayerPairs:
    """Pairs of layers of two graphs, and of their rows, found in one pass over the new graph.

    Args:
        known: the old graph.
        new: the new graph.
        expected: old layers by the id of the hidden new layer that is paired with it where values do not decide.
        fixed: ids of the old layers that go to no other layer than the expected one.
        guess: whether layers are paired too whose values are merely close, and by their place; else by equal values
            alone.

    Attributes:
        layers: old layer of each new layer that has one, by id.
        rows: old row of each row of such a layer, -1 for none.
        complete: whether no hidden layer is left that is neither paired nor repeats values of other old layers.
    """

    def __init__(
        self, known: OldValues, new: Graph, expected: Mapping[int, Layer], fixed: Set[int], *, guess: bool
    ) -> None:
        self.old, self.new, self._known, self._expected = known.graph, new, known, expected
        self._fixed, self._guess = fixed, guess
        self._before, self._after = known.sketches, Sketches(new, known.operators)
        self._taken: set[int] = set()
        self._reserved = {layer.id for layer in expected.values()}
        self._repeating: set[int] = set()
        self.layers: dict[int, Layer] = {}
        self.rows: dict[int, Array] = {}
        for before, after in ((self.old.inputs, new.inputs), (self.old.outputs, new.outputs)):
            for old, layer in zip(before, after, strict=False):
                self._pair(layer, old, np.where(np.arange(len(layer)) < len(old), np.arange(len(layer)), -1))
        self._visit()
        hidden = [layer for layer in new.layers if layer.role == "hidden"]
        self._left = [x for x in hidden if x.id not in self.layers and x.id not in self._repeating]
        self.complete = not self._left
        if guess:
            self._pair_the_rest()

    def _pair(self, new: Layer, old: Layer, rows: Array) -> None:
        self.layers[new.id], self.rows[new.id] = old, rows
        self._taken.add(old.id)

    # -- layers -----------------------------------------------------------------------------------

    def _visit(self) -> None:
        sketches = self._after
        sketch_sources(sketches)
        for layer in self.new.layers:
            if layer.role == "position":
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
        expected = self._expected.get(layer.id)
        expected = None if expected is None or expected.id in self._taken else expected
        known, layer_ids = self._known.of_kind(kind_of(layer))
        asked = np.flatnonzero(~found.constant)
        same, distance = known.near(found.key[asked], CLOSE if self._guess else EQUAL)
        votes = Counter(layer_ids[same[same >= 0]].tolist())
        lost = self._taken | (self._fixed - {-1 if expected is None else expected.id})
        free = {i: n for i, n in votes.items() if i not in lost}
        if free:
            best = max(free.values())
            leading = [self.old.layer(i) for i, n in free.items() if n == best]
            other = expected if expected in leading else min(leading, key=lambda x: self._known.place[x.id])
            if 2 * best >= min(len(asked), int((~self._before.look(other).constant).sum())):
                return other
        equal = np.zeros(len(layer), dtype=bool)
        equal[asked[(same >= 0) & (distance <= EQUAL)]] = True
        if 2 * np.count_nonzero(equal | self._passed_on(found)) >= len(layer):
            self._repeating.add(layer.id)
            return None
        return self._by_place(layer) if expected is None and self._guess else expected

    def _passed_on(self, found: Sketch) -> Array:
        """Mask of the vertices that hand on the value of an old vertex, constants aside."""
        with np.errstate(invalid="ignore"):
            values = found.linear[:, None] * found.sum
        result = np.isfinite(found.linear) & ~found.constant
        rows = np.flatnonzero(result)
        _, distance = self._known.values.near(values[rows], EQUAL)
        result[rows] = distance <= EQUAL
        return result

    def _by_place(self, layer: Layer) -> Layer | None:
        """First free old layer of the same operation that reads what corresponds to a source of a new layer, or None.

        Layers that are expected elsewhere are not free.
        """
        sources = [self.layers[k.source].id for k in self.new.incoming[layer.id] if k.source in self.layers]
        readers = {k.target for i in sources for k in self.old.outgoing[i]} - self._reserved - self._taken
        kind = kind_of(layer)
        fitting = (x for x in map(self.old.layer, readers) if x.role == "hidden" and fits(x, layer))
        return min((x for x in fitting if kind_of(x) == kind), key=lambda x: self._known.place[x.id], default=None)

    def _pair_the_rest(self) -> None:
        """Pair the hidden layers that are left, in their order, whatever their operations."""
        free = {x.id: x for x in self.old.layers if x.role == "hidden" and x.id not in self._taken}
        for layer in self._left:
            other = next((x for x in free.values() if fits(x, layer)), None)
            if other is not None:
                del free[other.id]
                self._pair(layer, other, np.full(len(layer), -1))
                self._settle(layer, self._after.look(layer))

    # -- rows -------------------------------------------------------------------------------------

    def _settle(self, layer: Layer, found: Sketch) -> Array:
        """Pair the rows of a layer, and return sketches of the values of its vertices."""
        own = noise("new", layer.id, rows=len(layer))[groups(found.likeness)]
        old = self.layers.get(layer.id)
        if old is None:
            return found.values(own)
        before = self._before.look(old)
        same = np.full(len(layer), -1, dtype=np.int64)
        alike = kind_of(old) == kind_of(layer)
        twins = self.rows[layer.id]
        if layer.role != "output":
            if alike:
                order = sizes_of_outgoing(self.old, old), sizes_of_outgoing(self.new, layer)
                same, twins = equal_rows(before, found, order)
            rest = np.flatnonzero((twins < 0) & (same < 0))
            keys = (before.direct, found.direct) if alike else (plain_keys(before), plain_keys(found))
            a, b = nearest_rows(*keys, np.setdiff1d(np.arange(len(old)), twins), rest)
            twins[b] = a
            self.rows[layer.id] = twins
        some = np.flatnonzero(same >= 0)
        own[some] = self._known.own[old.id][same[some]]
        values = found.values(own)
        near = np.flatnonzero((same < 0) & (twins >= 0))
        ratio = found.scale[near] / before.scale[twins[near]]
        ratio[np.abs(ratio - 1) < STEADY] = 1.0
        values[near] = self._before.values[self._before.rows(old)][twins[near]] * ratio[:, None]
        return values


def fits(old: Layer, new: Layer) -> bool:
    """Whether two layers may correspond, with other weights: their values have one grid, and they merge alike."""
    return old.output_grid == new.output_grid and type(old.merge) is type(new.merge) and old.is_table == new.is_table
