"""The natural expansion score of a whole network, exactly: a check for small ones, as it needs every Jacobian."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from netgraph.columns import Array
from netgraph.errors import OptionError
from netgraph.methods.senn.natural import pseudo_inverse

_RANK = 1e-12


@dataclass(frozen=True, eq=False)
class FisherScore:
    """eta = g^T (F + damping)^-1 g, with F = E[J^T J] and g = E[J^T dL/dy].

    Attributes:
        jacobian: (examples, outputs, parameters).
        output_gradients: (examples, outputs) dL/dy.
        damping: added to the diagonal of F; with 0 the pseudo-inverse is taken, singular values of J below 1e-6 of the
            largest counting as 0.

    Raises:
        OptionError: when the shapes do not fit.

    Cost: O(examples * outputs * parameters^2 + parameters^3), and memory for F.
    """

    jacobian: Array
    output_gradients: Array
    damping: float = 0.0

    def __post_init__(self) -> None:
        if self.jacobian.ndim != 3 or self.jacobian.shape[:2] != self.output_gradients.shape:
            raise OptionError(
                f"A Jacobian of shape {self.jacobian.shape} does not fit output gradients of shape "
                f"{self.output_gradients.shape}; both begin with (examples, outputs)."
            )
        if not 0 <= self.damping < np.inf:
            raise OptionError(f"damping={self.damping} is negative or not finite.")

    @cached_property
    def fisher(self) -> Array:
        """F (parameters, parameters), in the Euclidean metric of the outputs, whatever the loss."""
        flat = self.jacobian.reshape(-1, self.jacobian.shape[2])
        return np.asarray(flat.T @ flat / len(self.jacobian))

    @cached_property
    def gradient(self) -> Array:
        """(parameters,) mean gradient of the loss."""
        return np.asarray(np.einsum("nop,no->p", self.jacobian, self.output_gradients) / len(self.jacobian))

    @cached_property
    def natural_gradient(self) -> Array:
        """(parameters,) (F + damping)^-1 g."""
        if self.damping == 0:
            return np.asarray(pseudo_inverse(self.fisher, _RANK) @ self.gradient)
        damped = self.fisher + self.damping * np.eye(len(self.gradient))
        return np.asarray(np.linalg.solve(damped, self.gradient))

    @property
    def score(self) -> float:
        """The natural expansion score.

        Source: Mitchell et al. 2023, "Self Expanding Neural Networks", section 3.1.
        """
        return float(self.gradient @ self.natural_gradient)

    @property
    def projected(self) -> float:
        """|P dL/dy|^2 / examples, P projecting onto what the outputs can do; equals the score without damping."""
        flat = self.jacobian.reshape(-1, self.jacobian.shape[2])
        left, values, _right = np.linalg.svd(flat, full_matrices=False)
        reached = left[:, values > np.sqrt(_RANK) * values.max(initial=0.0)].T @ self.output_gradients.ravel()
        return float(reached @ reached) / len(self.jacobian)
