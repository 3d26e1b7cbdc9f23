"""The natural gradient: the direction in which the outputs, not the parameters, go the shortest way to a lower loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from compilers.running import (
    CompiledNetwork,
    Linearized,
    as_it_is,
    couples_samples,
    jacobian,
    jacobian_bytes,
    listed_outputs,
    named_outputs,
    output_size,
)
from netgraph.analysis import forward_flops
from netgraph.checks import checked, choice
from netgraph.errors import CompileError, InputError, OptionError, TrainingError

Inputs = Tensor | Mapping[str, Tensor]
Vectors = tuple[Tensor, Tensor]
Way = Literal["auto", "direct", "cg"]

DAMPING, ITERATIONS, TOLERANCE = 0.1, 100, 1e-5
"""Those of the paper's experiments."""

JACOBIAN_BYTES = 256 << 20
"""Bytes of the Jacobian of a batch up to which the direct way is taken by itself."""

USUAL_ITERATIONS = 20
"""Conjugate gradients to the usual tolerance, for the choice between the ways."""

LAYER_PRODUCTS = 2_500_000
"""Cost of an iteration for every layer whatever its size, in products of the direct way. Measured by
`python -m benchmarks.natural`, on one core."""

FORWARDS_PER_STEP, FORWARDS_PER_ITERATION = 3, 4
"""Costs of forward and backward, and of a product of the Fisher matrix with a vector, in forwards: the latter two along
the vector and two back."""


@dataclass(frozen=True, eq=False)
class NaturalStep:
    """A damped natural gradient, in the layout of the flat vectors of the network.

    Attributes:
        weights: part of the edge weights, `(slots,)`; pads have 0.
        vertex_parameters: part of the vertex parameters, `(vertex slots,)`.
        iterations: of conjugate gradients; 0 when it was solved directly.
        residual: length of (F + damping I) n - g, over that of g; as conjugate gradients keep account of it.
        score: g^T n: the loss falls by so much times the length of the step, for a short one.
        flops: floating-point operations that it took.
    """

    weights: Tensor
    vertex_parameters: Tensor
    iterations: int
    residual: float
    score: float
    flops: float


@checked
def natural_step(
    net: CompiledNetwork,
    x: Inputs,
    cotangent: Any,
    *,
    damping: float = DAMPING,
    iterations: int = ITERATIONS,
    tolerance: float = TOLERANCE,
    way: Way = "auto",
) -> NaturalStep:
    """The damped natural gradient n = (F + damping I)^-1 g of a batch. Nothing is changed.

    F = E[J^T J] and g = E[J^T dL/dy] are means over the samples, J the Jacobian of the outputs by all trained
    parameters: the length of a change of the outputs is Euclidean, whatever the loss.

    The direct way assembles J of all samples, and solves with as many unknowns as there are parameters, or numbers that
    the network gives for the batch, whichever is less; it works in float64. Conjugate gradients work in the dtype of
    the network with products of J and vectors. With P parameters, O outputs, N samples, M = N O, m = min(P, M), E
    edges times positions and L layers that are no inputs, the direct way is taken where its P M m + m^3 / 3 + 3 O N E
    products of two numbers are no more than the 20 (4 N E + 2,500,000 L) that conjugate gradients are worth, and its
    memory is no more than 256 MB.
    Where the matrix has no factors, as when numbers are not finite, conjugate gradients have the last word.

    Args:
        net: the network, in the mode that it is in. In train mode batch norm couples the samples: J then is that of all
            outputs of the batch at once, for which there are only conjugate gradients.
        x: a batch, as `net.forward` takes it.
        cotangent: dL/dy of each sample's own loss, not of the mean, in the form of the outputs; or a function that
            makes it of them.
        damping: above 0.
        iterations: of conjugate gradients, at most.
        tolerance: conjugate gradients stop where |(F + damping I) n - g| <= tolerance |g|.
        way: "auto", "direct" or "cg".

    Raises:
        OptionError: when an option is out of range.
        InputError: when a shape is wrong, or there are no samples.
        CompileError: when the direct way is asked for where samples are coupled.
    """
    check_options(damping, iterations, tolerance)
    choice("way", way, get_args(Way))
    with torch.inference_mode(False), as_it_is(net.weights.device):
        if way == "direct" or (way == "auto" and _is_small(net, x)):
            found = _direct(net, x, cotangent, damping)
            if found is not None:
                return found
        return _conjugate_gradients(net, x, cotangent, damping, iterations, tolerance)


def along(net: CompiledNetwork, x: Inputs, step: NaturalStep) -> Any:
    """J n: how the outputs move along a step, in their form."""
    return net.jvp(x, weights=step.weights, vertex_parameters=step.vertex_parameters)[1]


def check_options(damping: float, iterations: int, tolerance: float) -> None:
    """Raise `OptionError` for a value out of range."""
    if not 0 < damping < math.inf:
        raise OptionError(f"damping={damping} is not a finite number above 0, without which F may be singular.")
    if iterations < 1:
        raise OptionError(f"iterations={iterations} is below 1.")
    if not 0 < tolerance < 1:
        raise OptionError(f"tolerance={tolerance} is not between 0 and 1.")


def _is_small(net: CompiledNetwork, x: Inputs) -> bool:
    """Whether the direct way is possible and takes fewer products than conjugate gradients usually do."""
    plan, samples = net.plan, _samples(x)
    if couples_samples(plan, training=net.training):
        return False
    if jacobian_bytes(plan, samples, net.weights.element_size()) > JACOBIAN_BYTES:
        return False
    parameters, columns = plan.num_slots + plan.num_vertex_slots, samples * output_size(plan)
    less, forward = min(parameters, columns), samples * forward_flops(net.graph) / 2
    direct = parameters * columns * less + less**3 / 3 + FORWARDS_PER_STEP * output_size(plan) * forward
    layers = len(plan.layers) - len(plan.inputs)
    return direct <= USUAL_ITERATIONS * (FORWARDS_PER_ITERATION * forward + LAYER_PRODUCTS * layers)


def _direct(net: CompiledNetwork, x: Inputs, cotangent: Any, damping: float) -> NaturalStep | None:
    """By Cholesky's factors in float64; None when the matrix has none, because it is not finite."""
    if couples_samples(net.plan, training=net.training):
        raise CompileError("In train mode batch norm couples the samples of a batch; take way='cg', or call .eval().")
    outputs, derivatives = jacobian(net._executor, net._state(), net._checked(x))
    samples = _samples(x)
    c = torch.cat([v.flatten(1).t() for v in _cotangents(net, cotangent, named_outputs(net.plan, outputs), samples)])
    c, j = c.reshape(-1).double(), derivatives.double()
    parameters, columns = j.shape
    g = torch.mv(j, c) / samples
    if columns <= parameters:
        # (J^T J / N + d I)^-1 J^T c / N = J^T (J J^T + N d I)^-1 c
        solved = _solved(torch.mm(j.t(), j), samples * damping, c)
        n = None if solved is None else torch.mv(j, solved)
    else:
        n = _solved(torch.mm(j, j.t()).div_(samples), damping, g)
    if n is None:
        return None
    left = torch.mv(j, torch.mv(j.t(), n)).div_(samples).add_(n, alpha=damping).sub_(g)
    length, less = float(torch.linalg.vector_norm(g)), min(parameters, columns)
    residual = float(torch.linalg.vector_norm(left)) / length if length else 0.0
    flops = 3.0 * columns * forward_flops(net.graph) + 2.0 * parameters * columns * less + less**3 / 3
    weights, vertices = _split(net, n.to(net.weights.dtype))
    return NaturalStep(weights, vertices, 0, residual, float(torch.dot(g, n)), flops)


def _solved(matrix: Tensor, damping: float, right: Tensor) -> Tensor | None:
    """Solve `(matrix + damping I) x = right` by Cholesky, changing `matrix`; None when the factorisation fails."""
    matrix.diagonal().add_(damping)
    factor, failed = torch.linalg.cholesky_ex(matrix)
    return None if failed else torch.cholesky_solve(right.unsqueeze(1), factor).squeeze(1)


def _conjugate_gradients(
    net: CompiledNetwork, x: Inputs, cotangent: Any, damping: float, iterations: int, tolerance: float
) -> NaturalStep:
    """Compute a step by conjugate gradients, on both flat vectors as one, in the dtype of the network."""
    samples = _samples(x)
    with _linearized(net, x) as jacobian:
        made = _cotangents(net, cotangent, named_outputs(net.plan, jacobian.outputs), samples)

        def times(vector: Tensor) -> Tensor:
            moved = jacobian.push(*_split(net, vector))
            return torch.cat(jacobian.pull(moved)).div_(samples).add_(vector, alpha=damping)

        g = torch.cat(jacobian.pull(made)).div_(samples)
        n, done, residual = _solved_by_products(times, g, iterations, tolerance)
    flops = (FORWARDS_PER_STEP + FORWARDS_PER_ITERATION * done) * samples * float(forward_flops(net.graph))
    return NaturalStep(*_split(net, n), done, residual, float(torch.dot(g, n)), flops)


def _solved_by_products(
    times: Callable[[Tensor], Tensor], g: Tensor, iterations: int, tolerance: float
) -> tuple[Tensor, int, float]:
    """Solve `A n = g` by the method of Hestenes and Stiefel, where `times` multiplies with `A`.

    Returns:
        `n`, the number of iterations, and the relative residual.
    """
    n, r, p = torch.zeros_like(g), g.clone(), g.clone()
    first = left = float(torch.dot(r, r))
    done = 0
    # NaN ends the search, and is found in the result.
    while done < iterations and left > tolerance**2 * first:
        product = times(p)
        length = left / float(torch.dot(p, product))
        n.add_(p, alpha=length)
        r.sub_(product, alpha=length)
        before, left = left, float(torch.dot(r, r))
        p.mul_(left / before).add_(r)
        done += 1
    if not math.isfinite(left):
        n.fill_(math.nan)
    return n, done, math.sqrt(left / first) if first else 0.0


def _linearized(net: CompiledNetwork, x: Inputs) -> Linearized:
    return Linearized(net._executor, net._state(), net._checked(x), training=net.training)


def _samples(x: Inputs) -> int:
    count = len(next(iter(x.values())) if isinstance(x, Mapping) else x)
    if not count:
        raise InputError("The batch has no samples, of which there is no mean gradient.")
    return count


def _cotangents(net: CompiledNetwork, cotangent: Any, outputs: Any, samples: int) -> list[Tensor]:
    """Cotangents of every output layer, which are given, or made of the outputs."""
    listed = listed_outputs(net.plan, cotangent(outputs) if callable(cotangent) else cotangent)
    for values in listed:
        if len(values) != samples:
            raise InputError(f"Cotangents have {len(values)} samples, the batch has {samples}.")
    return [values.detach() for values in listed]


def _split(net: CompiledNetwork, vector: Tensor) -> Vectors:
    return vector[: len(net.weights)], vector[len(net.weights) :]


class NaturalGradient(torch.optim.Optimizer):
    """Steps along the damped natural gradient n: theta <- theta - lr (n + wd theta) / (1 + wd). It keeps no state.

    A step needs the batch, not only the mean gradient. So `observe` takes the place of `loss.backward()`:

        optimizer = NaturalGradient([net.weights, net.vertex_parameters], lr=0.1)
        loss = optimizer.observe(net, x, y, functional.mse_loss)
        optimizer.step()

    Args:
        params: the two flat vectors of a network, or groups of them.
        lr: length of a step, 0.1 as published.
        damping, iterations, tolerance: see `natural_step`.
        weight_decay: wd above, of all parameters of a group.

    Source: Mitchell, Menet and others, Self-Expanding Neural Networks (arXiv:2307.04526).
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 0.1,
        *,
        damping: float = DAMPING,
        weight_decay: float = 0.0,
        iterations: int = ITERATIONS,
        tolerance: float = TOLERANCE,
    ) -> None:
        check_options(damping, iterations, tolerance)
        for name, value in (("lr", lr), ("weight_decay", weight_decay)):
            if not 0 <= value < math.inf:
                raise OptionError(f"{name}={value} is negative or not finite.")
        options = {"damping": damping, "iterations": iterations, "tolerance": tolerance}
        self._flops = 0.0
        self._observed = False
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, **options})

    def observe(self, net: CompiledNetwork, x: Inputs, target: Any, loss: Callable[[Any, Any], Tensor]) -> Tensor:
        """Run forward and backward, as statistics want it, and replace the gradients by the natural one.

        Args:
            net: the network whose vectors are trained.
            x: a batch, as `net.forward` takes it.
            target: what the outputs should be, in whatever form the loss takes it.
            loss: the mean loss over the samples of the batch, of (outputs, target).

        Returns:
            The loss, detached.

        Raises:
            OptionError: when the vectors of the network are not those of this optimizer.
        """
        mine = {id(p) for group in self.param_groups for p in group["params"]}
        if not {id(net.weights), id(net.vertex_parameters)} <= mine:
            raise OptionError(
                "This NaturalGradient was made for other vectors than those of this network; make it of "
                "[net.weights, net.vertex_parameters], and migrate it with the network."
            )
        group = self.param_groups[0]
        options = {name: group[name] for name in ("damping", "iterations", "tolerance")}
        loss_at = MeanLoss(lambda outputs: loss(outputs, target))
        if net.requested or couples_samples(net.plan, training=net.training):
            # Statistics see this backward, and running statistics of batch norm this forward.
            outputs = net(x)
            cotangent = loss_at(outputs)
            pulled = [(y, c / len(y)) for y, c in zip(_values(outputs), _values(cotangent), strict=True)]
            torch.autograd.backward([y for y, _ in pulled], [c for _, c in pulled])
            step = natural_step(net, x, cotangent, **options)
        else:
            step = natural_step(net, x, loss_at, **options)
        net.weights.grad, net.vertex_parameters.grad = step.weights, step.vertex_parameters
        self._flops += step.flops
        self._observed = True
        assert loss_at.value is not None
        return loss_at.value

    def take_flops(self) -> float:
        """Floating-point operations that natural gradients took since this was asked last."""
        taken, self._flops = self._flops, 0.0
        return taken

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move all parameters.

        Raises:
            TrainingError: without `observe` before it: the gradients then are not natural ones.
        """
        if closure is not None or not self._observed:
            raise TrainingError(
                "NaturalGradient needs the batch of every step: call observe(net, x, loss) in place of "
                "loss.backward(), then step() without a closure."
            )
        self._observed = False
        for group in self.param_groups:
            rate, decay = group["lr"] / (1 + group["weight_decay"]), group["weight_decay"]
            for parameter in group["params"]:
                if decay:
                    parameter.mul_(1 - rate * decay)
                if parameter.grad is not None:
                    parameter.add_(parameter.grad, alpha=-rate)


def _values(outputs: Any) -> list[Tensor]:
    return list(outputs.values()) if isinstance(outputs, Mapping) else [outputs]


class MeanLoss:
    """Mean loss over samples, as a function from outputs to the gradient of each sample's own loss; keeps its value."""

    def __init__(self, loss: Callable[[Any], Tensor]) -> None:
        self._loss = loss
        self.value: Tensor | None = None

    @torch.enable_grad()
    def __call__(self, outputs: Any) -> Any:
        """Compute `dL/dy` of each sample's own loss, in the form of the outputs."""
        named = outputs if isinstance(outputs, Mapping) else {"": outputs}
        leaves = {name: values.detach().requires_grad_() for name, values in named.items()}
        value = self._loss(leaves if isinstance(outputs, Mapping) else leaves[""])
        found = torch.autograd.grad(value, list(leaves.values()), allow_unused=True, materialize_grads=True)
        own = {name: g.detach() * len(g) for name, g in zip(leaves, found, strict=True)}
        self.value = value.detach()
        return own if isinstance(outputs, Mapping) else own[""]
