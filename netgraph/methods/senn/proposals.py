"""Many proposed vertices at once: from their parameters to what they would gain, and back to a gradient."""

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
    """(n, d) T that takes coordinates to incoming weights: with normal coordinates sums are as large as 1.

    Args:
        inputs: (rows, n) what proposals read.
        coordinates: "unit" for T = 1; "scaled" for weights divided by the root mean square length of the inputs;
            "whitened" for the principal axes of the inputs, so that every direction in them moves the sums alike, with
            a hundredth of the mean variance added to each.
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
    """(rows, rank of G) residuals times the root of G^+: the score is a sum of squares over them."""
    values, axes = np.linalg.eigh(expansion.inverse)
    kept = values > 1e-13 * values.max(initial=0.0)  # the rest is rounding
    return np.asarray(expansion.residual @ (axes[:, kept] * np.sqrt(values[kept])))


@dataclass(eq=False)
class _Target:
    """Whitened residuals (rows, r), and the same turned."""

    residual: Array
    transposed: Array

    @classmethod
    def of(cls, whitened: Array, dtype: str) -> _Target:
        stored = whitened.astype(dtype)
        return cls(stored, np.ascontiguousarray(stored.T))

    def score_and_slope(self, columns: Array) -> tuple[Array, Array]:
        """Scores (chains,) and slopes (chains, p, rows) of what is read of proposals, (chains, p, rows)."""
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
    """Where a search looks: `vertices` proposed vertices that read the inputs, and what they would gain together.

    The state of a chain is one row: coordinates of the incoming weights vertex by vertex, then biases, then each
    parameter of the activation. All products are made for many chains at once; chains are only taken in blocks so
    that values stay near the processor.

    Attributes:
        targets: layers that the proposals would feed; their scores add up.
        inputs: (rows, n) what proposals read.
        activation: name of the activation of the proposed vertices.
        vertices: how many vertices a proposal has.
        scale: scores are divided by it.
        readers: how each target reads the proposed values; directly by default.
        coordinates: see `frame`.
        damping: of the factors G, see `Expansion`.
        slope: the fixed slope of leaky_relu.
        bias: whether biases are searched; else they are 0.
        dtype: of the arithmetic.

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
            told = None if self.readers is None else len(self.readers)
            raise OptionError(
                f"{len(self.targets)} targets and {told} readers; give one target or more, a reader each."
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
        # More than this no proposal gains. In its units small residuals do not vanish in float32.
        self._most = sum(float(np.sum(w * w)) / len(w) for w in whitened) or 1.0
        self._targets = [_Target.of(w / np.sqrt(self._most), self.dtype) for w in whitened]

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
        """Numbers in the state of a chain."""
        return self.vertices * (int(self.frame.shape[1]) + int(self.bias) + len(self.parameters))

    @property
    def work(self) -> float:
        """About how many multiplications one chain costs in one step."""
        rows, d = self._seen.shape
        total = rows * self.vertices * (4 * d + 150.0)
        for target, taps in zip(self._targets, self._taps, strict=True):
            p, (read, m) = self.vertices * taps, target.residual.shape
            total += read * p * (4.0 * m + (4.0 * p if p > 1 else 4.0)) + (10.0 * p**3 + 3e5 if p > 1 else 0.0)
        return float(total)

    def split(self, state: Array) -> tuple[Array, Array, dict[str, Array]]:
        """Coordinates (chains, vertices, d), biases (chains, vertices) and activation parameters of states."""
        q, d = self.vertices, self.frame.shape[1]
        kernel, rest = state[:, : q * d].reshape(-1, q, d), state[:, q * d :].reshape(len(state), -1, q)
        bias = rest[:, 0] if self.bias else np.zeros((len(state), q), state.dtype)
        return kernel, bias, {name: rest[:, self.bias + k] for k, name in enumerate(self.parameters)}

    def activations(self, state: Array) -> Array:
        """(chains, vertices, rows) values of the proposed vertices."""
        kernel, bias, parameters = self.split(state)
        z = (kernel.reshape(-1, kernel.shape[2]) @ self._turned).reshape(len(state), self.vertices, -1)
        p = {name: v[:, :, None] for name, v in parameters.items()}
        return get_activation(self.activation).function(z + bias[:, :, None], p, self.slope)

    def evaluate(self, state: Array) -> tuple[Array, Array]:
        """Scores (chains,) by the scale, with damping, and their gradients (chains, size), in float64."""
        read = sum(len(t.residual) * taps for t, taps in zip(self._targets, self._taps, strict=True))
        block = max(1, _BLOCK // (self.vertices * max(len(self._seen), read)))
        parts = [self._block(state[k : k + block]) for k in range(0, len(state), block)]
        scores, gradients = (np.concatenate(x) for x in zip(*parts, strict=True))
        unit = self._most / self.scale
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
        """The bound of one proposal, with the damping of the targets themselves, in float64."""
        values = self.activations(np.asarray(state, np.float64)[None])[0]
        total = 0.0
        for target, read in zip(self.targets, self._readers, strict=True):
            columns = read(values).values
            total += float(target.score(columns.reshape(-1, columns.shape[-1]).T))
        return max(total, 0.0)
