"""Mixes: values weighted by attention."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netgraph.columns import Array
from netgraph.errors import GraphError
from netgraph.graph.grid import Grid
from netgraph.graph.merges.merge import Merge, PortRead
from netgraph.graph.outward import Pair


@dataclass(frozen=True)
class Mix(Merge):
    """The mean of values weighted by a head of attention: `z(t) = sum over s of port0(t, s) * port1(s)`.

    A vertex is one channel. It has one wire at port 0, from its head, and one at port 1, from its value.
    """

    name = "mix"
    carried = (1,)
    head_ports = (0,)
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
            z[:, rows] = np.einsum("bts,bjs->bjt", heads.values[:, head], values.values[:, values.src[rows]])
        return z

    def interval(self, first: Pair, second: Pair, width: int) -> Pair:
        """Interval of the values: the weights of a query are at least 0 and sum to 1."""
        return second
