"""Check of a record of an activation against its own function, on a few numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from netgraph.columns import Array
from netgraph.graph.activations.activation import Activation

POINTS = np.array([-6.0, -3.0, -1.25, -0.625, -0.25, 0.0, 0.375, 1.0, 1.5, 2.75, 5.0])
ENDS = np.array([-np.inf, *POINTS[::2], np.inf])
STEP = 1e-5
NEAR = 1e-9
"""Relative distance of numbers that are equal up to rounding."""
CLOSE = 1e-5
"""Relative distance of derivatives and difference quotients."""
DYADIC = 2.0**20
"""Dyadic arguments and parameters of few digits give multiples of `1 / DYADIC` in exact arithmetic."""


def contradiction(activation: Activation) -> str:
    """Describe the first disagreement of the record with its function, with the remedy; '' when there is none."""
    with np.errstate(all="ignore"):
        for slope in (0.25, 0.01) if activation.uses_slope else (0.01,):
            for p in _parameters(activation):
                trial = _ActivationTrial(activation, p, slope)
                for check in CHECKS:
                    if reason := check(trial):
                        return reason
    return ""


def _parameters(activation: Activation) -> Iterator[dict[str, float]]:
    """Yield vertex parameters: the starting values, other values, and the values of `identity_at`."""
    yield dict(activation.parameters)
    if activation.parameters:
        yield {name: value + 0.5 for name, value in activation.parameters.items()}
    if activation.identity_at is not None:
        yield dict(activation.identity_at)


class _ActivationTrial:
    """An activation with one set of vertex parameters, on which checks evaluate it."""

    def __init__(self, activation: Activation, p: dict[str, float], slope: float) -> None:
        self.activation, self.p, self.slope = activation, p, slope

    def value(self, t: Array) -> Array:
        """Evaluate the function at `n` points, as `n` samples of a layer with one vertex, `(n,)`."""
        p = {name: np.full((1, 1), value) for name, value in self.p.items()}
        return np.asarray(self.activation.function(t[:, None].copy(), p, self.slope))[:, 0]

    def columns(self, n: int) -> dict[str, Array]:
        """Vertex parameters in the form that facts take, `(n,)` each."""
        return {name: np.full(n, value) for name, value in self.p.items()}

    def intervals(self) -> tuple[Array, Array]:
        """Low and high ends of all test intervals, single points included, `(n,)` each."""
        low, high = (ends.ravel() for ends in np.meshgrid(ENDS, ENDS))
        keep = (low <= high) & ~((low == high) & np.isinf(low))
        return low[keep], high[keep]

    def inside(self) -> Iterator[tuple[int, Array]]:
        """Yield the index of each test interval, and the test points in it."""
        for k, (low, high) in enumerate(zip(*self.intervals(), strict=True)):
            yield k, POINTS[(low <= POINTS) & (high >= POINTS)]


def _function(t: _ActivationTrial) -> str:
    z = POINTS[:, None].repeat(2, axis=1)
    found = t.activation.function(z.copy(), t.columns(2), t.slope)
    if np.shape(found) != z.shape:
        return f"function gives an array of shape {np.shape(found)} for one of shape {z.shape}; it keeps the shape."
    if not np.isfinite(found).all():
        return "function gives NaN or inf for finite arguments; it gives finite values."
    return ""


def _derivatives(t: _ActivationTrial) -> str:
    p = t.columns(len(POINTS))
    found = t.activation.value_and_derivatives(POINTS.copy(), p, t.slope)
    argument, by_name = t.activation.derivatives(POINTS.copy(), p, t.slope)
    if not _near(found.value, t.value(POINTS)) or not _near(found.argument, argument):
        return "at_once disagrees with function or derivatives; leave it out, or make it agree."
    ahead, behind = ((t.value(POINTS + h) - t.value(POINTS)) / h for h in (STEP, -STEP))
    kink = np.abs(ahead - behind) > 1e-3 * (1 + np.abs(ahead))
    middle = (t.value(POINTS + STEP) - t.value(POINTS - STEP)) / (2 * STEP)
    wrong = ~kink & (np.abs(argument - middle) > CLOSE * (1 + np.abs(middle)))
    if wrong.any():
        k = int(np.flatnonzero(wrong)[0])
        return (
            f"derivatives gives df/dz = {argument[k]:.6g} at z = {POINTS[k]:g}, where differences of the function give "
            f"{middle[k]:.6g}; correct one of them."
        )
    if set(by_name) != set(t.activation.parameters):
        return f"derivatives gives {sorted(by_name)} by parameters, expected {sorted(t.activation.parameters)}."
    for name, derivative in by_name.items():
        ends = [
            _ActivationTrial(t.activation, {**t.p, name: t.p[name] + h}, t.slope).value(POINTS) for h in (STEP, -STEP)
        ]
        if not _near(derivative, (ends[0] - ends[1]) / (2 * STEP), CLOSE):
            return (
                f"derivatives by the parameter {name!r} differ from differences of the function; correct one of them."
            )
    return ""


def _interval(t: _ActivationTrial) -> str:
    low, high = t.intervals()
    least, most = t.activation.interval(low, high, t.columns(len(low)), t.slope)
    if reason := _bounds("interval", low, least, most):
        return reason
    for k, points in t.inside():
        values = t.value(points)
        room = NEAR * (1 + np.abs(values))
        if not ((least[k] <= values + room) & (most[k] >= values - room)).all():
            return (
                f"interval gives [{least[k]:.6g}, {most[k]:.6g}] for arguments in [{low[k]:g}, {high[k]:g}], which "
                "leaves out values of the function; it bounds all of them."
            )
    return ""


def _slopes(t: _ActivationTrial) -> str:
    low, high = t.intervals()
    least, most = t.activation.slopes(low, high, t.columns(len(low)), t.slope)
    if reason := _bounds("slopes", low, least, most):
        return reason
    for k, points in t.inside():
        quotients = np.diff(t.value(points)) / np.diff(points)
        room = NEAR * (1 + np.abs(quotients))
        if not ((least[k] <= quotients + room) & (most[k] >= quotients - room)).all():
            return (
                f"slopes gives [{least[k]:.6g}, {most[k]:.6g}] for arguments in [{low[k]:g}, {high[k]:g}], which "
                "leaves out quotients (f(s) - f(t)) / (s - t); it bounds all of them."
            )
    return ""


def _bounds(name: str, low: Array, least: Array, most: Array) -> str:
    if np.shape(least) != low.shape or np.shape(most) != low.shape:
        return f"{name} gives ends of shapes {np.shape(least)} and {np.shape(most)}, expected {low.shape} both."
    if np.isnan([least, most]).any():
        return f"{name} gives NaN; an end of which nothing is known is infinite."
    return ""


def _terms(t: _ActivationTrial) -> str:
    low, high = t.intervals()
    terms = t.activation.terms(low, high, t.columns(len(low)), t.slope)
    if np.shape(terms) != low.shape or not (np.asarray(terms) >= 0).all():
        return "terms gives no (n,) numbers of at least 0."
    return ""


def _affine(t: _ActivationTrial) -> str:
    low, high = t.intervals()
    alpha, error = t.activation.affine(low, high, t.columns(len(low)), t.slope)
    if np.shape(alpha) != low.shape or np.shape(error) != low.shape or not (np.asarray(error) >= 0).all():
        return "affine gives no (n,) numbers alpha, and errors of at least 0."
    for k, points in t.inside():
        if not np.isnan(alpha[k]) and not _near(t.value(points), alpha[k] * points):
            return f"affine says f(t) = {alpha[k]:.6g} t on [{low[k]:g}, {high[k]:g}], which is not so; give NaN there."
    return ""


def _mirror(t: _ActivationTrial) -> str:
    if t.activation.mirror is None:
        return ""
    a, b, c, _error = (np.ravel(part)[0] for part in t.activation.mirror(t.columns(1), t.slope))
    if not _near(t.value(-POINTS), a * t.value(POINTS) + b * POINTS + c):
        return f"mirror says f(-t) = {a:g} f(t) + {b:g} t + {c:g}, which is not so; leave mirror out, or correct it."
    return ""


def _flags(t: _ActivationTrial) -> str:
    activation = t.activation
    if activation.homogeneous and not _near(t.value(4 * POINTS), 4 * t.value(POINTS)):
        return "it says homogeneous=True, but f(4 t) is not 4 f(t); leave homogeneous out."
    if activation.exact and (t.slope == 0.25 or not activation.uses_slope) and not _dyadic(t.value(POINTS)):
        return "it says exact=True, but dyadic arguments do not give dyadic values; leave exact out."
    if not activation.uses_slope and not _near(_ActivationTrial(activation, t.p, 0.5).value(POINTS), t.value(POINTS)):
        return "its values depend on the slope of the layer; say uses_slope=True."
    at = activation.identity_at
    if at is not None and set(at) != set(activation.parameters):
        return f"identity_at names {sorted(at)}, expected the parameters {sorted(activation.parameters)}."
    if at is not None and t.p == dict(at) and not _near(t.value(POINTS), POINTS, 1e-7):
        return f"identity_at={dict(at)}, but there f(t) is not t; leave identity_at out."
    return ""


CHECKS: tuple[Callable[[_ActivationTrial], str], ...] = (
    _function, _derivatives, _interval, _slopes, _terms, _affine, _mirror, _flags,
)  # fmt: skip


def _dyadic(values: Array) -> bool:
    return bool((values * DYADIC % 1 == 0).all())


def _near(one: Array, two: Array, relative: float = NEAR) -> bool:
    return bool(np.allclose(one, two, rtol=relative, atol=relative))
