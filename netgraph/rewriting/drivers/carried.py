"""Statistics that a derivation takes along: which values are missing, and which of them a rule has read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from netgraph.columns import Array
from netgraph.errors import StatisticsError
from netgraph.rewriting.delta import Delta
from netgraph.statistics import Statistics


@dataclass(frozen=True, eq=False, repr=False)
class CarriedStatistics(Statistics):
    """Statistics that were carried over rewrites of a derivation.

    Attributes:
        rewrites: number of rewrites over which they were carried.
        new: whether each part is new since the statistics were collected, by "edges" and "vertices".
        read: names of the edge and vertex columns that were read, by "edges" and "vertices".
    """

    rewrites: int = 0
    new: Mapping[str, Array] = field(default_factory=dict)
    read: dict[str, set[str]] = field(default_factory=lambda: {"edges": set(), "vertices": set()})

    @classmethod
    def across(cls, stats: Statistics, delta: Delta) -> Self:
        """Carry statistics over a rewrite."""
        carried = stats.carry(delta)
        earlier = stats if isinstance(stats, CarriedStatistics) else None
        new = {}
        for kind, rows in (("edges", delta.edge_rows), ("vertices", delta.vertex_rows)):
            new[kind] = rows < 0
            if earlier is not None:
                new[kind] |= earlier.new[kind][rows]
        number = earlier.rewrites + 1 if earlier else 1
        return cls(
            carried.topology_hash, carried.edges, carried.vertices, carried.batches, {}, carried.samples, number, new
        )

    def edge(self, name: str) -> Array:
        """Return the edge column `name`, `(edges,)`; note that it was read."""
        self.read["edges"].add(name)
        return super().edge(name)

    def vertex(self, name: str) -> Array:
        """Return the vertex column `name`, `(vertices,)`; note that it was read."""
        self.read["vertices"].add(name)
        return super().vertex(name)

    @staticmethod
    def notes(stats: Statistics | None, *, forget: bool = False) -> list[str]:
        """Return a sentence on each column that was read and is NaN for new parts; `forget` which ones were read."""
        notes: list[str] = []
        if not isinstance(stats, CarriedStatistics):
            return notes
        for kind in ("edges", "vertices"):
            for name in sorted(stats.read[kind]):
                if missing := int(np.count_nonzero(np.isnan(getattr(stats, kind)[name]) & stats.new[kind])):
                    notes.append(f"{name} is missing (NaN) for {missing:,} {kind} that earlier steps made")
            if forget:
                stats.read[kind].clear()
        return notes

    @staticmethod
    def remedy(stats: Statistics | None, error: Exception) -> str:
        """Text for an error that carried statistics may have caused, or ''."""
        notes = CarriedStatistics.notes(stats)
        if not isinstance(stats, CarriedStatistics) or not (notes or isinstance(error, StatisticsError)):
            return ""
        said = f": {', '.join(notes)}" if notes else ""
        return (
            f" The statistics were carried over {stats.rewrites:,} earlier {'step' if stats.rewrites == 1 else 'steps'}"
            f"{said}. Moments are gone, too. Collect statistics again between the steps, with a call of apply for each."
        )
