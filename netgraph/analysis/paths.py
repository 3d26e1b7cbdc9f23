"""Path weights: the weight of all paths from the inputs to a vertex, from it to the outputs, or through an edge."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np

from netgraph.analysis.carrying import carries, unmixed
from netgraph.analysis.linear import LinearModel, Scaled, add_scaled, columns_of, patches, powers
from netgraph.checks import checked, choice
from netgraph.columns import Array, concatenate
from netgraph.errors import GraphError, OptionError
from netgraph.graph import Graph, Layer, Link, LinkKey

PathNorm = Literal["scale", "ignore"]

GATHER_BELOW = 0.02
"""Density of a link below which its edges are scored one by one, and not by a product over all cells."""

CELLS_AT_ONCE = 2_000_000
"""Number of cells, or of products of edge and position, that are computed at a time."""


class Factors(NamedTuple):
    """Scores of all cells of a link, present or missing, as a sum of products over positions.

    The scores are `left.T @ right * exp(log_scale)`, `(sources * taps, targets)`. The row of the cells with source row
    `s` and tap `t` is `s * taps + t`.

    Attributes:
        left: weight of all paths from the inputs to the values that a cell reads, `(positions, sources * taps)`.
        right: weight of all paths from the sums of the target to the outputs, `(positions, targets)`.
        log_scale: logarithm of the common factor; -inf when all scores are 0.
    """

    left: Array
    right: Array
    log_scale: float


@dataclass(frozen=True, eq=False, repr=False)
class PathAnalysis:
    """Path weights of a graph, made by `path_analysis`.

    Attributes:
        graph: the graph.
        power: exponent of the weights.
        norm: factor that norms contribute to a path, see `path_analysis`.
        log_total: logarithm of the weight of all paths; -inf when there is none.
        centrality: fraction of the weight of all paths that goes through each vertex, summed over positions, in the
            order of `graph.vertices`, `(vertices,)`; 0 when there are no paths.
    """

    graph: Graph
    power: int
    norm: PathNorm
    log_total: float
    centrality: Array
    _out: Mapping[int, Scaled] = field(default_factory=dict)
    _sums: Mapping[int, Scaled] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"PathAnalysis(power {self.power}, log of total {self.log_total:.6g}, {self.graph!r})"

    @property
    def total(self) -> float:
        """Weight of all paths; inf when it is too large for a float."""
        return exponential(self.log_total)

    def complexity(self, layer: Layer | int | str) -> tuple[Array, float]:
        """Weight of all paths from the inputs to the output of a layer, after its norm and pool.

        Args:
            layer: a layer of the graph, its id or its name.

        Returns:
            Values of at most 1, `(width, *output grid)`, and the logarithm of their scale.

        Raises:
            GraphError: when there is no such layer.
        """
        return self._out[self._id(layer)]

    def generality(self, layer: Layer | int | str) -> tuple[Array, float]:
        """Weight of all paths from the sums of a layer to the outputs, through the layer's own norm and pool.

        Args:
            layer: a layer of the graph, its id or its name.

        Returns:
            Values of at most 1, `(width, *grid)`, and the logarithm of their scale.

        Raises:
            GraphError: when there is no such layer.
        """
        return self._sums[self._id(layer)]

    def factors(self, key: LinkKey) -> Factors:
        """Compute the two factors from which the scores of all cells of a link follow, see `Factors`.

        The score of a missing edge is the weight of the paths that it would open at weight 1. The score of a present
        edge leaves its own weight out: times `|weight|^power` it is the weight of the paths through the edge.

        Raises:
            GraphError: when the graph has no such link.

        Cost: O(sources * taps * positions) in time and memory; the factors are not kept.
        """
        link = self.link(key)
        source, sums, target = self._out[link.source], self._sums[link.target], self.graph.layer(link.target)
        left = patches(link.kind, source.values, target.grid).T
        if not carries(self.graph, key):
            return Factors(left, np.zeros((len(left), len(target))), -math.inf)
        right = unmixed(self.graph, target, sums.values.reshape(len(target), -1), self.power)
        return Factors(left, right.T, source.log + sums.log)

    def edge_scores(self, key: LinkKey) -> tuple[Array, float]:
        """Scores of the present edges of a link, their own weights left out, see `factors`.

        Returns:
            Values in the order of the link's columns, `(edges,)`, and the logarithm of their scale.

        Raises:
            GraphError: when the graph has no such link.

        Cost: O(edges * positions), or that of the product of all cells when at least a fiftieth of the cells has an
        edge.
        """
        left, right, log = self.factors(key)
        link = self.link(key)
        if not len(link) or log == -math.inf:
            return np.zeros(len(link)), -math.inf
        return _at_cells(left, right, columns_of(link), link.dst), log

    @cached_property
    def edge_share(self) -> Array:
        """Fraction of the weight of all paths that goes through each edge, in the order of `graph.edges`, `(edges,)`.

        Wires have a fraction, too. The fractions of the edges of a cut sum to 1. Times the weight of all paths this is
        SynFlow's score.

        Cost: that of `edge_scores` of every link.

        Source: Tanaka et al. 2020, "Pruning neural networks without any data by iteratively conserving synaptic
        flow" (arXiv:2006.05467), section 4.
        """
        return concatenate([self._share(link) for link in self.graph.links], np.float64)

    def _share(self, link: Link) -> Array:
        scores, log = self.edge_scores(link.key)
        weight = powers(link.weight, self.power)
        log += weight.log - self.log_total if self.log_total > -math.inf else 0.0
        # exp(log) alone may overflow; exp of the sum is in [0, 1].
        with np.errstate(divide="ignore"):
            return np.asarray(np.exp(np.log(scores * weight.values) + log))

    def _id(self, layer: Layer | int | str) -> int:
        return self.graph.layer(layer.id if isinstance(layer, Layer) else layer).id

    def link(self, key: LinkKey) -> Link:
        """Return the link with this key.

        Raises:
            GraphError: when the graph has no such link.
        """
        link = self.graph.link(key)
        if link is None:
            raise GraphError(f"There is no link {key}, (source, target, port); ids change with rewrites.")
        return link


@checked
def path_analysis(graph: Graph, *, power: int = 1, norm: PathNorm = "scale") -> PathAnalysis:
    """Compute the weights of all paths from inputs to outputs, by one pass forward and one back.

    The weight of a path is the product of `|weight|^power` over its edges, and of the factors of norms and pools on
    it. Biases, means and activations are left out. All pools count as averages, also those that take the maximum. A
    path leads from position to position: an edge of a convolution counts once for each position of the target at which
    it does not read padding.

    Through merges: a path leads through either factor of a product, and the other factor counts as 1. It leads through
    the values of a mix, and all keys that a query sees have equal attention: a mean over the keys, or over the keys
    `s <= t` under a causal mask. No path leads through queries and keys, which only control the attention, nor from a
    layer of positions, which holds no data: their scores are 0.

    Args:
        graph: any graph.
        power: exponent of the absolute weights: 1, or 2 as in the path kernel.
        norm: factor that norms contribute: "scale" is |scale| over the running standard deviation (batch norm) or
            |scale| (layer and RMS norm), "ignore" is 1.

    Returns:
        The analysis, in float64, with a logarithmic scale per layer.

    Raises:
        OptionError: for another power or an unknown `norm`.

    Cost: O(edges * positions) and memory for two arrays of all activations of one sample.

    Source: "Path Weight Magnitude Product", PWMPR, equations 3, 4 and 9: complexity, generality and the score.
    """
    check_options(power, norm)
    return passes(LinearModel(graph, power, norm), norm)


@checked
def path_kernel_trace(graph: Graph, *, norm: PathNorm = "scale") -> float:
    """Compute the trace of the path kernel.

    This is the sum, over all paths and all trained edges on them, of the squared product of the other weights on the
    path. It equals the sum of the scores at power 2 of all edges that are not frozen. A new edge of weight 0 adds its
    own score.

    Args:
        graph: any graph.
        norm: factor that norms contribute to a path, see `path_analysis`.

    Returns:
        The trace; inf when it is too large for a float.

    Cost: that of `path_analysis` and of `PathAnalysis.edge_scores` of every link.

    Source: PWMPR, equation 9; Gebhart et al. 2021, "A unified paths perspective for pruning at initialization"
    (arXiv:2101.10552).
    """
    return exponential(log_kernel_trace(path_analysis(graph, power=2, norm=norm)))


def log_kernel_trace(squared: PathAnalysis) -> float:
    """Logarithm of the trace of the path kernel, from an analysis at power 2; -inf when the trace is 0."""
    parts = []
    for link in squared.graph.links:
        if not link.frozen.all():
            scores, log = squared.edge_scores(link.key)
            parts.append(Scaled(scores[~link.frozen].sum(keepdims=True), log))
    return add_scaled(parts, (1,)).log


def exponential(log: float) -> float:
    """Exponential of a number; inf where it is too large for a float."""
    return math.exp(log) if log < math.log(sys.float_info.max) else math.inf


def check_options(power: int, norm: str) -> None:
    """Raise `OptionError` for an unknown power or an unknown treatment of norms."""
    if power not in (1, 2):
        raise OptionError(f"power={power} is not 1 or 2, the power of absolute weights.")
    choice("norm", norm, ("scale", "ignore"))


def passes(model: LinearModel, norm: PathNorm, alive: Array | None = None) -> PathAnalysis:
    """Run both passes over a linear model.

    Args:
        model: linear maps of the graph.
        norm: the model's treatment of norms, to be stored in the analysis.
        alive: 0 for vertices that no path may go through, 1 for all others, `(vertices,)`; None allows all.
    """
    graph = model.graph
    out = _forward(model, alive)
    ends = [_log_sum(out[layer.id]) for layer in graph.outputs]
    top = max(ends)
    log_total = top + math.log(sum(math.exp(end - top) for end in ends)) if top > -math.inf else top
    sums: dict[int, Scaled] = {}
    centrality = np.zeros(graph.num_vertices)
    for i in reversed(graph.topological_order):
        layer = graph.layer(i)
        shape = (len(layer), *layer.output_grid)
        parts = [model.backward(link, sums[link.target]) for link in graph.outgoing[i]]
        if layer.role == "output":
            parts.append(Scaled(np.ones(shape), 0.0))
        given = _without(add_scaled(parts, shape), alive, graph, layer)
        log = out[i].log + given.log
        if log > -math.inf and log_total > -math.inf:
            start = graph.vertices.offset(i)
            through = (out[i].values * given.values).reshape(len(layer), -1).sum(axis=1)
            with np.errstate(divide="ignore"):
                centrality[start : start + len(layer)] = np.exp(np.log(through) + (log - log_total))
        sums[i] = model.backward_layer(layer, given)
    return PathAnalysis(graph, model.power, norm, log_total, centrality, out, sums)


def _forward(model: LinearModel, alive: Array | None) -> dict[int, Scaled]:
    """Compute the complexity of every layer, by id."""
    graph = model.graph
    out: dict[int, Scaled] = {}
    for i in graph.topological_order:
        layer = graph.layer(i)
        shape = (len(layer), *layer.grid)
        if layer.is_source:
            given = Scaled(np.ones(shape), 0.0) if layer.role == "input" else Scaled(np.zeros(shape), -math.inf)
        else:
            arriving = (model.forward(link, out[link.source]) for link in graph.incoming[i])
            given = model.forward_layer(layer, add_scaled(arriving, shape))
        out[i] = _without(given, alive, graph, layer)
    return out


def _without(given: Scaled, alive: Array | None, graph: Graph, layer: Layer) -> Scaled:
    """Set the values of a layer to 0 at vertices that no path may go through."""
    if alive is None:
        return given
    start = graph.vertices.offset(layer.id)
    own = alive[start : start + len(layer)]
    if own.all():
        return given
    return add_scaled(
        [Scaled(given.values * own.reshape(-1, *(1,) * (given.values.ndim - 1)), given.log)], given.values.shape
    )


def _log_sum(array: Scaled) -> float:
    return array.log + math.log(array.values.sum()) if array.log > -math.inf else -math.inf


def _at_cells(left: Array, right: Array, columns: Array, rows: Array) -> Array:
    """Compute the entries of `left.T @ right` at (column of left, column of right) for each edge, `(edges,)`."""
    positions, targets = right.shape
    if positions == 1:
        return np.asarray(left[0, columns] * right[0, rows])
    found = np.empty(len(columns))
    cells = left.shape[1] * targets
    if len(columns) < GATHER_BELOW * cells:
        by_cell, by_target = np.ascontiguousarray(left.T), np.ascontiguousarray(right.T)
        step = max(1, CELLS_AT_ONCE // positions)
        for start in range(0, len(columns), step):
            part = slice(start, start + step)
            np.einsum("ep,ep->e", by_cell[columns[part]], by_target[rows[part]], out=found[part])
        return found
    step = max(1, CELLS_AT_ONCE // left.shape[1])
    bounds = np.searchsorted(rows, np.arange(0, targets + step, step))  # edges are ordered by target
    for k, start in enumerate(range(0, targets, step)):
        part = slice(bounds[k], bounds[k + 1])
        scores = right[:, start : start + step].T @ left
        found[part] = scores[rows[part] - start, columns[part]]
    return found
