"""Tau-cores: small sets of vertices through which most of the path weight goes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from netgraph.analysis.carrying import path_layers
from netgraph.analysis.isolation import vertices_of
from netgraph.analysis.linear import LinearModel
from netgraph.analysis.paths import PathAnalysis, passes
from netgraph.checks import checked, choice
from netgraph.columns import Array
from netgraph.errors import OptionError
from netgraph.graph import Layer

CoreDefinition = Literal["sum", "cover"]

ROUNDING = 1e-12
"""Relative tolerance: a sum that is smaller than its goal by less than this reaches the goal."""


@dataclass(frozen=True, eq=False)
class TauCore:
    """Vertices of a tau-core, chosen from candidates.

    Attributes:
        vertices: ids in the order in which they were chosen.
        candidates: number of candidates.
        covered: fraction of the weight that the vertices cover. With "sum" the weight is the summed centrality of the
            candidates, with "cover" that of all paths.
        layer: name of the layer to which the candidates were limited, or None.
    """

    vertices: Array
    candidates: int
    covered: float
    layer: str | None = None

    @property
    def size(self) -> int:
        """Number of chosen vertices."""
        return len(self.vertices)

    @property
    def ratio(self) -> float:
        """Chosen vertices over candidates; 0 without candidates."""
        return self.size / self.candidates if self.candidates else 0.0


@checked
def tau_core(
    paths: PathAnalysis,
    tau: float = 0.9,
    *,
    within: Literal["all", "hidden"] = "hidden",
    definition: CoreDefinition = "sum",
) -> TauCore:
    """Choose few vertices of a whole graph that together carry a fraction tau of the weight of its paths.

    Args:
        paths: the path analysis of the graph.
        tau: fraction of the weight, above 0 and at most 1.
        within: the candidates: "hidden" vertices, or "all", inputs and outputs included.
        definition: "sum" takes the vertices of largest centrality until their sum reaches tau of the summed centrality
            of all candidates. "cover" is greedy: it takes the vertex of largest centrality, removes it with its paths,
            and repeats this until the removed paths reach tau of the weight of all paths. Where some paths avoid all
            candidates, it may end earlier, when all other paths are removed. Ties go to the first vertex in
            `graph.vertices`.

    Raises:
        OptionError: for a tau outside (0, 1] or an unknown option.

    Cost: "sum" O(vertices log vertices); "cover" two passes over the graph for every vertex taken.

    Source: PWMPR for "sum"; Sabrin and Dovrolis 2017, "The hourglass effect in hierarchical dependency networks", for
    "cover".
    """
    if within not in ("all", "hidden"):
        raise OptionError(f"within={within!r} is not 'all' or 'hidden'; layer by layer is layer_tau_cores.")
    graph = paths.graph
    candidates = np.flatnonzero(vertices_of(graph, "hidden")) if within == "hidden" else np.arange(graph.num_vertices)
    return _core(paths, tau, candidates, definition, None)


@checked
def layer_tau_cores(
    paths: PathAnalysis, tau: float = 0.9, *, hidden: bool = False, definition: CoreDefinition = "sum"
) -> tuple[TauCore, ...]:
    """Choose the tau-core of every layer by itself, in topological order.

    Layers that no path may go through, queries, keys, heads and positions, are left out.

    Args:
        paths: the path analysis of the graph.
        tau: fraction of the weight, above 0 and at most 1.
        hidden: whether to leave out inputs and outputs.
        definition: "sum" or "cover", see `tau_core`; both agree in a layer that all paths go through.

    Raises:
        OptionError: in the cases of `tau_core`.

    Cost: that of `tau_core`, for each layer.
    """
    graph = paths.graph
    cores, held = [], path_layers(graph)
    for i in graph.topological_order:
        layer: Layer = graph.layer(i)
        if i in held and (layer.role == "hidden" or not hidden):
            start = graph.vertices.offset(i)
            cores.append(_core(paths, tau, np.arange(start, start + len(layer)), definition, layer.name))
    return tuple(cores)


@checked
def average_tau_core_ratio(paths: PathAnalysis, tau: float = 0.9, *, hidden: bool = True) -> float:
    """Mean over layers of the size of the tau-core ("sum") over the width of the layer; NaN without layers.

    It is small when most path weight goes through few vertices of each layer, and near tau when all vertices carry
    equal weight.

    Args:
        paths: the path analysis of the graph.
        tau: fraction of the weight, above 0 and at most 1.
        hidden: whether to leave out inputs and outputs.

    Source: PWMPR, average tau-core ratio.
    """
    ratios = [core.ratio for core in layer_tau_cores(paths, tau, hidden=hidden)]
    return float(np.mean(ratios)) if ratios else math.nan


def _core(paths: PathAnalysis, tau: float, candidates: Array, definition: str, layer: str | None) -> TauCore:
    if not 0 < tau <= 1:
        raise OptionError(f"tau={tau} is a share of the weight of paths, above 0 and at most 1.")
    choice("definition", definition, ("sum", "cover"))
    if paths.log_total == -math.inf:
        chosen, covered = np.empty(0, np.int64), 0.0
    else:
        chosen, covered = (_by_sum if definition == "sum" else _by_cover)(paths, tau, candidates)
    return TauCore(paths.graph.vertices.id[chosen], len(candidates), covered, layer)


def _by_sum(paths: PathAnalysis, tau: float, candidates: Array) -> tuple[Array, float]:
    centrality = paths.centrality[candidates]
    if not centrality.any():
        return candidates[:0], 0.0
    order = np.argsort(-_round(centrality), kind="stable")
    reached = np.cumsum(centrality[order]) / centrality.sum()
    size = int(np.searchsorted(reached, tau * (1 - ROUNDING))) + 1
    return candidates[order[:size]], float(reached[size - 1])


def _by_cover(paths: PathAnalysis, tau: float, candidates: Array) -> tuple[Array, float]:
    model = LinearModel(paths.graph, paths.power, paths.norm, keep=True)
    alive = np.ones(paths.graph.num_vertices)
    chosen: list[int] = []
    covered, left = 0.0, paths
    while covered < tau * (1 - ROUNDING):
        centrality = _round(left.centrality[candidates])
        best = int(np.argmax(centrality))
        if not centrality[best] > 0:
            break  # the remaining paths avoid all candidates
        chosen.append(int(candidates[best]))
        alive[chosen[-1]] = 0.0
        left = passes(model, paths.norm, alive)
        covered = -math.expm1(left.log_total - paths.log_total)
    return np.array(chosen, np.int64), covered


def _round(values: Array) -> Array:
    """Round to about 12 digits, so that values that differ only by rounding errors become equal."""
    mantissa, exponent = np.frexp(values)
    return np.asarray(np.ldexp(np.round(mantissa, 12), exponent))
