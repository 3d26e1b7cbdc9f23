"""Reads of merging layers: their intervals, and their changes from the old to the new graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netgraph.columns import Array
from netgraph.graph import MergeChange
from netgraph.graph.bounds import Pair, add, times
from netgraph.proof.forms import Rows, Terms
from netgraph.proof.ports import PortTags
from netgraph.proof.readings import Edges

if TYPE_CHECKING:
    from netgraph.graph import Graph, Layer
    from netgraph.proof.walk import Walk


@dataclass(frozen=True, eq=False)
class SourceReads:
    """Reads of the vertices of one layer through their ports, `(reads,)` each.

    Attributes:
        row: row of the form that the read belongs to.
        tag: number of the tag.
        source: flat row of the vertex that is read.
        low, high: interval of the value, with the factor of the port.
        error_low, error_high: interval of the error that is added to the form of the value.
        soft: whether the rounding of the weights explains the error.
    """

    row: Array
    tag: Array
    source: Array
    low: Array
    high: Array
    error_low: Array
    error_high: Array
    soft: Array

    @property
    def uncertain(self) -> Array:
        """Indices of the reads with an error."""
        return np.flatnonzero((self.error_low != 0) | (self.error_high != 0))


def reads_of(walk: Walk, graph: Graph, layer: Layer, rows: Array, *, tied: bool = False) -> SourceReads:
    """List the reads of the vertices r of a layer with `rows[r] >= 0`; `graph` is one of the graphs of the proof."""
    parts = []
    for link in graph.incoming[layer.id]:
        edges = Edges.of(graph, link, rows, walk.space)
        source = graph.vertices.offset(link.source) + edges.source
        symbol = source if graph is walk.old else walk.space.own + source
        columns = [walk.space.low[symbol], walk.space.high[symbol]]
        if graph is walk.old:
            columns += [np.zeros(len(source)), np.zeros(len(source)), np.ones(len(source), dtype=bool)]
        else:
            values = walk.values(link.source, tied=tied)
            columns += [column[edges.source] for column in (values.low, values.high, values.soft)]
        for first in (0, 2) if (edges.weight != 1).any() else ():
            columns[first : first + 2] = times(edges.weight, edges.weight, columns[first], columns[first + 1])
        parts.append((edges.row, walk.space.operators.tag_of[edges.operator], source, *columns))
    return SourceReads(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


class PairedReads:
    """Reads of a new layer beside those of its twins, joined by vertex and tag.

    The arrays have one entry for each vertex and tag of either side.

    Args:
        walk: the proof.
        new: the reads of the new layer.
        old: the reads of its twins, with the rows of the new vertices.

    Attributes:
        new, old: interval of each read on both sides; 0 where there is none.
        moved: interval of new read minus old read.
    """

    def __init__(self, walk: Walk, new: SourceReads, old: SourceReads) -> None:
        self._walk = walk
        self._tags = len(walk.space.operators.tags)
        keys = [reads.row * self._tags + reads.tag for reads in (new, old)]
        self._key = np.unique(np.concatenate(keys))
        self._new_at, self._old_at = (np.searchsorted(self._key, key) for key in keys)
        self.new, self.old = self._intervals(new, self._new_at), self._intervals(old, self._old_at)
        self._live_new, self._live_old = (self._at(at) for at in (self._new_at[new.uncertain], self._old_at[:0]))
        self._sources = np.full((2, len(self._key)), -1, dtype=np.int64)
        self._sources[0, self._new_at], self._sources[1, self._old_at] = new.source, old.source
        infinite = np.full(len(self._key), np.inf)
        self.moved: Pair = (-infinite, infinite)

    def _intervals(self, reads: SourceReads, at: Array) -> Pair:
        low, high = np.zeros(len(self._key)), np.zeros(len(self._key))
        low[at], high[at] = reads.low, reads.high
        return low, high

    def _at(self, at: Array) -> Array:
        mask = np.zeros(len(self._key), dtype=bool)
        mask[at] = True
        return mask

    def _read(self, forms: Rows) -> tuple[Array, Array]:
        """Indices of the entries of forms that have a tag, and the index of the read of each."""
        tag = PortTags(forms, self._walk.space).tag
        tagged = np.flatnonzero(tag >= 0)
        return tagged, np.searchsorted(self._key, forms.row[tagged] * self._tags + tag[tagged])

    def drop(self, new: Rows, old: Rows) -> None:
        """Let reads count as 0 that have neither an error nor a term in the forms of their side."""
        self._live_new |= self._at(self._read(new)[1])
        self._live_old |= self._at(self._read(old)[1])
        for (low, high), live in ((self.new, self._live_new), (self.old, self._live_old)):
            low[~live], high[~live] = 0.0, 0.0
        alone = self._live_new != self._live_old
        most = np.where(alone, self.new[1] - self.old[0], np.where(self._live_new, np.inf, 0.0))
        least = np.where(alone, self.new[0] - self.old[1], np.where(self._live_new, -np.inf, 0.0))
        self.moved = (least, most)

    def compare(self, change: Rows, reads: SourceReads) -> None:
        """Narrow the changes of the reads that both sides have, by the difference of their forms.

        Args:
            change: forms of the vertices minus forms of their twins.
            reads: reads of the new layer; their errors are added to the differences.
        """
        tagged, read = self._read(change)
        plain = PortTags(change, self._walk.space).plain[tagged]
        columns = (getattr(change, name)[tagged] for name in ("value", "error", "rounding"))
        low, high = self._walk.change_interval(self._walk.collect(len(self._key), [Terms(read, plain, *columns)]))
        more = [np.zeros(len(self._key)), np.zeros(len(self._key))]
        more[0][self._new_at], more[1][self._new_at] = reads.error_low, reads.error_high
        low, high = add(low, high, *more)
        both = self._live_new & self._live_old
        least, most = self.moved
        self.moved = np.where(both, np.maximum(least, low), least), np.where(both, np.minimum(most, high), most)

    def by_slot(self, width: int) -> MergeChange:
        """Return the reads slot by slot, for a layer of `width` vertices."""
        row, tag = np.divmod(self._key, self._tags)
        tags = np.array(self._walk.space.operators.tags, dtype=np.float64).reshape(-1, 3)
        port = tags[tag, 0]
        slots, of_tag = np.unique(tags[:, 1:], axis=0, return_inverse=True)
        keys, place = np.unique(row * len(slots) + of_tag.ravel()[tag], return_inverse=True)
        row_of, slot = np.divmod(keys, max(len(slots), 1))

        def ports(pair: Pair) -> tuple[Pair, Pair]:
            result = np.zeros((2, 2, len(keys)))
            for number in (0, 1):
                at = port == number
                result[number][:, place[at]] = np.stack(pair)[:, at]
            return (result[0, 0], result[0, 1]), (result[1, 0], result[1, 1])

        shifted = np.zeros(len(keys))
        shifted[place[port == 0]] = self._shifted()[port == 0]
        return MergeChange(
            width, row_of, slots[slot, 0].astype(np.int64), slots[slot, 1],
            ports(self.old), ports(self.new), ports(self.moved), shifted,
        )  # fmt: skip

    def _shifted(self) -> Array:
        """Bound of the weight that moves in each read, if it is a head: 0 where the read is unmoved, at most 1."""
        walk, (new, old) = self._walk, self._sources
        known = (new >= 0) & (old >= 0)
        twins = known & (walk.twin[new] == old)
        moves = np.where(twins, walk.shifted[new], 1.0)
        return np.where(known & (self.moved[0] == 0) & (self.moved[1] == 0), 0.0, moves)
