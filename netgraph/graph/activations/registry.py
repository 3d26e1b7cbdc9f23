"""Activation functions as data: their vertex parameters, a float64 NumPy definition, and what is proved of them.

The compiler has its own tensor versions; the ones here define what is right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from netgraph.columns import Array
from netgraph.errors import GraphError, unknown_name
from netgraph.graph.activations import facts, identities
from netgraph.graph.activations.facts import Parameters, Range, sigmoid
from netgraph.graph.activations.identities import Mirror


@dataclass(frozen=True)
class Activation:
    """What a layer applies to each pre-activation value, and what analysis knows of it.

    The facts take (n,) float64 arrays, one entry per vertex: `low` and `high` bound the argument and may be
    infinite, `p` maps names to (n,) parameters, `slope` is the layer's fixed slope. They hold in real arithmetic
    for the numbers as stored: what they return is rounded outward, and never NaN unless said so.

    Attributes:
        name: key in `ACTIVATIONS`.
        function: `function(z, parameters, slope)`; `z` has shape (batch, vertices, *grid), every
            parameter (vertices, 1, ...) so that it broadcasts, `slope` is the layer's fixed slope.
        interval: `interval(low, high, p, slope) -> (low, high)`, the range of f on [low, high].
        slopes: `slopes(low, high, p, slope) -> (low, high)`, the range of (f(s) - f(t)) / (s - t) over all s and t
            in [low, high]; on a point, of the derivative there, from both sides at a kink.
        terms: `terms(low, high, p, slope) -> (n,)`: evaluating `function` in float64 at an argument in [low, high]
            is wrong by at most 8 machine epsilons of this.
        parameters: vertex columns that it reads, with the value at which a new vertex starts.
        affine: `affine(low, high, p, slope) -> (alpha, error)` with f(t) = alpha t for every t in [low, high], NaN
            where f is not linear there; `error` bounds the rounding of alpha.
        mirror: `mirror(p, slope) -> (a, b, c, error)`, floats or (n,) arrays, with f(-t) = a f(t) + b t + c for
            every t; `error` bounds the rounding of b. None where there is no such identity.
        homogeneous: whether f(k t) = k f(t) for every k > 0.
        exact: whether float arithmetic with dyadic numbers stays exact (piecewise linear).
    """

    name: str
    function: Callable[[Array, Mapping[str, Array], float], Array]
    interval: Range
    slopes: Range
    terms: Callable[[Array, Array, Parameters, float], Array]
    parameters: Mapping[str, float] = field(default_factory=dict)
    affine: Range = identities.no_affine
    mirror: Callable[[Parameters, float], Mirror] | None = None
    homogeneous: bool = False
    exact: bool = False


def _gelu(z: Array, _p: Mapping[str, Array], _slope: float) -> Array:
    from scipy.special import erf

    result: Array = 0.5 * z * (1.0 + erf(z / np.sqrt(2.0)))
    return result


def _rational(z: Array, p: Mapping[str, Array], _slope: float) -> Array:
    v, c, l = p["v"], p["c"], p["l"]  # noqa: E741 (the paper's names)
    scale = np.sqrt(v**2 + c**2 + l**2 + 1e-8)
    result: Array = ((2 * v * z + c) / (1 + z**2) + l * z) / scale
    return result


def _piecewise_linear(name: str, function: Any, interval: Range, slopes: Range, affine: Range, **more: Any) -> Any:
    return Activation(name, function, interval, slopes, affine=affine, homogeneous=True, exact=True, **more)


ACTIVATIONS: Mapping[str, Activation] = {
    a.name: a
    for a in (
        _piecewise_linear(
            "identity",
            lambda z, p, s: z,
            facts.identity_interval,
            facts.identity_slopes,
            identities.identity_affine,
            terms=identities.no_terms,
        ),
        _piecewise_linear(
            "relu",
            lambda z, p, s: np.maximum(z, 0),
            facts.relu_interval,
            facts.relu_slopes,
            identities.relu_affine,
            terms=identities.no_terms,
            mirror=identities.relu_mirror,
        ),
        _piecewise_linear(
            "leaky_relu",
            lambda z, p, s: np.where(z >= 0, z, s * z),
            facts.leaky_interval,
            facts.leaky_slopes,
            identities.leaky_affine,
            terms=identities.leaky_terms,
            mirror=identities.leaky_mirror,
        ),
        _piecewise_linear(
            "prelu",
            lambda z, p, s: np.where(z >= 0, z, p["slope"] * z),
            facts.prelu_interval,
            facts.prelu_slopes,
            identities.prelu_affine,
            terms=identities.prelu_terms,
            mirror=identities.prelu_mirror,
            parameters={"slope": 0.25},
        ),
        Activation(
            "tanh",
            lambda z, p, s: np.tanh(z),
            facts.tanh_interval,
            facts.tanh_slopes,
            identities.bounded_terms,
            mirror=identities.tanh_mirror,
        ),
        Activation(
            "sigmoid",
            lambda z, p, s: sigmoid(z),
            facts.sigmoid_interval,
            facts.sigmoid_slopes,
            identities.bounded_terms,
            mirror=identities.sigmoid_mirror,
        ),
        Activation(
            "softplus",
            lambda z, p, s: np.logaddexp(0.0, z),
            facts.softplus_interval,
            facts.softplus_slopes,
            identities.softplus_terms,
            mirror=identities.relu_mirror,
        ),
        Activation(
            "gelu",
            _gelu,
            facts.gelu_interval,
            facts.gelu_slopes,
            identities.argument_terms,
            mirror=identities.relu_mirror,
        ),
        Activation(
            "silu",
            lambda z, p, s: z * sigmoid(z),
            facts.silu_interval,
            facts.silu_slopes,
            identities.argument_terms,
            mirror=identities.relu_mirror,
        ),
        # SENN's activation; v = c = 0, l = 1 is the identity up to its 1e-8 regulariser.
        Activation(
            "rational",
            _rational,
            facts.rational_interval,
            facts.rational_slopes,
            identities.rational_terms,
            {"v": 0.0, "c": 0.0, "l": 1.0},
            affine=identities.rational_affine,
        ),
    )
}


def get_activation(name: str) -> Activation:
    """Return the activation called `name`, or raise `GraphError` with the nearest known name."""
    try:
        return ACTIVATIONS[name]
    except KeyError:
        raise GraphError(unknown_name("activation", name, ACTIVATIONS)) from None
