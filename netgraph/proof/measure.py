"""Measured change of the outputs on a batch of inputs, as evidence beside the proof."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from netgraph.columns import Array
from netgraph.graph import check_domain
from netgraph.graph.bounds import Domains
from netgraph.interpret import interpret
from netgraph.proof.certificate import Measurement

if TYPE_CHECKING:
    from netgraph.graph import Graph


def sample_inputs(
    graph: Graph, samples: int, rng: np.random.Generator, *, domain: Domains | None = None
) -> dict[str, Array]:
    """Draw random inputs within a domain, by default the declared one.

    Inputs are uniform between two finite bounds, a standard normal without bounds, and at the distance `|normal|` from
    the bound where there is one. Index inputs are uniform among their vertices.

    Returns:
        (samples, vertices, *grid) float64 arrays by the name of the input layer; (samples, *grid) int64 for index
        inputs.
    """
    result: dict[str, Array] = {}
    given = check_domain(graph, domain)
    for layer in graph.inputs:
        if layer.encoding == "index":
            result[layer.name] = rng.integers(len(layer), size=(samples, *layer.grid))
            continue
        shape = (len(layer),) + (1,) * len(layer.grid)
        low, high = (bound.reshape(shape) for bound in given[layer.name])
        size = (samples, len(layer), *layer.grid)
        bounded = np.isfinite(low) & np.isfinite(high)
        lo, hi = np.where(bounded, low, 0.0), np.where(bounded, high, 1.0)
        share = rng.random(size)
        inside = lo * (1 - share) + hi * share

        normal = rng.normal(size=size)
        above = np.where(np.isfinite(low), low + np.abs(normal), normal)
        free = np.where(np.isfinite(high), np.minimum(high - np.abs(normal), high), above)
        result[layer.name] = np.clip(np.where(bounded, inside, free), low, high)
    return result


def measure(old: Graph, new: Graph, probe: Any, bounds: Mapping[str, tuple[float, ...]] | None = None) -> Measurement:
    """Evaluate two graphs on a batch of inputs and measure the change of their outputs.

    Args:
        old, new: graphs with the same inputs and outputs.
        probe: a batch of inputs, as `interpret` takes it.
        bounds: proved bounds per vertex of each output layer, for `Measurement.bound`, or None.
    """
    one, two = (_by_name(graph, interpret(graph, probe)) for graph in (old, new))
    change = relative = share = 0.0
    samples = 0
    for name, a in one.items():
        b, samples = two[name], len(a)
        difference = np.abs(a - b).max(axis=0)
        span = np.ptp(a, axis=0)
        # An output that is constant on the probe has no range, so its magnitude (at least 1) takes its place.
        scale = np.where(span > 0, span, np.maximum(np.abs(a).max(axis=0), 1.0))
        change = max(change, float(difference.max()))
        relative = max(relative, float((difference / scale).max()))
        if bounds:
            # A vertex with a grid has one bound for all positions: the position with the smallest range counts.
            least = scale.reshape(len(scale), -1).min(axis=1)
            share = max(share, float((np.asarray(bounds[name]) / least).max()))
    return Measurement(change, relative, samples, share if bounds else None)


def _by_name(graph: Graph, outputs: Any) -> dict[str, Array]:
    return outputs if isinstance(outputs, dict) else {graph.outputs[0].name: outputs}
