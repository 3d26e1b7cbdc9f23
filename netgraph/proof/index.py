"""Index of the known values of a proof: the old vertices that a search may find, and the new ones with a symbol."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from netgraph.proof.forms import Rows, Terms, joined
from netgraph.proof.known import KnownValues, KnownVertices, LayerOperation, operation, parameters
from netgraph.proof.ports import canonical

if TYPE_CHECKING:
    from netgraph.graph import Layer
    from netgraph.proof.walk import Walk


class Index:
    """Known values by their forms, as they are and in normal form. Old layers are added where a search may find them.

    Args:
        walk: the proof.

    Attributes:
        known, known_normal: the known vertices, with forms as they are, and with forms in normal form.
    """

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self.known, self.known_normal = KnownValues(), KnownValues()
        self._forms: dict[int, Rows] = {}
        self._reached: set[int] = set()
        self._followed: set[int] = set()
        self._waiting: dict[LayerOperation, list[Layer]] = {}

    def forms(self, layer: Layer) -> Rows:
        """Sums of all vertices of an old layer over the old values. O(edges into the layer), once per layer."""
        if layer.id not in self._forms:
            self._make([layer])
        return self._forms[layer.id]

    def _make(self, layers: list[Layer]) -> None:
        """Make the forms of some old layers of one operation, all at once: many small ones would take a step each."""
        walk, parts = self._walk, list[Terms]()
        ends = np.cumsum([0, *map(len, layers)])
        for layer, start in zip(layers, ends.tolist(), strict=False):
            rows = np.arange(len(layer))
            parts += [walk.old_terms(link, start + rows) for link in walk.old.incoming[layer.id]]
            parts += walk.biases(layer, rows, start + rows, 1.0)
        forms = walk.collect(int(ends[-1]), parts)
        if layers and (merge := layers[0].merge) is not None:
            forms = canonical(merge.core, forms, walk.space)
        for layer, (first, stop) in zip(layers, pairwise(ends.tolist()), strict=True):
            self._forms[layer.id] = forms.between(first, stop)

    def extend(self, layer: Layer, asked: Rows) -> None:
        """Add the old vertices that have the operation of a layer and may have one of the asked forms.

        These are in layers that read a value of the form, directly or through values that a normal form replaces.

        Costs O(edges into the layers that are added, and all that they read), once per old layer.
        """
        walk = self._walk
        walk.normal.search(asked)
        self._reach(asked)
        what = operation(layer)
        if (normal := walk.in_normal_form(what, asked)) is not asked:
            self._reach(normal)
        if not (found := self._waiting.pop(what, [])):
            return
        self._make([other for other in found if other.id not in self._forms])
        layer_ids = np.repeat([other.id for other in found], [len(other) for other in found])
        symbol = np.concatenate([walk.old.vertices.offset(other.id) + np.arange(len(other)) for other in found])
        forms, own = joined([self._forms[other.id] for other in found]), [parameters(other) for other in found]
        self.add(what, KnownVertices.of(forms, np.concatenate(own), symbol, layer_ids))

    def _reach(self, forms: Rows) -> None:
        """Put the old layers whose sums may be equal to one of the forms on the waiting lists of their operations."""
        walk = self._walk
        if len(self._reached) == len(walk.old_place):
            return
        constant = forms.sums(forms.column % walk.space.size != walk.space.one) == 0
        if constant.any():  # the sum of a vertex in any layer may be this constant
            for layer in walk.old.layers_by_id.values():
                self._wait(layer)
            return
        following = walk.old_layers(forms)
        while following:
            layer_id = following.pop()
            if layer_id in self._followed:
                continue
            self._followed.add(layer_id)
            if (source := walk.old.layer(layer_id)).role == "position":  # one normal form has the values of all of them
                following += [other.id for other in walk.positions[source.grid]]
            for link in walk.old.outgoing[layer_id]:
                target = walk.old.layer(link.target)
                self._wait(target)
                if walk.normal.expands(target):
                    following.append(target.id)

    def _wait(self, layer: Layer) -> None:
        if layer.id not in self._reached:
            self._reached.add(layer.id)
            if not layer.is_source:
                self._waiting.setdefault(operation(layer), []).append(layer)

    def add(self, what: LayerOperation, block: KnownVertices) -> None:
        """Add vertices to the known values by their forms, as they are and in normal form."""
        walk = self._walk
        walk.normal.search(block.forms)  # no later search finds more replacements in these forms
        self.known.add(what, block)
        self.known_normal.add(what, block.rewritten(walk.in_normal_form(what, block.forms)))
