"""Wires into the ports of merging layers, as plans know them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from netgraph.columns import Array
from netgraph.errors import CompileError
from netgraph.graph import Graph, Layer, PortWires, port_wires


@dataclass(frozen=True, eq=False)
class PortReads:
    """Wires into one port of a merging layer, sorted by (target, slot).

    Attributes:
        places: position in `Plan.layers` of each source layer.
        source: index into `places` of the source of each wire, `(wires,)`.
        src: int64 row of each wire in its source layer, `(wires,)`.
        dst: int64 row of each wire in the merging layer, `(wires,)`.
        slot: int64 slot of each wire, `(wires,)`.
    """

    places: tuple[int, ...]
    source: Array
    src: Array
    dst: Array
    slot: Array

    def __len__(self) -> int:
        return len(self.dst)

    def at(self, wires: Any) -> PortReads:
        """Return some of the wires, chosen by a slice or by their places."""
        return PortReads(self.places, self.source[wires], self.src[wires], self.dst[wires], self.slot[wires])

    def counts(self, width: int) -> Array:
        """Number of wires into each vertex of the merging layer, `(width,)`."""
        return np.bincount(self.dst, minlength=width)

    def source_counts(self, width: int) -> Array:
        """Number of wires out of each vertex of the one source layer, `(width,)`."""
        return np.bincount(self.src, minlength=width)


def port_reads(graph: Graph, layer: Layer, place: dict[int, int]) -> tuple[PortReads, ...]:
    """Find the wires into each port of a layer, none for a layer that sums.

    Args:
        graph: the network.
        layer: of it.
        place: position in the plan of each layer, by id.

    Raises:
        CompileError: when numbers are merged with inputs of indices.
    """
    if layer.merge is None:
        return ()
    if not layer.grid:
        _refuse_indices(graph, layer)
    return tuple(_reads(wires, place) for wires in port_wires(graph, layer.id))


def _refuse_indices(graph: Graph, layer: Layer) -> None:
    """Raise `CompileError` when numbers are merged with inputs of indices, which have no numbers in the buffer."""
    for link in graph.incoming[layer.id]:
        source = graph.layer(link.source)
        if source.encoding == "index":
            raise CompileError(
                f"Layer {layer.name!r} merges the indices of input {source.name!r}; put a layer between them that "
                "reads the input by wires, or by edges with weights."
            )


def _reads(wires: PortWires, place: dict[int, int]) -> PortReads:
    columns = (np.asarray(column, dtype=np.int64) for column in (wires.source, wires.src, wires.dst, wires.slot))
    return PortReads(tuple(place[source] for source in wires.sources), *columns)
