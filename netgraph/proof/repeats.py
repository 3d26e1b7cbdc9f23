"""Old vertices that repeat each other: they get one symbol, so that forms over them can be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netgraph.graph.columns import Array
from netgraph.proof.forms import Rows, Terms
from netgraph.proof.known import alike, parameters

if TYPE_CHECKING:
    from netgraph.proof.walk import Walk


class Repeats:
    """Which old values are equal to an earlier one of their layer, as far as it was asked.

    Args:
        walk: the proof.
    """

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._searched: set[int] = set()
        self._first: Array | None = None

    def canonical(self, rows: Rows) -> Rows:
        """The forms with every repeated value replaced by its first."""
        if self._first is None or not len(rows.column):
            return rows
        size = self._walk.space.size
        operator, symbol = np.divmod(rows.column, size)
        first = self._first[np.minimum(symbol, self._walk.space.one)]
        first = np.where(symbol < self._walk.space.one, first, symbol)
        if (first == symbol).all():
            return rows
        return self._walk.collect(len(rows), [Terms(rows.row, operator * size + first, rows.value, rows.error)])

    def search(self, rows: Rows) -> bool:
        """Look for repeats among the layers of the values in some forms, and among all that these read.

        Returns:
            Whether any were found that were not known.

        Costs O(edges log edges) of these layers, once for each.
        """
        walk = self._walk
        symbol = np.unique(rows.column % walk.space.size)
        symbol = symbol[symbol < walk.space.one]
        asked = self._reaching(np.unique(walk.old.vertices.layer[symbol]).tolist())
        found = False
        for layer_id in walk.old.topological_order if asked else ():
            if layer_id in asked:
                self._searched.add(layer_id)
                found = self._search_layer(layer_id) or found
        return found

    def _reaching(self, layers: list[int]) -> set[int]:
        """These layers and all from which they can be reached, without those that were searched."""
        asked: set[int] = set()
        waiting = layers
        while waiting:
            layer_id = waiting.pop()
            if layer_id not in asked and layer_id not in self._searched:
                asked.add(layer_id)
                waiting += [link.source for link in self._walk.old.incoming[layer_id]]
        return asked

    def _search_layer(self, layer_id: int) -> bool:
        walk = self._walk
        layer = walk.old.layer(layer_id)
        if layer.role == "input" or layer.norm == "layer" or len(layer) < 2:
            return False
        flat = walk.old.vertices.offset(layer_id) + np.arange(len(layer))
        forms = self.canonical(walk.old_forms([(layer, flat)]))
        first = alike(layer, forms, parameters(layer))
        again = np.flatnonzero(first != np.arange(len(layer)))
        if not len(again):
            return False
        terms = [forms.take(again).terms(), forms.take(first[again]).terms(-1.0)]
        same = again[walk.collect(len(again), terms).empty]
        if not len(same):
            return False
        if self._first is None:
            self._first = np.arange(walk.space.one + 1)
        self._first[flat[same]] = flat[first[same]]
        return True
