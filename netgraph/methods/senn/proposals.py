"""Scores of many proposed vertices at once as functions of their weights and parameters, with gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from netgraph.columns import Array
from netgraph.errors import OptionError
from netgraph.graph import get_activation
from netgraph.methods.senn.natural import Expansion
from netgraph.methods.senn.taps import Reader, read_directly

Coordinates = Literal["unit", "scaled", "whitened"]

_RIDGE = 1e-8
_BLOCK = 1 << 16


def frame(inputs: Array, coordinates: Coordinates) -> Array:
    """Matrix T from coordinates of the search to incoming weights, `(n, d)`.

    For normal coordinates the sums have root mean square 1, except with "unit".

    Args:
        inputs: inputs of the proposed vertices, `(rows, n)`.
        coordinates: "unit": T is the identity. "scaled": weights are divided by the root mean square length of the
            inputs. "whitened": coordinates belong to the principal axes of the inputs, each divided by the root of its
            variance plus 1 % of the mean variance.
    """
    n = inputs.shape[1]
    length = float(np.sum(inputs * inputs)) / len(inputs)
    if coordinates == "unit" or length == 0:
        return np.eye(n)
    if coordinates == "scaled":
        return np.asarray(np.eye(n) / np.sqrt(length))
    values, axes = np.linalg.eigh(inputs.T @ inputs / len(inputs))
    result = axes / np.sqrt(np.maximum(values, 0) + 0.01 * length / n)
    return np.asarray(result * np.sqrt(1 / np.sum((inputs @ result) ** 2) * len(inputs)))


def _whitened(expansion: Expansion) -> Array:
    """Residuals times the root of `G^+`, `(rows, rank of G)`.

    The score of a proposal is the mean square of its regression fit to them, summed over columns.
    """
    values, axes = np.linalg.eigh(expansion.inverse)
    kept = values > 1e-13 * values.max(initial=0.0)  # smaller eigenvalues are rounding errors
    return np.asarray(expansion.residual @ (axes[:, kept] * np.sqrt(values[kept])))


@dataclass(eq=False)
class _Target:
    """Whitened residuals of a reader, `(rows, r)`, and their transpose as a contiguous array."""

    residual: Array
    transposed: Array

    @classmethod
    def of(cls, whitened: Array, dtype: str) -> _Target:
        stored = whitened.astype(dtype)
        return cls(stored, np.ascontiguousarray(stored.T))

    def score_and_slope(self, columns: Array) -> tuple[Array, Array]:
        """Compute the score of the proposal of each chain for this reader, and the gradient of the score.

        Args:
            columns: the p inputs that the reader gets from a proposal, `(chains, p, rows)`.

        Returns:
            Scores, `(chains,)`, and their gradients by `columns`, `(chains, p, rows)`.
        """
        chains, p, rows = columns.shape
        moments = (columns.reshape(chains * p, rows) @ self.residual / rows).reshape(chains, p, -1)
        if p == 1:
            size = np.einsum("bpr,bpr->b", columns, columns)[:, None, None] / rows
            fit = np.divide(moments, size, out=np.zeros_like(moments), where=size > 0)
        else:
            second = columns @ np.swapaxes(columns, 1, 2) / rows
            mean = np.trace(second, axis1=1, axis2=2)[:, None, None] / p
            ridge = max(_RIDGE, 10 * p * float(np.finfo(columns.dtype).eps)) * mean + (mean == 0)
            fit = np.linalg.solve(second + ridge * np.eye(p, dtype=columns.dtype), moments)
        slope = (fit.reshape(chains * p, -1) @ self.transposed).reshape(columns.shape)
        inner = fit @ np.swapaxes(fit, 1, 2)
        slope -= inner * columns if p == 1 else inner @ columns
        slope *= 2 / rows
        return np.sum(moments * fit, axis=(1, 2)), slope


@dataclass(eq=False)
class ProposalSpace:
    """Search space of proposals: one or several new vertices with common inputs, and the score of all of them together.

    The state of a chain is one row with all free numbers of a proposal: coordinates of the incoming weights vertex by
    vertex, then biases, then each parameter of the activation. All products are computed for many chains at once, in
    blocks of chains whose values fit into the cache.

    Attributes:
        targets: score functions of the layers that would read the proposal; their scores add up.
        inputs: inputs of the proposed vertices, `(rows, n)`.
        activation: name of the activation of the proposed vertices.
        vertices: number of vertices of a proposal.
        scale: divisor of the scores.
        readers: reader of the proposed values for each target; None reads directly.
        coordinates: coordinates of the incoming weights, see `frame`.
        damping: damping of the second moments G, see `Expansion`.
        slope: fixed slope of leaky_relu.
        bias: whether biases are searched; otherwise they are 0.
        dtype: type of the arithmetic.
        parameters: names of the activation's parameters.

    Raises:
        OptionError: when shapes do not fit or a value is not finite.
    """

    targets: Sequence[Expansion]
    inputs: Array
    activation: str
    vertices: int = 1
    scale: float = 1.0
    readers: Sequence[Reader] | None = None
    coordinates: Coordinates = "scaled"
    damping: float = 0.1
    slope: float = 0.01
    bias: bool = True
    dtype: str = "float64"
    parameters: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        if self.inputs.ndim != 2 or not self.inputs.size or not np.isfinite(self.inputs).all():
            raise OptionError(f"inputs have shape {self.inputs.shape}; they are (rows, n), not empty and finite.")
        if not self.targets or (self.readers is not None and len(self.readers) != len(self.targets)):
            readers = None if self.readers is None else len(self.readers)
            raise OptionError(
                f"{len(self.targets)} targets and {readers} readers; give one target or more, a reader each."
            )
        if not 0 < self.scale < np.inf:
            raise OptionError(f"scale={self.scale} is not above 0 and finite.")
        dtype = np.dtype(self.dtype)
        self.parameters = tuple(get_activation(self.activation).parameters)
        self.frame = frame(np.asarray(self.inputs, np.float64), self.coordinates)
        self._seen = (self.inputs @ self.frame).astype(dtype)
        self._turned = np.ascontiguousarray(self._seen.T)
        self._readers = self.readers or [read_directly] * len(self.targets)
        self._check_readers()
        whitened = [_whitened(replace(t, damping=self.damping)) for t in self.targets]
        # No proposal has a larger score. Relative to this bound small residuals do not underflow in float32.
        self._bound = sum(float(np.sum(w * w)) / len(w) for w in whitened) or 1.0
        self._targets = [_Target.of(w / np.sqrt(self._bound), self.dtype) for w in whitened]

    def _check_readers(self) -> None:
        self._taps = []
        for target, read in zip(self.targets, self._readers, strict=True):
            _one, taps, rows = read(self._turned[:1]).values.shape
            self._taps.append(taps)
            if rows != len(target.residual) or not np.isfinite(target.residual).all():
                raise OptionError(
                    f"A target has {len(target.residual)} rows, what it reads of {len(self.inputs)} has {rows}; they "
                    "are as many, and finite."
                )

    @property
    def size(self) -> int:
        """Length of the state of a chain."""
        return self.vertices * (int(self.frame.shape[1]) + int(self.bias) + len(self.parameters))

    @property
    def work(self) -> float:
        """Estimated number of multiplications of one step of one chain."""
        rows, d = self._seen.shape
        total = rows * self.vertices * (4 * d + 150.0)
        for target, taps in zip(self._targets, self._taps, strict=True):
            p, (read, m) = self.vertices * taps, target.residual.shape
            total += read * p * (4.0 * m + (4.0 * p if p > 1 else 4.0)) + (10.0 * p**3 + 3e5 if p > 1 else 0.0)
        return float(total)

    def split(self, state: Array) -> tuple[Array, Array, dict[str, Array]]:
        """Split states `(chains, size)` into their parts.

        Returns:
            Coordinates of the incoming weights, `(chains, vertices, d)`; biases, `(chains, vertices)`; and parameters
            of the activation by name, `(chains, vertices)` each.
        """
        q, d = self.vertices, self.frame.shape[1]
        kernel, rest = state[:, : q * d].reshape(-1, q, d), state[:, q * d :].reshape(len(state), -1, q)
        bias = rest[:, 0] if self.bias else np.zeros((len(state), q), state.dtype)
        return kernel, bias, {name: rest[:, self.bias + k] for k, name in enumerate(self.parameters)}

    def activations(self, state: Array) -> Array:
        """Values of the proposed vertices, `(chains, vertices, rows)`."""
        kernel, bias, parameters = self.split(state)
        z = (kernel.reshape(-1, kernel.shape[2]) @ self._turned).reshape(len(state), self.vertices, -1)
        p = {name: v[:, :, None] for name, v in parameters.items()}
        return get_activation(self.activation).function(z + bias[:, :, None], p, self.slope)

    def evaluate(self, state: Array) -> tuple[Array, Array]:
        """Compute the damped scores of states, divided by the scale, and their gradients, in float64.

        Returns:
            Scores, `(chains,)`, and gradients, `(chains, size)`.
        """
        read = sum(len(t.residual) * taps for t, taps in zip(self._targets, self._taps, strict=True))
        block = max(1, _BLOCK // (self.vertices * max(len(self._seen), read)))
        parts = [self._block(state[k : k + block]) for k in range(0, len(state), block)]
        scores, gradients = (np.concatenate(x) for x in zip(*parts, strict=True))
        unit = self._bound / self.scale
        return scores * unit, gradients * unit

    def _block(self, state: Array) -> tuple[Array, Array]:
        chains, q = len(state), self.vertices
        kernel, bias, parameters = self.split(state.astype(self.dtype, copy=False))
        z = (kernel.reshape(chains * q, -1) @ self._turned).reshape(chains, q, -1)
        z += bias[:, :, None]
        p = {name: v[:, :, None] for name, v in parameters.items()}
        f = get_activation(self.activation).value_and_derivatives(z, p, self.slope)
        score, slope = np.zeros(chains), np.zeros_like(z)
        for target, read in zip(self._targets, self._readers, strict=True):
            columns = read(f.value)
            own, back = target.score_and_slope(columns.values.reshape(chains, -1, columns.values.shape[-1]))
            score += own
            slope += columns.adjoint(back.reshape(columns.values.shape))
        gradient = np.empty(state.shape)
        d = kernel.shape[2]
        rest = gradient[:, q * d :].reshape(chains, -1, q)
        for k, name in enumerate(self.parameters):
            rest[:, self.bias + k] = np.einsum("bqr,bqr->bq", slope, f.parameters[name])
        slope *= f.argument
        gradient[:, : q * d] = (slope.reshape(chains * q, -1) @ self._seen).reshape(chains, -1)
        if self.bias:
            rest[:, 0] = slope.sum(axis=2)
        return score, gradient

    def exact_score(self, state: Array) -> float:
        """Compute `delta-eta'` of one proposal in float64, with the damping of its targets, undivided by the scale."""
        values = self.activations(np.asarray(state, np.float64)[None])[0]
        total = 0.0
        for target, read in zip(self.targets, self._readers, strict=True):
            columns = read(values).values
            total += float(target.score(columns.reshape(-1, columns.shape[-1]).T))
        return max(total, 0.0)
