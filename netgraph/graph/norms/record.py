"""The record of a norm: its vertex columns, its float64 definition, and facts that proofs rest on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from netgraph.columns import Array, FrozenDict
from netgraph.graph.outward import Pair

Columns = Mapping[str, Array]

Mode = Literal["eval", "train"]
"""Where a norm that couples samples takes its statistics from: in "eval" they are the running ones, in "train" those of
any batch. Bounds in "train" hold in both modes."""


@dataclass(frozen=True, eq=False)
class NormSetting:
    """All that normalised values depend on besides the sums, for k vertices of one layer.

    Attributes:
        columns: `(k,)` float64 columns of the norm, by name.
        epsilon: `norm_epsilon` of the layer.
        width: number of vertices of the layer, at least k.
        mode: where statistics come from.
        count: numbers per vertex in a batch, `samples * positions`; None where the batch is unknown.
    """

    columns: Columns
    epsilon: float
    width: int
    mode: Mode
    count: int | None = None


@dataclass(frozen=True, eq=False)
class NormChange:
    """A change of the sums of k vertices of one layer, and of the columns of their norm.

    Attributes:
        low, high: `(k,)` bounds of the new sum minus the old one.
        old_low, old_high: `(k,)` bounds of the old sum.
        old, new: settings before and after.
        kept: `(k,)` whether all columns of the vertex are the old ones.
        whole: whether the k vertices are all of the layer, before and after.
    """

    low: Array
    high: Array
    old_low: Array
    old_high: Array
    old: NormSetting
    new: NormSetting
    kept: Array
    whole: bool


def unknown_interval(low: Array, _high: Array, _setting: NormSetting) -> Pair:
    """Any value."""
    return np.full(len(low), -np.inf), np.full(len(low), np.inf)


def unknown_change(change: NormChange) -> Pair:
    """Any change."""
    return np.full(len(change.low), -np.inf), np.full(len(change.low), np.inf)


def unknown_rounding(low: Array, _high: Array, _error: Array, _setting: NormSetting) -> Array:
    """Any error."""
    return np.full(len(low), np.inf)


@dataclass(frozen=True, eq=False, kw_only=True)
class Norm:
    """Normalisation of the sums of a layer before its activation, with the facts that analysis knows of it.

    The facts `interval`, `change` and `rounding` take and give `(k,)` float64 arrays, one entry per vertex; bounds may
    be infinite and are never NaN. They hold in real arithmetic for the numbers as stored, so they are rounded outward.
    Where a norm gives none of them, nothing is known: proofs then find less, and stay sound.

    The value of a vertex may depend on its row in the layer in no way: vertices that change places take their values
    along.

    Attributes:
        name: key in `NORMS`, and value of `norm` of a layer.
        function: `function(z, columns, epsilon, train) -> values`, in float64. `z` has the shape
            `(batch, vertices, *grid)` and may be overwritten; every column has `(vertices, 1, ...)`, so that it
            broadcasts.
        columns: vertex columns that it reads, with the value at which a new vertex starts.
        buffers: the columns that training moves without gradients, such as running statistics.
        variances: the columns that are never negative.
        couples_vertices: whether the value of a vertex depends on the sums of other vertices of its layer.
        couples_samples: whether in train mode the value of a sample depends on the others of its batch. In eval mode
            none may. A norm that does not couple samples does the same in both modes.
        centres: whether in train mode a constant that is added to all sums of a vertex changes nothing, so that a bias
            before the norm is without effect.
        identity: whether values are the sums, as they are.
        interval: `interval(low, high, setting)`, the range of the values of some vertices whose sums are in
            `[low, high]`.
        change: `change(change)`, bounds of new value minus old value.
        rounding: `rounding(low, high, error, setting)`, a bound on how far values that `function` computes are from the
            real ones, for the sums of all vertices of the layer: real ones in `[low, high]`, computed ones off by at
            most `error`. It allows for its own rounding.
        factor: `factor(columns, epsilon)`, by what a path through each vertex is multiplied, with its sign; None for 1.
        restoring: `restoring(sums)`, values of columns at which a vertex that has these sums in a batch hands them on
            as they are, up to `epsilon`; None where there are none.
    """

    name: str
    function: Callable[[Array, Columns, float, bool], Array]
    columns: Mapping[str, float] = field(default_factory=dict)
    buffers: Set[str] = frozenset()
    variances: Set[str] = frozenset()
    couples_vertices: bool = False
    couples_samples: bool = False
    centres: bool = False
    identity: bool = False
    interval: Callable[[Array, Array, NormSetting], Pair] = unknown_interval
    change: Callable[[NormChange], Pair] = unknown_change
    rounding: Callable[[Array, Array, Array, NormSetting], Array] = unknown_rounding
    factor: Callable[[Columns, float], Array] | None = None
    restoring: Callable[[Array], Mapping[str, float]] | None = None

    def __post_init__(self) -> None:
        own = self.__dict__  # a frozen dataclass is filled through its dictionary
        own["columns"] = FrozenDict({name: float(start) for name, start in self.columns.items()})
        own["buffers"], own["variances"] = frozenset(self.buffers), frozenset(self.variances)

    def __repr__(self) -> str:
        return f"Norm({self.name!r}, columns {sorted(self.columns)})"

    @property
    def label(self) -> str:
        """Words for it in a text or a picture, such as "batch norm"; nothing for the identity."""
        return "" if self.identity else f"{self.name} norm"
