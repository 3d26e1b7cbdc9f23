"""Record of a norm: its vertex columns, its float64 function, and the bounds that proofs use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from netgraph.columns import Array, FrozenDict
from netgraph.graph.outward import Pair

Columns = Mapping[str, Array]

Mode = Literal["eval", "train"]
"""Source of the statistics of norms that couple samples: running statistics ("eval"), or the statistics of a batch
("train"). Bounds for "train" hold for every batch, and in eval mode as well."""


@dataclass(frozen=True, eq=False)
class NormSetting:
    """Inputs of a norm besides the sums, for `k` vertices of one layer.

    Attributes:
        columns: columns of the norm by name, `(k,)` float64 each.
        epsilon: `norm_epsilon` of the layer.
        width: number of vertices of the layer, at least `k`.
        mode: source of batch statistics, see `Mode`.
        count: number of values per vertex in a batch, `samples * positions`; None for an unknown batch.
    """

    columns: Columns
    epsilon: float
    width: int
    mode: Mode
    count: int | None = None


@dataclass(frozen=True, eq=False)
class NormChange:
    """Change of the sums of `k` vertices of one layer, and of the columns of their norm.

    Attributes:
        low, high: bounds of the new sum minus the old sum, `(k,)`.
        old_low, old_high: bounds of the old sum, `(k,)`.
        old, new: settings of the norm before and after the change.
        kept: mask of the vertices whose columns are all unchanged, `(k,)`.
        whole: whether the `k` vertices are all vertices of the layer, before and after.
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
    """Interval of a norm without known bounds: all real numbers."""
    return np.full(len(low), -np.inf), np.full(len(low), np.inf)


def unknown_change(change: NormChange) -> Pair:
    """Bounds of the change under a norm without known bounds: infinite."""
    return np.full(len(change.low), -np.inf), np.full(len(change.low), np.inf)


def unknown_rounding(low: Array, _high: Array, _error: Array, _setting: NormSetting) -> Array:
    """Rounding error of a norm without known bounds: infinite."""
    return np.full(len(low), np.inf)


@dataclass(frozen=True, eq=False, kw_only=True)
class Norm:
    """Normalisation of the sums of a layer before its activation, with the bounds that proofs use.

    The functions `interval`, `change` and `rounding` take and return `(k,)` float64 arrays, one entry per vertex.
    Bounds may be infinite and are never NaN. They are rounded outward, so that they hold in real arithmetic for the
    numbers as stored. Their defaults are infinite bounds: proofs then prove less, and stay sound.

    The norm must not depend on the order of vertices: a permutation of the vertices permutes the values alike.

    Attributes:
        name: key in `NORMS`, and value of the attribute `norm` of a layer.
        function: `function(z, columns, epsilon, train) -> values`, in float64. `z` has the shape
            `(batch, vertices, *grid)` and may be overwritten; every column has `(vertices, 1, ...)`, so that it
            broadcasts.
        columns: vertex columns that the norm reads, each with the starting value of new vertices.
        buffers: names of the columns that training changes without gradients, such as running statistics.
        variances: names of the columns that are never negative.
        couples_vertices: whether the value of a vertex depends on the sums of other vertices of its layer.
        couples_samples: whether in train mode the value of a sample depends on the other samples of its batch. In eval
            mode it must not. A norm that does not couple samples is the same function in both modes.
        centres: whether in train mode a constant added to all sums of a vertex changes no value, so that a bias before
            the norm has no effect.
        identity: whether the values equal the sums.
        interval: `interval(low, high, setting) -> (least, most)`, bounds of the values of vertices whose sums lie in
            `[low, high]`.
        change: `change(change) -> (least, most)`, bounds of the new value minus the old value.
        rounding: `rounding(low, high, error, setting) -> (k,)`, a bound of the distance between the values that
            `function` computes and the real ones, for all vertices of the layer. The real sums lie in `[low, high]`;
            the computed sums differ from them by at most `error`. The bound includes its own rounding.
        standard: "centred" where the value is `scale * (z - mean) / sqrt(variance + epsilon) + shift`, with mean and
            variance over the vertices of the layer; "uncentred" where it is `scale * z / sqrt(mean of z^2 + epsilon)`,
            plus a `shift` if there is such a column; "" for other norms.
        affine: `affine(columns, epsilon) -> (factor, error, centre, shift)`, `(k,)` each: in eval mode the value is
            `factor * (z - centre) + shift`, where `error` bounds the rounding of `factor`, and the others are exact.
            None where the norm is no such map.
        factor: `factor(columns, epsilon) -> (k,)`, the factor by which the norm multiplies path weights through each
            vertex, with its sign; None for 1.
        restoring: `restoring(sums) -> {column: value}`, columns with which the norm returns the given sums of a vertex
            over a batch unchanged, up to `epsilon`; None where there are none.
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
    standard: Literal["", "centred", "uncentred"] = ""
    affine: Callable[[Columns, float], tuple[Array, Array, Array, Array]] | None = None
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
        """Label for texts and pictures, such as "batch norm"; '' for the identity."""
        return "" if self.identity else f"{self.name} norm"
