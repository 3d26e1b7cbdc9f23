"""What a layer reads, for a batch: its Kronecker factors, and what it would gain from more vertices to read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from netgraph.checks import checked
from netgraph.columns import Array
from netgraph.errors import OptionError
from netgraph.graph import Graph, LinkKind, weighted
from netgraph.methods.senn.natural import Expansion, LayerFactors, layer_residual, pseudo_inverse


def patches(values: Array, kind: LinkKind) -> Array:
    """What every position of a layer reads of another one through a link.

    Args:
        values: (samples, vertices, *grid) of the layer that is read.
        kind: of the link.

    Returns:
        (samples, positions, vertices, taps); a layer without a grid has one position. Padding reads 0.
    """
    samples, vertices = values.shape[:2]
    if kind.pointwise:
        return np.moveaxis(values.reshape(samples, vertices, -1), 1, 2)[..., None]
    (sh, sw), padded = kind.stride, kind.pad(values)
    windows = np.lib.stride_tricks.sliding_window_view(padded, kind.kernel, axis=(2, 3))[:, :, ::sh, ::sw]
    return windows.transpose(0, 2, 3, 1, 4, 5).reshape(samples, -1, vertices, kind.taps)  # in one copy


@dataclass(frozen=True, eq=False)
class FedLayer:
    """A layer with what it reads and the gradients of its sums, position by position of every sample.

    Where several links meet, what they read stands side by side. Vertices that a link joins to no target are left out.
    A link with missing edges counts as if it had them all: edges could be added there, so new vertices are only
    credited with what those could not do. Positions of maps are examples with weights in common; as in Grosse and
    Martens 2016 the score is that of one position times their number.

    Attributes:
        inputs: (examples, n) values read; a last 1 when the layer has a bias and it takes part.
        gradients: (examples, m) of each sample's own loss by the sums.
        output_norms: (samples,) |dL/dy| of each sample.

    Raises:
        OptionError: when the shapes do not fit.
    """

    inputs: Array
    gradients: Array
    output_norms: Array

    def __post_init__(self) -> None:
        examples, samples = len(self.gradients), len(self.output_norms)
        if len(self.inputs) != examples or not samples or examples % samples:
            raise OptionError(
                f"There are {len(self.inputs)} rows of inputs, {examples} of gradients and {samples} samples; the "
                "first two agree, and are a multiple of the third."
            )

    @property
    def positions(self) -> int:
        """Positions of the layer."""
        return len(self.gradients) // len(self.output_norms)

    @cached_property
    def moments(self) -> Array:
        """G (m, m), second moments of the gradients of the sums, one sample weighted by 1 / |dL/dy|^2."""
        norms = np.repeat(self.output_norms, self.positions)[:, None]
        unit = np.divide(self.gradients, norms, out=np.zeros_like(self.gradients), where=norms > 0)
        return np.asarray(unit.T @ unit / len(unit))

    @cached_property
    def _inverse(self) -> Array:
        return pseudo_inverse(self.inputs.T @ self.inputs)

    @cached_property
    def factors(self) -> LayerFactors:
        """The Kronecker factors of the present weights."""
        rows = len(self.inputs)
        return LayerFactors(self.inputs.T @ self.inputs / rows, self.moments, self.inputs.T @ self.gradients / rows)

    @cached_property
    def score(self) -> float:
        """Eta_c, the natural expansion score of the layer as it is."""
        return self.positions * self.factors.score

    @cached_property
    def most(self) -> float:
        """The score that no inputs whatever can exceed, E[r^T G^+ r], reached by such as tell all examples apart."""
        whitened = self.gradients @ pseudo_inverse(self.moments)
        return float(self.positions * np.mean(np.sum(whitened * self.gradients, axis=1)))

    def expansion(self, gradients: Array | None = None) -> Expansion:
        """What the layer would gain from vertices that it does not read yet.

        Args:
            gradients: (examples, m) what they are to follow: gradients of the sums, by default, or what is left of
                them after a step (see `without_tangent`).
        """
        wanted = self.gradients if gradients is None else gradients
        residual = layer_residual(wanted, self.inputs, self._inverse)
        return Expansion(np.sqrt(self.positions) * residual, self.moments)


def rows_of(values: Array) -> Array:
    """(samples * positions, vertices) of (samples, vertices, *grid)."""
    return np.moveaxis(values.reshape(*values.shape[:2], -1), 1, 2).reshape(-1, values.shape[1])


@checked
def inputs_of(
    graph: Graph, layer: int, activations: Mapping[str, Array], *, bias: bool = True, used: bool = True
) -> Array:
    """(samples * positions, n) what a layer reads, link after link, by vertex and tap; a last 1 for its bias.

    Args:
        graph: the graph.
        layer: id of the layer.
        activations: by layer name, (samples, vertices, *grid) what others read.
        bias: whether the bias of the layer takes part.
        used: leave out vertices that a link joins to no target.
    """
    found = []
    for link in weighted(graph.incoming[layer]):
        values = activations[graph.layer(link.source).name]
        if used:
            values = values[:, np.unique(link.src)]
        found.append(patches(values, link.kind).reshape(-1, values.shape[1] * link.kind.taps))
    if not found:
        raise OptionError(f"Nothing with weights feeds layer {graph.layer(layer).name!r}.")
    if bias and graph.layer(layer).bias is not None:
        found.append(np.ones((len(found[0]), 1)))
    return np.concatenate(found, axis=1)


def most_additions(score: float, most: float, *, ratio: float = 0.0, step: float = 0.0) -> float:
    """How often a score can still be raised, when every time must raise it by a factor and by an amount.

    With the weights as they are, each addition that is accepted lifts a score eta of at least `score` to at least
    (1 + ratio) eta, and to at least eta + step; it cannot exceed `most`. So n additions need
    score (1 + ratio)^n <= most and score + n step <= most.

    Args:
        score: eta of the present network, or of the layers that the additions feed.
        most: what it cannot exceed: E|dL/dy|^2 for a whole network, `FedLayer.most` for a layer.
        ratio: tau, which an increase relative to eta must exceed.
        step: alpha times E|dL/dy|^2, which an increase must exceed.

    Returns:
        A whole number, or infinity where neither says anything.

    Source: after the bound on additions of Mitchell et al. 2023; here for both thresholds, and layer by layer.
    """
    room = most - score
    if room <= 0:
        return 0.0
    bounds = [math.inf]
    if ratio > 0 and score > 0:
        bounds.append(math.log1p(room / score) / math.log1p(ratio))
    if step > 0:
        bounds.append(room / step)
    least = min(bounds)
    return float(math.floor(least * (1 + 1e-12))) if math.isfinite(least) else math.inf
