"""Tau-cores: few vertices through which most of the weight of all paths goes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from netgraph.analysis.isolation import vertices_of
from netgraph.analysis.linear import LinearModel
from netgraph.analysis.paths import PathAnalysis, passes
from netgraph.checks import checked
from netgraph.columns import Array
from netgraph.errors import OptionError
from netgraph.graph import Layer

CoreDefinition = Literal["sum", "cover"]

ROUNDING = 1e-12
"""Relative difference up to which centralities, and a sum and what it has to reach, count as equal."""


@dataclass(frozen=True, eq=False)
class TauCore:
    """Vertices chosen from candidates.

    Attributes:
        vertices: ids in the order in which they were chosen.
        candidates: how many there were to choose from.
        covered: what share of the weight ("sum": of the summed centralities of the candidates; "cover": of all paths)
            they reach.
        layer: name of the layer that was looked at alone, else None.
    """

    vertices: Array
    candidates: int
    covered: float
    layer: str | None = None

    @property
    def size(self) -> int:
        """How many vertices were chosen."""
        return len(self.vertices)

    @property
    def ratio(self) -> float:
        """The chosen ones over the candidates; 0 without candidates."""
        return self.size / self.candidates if self.candidates else 0.0


@checked
def tau_core(
    paths: PathAnalysis,
    tau: float = 0.9,
    *,
    within: Literal["all", "hidden"] = "hidden",
    definition: CoreDefinition = "sum",
) -> TauCore:
    """The fewest vertices of a whole graph that carry a share tau of the weight of its paths.

    Args:
        paths: the analysis of the graph.
        tau: share, above 0 and at most 1.
        within: choose among "hidden" vertices, or among "all", inputs and outputs included.
        definition: "sum", the vertices of largest centrality until theirs reach tau of the centralities of all
            candidates; or "cover", which takes the vertex of largest centrality, removes it with its paths, and starts
            again until the removed paths reach tau of the weight of all. Where paths pass by all candidates, "cover"
            may end before, with all paths through them removed. Ties go to the first vertex in `graph.vertices`.

    Raises:
        OptionError: for a tau outside (0, 1] or an unknown option.

    Cost: "sum" O(vertices log vertices); "cover" two passes over the graph for every vertex taken.

    Source: "sum" is PWMPR's; "cover" is that of Sabrin and Dovrolis 2017, "The hourglass effect in hierarchical
    dependency networks".
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
    """The tau-core of every layer by itself, in topological order.

    Args:
        paths: the analysis of the graph.
        tau: share, above 0 and at most 1.
        hidden: leave out inputs and outputs.
        definition: as of `tau_core`; both agree in a layer that all paths go through.

    Raises:
        OptionError: as `tau_core`.

    Cost: as `tau_core`, for each layer.
    """
    graph = paths.graph
    cores = []
    for i in graph.topological_order:
        layer: Layer = graph.layer(i)
        if layer.role == "hidden" or not hidden:
            start = graph.vertices.offset(i)
            cores.append(_core(paths, tau, np.arange(start, start + len(layer)), definition, layer.name))
    return tuple(cores)


@checked
def average_tau_core_ratio(paths: PathAnalysis, tau: float = 0.9, *, hidden: bool = True) -> float:
    """Mean over layers of the share of their vertices that is in their tau-core ("sum"); NaN without layers.

    Small when paths crowd through few vertices of each layer, near tau when they spread evenly.

    Args:
        paths: the analysis of the graph.
        tau: share, above 0 and at most 1.
        hidden: leave out inputs and outputs.

    Source: PWMPR, average tau-core ratio.
    """
    ratios = [core.ratio for core in layer_tau_cores(paths, tau, hidden=hidden)]
    return float(np.mean(ratios)) if ratios else math.nan


def _core(paths: PathAnalysis, tau: float, candidates: Array, definition: str, layer: str | None) -> TauCore:
    if not 0 < tau <= 1:
        raise OptionError(f"tau={tau} is a share of the weight of paths, above 0 and at most 1.")
    if definition not in ("sum", "cover"):
        raise OptionError(f"definition={definition!r} is not 'sum' or 'cover'.")
    if paths.log_total == -math.inf:
        chosen, covered = np.empty(0, np.int64), 0.0
    else:
        chosen, covered = (_by_sum if definition == "sum" else _by_cover)(paths, tau, candidates)
    return TauCore(paths.graph.vertices.id[chosen], len(candidates), covered, layer)


def _by_sum(paths: PathAnalysis, tau: float, candidates: Array) -> tuple[Array, float]:
    centrality = paths.centrality[candidates]
    if not centrality.any():
        return candidates[:0], 0.0
    order = np.argsort(-_rounded(centrality), kind="stable")
    reached = np.cumsum(centrality[order]) / centrality.sum()
    size = int(np.searchsorted(reached, tau * (1 - ROUNDING))) + 1
    return candidates[order[:size]], float(reached[size - 1])


def _by_cover(paths: PathAnalysis, tau: float, candidates: Array) -> tuple[Array, float]:
    model = LinearModel(paths.graph, paths.power, paths.norm, keep=True)
    alive = np.ones(paths.graph.num_vertices)
    chosen: list[int] = []
    covered, left = 0.0, paths
    while covered < tau * (1 - ROUNDING):
        centrality = _rounded(left.centrality[candidates])
        best = int(np.argmax(centrality))
        if not centrality[best] > 0:
            break  # what is left passes by all candidates
        chosen.append(int(candidates[best]))
        alive[chosen[-1]] = 0.0
        left = passes(model, paths.norm, alive)
        covered = -math.expm1(left.log_total - paths.log_total)
    return np.array(chosen, np.int64), covered


def _rounded(values: Array) -> Array:
    """Values with about 12 digits, so that those which differ by rounding alone are equal."""
    mantissa, exponent = np.frexp(values)
    return np.asarray(np.ldexp(np.round(mantissa, 12), exponent))
