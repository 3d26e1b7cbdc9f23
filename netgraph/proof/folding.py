"""Norms that are affine maps in eval mode, folded into the sums of their layers, with bounds on the rounding."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from netgraph.columns import Array
from netgraph.graph import Graph, get_norm
from netgraph.graph.bounds import Bounds, normalise_interval
from netgraph.proof.forms import Terms

if TYPE_CHECKING:
    from netgraph.graph import Layer


@dataclass(frozen=True, eq=False)
class Fold:
    """Norm of one layer as a map of its sums: `factor * (sum + bias - centre) + shift`, `(vertices,)` each.

    Attributes:
        norm: name of the norm.
        factor, error: the factors, and bounds on their rounding.
        bias, centre, shift: the other numbers, exact; the bias is 0 in a layer without one.
        own: all stored numbers that determine the map, `(vertices, columns)`.
    """

    norm: str
    factor: Array
    error: Array
    bias: Array
    centre: Array
    shift: Array
    own: Array

    @classmethod
    def of(cls, layer: Layer) -> Fold | None:
        """Make the fold of a layer; None for merges and for norms that are no affine map in eval mode."""
        norm = get_norm(layer.norm)
        if norm.affine is None or layer.merge is not None:
            return None
        columns = {name: layer.values[name].astype(np.float64) for name in norm.columns}
        bias = np.zeros(len(layer)) if layer.bias is None else layer.bias.astype(np.float64)
        own = np.stack([bias, np.full(len(layer), layer.norm_epsilon), *columns.values()], axis=1)
        factor, error, centre, shift = norm.affine(columns, layer.norm_epsilon)
        return cls(layer.norm, factor, error, bias, centre, shift, own)

    def same(self, rows: Array, other: Fold, other_rows: Array) -> Array:
        """Whether some vertices and others with another fold have the same map, by equal numbers, `(rows,)`."""
        if self.norm != other.norm:
            return np.zeros(len(rows), dtype=bool)
        return np.asarray((self.own[rows] == other.own[other_rows]).all(axis=1))

    def added(self, rows: Array, into: Array, sign: float, one: int) -> list[Terms]:
        """Terms of `sign` times the constants of some vertices, in the rows `into` of the forms."""
        symbol, factor, error = np.full(len(rows), one), self.factor[rows], self.error[rows]
        parts = [
            Terms.product(into[some], symbol[some], sign * number[some], factor[some], error[some])
            for number in (self.bias[rows], -self.centre[rows])
            for some in (np.flatnonzero(number),)
        ]
        some = np.flatnonzero(self.shift[rows])
        return [*parts, Terms.of(into[some], symbol[some], sign * self.shift[rows][some])]


@dataclass(frozen=True, eq=False)
class Folded:
    """Two graphs without affine norms, and the folds of the layers that had one. Equal layers stay equal objects."""

    old: Graph
    new: Graph
    folds: dict[Layer, Fold]


def fold(old: Graph, new: Graph) -> Folded:
    """Fold the affine norms of two graphs. The links stay as they are: their weights still lack the factors."""
    folds: dict[Layer, Fold] = {}
    instead: dict[Layer, Layer] = {}
    for layer in (*old.layers_by_id.values(), *new.layers_by_id.values()):
        if layer not in instead and (found := Fold.of(layer)) is not None:
            gone = {"bias", *get_norm(layer.norm).columns}
            values = {name: column for name, column in layer.values.items() if name not in gone}
            instead[layer] = replace(layer, norm="none", values=values)
            folds[instead[layer]] = found
    return Folded(_with_layers(old, instead), _with_layers(new, instead), folds)


def _with_layers(graph: Graph, instead: dict[Layer, Layer]) -> Graph:
    layers = [instead.get(layer, layer) for layer in graph.layers_by_id.values()]
    return Graph(
        layers, graph.links_by_key.values(), next_ids=graph.next_ids, lineage=graph.lineage, validate=False
    )  # fmt: skip


def folded_bounds(graph: Graph, bounds: Bounds) -> Bounds:
    """Bounds of a graph in eval mode with the sums behind the norms that `fold` folds."""
    z_low, z_high = bounds.z_low.copy(), bounds.z_high.copy()
    for layer in graph.layers_by_id.values():
        if get_norm(layer.norm).affine is not None and layer.merge is None:
            at = slice(start := graph.vertices.offset(layer.id), start + len(layer))
            z_low[at], z_high[at] = normalise_interval(layer, z_low[at], z_high[at], "eval")
    return replace(bounds, z_low=z_low, z_high=z_high)


def folding_helps(old: Graph, new: Graph) -> bool:
    """Whether some vertex has an affine norm in one graph, and in the other one none or one of other numbers."""
    for layer_id in old.layers_by_id.keys() | new.layers_by_id.keys():
        pair = [graph.layers_by_id.get(layer_id) for graph in (old, new)]
        if pair[0] is pair[1]:
            continue
        folds = [None if layer is None else Fold.of(layer) for layer in pair]
        if (folds[0] is None) != (folds[1] is None):
            return True
        if folds[0] is None or folds[1] is None or pair[0] is None or pair[1] is None:
            continue
        _, a, b = np.intersect1d(pair[0].vertex_ids, pair[1].vertex_ids, return_indices=True)
        if not folds[0].same(a, folds[1], b).all():
            return True
    return False
