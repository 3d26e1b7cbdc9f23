"""Base class of merges. Callers use its methods and attributes, and never test for a certain merge."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from netgraph.columns import Array
from netgraph.graph.grid import Grid
from netgraph.graph.merges.change import ComputedRead, MergeChange
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
        commutes: whether both ports may change places.
        constant: effect of a number that is added to all positions of a read at port 1 whose frequency is 0: it
            "vanishes", or "adds" itself to `z`; "" for any other effect.
        port_names: names of both ports, for texts and pictures.
    """

    name: ClassVar[str]
    slotted: ClassVar[bool] = False
    carried: ClassVar[tuple[int, ...]] = ()
    gives_heads: ClassVar[bool] = False
    head_ports: ClassVar[tuple[int, ...]] = ()
    operates: ClassVar[bool] = True
    commutes: ClassVar[bool] = False
    constant: ClassVar[Literal["", "vanishes", "adds"]] = ""
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

    @abstractmethod
    def flops(self, ports: tuple[Grid, Grid], wires: int) -> int:
        """Floating-point operations of one sample, for the grids of both ports and the number of wires into port 0."""

    def unit(self, slot: Array) -> Array:
        """Number of the unit of each wire into a vertex, by its slot; the wires of a unit only work together."""
        return np.zeros_like(slot)

    def visible(self, grid: Grid) -> Array:
        """Mask of the keys that each query sees, `(queries, keys)`: all of them without a causal mask."""
        return np.ones(grid, bool)

    # A merge multiplies reads: `z` depends on the reads of a slot (of a pair of slots with one frequency other than 0)
    # only where there are reads other than 0 at both ports, and on the settings of the merge only as follows.

    def factor(self, port: int) -> float:
        """Factor of all reads at a port."""
        return 1.0

    def frequency(self, slot: int) -> float:
        """Angle per position by which the pair of a slot turns, in radians; 0 where nothing turns."""
        return 0.0

    @property
    def core(self) -> Merge:
        """The merge with its other settings only: without factors and frequencies."""
        return self

    def change(self, change: MergeChange) -> Pair:
        """Bounds of new `z` minus old `z` of each vertex, `(change.width,)`, where the core of the merge is unchanged.

        They are rounded outward. By default infinite.
        """
        infinite = np.full(change.width, np.inf)
        return -infinite, infinite

    def rounding(self, first: ComputedRead, second: ComputedRead, width: int) -> tuple[Array, Array]:
        """Bounds of the rounding error of `evaluate`, for any order of summation; by default infinite.

        Returns:
            For each vertex the bound of the error of every number, and for heads of the sum of these errors over the
            last axis of the grid, `(width,)` each.
        """
        return np.full(width, np.inf), np.full(width, np.inf)

    @property
    def words(self) -> tuple[str, ...]:
        """Short texts for pictures: the name, and each setting that is not the simplest one."""
        return (self.name,)


def starts_of(dst: Array, width: int) -> Array:
    """First wire of each vertex, and the number of wires at the end: `(width + 1,)`; `dst` is sorted."""
    return np.searchsorted(dst, np.arange(width + 1))
