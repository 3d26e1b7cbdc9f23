"""Base class of merges. Callers use its methods and attributes, and never test for a certain merge."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from netgraph.columns import Array
from netgraph.graph.grid import Grid
from netgraph.graph.outward import Pair


@dataclass(frozen=True, eq=False)
class PortRead:
    """Values that a merging layer reads at one port, for `interpret`.

    Attributes:
        values: values of the source vertices, `(batch, sources, *grid)`.
        src: row of the source of each wire in `values`, `(wires,)`.
        dst: row of the vertex of the merging layer that each wire enters, `(wires,)`, in increasing order.
        slot: slot of each wire, `(wires,)`, in increasing order within a vertex.
    """

    values: Array
    src: Array
    dst: Array
    slot: Array


class Merge(ABC):
    """Operation that computes `z` of a layer from its two ports, in place of a sum. Subclasses are frozen dataclasses.

    A merging layer has no weights: only `Identity` wires enter it, so each weight is an edge into a layer that sums.

    Attributes:
        name: name of the merge in files.
        slotted: whether the tap of a wire is its slot, so that several wires may join a vertex at one port.
        carried: ports through which paths of weights lead; at the other ports a vertex only controls these paths.
        gives_heads: whether its vertices are heads: numbers at least 0 that sum to 1 over the last axis of the grid.
        head_ports: ports that read heads only.
        operates: whether the layer may have a bias, a norm, an activation and a pool after the merge.
        port_names: names of both ports, for texts and pictures.
    """

    name: ClassVar[str]
    slotted: ClassVar[bool] = False
    carried: ClassVar[tuple[int, ...]] = ()
    gives_heads: ClassVar[bool] = False
    head_ports: ClassVar[tuple[int, ...]] = ()
    operates: ClassVar[bool] = True
    port_names: ClassVar[tuple[str, str]]

    @abstractmethod
    def output_grid(self, ports: tuple[Grid, Grid]) -> Grid:
        """Grid of `z` for the grids that ports 0 and 1 read. Raises `GraphError` when they do not fit."""

    @abstractmethod
    def evaluate(self, reads: tuple[PortRead, PortRead], width: int) -> Array:
        """Compute `z` in float64, `(batch, width, *grid)`, from the values at ports 0 and 1."""

    @abstractmethod
    def interval(self, first: Pair, second: Pair, width: int) -> Pair:
        """Interval of `z` of each vertex, `(width,)`, rounded outward.

        `first` and `second` are the intervals of the values that each wire of port 0 and of port 1 reads, sorted by
        vertex and slot.
        """

    @property
    def words(self) -> tuple[str, ...]:
        """Short texts for pictures: the name, and each setting that is not the simplest one."""
        return (self.name,)


def starts_of(dst: Array, width: int) -> Array:
    """First wire of each vertex, and the number of wires at the end: `(width + 1,)`; `dst` is sorted."""
    return np.searchsorted(dst, np.arange(width + 1))
