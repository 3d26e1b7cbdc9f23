"""Mixes: values weighted by attention."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from netgraph.columns import Array
from netgraph.errors import GraphError
from netgraph.graph.grid import Grid
from netgraph.graph.merges.change import ComputedRead, MergeChange
from netgraph.graph.merges.merge import Merge, PortRead
from netgraph.graph.outward import EPS, Pair, widen


@dataclass(frozen=True)
class Mix(Merge):
    """The mean of values weighted by a head of attention: `z(t) = sum over s of port0(t, s) * port1(s)`.

    A vertex is one channel. It has one wire at port 0, from its head, and one at port 1, from its value.
    """

    name = "mix"
    carried = (1,)
    head_ports = (0,)
    constant = "adds"
    port_names = ("heads", "values")

    def output_grid(self, ports: tuple[Grid, Grid]) -> Grid:
        """Grid `(queries,)`. Raises `GraphError` when the values do not lie on the keys of the heads."""
        heads, values = ports
        if len(heads) != 2 or values != heads[1:]:
            raise GraphError(
                f"a mix reads heads on (queries, keys) at port 0 and values on (keys,) at port 1, not {heads} and "
                f"{values}"
            )
        return heads[:1]

    def evaluate(self, reads: tuple[PortRead, PortRead], width: int) -> Array:
        """Weight the values; each head is read once for all of its channels."""
        heads, values = reads
        z = np.empty((len(heads.values), width, heads.values.shape[2]))
        for head in np.unique(heads.src).tolist():
            rows = np.flatnonzero(heads.src == head)
            z[:, rows] = values.values[:, values.src[rows]] @ heads.values[:, head].swapaxes(1, 2)
        return z

    def flops(self, ports: tuple[Grid, Grid], wires: int) -> int:
        """Two per vertex, query and key."""
        return 2 * math.prod(ports[0]) * wires

    def interval(self, first: Pair, second: Pair, width: int) -> Pair:
        """Interval of the values: the weights of a query are at least 0 and sum to 1."""
        return second

    def change(self, change: MergeChange) -> Pair:
        """Bounds of the change: of the values, and of the weights times the range of the values.

        `sum_s a' v' - a v = sum_s a' (v' - v) + sum_s (a' - a) v`. The first sum is a mean of the changes of the
        values, the second one at most the weight that moves times the distance of the largest and least value.
        """
        low, high = np.zeros(change.width), np.zeros(change.width)
        (_, old), (_, new), (_, moved) = change.old, change.new, change.moved
        with np.errstate(invalid="ignore", over="ignore"):
            spread = np.minimum(old[1] - old[0], new[1] - new[0])
            room = np.where(change.shifted == 0, 0.0, change.shifted * spread)
            low[change.row], high[change.row] = widen(moved[0] - room, moved[1] + room)
        return low, high

    def rounding(self, first: ComputedRead, second: ComputedRead, width: int) -> tuple[Array, Array]:
        """Bound the error by the errors of the weights and of the values, and the rounding of the sum."""
        n = first.positions
        with np.errstate(invalid="ignore", over="ignore"):  # 0 times infinity has no bound
            error = first.spread * second.size + second.error
            error += (1 + first.spread) * (n + 4) * EPS * second.size + n * 1e-300
        error = error * (1 + 8 * EPS)
        return np.where(np.isnan(error), np.inf, error), np.full(width, np.inf)
