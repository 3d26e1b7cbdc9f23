"""Layered networks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from netgraph.checks import Seed, checked, share
from netgraph.errors import GraphError
from netgraph.graph.builder import Domain, GraphBuilder
from netgraph.graph.graph import Graph


@checked
def mlp(
    sizes: Sequence[int],
    *,
    domain: Domain = (-np.inf, np.inf),
    activation: str = "relu",
    norm: str = "none",
    bias: bool = True,
    density: float = 1.0,
    seed: Seed | None = 0,
    dtype: Any = np.float32,
) -> Graph:
    """Build a layered network, dense unless `density` is below 1. Two sizes give a linear network, a start for growth.

    Args:
        sizes: widths from inputs to outputs, at least two.
        domain: interval `(low, high)` of the inputs; each end is a number, or one number per input. Rules that split
            edges exactly need it: they act on vertices that are never negative.
        activation: activation of the hidden layers.
        norm: norm of the hidden layers, such as "none", "batch", "layer" or "rms".
        bias: whether layers have biases.
        density: fraction of the admissible edges of each link that exist, drawn at random.
        seed: seed of edges and initial weights, which are uniform in `[-1/sqrt(fan_in), 1/sqrt(fan_in)]`.
        dtype: precision of weights and trained vertex columns, float32 or float64.

    Raises:
        GraphError: for fewer than two sizes, and a width that is not a whole number of at least 1.
        OptionError: for a density outside 0..1, a seed that is not a whole number of at least 0, and another dtype.
    """
    sizes = list(sizes)
    if len(sizes) < 2:
        raise GraphError(f"mlp({list(sizes)}) needs at least an input and an output size.")
    density = share("density", density)
    b = GraphBuilder(seed=seed, dtype=dtype)
    names = [b.input("input", sizes[0], domain=domain)]
    for i, size in enumerate(sizes[1:-1], start=1):
        names.append(b.layer(f"hidden{i}", size, activation=activation, norm=norm, bias=bias))
    names.append(b.output("output", sizes[-1], bias=bias))
    for source, target in pairwise(names):
        b.dense(source, target, density=density)
    return b.build()
