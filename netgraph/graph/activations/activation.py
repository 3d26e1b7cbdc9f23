"""Record of an activation function: function, derivatives, bounds and identities, for all of netgraph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np

from netgraph.columns import Array, FrozenDict

Parameters = Mapping[str, Array]
"""Vertex parameters by name, in shapes that broadcast against the argument."""

Range = Callable[[Array, Array, Parameters, float], tuple[Array, Array]]
"""Function from an interval to an interval: `(low, high, p, slope) -> (low, high)`, `(n,)` each."""

Mirror = tuple[Any, Any, Any, Any]
"""Coefficients `(a, b, c, error)` of the identity `f(-t) = a f(t) + b t + c`: floats or `(n,)` arrays."""


class Derivatives(NamedTuple):
    """An activation function at an argument, with its derivatives there.

    Attributes:
        value: `f(z)`.
        argument: `df/dz`; at a kink the derivative that training uses, from the left for ReLU and from the right for
            its leaky kinds, which count `z = 0` as positive.
        parameters: `df/dp` by each vertex parameter `p`, of the shape of the value.
    """

    value: Array
    argument: Array
    parameters: Parameters


def nowhere_affine(low: Array, high: Array, p: Parameters, slope: float) -> tuple[Array, Array]:
    """Return the `affine` facts of a function that is linear on no interval: `alpha` is NaN, `error` 0."""
    return np.full(len(low), np.nan), np.zeros(len(low))


@dataclass(frozen=True)
class Expression:
    """Function of an activation, written for NumPy and torch alike, so that the compiler needs no second version.

    For example, `Expression(lambda xp, z, p, slope: (z + xp.sqrt(z * z + 4)) / 2)` is the function of `squareplus`.
    Torch also differentiates it.

    Attributes:
        expression: `expression(xp, z, p, slope)` with the array library `xp`, NumPy or torch: operators, and functions
            that both have under one name and signature, such as `xp.exp`, `xp.where`, `xp.abs`, `xp.sqrt`, `xp.clip`.
    """

    expression: Callable[[Any, Any, Mapping[str, Any], float], Any]

    def __call__(self, z: Array, p: Parameters, slope: float) -> Array:
        """Evaluate the expression in NumPy."""
        result: Array = self.expression(np, z, p, slope)
        return result


Keeps = Literal["everything", "nonnegative values", "nothing"]
"""Set of the values `t` for which `f(t) = t`."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Activation:
    """An activation function `f` with its derivatives, its bounds and its identities.

    `z` has shape `(batch, vertices, *grid)`, and every parameter `(vertices, 1, ...)` so that it broadcasts. Facts
    (`interval`, `slopes`, `terms`, `affine`) take `(n,)` float64 arrays, one entry per vertex: `low <= t <= high`
    bounds the argument, either end may be infinite, `p` maps names to `(n,)` parameters, `slope` is the fixed slope of
    the layer. Facts hold in real arithmetic for the numbers as stored: their results are rounded outward, and never
    NaN, except `alpha`.

    Attributes:
        name: key in `ACTIVATIONS`, and the name in files.
        function: `f(z, p, slope)`, in the precision of `z`; an `Expression` serves the compiler as well.
        derivatives: `derivatives(z, p, slope) -> (df/dz, {name: df/dp})`, in the precision of `z`.
        interval: `interval(low, high, p, slope) -> (least, most)`: `least <= f(t) <= most`.
        slopes: `slopes(low, high, p, slope) -> (least, most)`: `least <= (f(s) - f(t)) / (s - t) <= most` for all `s`
            and `t` in `[low, high]`; on a point, of the derivative there, from both sides at a kink. The Lipschitz
            constant on the interval is `max(|least|, |most|)`.
        terms: `terms(low, high, p, slope) -> (n,)`, a bound of the magnitudes that evaluating `f` in float64 adds or
            multiplies: `|computed f(t) - f(t)| <= 8 eps terms`, with `eps = 2^-52`.
        parameters: names of the vertex columns that `f` reads, with the value at which a new vertex starts.
        affine: `affine(low, high, p, slope) -> (alpha, error)` with `f(t) = alpha t` on `[low, high]`, NaN where `f` is
            not linear there; `error` bounds the rounding of `alpha`.
        mirror: `mirror(p, slope) -> (a, b, c, error)` with `f(-t) = a f(t) + b t + c` for every `t`; `error` bounds the
            rounding of `b`. None where there is no such identity.
        homogeneous: whether `f(k t) = k f(t)` for every `k > 0`.
        exact: whether `f` is piecewise linear, so that float64 arithmetic with dyadic numbers of few digits rounds
            nothing. Functions that are not exact are smooth.
        uses_slope: whether `f` reads the fixed slope of the layer.
        identity_at: vertex parameters at which `f(t) = t` for every `t`, exactly or up to rounding in float32. None
            where there are none.
        at_once: `at_once(z, p, slope) -> Derivatives`, for a function that has terms in common with its derivatives.
    """

    name: str
    function: Callable[[Array, Parameters, float], Array]
    derivatives: Callable[[Array, Parameters, float], tuple[Array, Parameters]]
    interval: Range
    slopes: Range
    terms: Callable[[Array, Array, Parameters, float], Array]
    parameters: Mapping[str, float] = field(default_factory=dict)
    affine: Range = nowhere_affine
    mirror: Callable[[Parameters, float], Mirror] | None = None
    homogeneous: bool = False
    exact: bool = False
    uses_slope: bool = False
    identity_at: Mapping[str, float] | None = None
    at_once: Callable[[Array, Parameters, float], Derivatives] | None = None

    def __post_init__(self) -> None:
        own = self.__dict__  # a frozen dataclass is filled through its dictionary
        own["parameters"] = FrozenDict({name: float(value) for name, value in self.parameters.items()})
        if self.identity_at is not None:
            own["identity_at"] = FrozenDict({name: float(value) for name, value in self.identity_at.items()})

    def __repr__(self) -> str:
        return f"Activation({self.name!r}, parameters {sorted(self.parameters)})"

    def value_and_derivatives(self, z: Array, p: Parameters, slope: float) -> Derivatives:
        """Evaluate the function and its derivatives at `z`, of any shape, in the precision of `z`."""
        if self.at_once is not None:
            return self.at_once(z, p, slope)
        argument, by_name = self.derivatives(z, p, slope)
        return Derivatives(np.asarray(self.function(z, p, slope), z.dtype), np.asarray(argument, z.dtype), by_name)

    def start(self) -> dict[str, Array]:
        """Vertex parameters nearest to the identity, `(1,)` each: `identity_at`, or else the usual starting values."""
        start = self.parameters if self.identity_at is None else self.identity_at
        return {name: np.array([value]) for name, value in start.items()}

    def keeps(self, slope: float) -> Keeps:
        """Return the set of values with `f(t) = t`, exactly, for the vertex parameters of `start`."""
        low, high = np.array([-np.inf, 0.0]), np.full(2, np.inf)
        p = {name: np.repeat(values, 2) for name, values in self.start().items()}
        alpha, error = self.affine(low, high, p, slope)
        everything, nonnegative = (alpha == 1) & (error == 0)
        return "everything" if everything else "nonnegative values" if nonnegative else "nothing"

    def stretch(self, slope: float) -> tuple[float, float] | None:
        """Return `(k, error)` with `f(t) - f(-t) = k t` for every `t`, for the vertex parameters of `start`.

        The mirror identity with `a = 1` and `c = 0` gives `k = -b`; `error` bounds the rounding of `k`. None when the
        activation has no such identity, or `k = 0`.
        """
        if self.mirror is None:
            return None
        a, b, c, error = (float(np.ravel(part)[0]) for part in self.mirror(self.start(), slope))
        return (-b, error) if (a, c) == (1, 0) and b != 0 else None
