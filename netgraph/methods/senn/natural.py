"""The natural expansion score: how much more of the loss gradient a network could follow if it were larger (SENN)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from netgraph.checks import checked
from netgraph.columns import Array
from netgraph.errors import OptionError

CUTOFF = 1e-10
"""Eigenvalues below this share of the largest count as 0 where a matrix of second moments is inverted."""


@checked
def pseudo_inverse(matrix: Array, cutoff: float = CUTOFF) -> Array:
    """The Moore-Penrose inverse of symmetric positive semi-definite matrices.

    Args:
        matrix: (..., n, n).
        cutoff: eigenvalues below this share of the largest count as 0. Moments of activations that depend on each
            other, and those of gradients behind a softmax, are singular: there is nothing to gain in these directions.

    Cost: O(n^3) for each matrix.
    """
    if matrix.shape[-1] == 1:
        return np.divide(1.0, matrix, out=np.zeros_like(matrix), where=matrix > 0)
    result: Array = np.linalg.pinv(matrix, rcond=cutoff, hermitian=True)
    return result


@dataclass(frozen=True, eq=False)
class LayerFactors:
    """The Kronecker factors of the weights between what a layer reads and its sums, and their mean gradient.

    Attributes:
        inputs: A (n, n), second moments of what the layer reads; where several links meet in a layer their sources
            stand one after the other. A bias takes part when a constant 1 is appended.
        gradients: G (m, m), second moments of the gradients of the sums, one example weighted by 1 / |dL/dy|^2.
        gradient: (n, m) mean gradient of the weights, E[a dL/dz^T].

    Raises:
        OptionError: when the shapes do not fit, or a value is not finite.
    """

    inputs: Array
    gradients: Array
    gradient: Array

    def __post_init__(self) -> None:
        n, m = len(self.inputs), len(self.gradients)
        shapes = (self.inputs.shape, self.gradients.shape, self.gradient.shape)
        if shapes != ((n, n), (m, m), (n, m)):
            raise OptionError(f"Factors have shapes {shapes[0]} and {shapes[1]}, but the gradient has {shapes[2]}.")
        for name in ("inputs", "gradients", "gradient"):
            if not np.isfinite(getattr(self, name)).all():
                raise OptionError(f"The factor {name!r} holds a value that is not finite.")

    @cached_property
    def natural_gradient(self) -> Array:
        """(n, m) A^+ g G^+, the direction of steepest descent in the factored metric."""
        result: Array = pseudo_inverse(self.inputs) @ self.gradient @ pseudo_inverse(self.gradients)
        return result

    @cached_property
    def score(self) -> float:
        """Sum of g * (A^+ g G^+), the natural expansion score of the layer as it is.

        Source: Mitchell et al. 2023, "Self Expanding Neural Networks", section 3.2; Kronecker factors as in
        Martens and Grosse 2015.
        """
        return float(np.sum(self.gradient * self.natural_gradient))


def layer_residual(gradients: Array, inputs: Array, inverse: Array | None = None) -> Array:
    """What the weights of a layer cannot follow: the gradients of its sums without their regression on its inputs.

    Args:
        gradients: (..., examples, m) gradients of the sums, of each example.
        inputs: (examples, n) what the layer reads.
        inverse: (n, n) pseudo-inverse of a^T a, where it is known already.

    Returns:
        (..., examples, m) g_r = r - a A^+ E[a r^T]; uncorrelated with every input.

    Source: Mitchell et al. 2023, lemma A.6.
    """
    known = pseudo_inverse(inputs.T @ inputs) if inverse is None else inverse
    result: Array = gradients - inputs @ (known @ (inputs.T @ gradients))
    return result


def without_tangent(gradients: Array, tangent: Array) -> Array:
    """Output gradients without what a step along the natural gradient already takes away.

    Args:
        gradients: (examples, outputs) dL/dy.
        tangent: (examples, outputs) J n, by how much outputs move along the natural gradient n.

    Returns:
        dL/dy - s J n, with the s that takes most away over all examples.
    """
    scale = np.sum(tangent * gradients) / (np.sum(tangent * tangent) + 1e-10)
    result: Array = gradients - scale * tangent
    return result


@dataclass(frozen=True, eq=False)
class Expansion:
    """What a layer would gain from vertices that it does not read yet.

    Attributes:
        residual: (examples, m) g_r, see `layer_residual`.
        gradients: G (m, m), see `LayerFactors`.
        damping: G gets this share of its mean diagonal added to its diagonal. A search is steadier with .1; the bound
            holds for 0.
    """

    residual: Array
    gradients: Array
    damping: float = 0.0

    def __post_init__(self) -> None:
        m = self.residual.shape[-1]
        if self.residual.ndim != 2 or self.gradients.shape != (m, m):
            raise OptionError(f"The residual has shape {self.residual.shape}, but G has {self.gradients.shape}.")
        if not 0 <= self.damping < np.inf:
            raise OptionError(f"damping={self.damping} is negative or not finite.")

    @cached_property
    def inverse(self) -> Array:
        """(m, m) G^+, or of the damped G."""
        m = len(self.gradients)
        return pseudo_inverse(self.gradients + self.damping * np.trace(self.gradients) / m * np.eye(m))

    def score(self, activations: Array) -> Array:
        """Delta-eta', a lower bound of what the score of the layer gains; see `score_and_slope`."""
        _fit, weighted, moments = self._regression(activations)
        result: Array = np.sum(moments * weighted, axis=(-2, -1))
        return result

    def score_and_slope(self, activations: Array) -> tuple[Array, Array]:
        """Delta-eta' = Tr[A_p^+ C G^+ C^T] of proposals, and its gradient by their activations.

        Args:
            activations: (..., examples, p) of p proposed vertices; any number of proposals at once.

        Returns:
            (...) scores and (..., examples, p) their gradients.

        Source: Mitchell et al. 2023, theorem 3.2. Cost: O(examples * p * (p + m)) for each proposal.
        """
        fit, weighted, moments = self._regression(activations)
        slope = (self.residual - activations @ fit) @ np.swapaxes(weighted, -2, -1)
        return np.sum(moments * weighted, axis=(-2, -1)), 2 / len(self.residual) * slope

    def exact(self, activations: Array, inputs: Array) -> Array:
        """What the score of the layer gains: Delta-eta' with A_p given the inputs (its Schur complement) for A_p.

        Args:
            activations: (..., examples, p) of p proposed vertices.
            inputs: (examples, n) what the layer reads already.

        Source: Mitchell et al. 2023, section 3.3.
        """
        return self.score(layer_residual(activations, inputs))

    def _regression(self, activations: Array) -> tuple[Array, Array, Array]:
        """A_p^+ C, A_p^+ C G^+ and C."""
        turned = np.swapaxes(activations, -2, -1)
        examples = len(self.residual)
        moments = turned @ self.residual / examples
        fit = pseudo_inverse(turned @ activations / examples) @ moments
        return fit, fit @ self.inverse, moments
