"""History of edges in a run: weight and gradient of every edge over the epochs that the run has kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from netgraph.columns import Array, IdIndex
from netgraph.graph import Graph
from netgraph.rewriting import Journal
from netgraph.storage import EpochValues, load_epochs
from netgraph.viz.explorer.packing import pack

MOST_VALUES = 1_500_000
"""Largest number of weights, and of gradients, in the history of a graph; of more, epochs are left out evenly."""


@dataclass(frozen=True, eq=False)
class Moment:
    """Weights of some edges after an epoch: ids, weights, and mean absolute gradients or None."""

    epoch: int
    ids: Array
    weight: Array
    gradient: Array | None = None


@dataclass(frozen=True, eq=False)
class EdgeHistory:
    """Weights of edges over epochs.

    Attributes:
        epochs: numbers of finished epochs, `(epochs,)`.
        edge_ids: ids of the edges, `(edges,)`.
        weight: weight of each edge at each epoch, NaN where it did not exist or is not known, `(epochs, edges)`.
        gradient: mean absolute gradient, like `weight`, or None when no epoch has any.
    """

    epochs: Array
    edge_ids: Array
    weight: Array
    gradient: Array | None

    def to_json(self) -> dict[str, Any]:
        """Return the history as JSON values."""
        return {
            "epochs": pack(self.epochs),
            "edge_ids": pack(self.edge_ids),
            "weight": pack(self.weight),
            "gradient": None if self.gradient is None else pack(self.gradient),
        }


def history_of(moments: list[Moment], edge_ids: Array) -> EdgeHistory | None:
    """Collect the weights of some edges from moments in the order of time; None when there are no epochs to compare.

    Of several moments of an epoch, a later one overrules an earlier one edge by edge.

    Cost: O(moments * edges).
    """
    epochs = np.unique([moment.epoch for moment in moments]).astype(np.int64)
    if len(epochs) < 2 or not len(edge_ids):
        return None
    epochs = _thinned(epochs, max(2, MOST_VALUES // len(edge_ids)))
    index = IdIndex(edge_ids)
    weight = np.full((len(epochs), len(edge_ids)), np.nan, np.float32)
    gradient = weight.copy() if any(moment.gradient is not None for moment in moments) else None
    for moment in moments:
        at = int(np.searchsorted(epochs, moment.epoch))
        if at == len(epochs) or epochs[at] != moment.epoch:
            continue
        rows = index.find(moment.ids)
        known = rows >= 0
        weight[at, rows[known]] = moment.weight[known]
        if gradient is not None and moment.gradient is not None:
            gradient[at, rows[known]] = moment.gradient[known]
    return EdgeHistory(epochs, edge_ids, weight, gradient)


def moments_of(journal: Journal, last: Graph, last_epoch: int | None) -> list[Moment]:
    """Read the weights that a run has: at the start, after every kept epoch, before every rewrite, and at the end.

    New edges have a weight at the epoch of the rewrite that made them.

    Args:
        journal: the journal.
        last: the graph to which it leads, with its weights.
        last_epoch: number of epochs after which the weights of `last` were reached, or None where that is unknown.
    """
    first = journal.first()
    tables = {first.rewrites: _EdgeIds.of(first), last.rewrites: _EdgeIds.of(last)}
    around = []
    for entry in journal.entries():
        before, delta = journal.before(entry.rewrite), journal.delta(entry.rewrite)
        tables[before.rewrites] = _EdgeIds.of(before)
        around.append(Moment(entry.epoch, before.edges.id, before.edges.weight))
        around.append(Moment(entry.epoch, delta.edges_added.id, delta.edges_added.weight))
    kept = [
        Moment(one.epoch, tables[one.rewrites].ids, one.weight, one.gradient)
        for one in load_epochs(journal.directory)
        if one.rewrites in tables and tables[one.rewrites].fits(one)  # after `undo`, some belong to no graph
    ]
    end = [] if last_epoch is None else [Moment(last_epoch, last.edges.id, last.edges.weight)]
    return [Moment(0, first.edges.id, first.edges.weight), *kept, *around, *end]


class _EdgeIds(NamedTuple):
    """Ids of the edges of a topology, in the order of its rows."""

    topology_hash: str
    ids: Array

    @classmethod
    def of(cls, graph: Graph) -> _EdgeIds:
        return cls(graph.topology_hash, graph.edges.id)

    def fits(self, values: EpochValues) -> bool:
        return self.topology_hash == values.topology_hash and len(self.ids) == len(values.weight)


def _thinned(epochs: Array, most: int) -> Array:
    """At most `most` of some epochs, evenly spread, with the first and the last."""
    if len(epochs) <= most:
        return epochs
    return epochs[np.unique(np.linspace(0, len(epochs) - 1, most).round().astype(np.int64))]
