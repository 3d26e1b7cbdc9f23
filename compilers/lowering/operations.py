"""Norm and activation of a layer, in place on its rows of the buffer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from compilers.lowering.plan import LayerPlan
from netgraph.errors import InputError

Parameters = Mapping[str, Tensor]


@dataclass
class Run:
    """One forward: its mode, and what its backward needs beyond the buffer.

    Attributes:
        training: whether batch norm uses, and records, the statistics of the batch.
        record: whether a backward may follow.
        graphs: per layer with a differentiated operation: (z, parameters, result) of a small autograd graph.
    """

    training: bool
    record: bool
    graphs: dict[int, tuple[Tensor, dict[str, Tensor], Tensor]] = field(default_factory=dict)


class Operation(Protocol):
    """What a layer does to its sums, bound to its rows of one buffer."""

    def forward(self, run: Run) -> None:
        """Turn pre-activations into values, in place."""

    def backward(self, run: Run, gradients: Tensor, parameters: Tensor | None) -> None:
        """Turn the gradients of values into those of pre-activations in place; write those of `parameters`."""


class Relu:
    """ReLU without norm: its derivative follows from its values."""

    def __init__(self, rows: Tensor) -> None:
        self._rows = rows

    def forward(self, run: Run) -> None:
        """Rows below 0 become 0."""
        self._rows.relu_()

    def backward(self, run: Run, gradients: Tensor, parameters: Tensor | None) -> None:
        """Gradients become 0 where the value is."""
        torch.ops.aten.threshold_backward.grad_input(gradients, self._rows, 0, grad_input=gradients)


class Differentiated:
    """Any norm and activation: a small autograd graph over one layer.

    Args:
        plan: the layer.
        rows: (vertices, batch) rows of the buffer.
        vertex_parameters: flat trained vertex columns.
        running: flat running means and variances.
    """

    def __init__(self, plan: LayerPlan, rows: Tensor, vertex_parameters: Tensor, running: Tensor) -> None:
        self._plan = plan
        self._rows = rows
        self._parameters = {k: vertex_parameters[a:b].unsqueeze(1) for k, (a, b) in plan.parameters.items()}
        self._running = {k: running[a:b] for k, (a, b) in plan.running.items()}

    def forward(self, run: Run) -> None:
        """Compute, and keep the graph when a backward may follow."""
        z = self._rows.clone()
        parameters = {name: values.detach() for name, values in self._parameters.items()}
        if not run.record:
            self._rows.copy_(self._compute(z, parameters, run.training))
            return
        with torch.enable_grad():
            for leaf in (z, *parameters.values()):
                leaf.requires_grad_()
            result = self._compute(z, parameters, run.training)
        run.graphs[self._plan.start] = (z, parameters, result)
        self._rows.copy_(result.detach())

    def backward(self, run: Run, gradients: Tensor, parameters: Tensor | None) -> None:
        """Differentiate the recorded graph; it stays, for a graph that is retained."""
        z, leaves, result = run.graphs[self._plan.start]
        found = torch.autograd.grad(result, (z, *leaves.values()), gradients, retain_graph=True)
        gradients.copy_(found[0])
        if parameters is not None:
            for name, gradient in zip(leaves, found[1:], strict=True):
                start, stop = self._plan.parameters[name]
                parameters[start:stop] = gradient.squeeze(1)

    def _compute(self, z: Tensor, parameters: Parameters, training: bool) -> Tensor:
        plan = self._plan
        if plan.norm == "batch":
            z = self._batch_norm(z, parameters, training)
        elif plan.norm == "layer":
            var, mean = torch.var_mean(z, dim=0, correction=0, keepdim=True)
            z = (z - mean) * torch.rsqrt(var + plan.norm_epsilon) * parameters["scale"] + parameters["shift"]
        return ACTIVATIONS[plan.activation](z, parameters, plan.slope)

    def _batch_norm(self, z: Tensor, parameters: Parameters, training: bool) -> Tensor:
        plan = self._plan
        if training and z.shape[1] < 2:
            raise InputError(
                f"Layer {plan.name!r} normalises over the batch, which has {z.shape[1]} samples in training; "
                "give at least 2, or call .eval()."
            )
        # (1, vertices, batch) is (N, C, L): statistics per vertex without a transposed copy.
        result = functional.batch_norm(
            z.unsqueeze(0),
            self._running["mean"],
            self._running["var"],
            parameters["scale"].squeeze(1),
            parameters["shift"].squeeze(1),
            training,
            plan.norm_momentum,
            plan.norm_epsilon,
        )
        return result.squeeze(0)


def _rational(z: Tensor, p: Parameters, slope: float) -> Tensor:
    v, c, l = p["v"], p["c"], p["l"]  # noqa: E741 (the paper's names)
    scale = torch.rsqrt(v**2 + c**2 + l**2 + 1e-8)
    return ((2 * v * z + c) / (1 + z**2) + l * z) * scale


ACTIVATIONS: Mapping[str, Callable[[Tensor, Parameters, float], Tensor]] = {
    "identity": lambda z, p, s: z,
    "relu": lambda z, p, s: torch.relu(z),
    "leaky_relu": lambda z, p, s: functional.leaky_relu(z, s),
    "prelu": lambda z, p, s: torch.where(z >= 0, z, p["slope"] * z),
    "tanh": lambda z, p, s: torch.tanh(z),
    "sigmoid": lambda z, p, s: torch.sigmoid(z),
    # Not functional.softplus, which is linear above 20.
    "softplus": lambda z, p, s: torch.logaddexp(z, z.new_zeros(())),
    "gelu": lambda z, p, s: functional.gelu(z),
    "silu": lambda z, p, s: functional.silu(z),
    "rational": _rational,
}
"""Tensor versions of `netgraph.graph.ACTIVATIONS`, of (z, vertex parameters, fixed slope)."""


def bind_operation(plan: LayerPlan, rows: Tensor, vertex_parameters: Tensor, running: Tensor) -> Operation | None:
    """The operation of a layer on its rows, or None when it does nothing."""
    if plan.norm == "none" and plan.activation == "identity":
        return None
    if plan.norm == "none" and plan.activation == "relu":
        return Relu(rows)
    return Differentiated(plan, rows, vertex_parameters, running)
