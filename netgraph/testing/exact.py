"""Graphs whose evaluation in float64 rounds nothing."""

from __future__ import annotations

import numpy as np

from netgraph.columns import Array
from netgraph.graph import DOMAIN_COLUMNS, Graph, Layer, get_activation, get_norm
from netgraph.testing.values import LARGEST_FINITE, is_dyadic

DIGITS = 53
"""Number of binary digits of a float64 number."""

INPUT_DIGITS = 3
"""Number of binary digits after the point of an input that is a multiple of 1/8."""


def is_exact(graph: Graph) -> bool:
    """Whether an evaluation in float64 on dyadic inputs rounds nothing.

    This holds when all activations are piecewise linear, no layer has a norm or heads of attention, average pools have
    windows of 1, 2, 4 or 8 positions, all weights, vertex values and slopes are dyadic, see `is_dyadic`, and sums and
    products of inputs up to 4, or up to their bounds, need at most 53 binary digits.
    """
    return (
        all(_is_piecewise_linear(layer) for layer in graph.layers_by_id.values())
        and is_dyadic(graph.edges.weight)
        and has_few_digits(graph)
    )


def _is_piecewise_linear(layer: Layer) -> bool:
    activation = get_activation(layer.activation)
    steep = activation.uses_slope and (layer.slope * 8) % 1
    if not get_norm(layer.norm).identity or not activation.exact or steep:
        return False
    if layer.merge is not None and layer.merge.slotted:
        return False
    if layer.pool and layer.pool.kind == "average" and int(np.prod(layer.pool.size)) not in (1, 2, 4, 8):
        return False
    return all(is_dyadic(v) for name, v in layer.values.items() if name not in DOMAIN_COLUMNS)


def has_few_digits(graph: Graph) -> bool:
    """Whether sums and products of dyadic numbers need at most 53 binary digits, as `is_exact` asks. O(edges)."""
    return _digits(graph) <= DIGITS


def _digits(graph: Graph) -> int:
    """Largest number of binary digits, before and after the point, that any value needs. O(edges)."""
    after: dict[int, int] = {}
    size: dict[int, float] = {}
    most = 0
    for i in graph.topological_order:
        layer = graph.layer(i)
        after[i], size[i] = _of_source(layer) if layer.is_source else _of_reads(graph, layer, after, size)
        most = max(most, after[i] + _before(size[i]))
        if layer.pool is not None and layer.pool.kind == "average":
            after[i] += int(np.prod(layer.pool.size)).bit_length() - 1
    return most


def _of_source(layer: Layer) -> tuple[int, float]:
    if layer.role == "position" or layer.encoding == "index":
        return 0, 1.0
    bounds = np.abs(np.stack([layer.values[name] for name in DOMAIN_COLUMNS]))
    return INPUT_DIGITS, float(np.where(np.isfinite(bounds), bounds, LARGEST_FINITE).max())


def _of_reads(graph: Graph, layer: Layer, after: dict[int, int], size: dict[int, float]) -> tuple[int, float]:
    """Digits after the point and largest absolute value of a layer that sums, or multiplies its two ports."""
    bias = layer.bias if layer.bias is not None else np.zeros(len(layer))
    links = graph.incoming[layer.id]
    slopes = np.append(
        layer.values.get("slope", []), layer.slope if get_activation(layer.activation).uses_slope else []
    )
    if layer.merge is not None:
        digits, total = 0, 1.0
        for port in (0, 1):
            sources = [k.source for k in links if k.port == port]
            digits += max((after[i] for i in sources), default=0)
            total *= max((size[i] for i in sources), default=0.0)
        sums = np.abs(bias) + total
    else:
        digits, sums = 0, np.abs(bias).astype(np.float64)
        for k in links:
            digits = max(digits, after[k.source] + _fraction(k.weight))
            sums = sums + size[k.source] * np.bincount(k.dst, np.abs(k.weight), minlength=len(layer))
    digits = max(digits, _fraction(bias)) + _fraction(slopes)
    return digits, float(sums.max(initial=0.0) * np.abs(slopes).max(initial=1.0))


def _fraction(values: Array) -> int:
    """Smallest number of binary digits after the point that all values have, at most 3."""
    return next(n for n in range(4) if n == 3 or not (values * 2**n % 1).any())


def _before(size: float) -> int:
    return int(np.ceil(np.log2(max(size, 1.0)))) + 1
