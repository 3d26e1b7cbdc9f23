"""Products: gates."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from netgraph.columns import Array
from netgraph.errors import GraphError
from netgraph.graph.grid import Grid
from netgraph.graph.merges.change import ComputedRead, MergeChange
from netgraph.graph.merges.merge import Merge, PortRead
from netgraph.graph.outward import EPS, Pair, times


@dataclass(frozen=True)
class Product(Merge):
    """The product of both ports, position by position, as in gated MLPs: `z = port0 * port1`.

    SwiGLU is a product of a layer with the activation "silu" and a layer with "identity" (Shazeer 2020,
    arXiv:2002.05202, equation 6). Each vertex has one wire at each port.
    """

    name = "product"
    carried = (0, 1)
    commutes = True
    port_names = ("gate", "value")

    def output_grid(self, ports: tuple[Grid, Grid]) -> Grid:
        """Grid of both ports. Raises `GraphError` when they differ."""
        if ports[0] != ports[1]:
            raise GraphError(f"a product needs one grid, and reads {ports[0]} at port 0 and {ports[1]} at port 1")
        return ports[0]

    def evaluate(self, reads: tuple[PortRead, PortRead], width: int) -> Array:
        """Multiply the values of both ports."""
        first, second = (read.values[:, read.src] for read in reads)
        return np.asarray(first * second)

    def flops(self, ports: tuple[Grid, Grid], wires: int) -> int:
        """One per vertex and position."""
        return math.prod(ports[0]) * wires

    def interval(self, first: Pair, second: Pair, width: int) -> Pair:
        """Interval of the products of all numbers in both intervals."""
        low, high = times(*first, *second)
        # An unbounded factor takes finite values only: its product with 0 is 0.
        zero = ((first[0] == 0) & (first[1] == 0)) | ((second[0] == 0) & (second[1] == 0))
        return np.where(zero, 0.0, low), np.where(zero, 0.0, high)

    def change(self, change: MergeChange) -> Pair:
        """Bounds of `da b + a db + da db`."""
        low, high = np.zeros(change.width), np.zeros(change.width)
        low[change.row], high[change.row] = change.of_products()
        return low, high

    def rounding(self, first: ComputedRead, second: ComputedRead, width: int) -> tuple[Array, Array]:
        """Bound the error by the errors of both factors and the rounding of the product."""
        a, b = first.size, second.size
        with np.errstate(invalid="ignore", over="ignore"):  # 0 times infinity has no bound
            error = (a * second.error + b * first.error + EPS * a * b) * (1 + 8 * EPS) + 1e-300
        return np.where(np.isnan(error), np.inf, error), np.full(width, np.inf)
