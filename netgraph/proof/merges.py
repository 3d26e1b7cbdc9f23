"""Vertices that merge their ports: comparison with their twins, and bounds of their values and of their changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netgraph.columns import Array
from netgraph.graph import MergeChange, port_wires
from netgraph.graph.bounds import Pair, add, add_bias
from netgraph.proof.forms import Rows
from netgraph.proof.known import operation
from netgraph.proof.normal import Normal
from netgraph.proof.ports import PortTags, canonical, without_constants, without_zeros
from netgraph.proof.reads import PairedReads, SourceReads, reads_of
from netgraph.proof.sums import Sums

if TYPE_CHECKING:
    from netgraph.graph import Layer
    from netgraph.proof.walk import Walk


class MergedLayer:
    """A merging layer of the new graph beside its twins.

    Args:
        walk: the proof.
        layer: the layer.
        twin: (vertices,) flat rows of the twins in the same layer of the old graph, or -1.

    Attributes:
        comparable: mask of the vertices whose twin has the same operation, `(vertices,)`.
        change: form of each vertex minus the form of its twin; without meaning where it is not comparable.
        uncertain: mask of the vertices that have a read with an error, `(vertices,)`.
    """

    def __init__(self, walk: Walk, layer: Layer, twin: Array) -> None:
        assert layer.merge is not None
        self.walk, self.layer, self.twin, self.merge = walk, layer, twin, layer.merge
        n = len(layer)
        old = walk.old.layers_by_id.get(layer.id)
        self.comparable = twin >= 0
        if old is None or operation(old) != operation(layer):
            self.comparable = np.zeros(n, dtype=bool)
        self._form, self._reads = self._read()
        self._old_form = walk.collect(n, [])
        self._old_reads: SourceReads | None = None
        self.uncertain = np.zeros(n, dtype=bool)
        self.change = self._form
        if old is not None and self.comparable.any():
            place = np.full(len(old), -1, dtype=np.int64)
            has = np.flatnonzero(self.comparable)
            own = twin[has] - walk.old.vertices.offset(old.id)
            place[own] = has
            parts = [walk.old_terms(link, place) for link in walk.old.incoming[old.id]]
            self._old_form = walk.collect(n, parts + walk.biases(old, own, has, 1.0))
            self._old_reads = reads_of(walk, walk.old, old, place)
            self.change = self._compared()
        _, dead = self._simplified(self._form, np.arange(n))
        uncertain = self._reads.uncertain[~dead]
        self.uncertain[self._reads.row[uncertain]] = True

    def _read(self, *, tied: bool = False) -> tuple[Rows, SourceReads]:
        """Forms of all vertices, and their reads."""
        walk, rows = self.walk, np.arange(len(self.layer))
        parts = walk.biases(self.layer, rows, rows, 1.0)
        for link in walk.new.incoming[self.layer.id]:
            parts += walk.new_terms(link, rows, tied=tied)[0]
        return walk.collect(len(rows), parts), reads_of(walk, walk.new, self.layer, rows, tied=tied)

    def _simplified(self, forms: Rows, rows: Array) -> tuple[Rows, Array]:
        """Forms of some vertices of the layer without terms of no effect; and the uncertain reads in slots of 0."""
        place = np.full(len(self.layer), -1, dtype=np.int64)
        place[rows] = np.arange(len(rows))
        at = self._reads.uncertain
        at = at[place[self._reads.row[at]] >= 0]
        forms = without_constants(self.merge, forms, self.walk.space)
        return without_zeros(forms, self.walk.space, (place[self._reads.row[at]], self._reads.tag[at]))

    def _compared(self) -> Rows:
        """Form of each comparable vertex minus the form of its twin, in normal form where that has fewer terms."""
        rows = np.flatnonzero(self.comparable)
        change = self._difference(rows)
        rest = np.flatnonzero(~change.empty)
        if not len(rest):
            return self.walk.collect(len(self.layer), [])
        part = self.walk.reduced(change.take(rest), lambda normal, _: self._difference(rows[rest], normal))
        return self.walk.collect(len(self.layer), [part.terms(1.0, rows[rest])])

    def _difference(self, rows: Array, normal: Normal | None = None) -> Rows:
        new, old = self._form.take(rows), self._old_form.take(rows)
        if normal is not None:
            new, old = normal.of(new), normal.of(old)
        new, _ = self._simplified(new, rows)
        old, _ = without_zeros(without_constants(self.merge, old, self.walk.space), self.walk.space)
        return self.walk.collect(len(rows), [new.terms(), old.terms(-1.0)])

    def sums(self, rows: Array) -> Sums:
        """Form, change and bounds of some vertices. The error of a form is 0, or without bounds: see `uncertain`."""
        walk = self.walk
        low, high = walk.space.low, walk.space.high
        pairs: list[Pair] = []
        for wires in port_wires(walk.new, self.layer.id):
            starts = np.array([walk.new.vertices.offset(i) for i in wires.sources], dtype=np.int64)
            at = walk.space.own + starts[wires.source] + wires.src
            pairs.append((low[at], high[at]))
        z = add_bias(self.layer, self.merge.interval(pairs[0], pairs[1], len(self.layer)))
        moved = self._moved()
        far = np.where(self.uncertain[rows], np.inf, 0.0)
        soft = np.ones(len(self.layer), dtype=bool)
        soft[self._reads.row[~self._reads.soft]] = False
        form = canonical(self.merge, self._form.take(rows), walk.space)
        return Sums(
            rows, self.twin[rows], form, -far, far, soft[rows], self.change.take(rows),
            moved[0][rows], moved[1][rows], z[0][rows], z[1][rows],
        )  # fmt: skip

    def _moved(self) -> Pair:
        """Bounds of `z` minus `z` of the twin, for every vertex; infinite where it is not comparable."""
        n = len(self.layer)
        infinite = np.full(n, np.inf)
        if self._old_reads is None:
            return -infinite, infinite
        low, high = self.merge.change(self._merge_change(self._old_reads))
        change = self.walk.collect(n, [self._form.terms(), self._old_form.terms(-1.0)])
        added = change.filter(PortTags(change, self.walk.space).tag < 0)
        low, high = add(low, high, *self.walk.change_interval(added))
        low, high = np.where(self.comparable, low, -np.inf), np.where(self.comparable, high, np.inf)
        if self.merge.gives_heads:
            start = self.walk.new.vertices.offset(self.layer.id)
            self.walk.shifted[start : start + n] = np.minimum(high, 1.0)
        return low, high

    def _merge_change(self, before: SourceReads) -> MergeChange:
        """Change of all reads, slot by slot. Reads of slots that are 0 at one port count as 0.

        Constants stay in the reads: their intervals have them too, and both are compared.
        """
        walk = self.walk
        new, old = self._form, self._old_form
        if self.merge.constant != "adds":
            new, _ = self._simplified(new, np.arange(len(self.layer)))
            old, _ = without_zeros(without_constants(self.merge, old, walk.space), walk.space)
        reads = PairedReads(walk, self._reads, before)
        reads.drop(new, old)
        reads.compare(walk.collect(len(self.layer), [self._form.terms(), self._old_form.terms(-1.0)]), self._reads)
        if any(link.source in walk.tied_layers for link in walk.new.incoming[self.layer.id]):
            form, tied = self._read(tied=True)
            reads.compare(walk.collect(len(self.layer), [form.terms(), self._old_form.terms(-1.0)]), tied)
        return reads.by_slot(len(self.layer))
