"""The natural gradient: the direction in which outputs, not parameters, move the shortest way to a lower loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from compilers import CompiledNetwork
from netgraph.analysis import forward_flops
from netgraph.errors import InputError, OptionError

Outputs = Tensor | Mapping[str, Tensor]
Vectors = tuple[Tensor, Tensor]

DAMPING, ITERATIONS, TOLERANCE = 0.1, 100, 1e-5
"""Those of the paper's experiments."""

FORWARDS_PER_PRODUCT = 5
"""What one product of the Fisher matrix and a vector costs in forwards: three along tangents, two back."""


@dataclass(frozen=True, eq=False)
class NaturalStep:
    """A damped natural gradient, in the layout of the flat vectors of the network.

    Attributes:
        weights: (slots,) part of the edge weights; pads have 0.
        vertex_parameters: (vertex slots,) part of the vertex parameters.
        iterations: of conjugate gradients; 0 when it was solved directly.
        residual: length of (F + damping I) n - g, over that of g.
        score: g^T n, what the loss falls by for a small step, over the step.
        flops: floating-point operations that it took.
    """

    weights: Tensor
    vertex_parameters: Tensor
    iterations: int
    residual: float
    score: float
    flops: float


def natural_step(
    net: CompiledNetwork,
    x: Tensor | Mapping[str, Tensor],
    cotangent: Any,
    *,
    damping: float = DAMPING,
    iterations: int = ITERATIONS,
    tolerance: float = TOLERANCE,
) -> NaturalStep:
    """The damped natural gradient n = (F + damping I)^-1 g of a batch.

    F = E[J^T J] and g = E[J^T dL/dy] are means over the samples, J the Jacobian of the outputs by all trained
    parameters: lengths of changes of the outputs are Euclidean, whatever the loss. Nothing is changed.

    Args:
        net: the network, in the mode that it is in; in train mode batch norm couples the samples of the batch, and J is
            the Jacobian of all their outputs at once.
        x: a batch, as of `net.forward`.
        cotangent: dL/dy of each sample's own loss, in the form of the outputs; or a function that makes it of them.
        damping: above 0.
        iterations: of conjugate gradients at most, which stop where |(F + damping I) n - g| <= `tolerance` |g|.
        tolerance: see `iterations`.

    Raises:
        OptionError: when damping, iterations or tolerance is out of range.
        InputError: when a shape is wrong, or there are no samples.
    """
    check_options(damping, iterations, tolerance)
    running = net.running.clone()
    try:
        outputs, pull = net.vjp(x)
        made = cotangent(outputs) if callable(cotangent) else cotangent
        samples = _samples(outputs)
        gradient = _scaled(pull(made), 1 / samples)
        return _conjugate_gradients(net, x, gradient, pull, samples, damping, iterations, tolerance)
    finally:
        with torch.no_grad():
            net.running.copy_(running)


def along(net: CompiledNetwork, x: Tensor | Mapping[str, Tensor], step: NaturalStep) -> Any:
    """J n: how the outputs move along a step, in their form."""
    return net.jvp(x, weights=step.weights, vertex_parameters=step.vertex_parameters)[1]


def check_options(damping: float, iterations: int, tolerance: float) -> None:
    """Raise `OptionError` for a value out of range."""
    if not 0 < damping < float("inf"):
        raise OptionError(f"damping={damping} is not a finite number above 0; the Fisher matrix alone is singular.")
    if iterations < 1:
        raise OptionError(f"iterations={iterations} is below 1.")
    if not 0 < tolerance < 1:
        raise OptionError(f"tolerance={tolerance} is outside 0..1.")


def _conjugate_gradients(
    net: CompiledNetwork,
    x: Tensor | Mapping[str, Tensor],
    gradient: Vectors,
    pull: Callable[[Any], Vectors],
    samples: int,
    damping: float,
    iterations: int,
    tolerance: float,
) -> NaturalStep:
    """Hestenes and Stiefel's, on both flat vectors as one."""

    def times(p: Tensor) -> Tensor:
        weights, vertices = _split(net, p)
        tangents = net.jvp(x, weights=weights, vertex_parameters=vertices)[1]
        return torch.cat(pull(tangents)) / samples + damping * p

    g = torch.cat(gradient)
    n, r = torch.zeros_like(g), g.clone()
    p, rr = r.clone(), float(r @ r)
    wanted, done = tolerance**2 * rr, 0
    # Not `rr > wanted`: what is no number ends in the result, where training notices it.
    while done < iterations and not rr <= wanted:
        ap = times(p)
        step = rr / float(p @ ap)
        n.add_(p, alpha=step)
        r.sub_(ap, alpha=step)
        done, before, rr = done + 1, rr, float(r @ r)
        if rr != rr:
            break
        p.mul_(rr / before).add_(r)
    length = float(g @ g)
    residual = (rr / length) ** 0.5 if length else 0.0
    flops = (FORWARDS_PER_PRODUCT * done + 3.0) * samples * forward_flops(net.graph)
    return NaturalStep(*_split(net, n), done, residual, float(g @ n), flops)


def _samples(outputs: Outputs) -> int:
    count = len(next(iter(outputs.values())) if isinstance(outputs, Mapping) else outputs)
    if not count:
        raise InputError("The batch has no samples, of which there is no mean gradient.")
    return count


def _scaled(vectors: Vectors, factor: float) -> Vectors:
    return vectors[0] * factor, vectors[1] * factor


def _split(net: CompiledNetwork, vector: Tensor) -> Vectors:
    return vector[: len(net.weights)], vector[len(net.weights) :]
