"""Natural expansion score of SENN: the decrease of the loss along the natural gradient, and its gain by new vertices.

The score of a layer is `eta = g^T n`, for its mean weight gradient g and its natural gradient n.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from netgraph.checks import checked
from netgraph.columns import Array
from netgraph.errors import OptionError

CUTOFF = 1e-10
"""Cutoff of the pseudo-inverse of second moments: eigenvalues below this fraction of the largest count as 0."""


@checked
def pseudo_inverse(matrix: Array, cutoff: float = CUTOFF) -> Array:
    """Moore-Penrose inverse of symmetric positive semi-definite matrices.

    Args:
        matrix: one matrix or several, `(..., n, n)`.
        cutoff: fraction of the largest eigenvalue below which an eigenvalue counts as 0. Second moments of linearly
            dependent activations, and of gradients behind a softmax, are singular; the score cannot gain there.

    Cost: O(n^3) for each matrix.
    """
    if matrix.shape[-1] == 1:
        return np.divide(1.0, matrix, out=np.zeros_like(matrix), where=matrix > 0)
    result: Array = np.linalg.pinv(matrix, rcond=cutoff, hermitian=True)
    return result


@dataclass(frozen=True, eq=False)
class LayerFactors:
    """Kronecker factors of the Fisher matrix for the weights of a layer, and the mean gradient of these weights.

    Attributes:
        inputs: second moments A of the inputs of the layer, `(n, n)`. The sources of several links stand one after the
            other. A bias is included by a constant input 1.
        gradients: second moments G of the gradients of the sums, `(m, m)`; an example has the weight `1 / |dL/dy|^2`.
        gradient: mean gradient of the weights, `E[a dL/dz^T]`, `(n, m)`.

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
        """Direction of steepest descent in the factored metric, `A^+ g G^+`, `(n, m)`."""
        result: Array = pseudo_inverse(self.inputs) @ self.gradient @ pseudo_inverse(self.gradients)
        return result

    @cached_property
    def score(self) -> float:
        """Natural expansion score of the layer at its present size, `sum(g * (A^+ g G^+))`.

        Source: Mitchell et al. 2023, "Self Expanding Neural Networks", section 3.2; Kronecker factors as in
        Martens and Grosse 2015.
        """
        return float(np.sum(self.gradient * self.natural_gradient))


def layer_residual(gradients: Array, inputs: Array, inverse: Array | None = None) -> Array:
    """Residual of the gradients of a layer's sums after linear regression on its inputs.

    The weights of the layer cannot follow this residual.

    Args:
        gradients: gradients r of the sums of each example, `(..., examples, m)`.
        inputs: inputs a of the layer, `(examples, n)`.
        inverse: pseudo-inverse of `a^T a`, `(n, n)`; None computes it.

    Returns:
        `g_r = r - a A^+ E[a r^T]`, `(..., examples, m)`; it is uncorrelated with every input.

    Source: Mitchell et al. 2023, lemma A.6.
    """
    known = pseudo_inverse(inputs.T @ inputs) if inverse is None else inverse
    result: Array = gradients - inputs @ (known @ (inputs.T @ gradients))
    return result


def without_tangent(gradients: Array, tangent: Array) -> Array:
    """Residual of the output gradients after the best step along the natural gradient.

    Args:
        gradients: `dL/dy`, `(examples, outputs)`.
        tangent: change of the outputs along the natural gradient n, `J n`, `(examples, outputs)`.

    Returns:
        `dL/dy - s J n` with the s that minimises its sum of squares over all examples, `(examples, outputs)`.
    """
    scale = np.sum(tangent * gradients) / (np.sum(tangent * tangent) + 1e-10)
    result: Array = gradients - scale * tangent
    return result


@dataclass(frozen=True, eq=False)
class Expansion:
    """Increase of the natural expansion score of a layer by additional inputs, as a function of their activations.

    Attributes:
        residual: residual gradients g_r of the sums, see `layer_residual`, `(examples, m)`.
        gradients: second moments G of the gradients, see `LayerFactors`, `(m, m)`.
        damping: multiple of the mean diagonal of G that is added to its diagonal. A search is more stable with 0.1;
            the score is a lower bound only with 0.
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
        """Pseudo-inverse of the damped G, `(m, m)`."""
        m = len(self.gradients)
        return pseudo_inverse(self.gradients + self.damping * np.trace(self.gradients) / m * np.eye(m))

    def score(self, activations: Array) -> Array:
        """Compute `delta-eta'`, a lower bound of the increase of the layer's score; see `score_and_slope`."""
        _fit, weighted, moments = self._regression(activations)
        result: Array = np.sum(moments * weighted, axis=(-2, -1))
        return result

    def score_and_slope(self, activations: Array) -> tuple[Array, Array]:
        """Compute the score of proposals, `delta-eta' = Tr[A_p^+ C G^+ C^T]`, and its gradient by their activations.

        A_p has the second moments of the activations, and `C = E[p g_r^T]`.

        Args:
            activations: activations of p proposed vertices, `(..., examples, p)`, for any number of proposals.

        Returns:
            Scores, `(...)`, and their gradients, `(..., examples, p)`.

        Source: Mitchell et al. 2023, theorem 3.2. Cost: O(examples * p * (p + m)) for each proposal.
        """
        fit, weighted, moments = self._regression(activations)
        slope = (self.residual - activations @ fit) @ np.swapaxes(weighted, -2, -1)
        return np.sum(moments * weighted, axis=(-2, -1)), 2 / len(self.residual) * slope

    def exact(self, activations: Array, inputs: Array) -> Array:
        """Compute the increase of the layer's score itself: `delta-eta'` with the Schur complement of A_p for A_p.

        The Schur complement has the second moments of the activations after regression on the inputs.

        Args:
            activations: activations of p proposed vertices, `(..., examples, p)`.
            inputs: present inputs of the layer, `(examples, n)`.

        Source: Mitchell et al. 2023, section 3.3.
        """
        return self.score(layer_residual(activations, inputs))

    def _regression(self, activations: Array) -> tuple[Array, Array, Array]:
        """Regression of the residual on proposed vertices, the same times `G^+`, and C: `A_p^+ C, A_p^+ C G^+, C`."""
        turned = np.swapaxes(activations, -2, -1)
        examples = len(self.residual)
        moments = turned @ self.residual / examples
        fit = pseudo_inverse(turned @ activations / examples) @ moments
        return fit, fit @ self.inverse, moments
