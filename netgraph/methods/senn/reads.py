"""Inputs of a layer for a batch, their Kronecker factors, and bounds of the score that a layer can reach."""

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
    """Values that every position of a layer reads from another layer through a link.

    Args:
        values: values of the source layer, `(samples, vertices, *grid)`.
        kind: kind of the link.

    Returns:
        Values read, `(samples, positions, vertices, taps)`. A layer without a grid has one position. Padding reads 0.
    """
    samples, vertices = values.shape[:2]
    if kind.pointwise:
        return np.moveaxis(values.reshape(samples, vertices, -1), 1, 2)[..., None]
    (sh, sw), padded = kind.stride, kind.pad(values)
    windows = np.lib.stride_tricks.sliding_window_view(padded, kind.kernel, axis=(2, 3))[:, :, ::sh, ::sw]
    return windows.transpose(0, 2, 3, 1, 4, 5).reshape(samples, -1, vertices, kind.taps)  # in one copy


@dataclass(frozen=True, eq=False)
class FedLayer:
    """Inputs of a layer and gradients of its sums, for a batch. An example is one position of one sample.

    Inputs from several links stand side by side. A link with missing edges counts as complete: those edges could be
    added, so a new vertex is scored only by its gain over them. Positions of maps are examples that share their
    weights; as in Grosse and Martens 2016 the score of the layer is the score of one position times their number.

    Attributes:
        inputs: values that the layer reads, `(examples, n)`; the last column is 1 when the bias is included.
        gradients: gradients of the loss of each sample by the sums, `(examples, m)`.
        output_norms: length of the output gradient of each sample, `|dL/dy|`, `(samples,)`.

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
        """Number of positions of the layer; 1 without a grid."""
        return len(self.gradients) // len(self.output_norms)

    @cached_property
    def moments(self) -> Array:
        """Second moments G of the gradients, with the weight `1 / |dL/dy|^2` for each sample, `(m, m)`."""
        norms = np.repeat(self.output_norms, self.positions)[:, None]
        unit = np.divide(self.gradients, norms, out=np.zeros_like(self.gradients), where=norms > 0)
        return np.asarray(unit.T @ unit / len(unit))

    @cached_property
    def _inverse(self) -> Array:
        return pseudo_inverse(self.inputs.T @ self.inputs)

    @cached_property
    def factors(self) -> LayerFactors:
        """Kronecker factors of the present weights."""
        rows = len(self.inputs)
        return LayerFactors(self.inputs.T @ self.inputs / rows, self.moments, self.inputs.T @ self.gradients / rows)

    @cached_property
    def score(self) -> float:
        """Natural expansion score `eta_c` of the layer at its present size."""
        return self.positions * self.factors.score

    @cached_property
    def upper_bound(self) -> float:
        """Least upper bound of the score over all possible inputs, `positions * E[r^T G^+ r]`.

        G are the `moments`, and r is a row of `gradients`. The score reaches the bound when the inputs of all examples
        are linearly independent.
        """
        whitened = self.gradients @ pseudo_inverse(self.moments)
        return float(self.positions * np.mean(np.sum(whitened * self.gradients, axis=1)))

    def expansion(self, gradients: Array | None = None) -> Expansion:
        """Score function for additional inputs of the layer.

        Args:
            gradients: gradients that the additional inputs should follow, `(examples, m)`. None is the gradients of the
                sums; the residual of a step is the other choice (see `without_tangent`).
        """
        wanted = self.gradients if gradients is None else gradients
        residual = layer_residual(wanted, self.inputs, self._inverse)
        return Expansion(np.sqrt(self.positions) * residual, self.moments)


def reads_table(graph: Graph, layer: int) -> bool:
    """Whether edges into a layer, given by its id, are rows of a table, whose values are not captured."""
    return any(graph.layer(k.source).is_table for k in weighted(graph.incoming[layer]))


def rows_of(values: Array) -> Array:
    """Reorder values `(samples, vertices, *grid)` to one row per sample and position, `(rows, vertices)`."""
    return np.moveaxis(values.reshape(*values.shape[:2], -1), 1, 2).reshape(-1, values.shape[1])


@checked
def inputs_of(
    graph: Graph, layer: int, activations: Mapping[str, Array], *, bias: bool = True, used: bool = True
) -> Array:
    """Inputs of a layer, one row per sample and position, `(samples * positions, n)`.

    Columns stand link after link, and in a link by source vertex and tap. The last column is 1 for the bias.

    Args:
        graph: the graph.
        layer: id of the layer.
        activations: outputs of the layers by name, `(samples, vertices, *grid)` each.
        bias: whether to include the bias, if the layer has one.
        used: whether to leave out source vertices without an edge in the link.
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


def most_additions(score: float, upper_bound: float, *, ratio: float = 0.0, step: float = 0.0) -> float:
    """Upper bound on the number of additions that can still be accepted while the weights stay the same.

    Each accepted addition raises a score `eta` to at least `(1 + ratio) eta` and to at least `eta + step`. The score
    never exceeds `upper_bound`. So n additions need `score (1 + ratio)^n <= upper_bound` and
    `score + n step <= upper_bound`.

    Args:
        score: present score `eta` of the network, or of the layers that read the additions.
        upper_bound: upper bound of the score: `E|dL/dy|^2` for a whole network, `FedLayer.upper_bound` for a layer.
        ratio: threshold `tau` of the increase relative to `eta`.
        step: threshold of the increase itself, `alpha E|dL/dy|^2`.

    Returns:
        A whole number, or infinity where neither threshold gives a bound.

    Source: after the bound on additions of Mitchell et al. 2023; here for both thresholds, and layer by layer.
    """
    room = upper_bound - score
    if room <= 0:
        return 0.0
    bounds = [math.inf]
    if ratio > 0 and score > 0:
        bounds.append(math.log1p(room / score) / math.log1p(ratio))
    if step > 0:
        bounds.append(room / step)
    least = min(bounds)
    return float(math.floor(least * (1 + 1e-12))) if math.isfinite(least) else math.inf
