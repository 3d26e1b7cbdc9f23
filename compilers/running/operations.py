"""Norm, activation and pool of a layer: in place on its rows of the buffer, or on its maps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from compilers.kernels import Gradients, Maps
from compilers.plan import LayerPlan, as_pair
from compilers.running.activations import Parameters, TensorActivation, tensor_activation
from compilers.running.norms import bind_norm
from compilers.running.transposing import write_transposed
from netgraph.graph import get_norm


@dataclass
class Run:
    """Mode of one forward, and the values beyond the buffer that its backward reads.

    Attributes:
        training: whether batch norm uses, and records, the statistics of the batch.
        record: whether a backward may follow.
        momentum: by which running statistics move, in place of that of each layer; 1 makes them those of the batch.
        per_sample: whether trained columns get a gradient for every sample, in `by_sample`, instead of one in all. Only
            where batch norm takes its running statistics: with those of the batch no sample is by itself.
        by_sample: gradients by id of a layer and name of its column, `(width, batch)`.
        graphs: by id of a layer with a differentiated operation: (z, parameters, result) of a small autograd graph.
        attention: by id of a mix that is computed with its attention: (what it reads, result) of such a graph.
    """

    training: bool
    record: bool
    momentum: float | None = None
    per_sample: bool = False
    by_sample: dict[tuple[int, str], Tensor] = field(default_factory=dict)
    graphs: dict[int, tuple[Tensor, dict[str, Tensor], Tensor]] = field(default_factory=dict)
    attention: dict[int, tuple[list[Tensor], Tensor]] = field(default_factory=dict)

    def let_go(self, layer: int) -> None:
        """Let go of the graphs of a layer."""
        self.graphs.pop(layer, None)
        self.attention.pop(layer, None)

    def clear(self) -> None:
        """Let go of the graphs."""
        self.graphs.clear()
        self.attention.clear()


class Operation(Protocol):
    """Norm, activation and pool of a layer, bound to one workspace."""

    def forward(self, run: Run) -> None:
        """Turn pre-activations into values."""

    def backward(self, run: Run, gradients: Gradients) -> None:
        """Turn the gradients of values into those of pre-activations; write those of trained columns."""


class ByValue:
    """An activation in place on rows without norm, whose derivative follows from its values, such as ReLU."""

    def __init__(self, activation: TensorActivation, rows: Tensor, start: int, stop: int) -> None:
        assert activation.in_place is not None
        assert activation.backward is not None
        self._in_place, self._backward = activation.in_place, activation.backward
        self._rows, self._start, self._stop = rows, start, stop
        self._gradients: Tensor | None = None
        self._of: Gradients | None = None

    def forward(self, run: Run) -> None:
        """Turn sums into values."""
        self._in_place(self._rows)

    def backward(self, run: Run, gradients: Gradients) -> None:
        """Turn gradients of values into gradients of sums."""
        if self._of is not gradients:
            self._of, self._gradients = gradients, gradients.values[self._start : self._stop]
        assert self._gradients is not None
        self._backward(self._gradients, self._rows, self._gradients)


class Arithmetic:
    """The formula of a layer: norm, activation, pool. The axis of vertices is 0 for rows and 1 for maps."""

    def __init__(self, plan: LayerPlan, vertex_parameters: Tensor, running: Tensor) -> None:
        self.plan = plan
        shape = (1, -1, 1, 1) if plan.grid else (-1, 1)
        self.parameters = {name: vertex_parameters[a:b].view(shape) for name, (a, b) in plan.parameters.items()}
        self._normalise = bind_norm(plan, {name: running[a:b] for name, (a, b) in plan.running.items()})
        self.activation = tensor_activation(plan.activation)
        self._function = self.activation.function

    def __call__(self, z: Tensor, parameters: Parameters, training: bool, momentum: float | None = None) -> Tensor:
        """Values of (vertices, batch) rows or (batch, vertices, height, width) maps; pooled away to (..., 1, 1)."""
        plan = self.plan
        if self._normalise is not None:
            z = self._normalise(z, parameters, training, plan.norm_momentum if momentum is None else momentum)
        h = self._function(z, parameters, plan.slope)
        if plan.pool is None:
            return h
        pool = functional.max_pool2d if plan.pool.kind == "max" else functional.avg_pool2d
        padding = as_pair(plan.pool.pads, 0)
        return pool(h, as_pair(plan.pool.size, 1), as_pair(plan.pool.strides, 1), padding)


class Differentiated:
    """Any norm and activation of rows, differentiated by a small autograd graph over one layer."""

    def __init__(self, arithmetic: Arithmetic, rows: Tensor) -> None:
        self._arithmetic, self._rows = arithmetic, rows
        self._key, self._plan = arithmetic.plan.id, arithmetic.plan

    def forward(self, run: Run) -> None:
        """Compute, and keep the graph when a backward may follow."""
        self._rows.copy_(evaluate(self._arithmetic, self._rows, run, copy=True))

    def backward(self, run: Run, gradients: Gradients) -> None:
        """Differentiate the recorded graph; it stays, for a graph that is retained."""
        rows = gradients.values[self._plan.start : self._plan.stop]
        rows.copy_(differentiate(self._plan, run, rows, gradients))


class MapOperation:
    """The operation of a layer whose sums are maps; its values are maps, or rows when it pools them away.

    Args:
        arithmetic: of the layer.
        maps: of the layer.
        rows: rows of the buffer that it writes, or None when its values are maps.
    """

    def __init__(self, arithmetic: Arithmetic, maps: Maps, rows: Tensor | None) -> None:
        self._arithmetic, self._maps, self._rows = arithmetic, maps, rows
        self._plan = plan = arithmetic.plan
        plain = get_norm(plan.norm).identity and plan.pool is None
        self._identity = plain and plan.activation == "identity"
        self._in_place = arithmetic.activation.in_place if plain else None
        self._backward = arithmetic.activation.backward if plain else None

    def forward(self, run: Run) -> None:
        """From sums to values."""
        maps = self._maps
        if self._identity:
            values = maps.read_sums
        elif self._in_place is not None:
            values = self._in_place(maps.sums)
        else:
            values = evaluate(self._arithmetic, maps.read_sums, run, copy=False)
        maps.values = values
        if self._rows is not None:
            write_transposed(self._rows, values.flatten(1))

    def backward(self, run: Run, gradients: Gradients) -> None:
        """From gradients of values to gradients of sums, and of the trained columns."""
        maps, plan = self._maps, self._plan
        assert maps.values is not None
        if self._rows is not None:
            found = gradients.values[plan.start : plan.stop].t().reshape(maps.values.shape)
        else:
            found = maps.taken_gradient()
        if self._backward is not None:
            found = self._backward(found, maps.values, None)
        elif not self._identity:
            found = differentiate(plan, run, found, gradients)
        maps.sum_gradients = found
        if plan.bias is not None and gradients.vertices is not None:
            torch.sum(found, (0, 2, 3), out=gradients.vertices[plan.bias[0] : plan.bias[1]])


def evaluate(arithmetic: Arithmetic, z: Tensor, run: Run, *, copy: bool) -> Tensor:
    """Compute the values of `z`; in a run that records, keep the small graph for `differentiate`.

    Args:
        arithmetic: of the layer.
        z: sums.
        run: the forward.
        copy: whether the memory of `z` will be written to before the backward.
    """
    if not run.record:
        return arithmetic(z, arithmetic.parameters, run.training, run.momentum)
    z = z.clone() if copy else z.detach()
    parameters = {name: values.detach() for name, values in arithmetic.parameters.items()}
    if run.per_sample:
        batch = (len(z), -1, -1, -1) if arithmetic.plan.grid else (-1, z.shape[1])
        parameters = {name: values.expand(batch).contiguous() for name, values in parameters.items()}
    with torch.enable_grad():
        for leaf in (z, *parameters.values()):
            leaf.requires_grad_()
        result = arithmetic(z, parameters, run.training, run.momentum)
    run.graphs[arithmetic.plan.id] = (z, parameters, result)
    return result.detach()


def differentiate(plan: LayerPlan, run: Run, gradient: Tensor, gradients: Gradients) -> Tensor:
    """Compute the gradient of the sums of a layer from that of its values; write those of its trained columns."""
    z, leaves, result = run.graphs[plan.id]
    found = torch.autograd.grad(result, (z, *leaves.values()), gradient, retain_graph=True)
    if run.per_sample:
        for name, values in zip(leaves, found[1:], strict=True):
            run.by_sample[plan.id, name] = values.flatten(1).t() if plan.grid else values
    elif gradients.vertices is not None:
        for name, values in zip(leaves, found[1:], strict=True):
            start, stop = plan.parameters[name]
            gradients.vertices[start:stop] = values.reshape(-1)
    return found[0]


def bind_operation(
    plan: LayerPlan, rows: Tensor, maps: Maps | None, vertex_parameters: Tensor, running: Tensor
) -> Operation | None:
    """Bind the operation of a layer to one workspace; None when it does nothing.

    Args:
        plan: the layer.
        rows: rows of the buffer that it writes, none for a layer whose values are maps.
        maps: of a layer whose sums are maps.
        vertex_parameters: flat trained vertex columns.
        running: flat running means and variances.
    """
    if maps is not None:
        arithmetic = Arithmetic(plan, vertex_parameters, running)
        return MapOperation(arithmetic, maps, None if plan.output_grid else rows)
    plain = get_norm(plan.norm).identity
    if plain and plan.activation == "identity":
        return None
    activation = tensor_activation(plan.activation)
    if plain and activation.in_place is not None:
        return ByValue(activation, rows, plan.start, plan.stop)
    return Differentiated(Arithmetic(plan, vertex_parameters, running), rows)
