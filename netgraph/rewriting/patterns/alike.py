"""Likeness of vertices: cosine, correlation or distance of their weights, activations or other features."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from netgraph.checks import choice, number
from netgraph.columns import Array
from netgraph.errors import OptionError, RewriteError
from netgraph.interpret import interpret_layers
from netgraph.rewriting.patterns.matches import MAX_MATCHES

if TYPE_CHECKING:
    from netgraph.graph import Graph
    from netgraph.statistics import Statistics

Measure = Literal["cosine", "correlation", "distance"]

MatrixOf = Callable[["Graph", "Statistics | None"], Any]
"""Function that makes the features of all vertices of a graph, a matrix `(vertices, d)`, dense or of scipy.sparse."""

BLOCK_ROWS = 1024
"""Number of vertices that are compared with all others at once."""

MOST_DENSE = 100_000_000
"""Largest number of entries of a matrix of features that is held as a dense one."""

_ROUNDED_MEAN = 64 * float(np.finfo(np.float64).eps)
"""Largest part of a row of equal numbers that the rounding of its mean leaves."""

_RECHECKED = 4_000_000
"""Number of entries that are compared at once in float64."""


@dataclass(frozen=True)
class Activations:
    """Features of vertices: their values on given inputs, a number per sample and position.

    Attributes:
        x: inputs, as `interpret` takes them.
    """

    x: Any

    def __repr__(self) -> str:
        return "activations(...)"


@dataclass(frozen=True)
class Alike:
    """Condition on pairs of vertices whose features are alike; made by `cosine`, `correlation` and `distance`.

    Attributes:
        measure: the measure, which is also the name of its values in `m.computed`.
        features: "incoming", "outgoing", `activations(x)`, or a function that makes a matrix.
        threshold: smallest cosine or correlation, or largest distance.
    """

    measure: Measure
    features: Literal["incoming", "outgoing"] | Activations | MatrixOf
    threshold: float

    def __post_init__(self) -> None:
        choice("measure", self.measure, get_args(Measure))
        named = self.features in ("incoming", "outgoing") if isinstance(self.features, str) else False
        if not (named or isinstance(self.features, Activations) or callable(self.features)):
            raise OptionError(
                f"features={self.features!r} is none of 'incoming', 'outgoing', activations(x), and a function from "
                "graph and statistics to a matrix with a row per vertex."
            )
        object.__setattr__(self, "threshold", number("threshold", self.threshold, infinite=True))
        if self.measure == "distance" and self.threshold < 0:
            raise OptionError(f"at_most={self.threshold} is negative; a distance is at least 0.")

    @property
    def text(self) -> str:
        """Name of the condition."""
        bound = "at most" if self.measure == "distance" else "at least"
        return f"{self.measure} is {bound} {self.threshold:g}"

    def pairs(self, graph: Graph, stats: Statistics | None, groups: list[Array]) -> tuple[Array, Array, Array]:
        """Find the pairs that are alike among the vertices of each group.

        Args:
            graph: the graph.
            stats: statistics of the graph, for functions that read them.
            groups: flat rows of vertices; pairs are taken within each group.

        Returns:
            Rows of both vertices, the one earlier in its group first, and the value of the measure, `(pairs,)` each.
            A vertex whose features are all 0 has no cosine, and is like no other.

        Raises:
            RewriteError: for features of a wrong shape or that are not finite, or for too many pairs.

        Costs O(n^2 d) for n vertices of a group and d features, in blocks of float32; only pairs near the threshold or
        beyond it are computed in float64.
        """
        matrix_of = _resolve(self.features, graph, stats)
        found: list[tuple[Array, Array, Array]] = []
        total = 0
        for rows in groups:
            if len(rows) < 2:
                continue
            features, unit = self._prepared(matrix_of(rows))
            some = _squares(features) > 0 if self.measure != "distance" else np.ones(len(rows), dtype=bool)
            for i, j in self._candidates(features, self.threshold / unit):
                value = self._values(features, i, j) * unit
                holds = value <= self.threshold if self.measure == "distance" else value >= self.threshold
                holds &= some[i] & some[j]
                total += int(holds.sum())
                if total > MAX_MATCHES:
                    raise RewriteError(
                        f"More than {MAX_MATCHES:,} pairs of vertices are alike by {self.text}; choose a stricter "
                        "threshold, or limit the vertices with `where`."
                    )
                found.append((rows[i[holds]], rows[j[holds]], value[holds]))
        if not found:
            return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
        one, other, value = (np.concatenate(column) for column in zip(*found, strict=True))
        return one, other, value

    def _prepared(self, features: Any) -> tuple[Any, float]:
        """Features as they are compared, and the unit of the values that they give.

        Features are centred for a correlation, and of length 1 for it and for a cosine. For a distance they are scaled
        by a power of 2, which rounds nothing, so that their squares are numbers of float32.
        """
        size = _largest(features)
        if self.measure == "distance":
            unit = float(2.0 ** np.floor(np.log2(size.max(initial=0.0)))) if size.any() else 1.0
            return _scaled(features, np.full(len(size), 1.0 / unit)), unit
        if self.measure == "correlation":
            features = features.toarray() if hasattr(features, "toarray") else features
            features = features - features.mean(axis=1, keepdims=True)
            rounding = _ROUNDED_MEAN * size  # a row of equal numbers is 0 but for the rounding of its mean
            size = _largest(features)
            size = np.where(size > rounding, size, 0.0)
        features = _scaled(features, _inverse(size))
        return _scaled(features, _inverse(np.sqrt(_squares(features)))), 1.0

    def _candidates(self, features: Any, threshold: float) -> Iterator[tuple[Array, Array]]:
        """Yield pairs of positions `i < j`: all that pass the threshold, and few that are just short of it."""
        single = features.astype(np.float32)
        squares = _squares(features)
        # The error of a product of float32 is within (d + 2) units of rounding, of the product of both lengths.
        slack = 2.0**-23 * (features.shape[1] + 2)
        for begin in range(0, features.shape[0], BLOCK_ROWS):
            product = single[begin : begin + BLOCK_ROWS] @ single[begin:].T
            product = product.toarray() if hasattr(product, "toarray") else product
            if self.measure == "distance":
                near = squares[begin : begin + BLOCK_ROWS, None] + squares[None, begin:]
                near = near - 2.0 * product <= min(threshold, 1e100) ** 2 + 4 * slack * near
            else:
                near = product >= threshold - 4 * slack
            i, j = np.nonzero(near)
            later = i < j
            yield i[later] + begin, j[later] + begin

    def _values(self, features: Any, i: Array, j: Array) -> Array:
        """Compute the measure of pairs of positions in float64, `(pairs,)`."""
        step = max(1, _RECHECKED // max(1, features.shape[1]))
        result = np.empty(len(i))
        for begin in range(0, len(i), step):
            part = slice(begin, begin + step)
            one, other = features[i[part]], features[j[part]]
            if self.measure == "distance":
                result[part] = np.sqrt(_squares(one - other))
            else:
                both = one.multiply(other) if hasattr(one, "multiply") else one * other
                result[part] = np.asarray(both.sum(axis=1)).ravel()
        return result


def cosine(features: Any = "incoming", *, at_least: float) -> Alike:
    """Condition for `pair`: the cosine of the angle between the features of both vertices is at least a threshold.

    Args:
        features: "incoming": weights of incoming edges, by source, tap and port, and the bias; "outgoing": weights of
            outgoing edges, by target, tap and port; `activations(x)`; or a function from graph and statistics to a
            matrix `(vertices, d)`, dense or of scipy.sparse.
        at_least: the threshold, from -1 to 1. `m.computed["cosine"]` has the values.
    """
    return Alike("cosine", features, at_least)


def correlation(features: Any, *, at_least: float) -> Alike:
    """Condition for `pair`: the correlation (Pearson) of the features is at least a threshold; see `cosine`."""
    return Alike("correlation", features, at_least)


def distance(features: Any = "incoming", *, at_most: float) -> Alike:
    """Condition for `pair`: the Euclidean distance of the features is at most a threshold; see `cosine`."""
    return Alike("distance", features, at_most)


def activations(x: Any) -> Activations:
    """Features of vertices: their values on the inputs `x`, as `interpret` takes them, in float64."""
    return Activations(x)


def _squares(features: Any) -> Array:
    """Sum of the squares of each row, `(rows,)`."""
    if hasattr(features, "multiply"):
        return np.asarray(features.multiply(features).sum(axis=1)).ravel()
    return np.asarray(np.einsum("ij,ij->i", features, features))


def _largest(features: Any) -> Array:
    """Largest magnitude of each row, `(rows,)`."""
    if hasattr(features, "multiply"):
        return np.asarray(abs(features).max(axis=1).todense(), dtype=np.float64).ravel()
    return np.asarray(np.abs(features).max(axis=1, initial=0.0))


def _inverse(values: Array) -> Array:
    """`1 / value` of each value, and 0 of each 0."""
    return np.divide(1.0, values, out=np.zeros_like(values), where=values > 0)


def _scaled(features: Any, factor: Array) -> Any:
    """Features with each row multiplied by its factor."""
    return features.multiply(factor[:, None]).tocsr() if hasattr(features, "multiply") else features * factor[:, None]


def _resolve(features: Any, graph: Graph, stats: Statistics | None) -> Callable[[Array], Any]:
    """Make the function from flat rows of vertices to their features, `(rows, d)`, in float64."""
    if isinstance(features, str):
        return lambda rows: _weights(graph, rows, features)
    if isinstance(features, Activations):
        values = interpret_layers(graph, features.x)
        return lambda rows: _values_on(graph, values, rows)
    matrix = features(graph, stats)
    if getattr(matrix, "shape", (None, None, None))[:1] != (len(graph.vertices),) or len(matrix.shape) != 2:
        raise RewriteError(
            f"The features have the shape {getattr(matrix, 'shape', None)}, expected ({len(graph.vertices)}, d): a row "
            "for every vertex of the graph."
        )
    if not np.isfinite(matrix.data if hasattr(matrix, "tocsr") else matrix).all():
        raise RewriteError("The features have values that are not finite; vertices cannot be compared by them.")
    matrix = matrix.tocsr() if hasattr(matrix, "tocsr") else np.asarray(matrix)
    return lambda rows: matrix[rows].astype(np.float64)


def _weights(graph: Graph, rows: Array, side: str) -> Any:
    """Weights of the edges into ("incoming", with the bias as the last column) or out of vertices, `(rows, d)`."""
    from scipy.sparse import csr_matrix

    edges, place = graph.edges, np.full(len(graph.vertices), -1, dtype=np.int64)
    place[rows] = np.arange(len(rows))
    mine, other = (edges.target_row, edges.source_row)[:: 1 if side == "incoming" else -1]
    chosen = np.flatnonzero(place[mine] >= 0)
    ends = np.stack([other[chosen], edges.port[chosen], edges.tap[chosen]])
    taps, ports = (int(column.max(initial=0)) + 1 for column in (ends[2], ends[1]))
    code, column = np.unique((ends[0].astype(np.int64) * ports + ends[1]) * taps + ends[2], return_inverse=True)
    row, value, width = place[mine[chosen]], edges.weight[chosen].astype(np.float64), len(code)
    if side == "incoming":
        bias = np.nan_to_num(graph.vertices.column("bias")[rows].astype(np.float64))
        row, column = np.r_[row, np.arange(len(rows))], np.r_[column, np.full(len(rows), width)]
        value, width = np.r_[value, bias], width + 1
    matrix = csr_matrix((value, (row, column)), shape=(len(rows), max(width, 1)))
    return matrix.toarray() if np.prod(matrix.shape, dtype=float) <= MOST_DENSE else matrix


def _values_on(graph: Graph, values: dict[str, Array], rows: Array) -> Array:
    """Values of vertices on the inputs that they were computed for, `(rows, samples * positions)`."""
    layer = graph.vertices.layer[rows]
    parts, sizes = [], {}
    for i in dict.fromkeys(layer.tolist()):
        name = graph.layer(i).name
        flat = np.moveaxis(values[name], 1, 0).reshape(values[name].shape[1], -1)
        parts.append(flat[graph.vertices.row[rows[layer == i]]])
        sizes[name] = flat.shape[1]
    if len(set(sizes.values())) > 1:
        raise RewriteError(
            f"Values of layers with different grids cannot be compared: {sizes} numbers for a vertex; take pairs of "
            "one layer, or limit the vertices with `where`."
        )
    order = np.argsort(np.concatenate([np.flatnonzero(layer == i) for i in dict.fromkeys(layer.tolist())]))
    return np.concatenate(parts)[order]
