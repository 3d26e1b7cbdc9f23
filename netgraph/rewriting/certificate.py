"""What a rewrite did to the function: what the rule claims, next to what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from netgraph.graph.columns import Array
from netgraph.interpret import interpret
from netgraph.rewriting.rule import Claim, ClaimKind

if TYPE_CHECKING:
    from netgraph.graph import Graph

ROUNDING = 1e-9
"""Change relative to an output's range below which float64 rounding explains it."""


@dataclass(frozen=True)
class Measurement:
    """Largest change of an output over a probe batch, in float64.

    Attributes:
        change: largest absolute change of any output.
        relative: the same, each output's change over its own range on the probe.
        samples: size of the probe batch.
    """

    change: float
    relative: float
    samples: int


@dataclass(frozen=True)
class Certificate:
    """What is known of a rewrite's effect on the function.

    Attributes:
        kind: "exact", "bounded" or "unknown".
        reason: why.
        bound: largest change of any output, for "bounded".
        measured: change on a probe batch; None when it was not measured.
    """

    kind: ClaimKind
    reason: str
    bound: float | None = None
    measured: Measurement | None = None

    def __str__(self) -> str:
        bound = f" (at most {self.bound:.3g})" if self.bound is not None else ""
        text = f"{self.kind}{bound}: {self.reason}"
        if self.measured is None:
            return f"{text}; not measured"
        m = self.measured
        return f"{text}; measured change {m.change:.2g} ({m.relative:.2g} of the range) on {m.samples} samples"

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Certificate:
        """The inverse of `dataclasses.asdict`."""
        measured = values.get("measured")
        return cls(**{**values, "measured": Measurement(**measured) if measured else None})


def sample_inputs(graph: Graph, samples: int, rng: np.random.Generator) -> dict[str, Array]:
    """Random inputs within the declared domains: uniform on bounded sides, normal where there is no bound.

    Returns:
        (samples, vertices, *grid) float64 arrays by the name of the input layer.
    """
    result = {}
    for layer in graph.inputs:
        shape = (len(layer),) + (1,) * len(layer.grid)
        low, high = (layer.values[k].reshape(shape) for k in ("low", "high"))
        size = (samples, len(layer), *layer.grid)
        bounded = np.isfinite(low) & np.isfinite(high)
        lo, hi = np.where(bounded, low, 0.0), np.where(bounded, high, 1.0)
        inside = lo + (hi - lo) * rng.random(size)
        # A domain with one bound is filled by the distance |normal| from it.
        normal = rng.normal(size=size)
        above = np.where(np.isfinite(low), low + np.abs(normal), normal)
        free = np.where(np.isfinite(high), np.minimum(high - np.abs(normal), high), above)
        result[layer.name] = np.clip(np.where(bounded, inside, free), low, high)
    return result


def measure(old: Graph, new: Graph, probe: Any, before: Any = None) -> Measurement:
    """Evaluate both graphs on `probe` and compare their outputs; `before` may hold those of the old one."""
    one = _by_name(old, interpret(old, probe) if before is None else before)
    two = _by_name(new, interpret(new, probe))
    change = relative = 0.0
    samples = 0
    for name, a in one.items():
        b, samples = two[name], len(a)
        difference = np.abs(a - b).max(axis=0)
        span = np.ptp(a, axis=0)
        # An output that is constant on the probe is compared with its own size.
        scale = np.where(span > 0, span, np.maximum(np.abs(a).max(axis=0), 1.0))
        change = max(change, float(difference.max()))
        relative = max(relative, float((difference / scale).max()))
    return Measurement(change, relative, samples)


def certificate(claim: Claim, measured: Measurement | None) -> Certificate:
    """Combine a claim with a measurement; a claim that the measurement contradicts is not kept."""
    if measured is not None:
        if claim.kind == "exact" and not measured.relative <= ROUNDING:
            reason = f"claimed exact ({claim.reason}), but the measurement contradicts it"
            return Certificate("unknown", reason, None, measured)
        if claim.kind == "bounded" and claim.bound is not None and measured.change > claim.bound * (1 + ROUNDING):
            reason = f"claimed within {claim.bound:.3g} ({claim.reason}), but the measurement contradicts it"
            return Certificate("unknown", reason, None, measured)
    return Certificate(claim.kind, claim.reason, claim.bound, measured)


def _by_name(graph: Graph, outputs: Any) -> dict[str, Array]:
    return outputs if isinstance(outputs, dict) else {graph.outputs[0].name: outputs}
