"""Passes that are not training steps: derivatives along tangents, values of chosen layers, statistics of one batch."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.autograd import forward_ad

from compilers.kernels import BoundKernel, Maps, Ports
from compilers.plan import LayerPlan
from compilers.running.executor import Executor
from compilers.running.operations import Arithmetic, Run
from compilers.running.workspace import FlatTensors, Workspace
from netgraph.errors import CompileError


@dataclass(frozen=True, eq=False)
class Captured:
    """Raw signals of one layer for a batch.

    Attributes:
        activations: values that other layers read, `(batch, vertices, *grid)`.
        gradients: gradients of the sums for each sample, `(batch, vertices, *grid)`, or None.
    """

    activations: Tensor
    gradients: Tensor | None


def capture(
    executor: Executor,
    state: FlatTensors,
    inputs: Sequence[Tensor],
    places: Sequence[int],
    pull: object,
    *,
    training: bool,
) -> list[Captured]:
    """Run forward, and backward from cotangents, and copy what chosen layers see.

    Args:
        executor: of the network.
        state: its flat tensors.
        inputs: of the batch.
        places: of the layers, in the plan.
        pull: called with the outputs for their cotangents, or None for activations only.
        training: mode of batch norm, whose running statistics stay as they are.
    """
    plan = executor.plan
    running = state.running.clone()
    workspace = executor.pool.acquire(state, len(inputs[0]))
    run = Run(training, record=True)
    try:
        with torch.no_grad():
            outputs = executor.forward(workspace, state, inputs, run)
        gradients = None
        if callable(pull):
            cotangents = pull(outputs)
            with torch.no_grad():
                gradients = executor.backward_sums(workspace, run, cotangents).values
        found = []
        for place in places:
            layer = plan.layers[place]
            values = _of_layer(layer, layer.output_grid, workspace.all_values(), workspace.maps.get(place), sums=False)
            pulled = None
            if gradients is not None and not layer.is_source:
                pulled = _of_layer(layer, layer.grid, gradients, workspace.maps.get(place), sums=True)
            found.append(Captured(values, pulled))
        return found
    finally:
        if training:  # `data`: a pending backward has saved them, and takes no notice
            state.running.data.copy_(running)
        executor.pool.release(workspace)


def batch_statistics(executor: Executor, state: FlatTensors, inputs: Sequence[Tensor]) -> Tensor:
    """Means and variances that batch norm records of one batch, in the layout of the running statistics, which stay."""
    running = state.running.clone()
    workspace = executor.pool.acquire(state, len(inputs[0]))
    try:
        with torch.no_grad():
            executor.forward(workspace, state, inputs, Run(training=True, record=False, momentum=1.0))
        return state.running.clone()
    finally:
        state.running.data.copy_(running)
        executor.pool.release(workspace)


def _of_layer(layer: LayerPlan, grid: tuple[int, ...], rows: Tensor, maps: Maps | None, *, sums: bool) -> Tensor:
    """Copy the values of a layer, or the gradients of its sums, `(batch, vertices, *grid)`."""
    if not grid and not layer.picks:
        return rows[layer.start : layer.stop].t().clone(memory_format=torch.contiguous_format)
    assert maps is not None
    found = maps.sum_gradients if sums else maps.values
    assert found is not None
    return found.reshape(len(found), layer.width, *grid).clone(memory_format=torch.contiguous_format)


class TangentPass:
    """Values and their derivatives along tangents of weights, vertex parameters and inputs, layer by layer.

    Sums are linear in the values and in the weights. So their tangent is what the kernels make of the tangents of the
    values, and of tangents of the weights with the values themselves.

    Args:
        executor: of the network.
        state: its flat tensors.
        tangents: of them, in the same places.
        batch: number of samples.
        training: mode of batch norm, whose running statistics stay as they are.
    """

    def __init__(
        self, executor: Executor, state: FlatTensors, tangents: FlatTensors, batch: int, *, training: bool
    ) -> None:
        self._executor, self._state, self._tangents, self._training = executor, state, tangents, training
        self._primal = executor.pool.acquire(state, batch)
        with torch.no_grad():
            self._tangent = Workspace(executor.plan, executor.pool.kernels, tangent_state(state, tangents), batch)
            self._tangent.be_still()

    def run(self, inputs: Sequence[Tensor], tangents: Sequence[Tensor]) -> list[tuple[Tensor, Tensor]]:
        """Compute every output and its tangent, `(value, tangent)`.

        Args:
            inputs: value of each input, `(batch, vertices, *grid)`.
            tangents: tangent of each input, of the same shape.
        """
        executor, primal, tangent = self._executor, self._primal, self._tangent
        try:
            with torch.no_grad():
                executor.begin(primal, self._state, inputs)
                executor.begin(tangent, self._tangents, tangents)
                for step, tangent_step in zip(primal.steps, tangent.steps, strict=True):
                    blocks = zip(step.plan.blocks, tangent_step.kernels, strict=True)
                    moved = [k for b, k in blocks if primal.trains_source(b, inputs=True)]
                    for kernel in (*step.kernels, *moved, *self._with_tangent_weights(step.plan)):
                        kernel.forward()
                    if step.merge is not None and tangent_step.merge is not None:
                        step.merge.forward(Run(self._training, record=False))
                        step.merge.push(tangent_step.merge)
                    self._operate(step.plan)
                return list(zip(executor.outputs(primal), executor.outputs(tangent), strict=True))
        finally:
            executor.pool.release(primal)

    def _with_tangent_weights(self, plan: LayerPlan) -> list[BoundKernel]:
        """Kernels that add tangents of the weights times values to the tangents of the sums."""
        place = self._executor.plan.position[plan.name]
        maps = self._tangent.maps.get(place)
        rows = None if maps is not None else self._tangent.values[plan.start : plan.stop]
        found = []
        for block, kernel in zip(plan.blocks, self._executor.pool.kernels[place].blocks, strict=True):
            if block.frozen:
                continue
            weights = self._tangents.weights[block.start : block.stop]
            source = self._primal.maps[block.source] if block.source >= 0 else None
            given = self._primal.given_to(block)
            found.append(kernel.bind(Ports(weights, self._primal.values, rows, source, maps, given)))
        return found

    def _operate(self, plan: LayerPlan) -> None:
        """Norm, activation and pool, and their tangents, by forward-mode differentiation of the layer alone."""
        place = self._executor.plan.position[plan.name]
        running = self._state.running.detach().clone()  # batch norm writes to it
        arithmetic = Arithmetic(plan, self._state.vertex_parameters.detach(), running)
        along = Arithmetic(plan, self._tangents.vertex_parameters, running).parameters
        maps, tangent_maps = self._primal.maps.get(place), self._tangent.maps.get(place)
        rows = slice(plan.start, plan.stop)
        if maps is None or tangent_maps is None:
            z, t = self._primal.values[rows].clone(), self._tangent.values[rows].clone()
        else:
            z, t = maps.sums, tangent_maps.sums
        value, tangent = tangent_operation(arithmetic, along, z, t, training=self._training)
        if maps is not None and tangent_maps is not None:
            maps.values, tangent_maps.values = value, tangent
            value, tangent = value.flatten(1).t(), tangent.flatten(1).t()
        if not plan.output_grid:
            self._primal.values[rows], self._tangent.values[rows] = value, tangent


def tangent_operation(
    arithmetic: Arithmetic, along: Mapping[str, Tensor], z: Tensor, t: Tensor, *, training: bool
) -> tuple[Tensor, Tensor]:
    """Values of a layer and their tangents, by forward-mode differentiation of the layer alone.

    Args:
        arithmetic: of the layer.
        along: tangents of its columns.
        z, t: sums, and their tangents.
        training: mode of batch norm.
    """
    _load_forward_mode()
    with forward_ad.dual_level():
        parameters = {name: _dual(v, along[name]) for name, v in arithmetic.parameters.items()}
        dual = arithmetic(_dual(z, t), parameters, training)
        value, tangent = forward_ad.unpack_dual(dual)  # type: ignore[no-untyped-call]
        tangent = torch.zeros_like(value) if tangent is None else tangent.clone()
        return value.clone(), tangent


@cache
def _load_forward_mode() -> None:
    """Have PyTorch load its forward-mode formulas, which it scripts with a function that it calls deprecated."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        with forward_ad.dual_level():
            _dual(torch.zeros(1), torch.zeros(1))


def _dual(value: Tensor, tangent: Tensor) -> Tensor:
    dual: Tensor = forward_ad.make_dual(value, tangent)  # type: ignore[no-untyped-call]
    return dual


def tangent_state(state: FlatTensors, tangents: FlatTensors) -> FlatTensors:
    """The weights as they are, for tangents of values; biases are summed as tangents of biases."""
    weights, frozen = state.weights.detach(), state.frozen_weights.detach()
    return FlatTensors(weights, tangents.vertex_parameters, state.running.detach().clone(), frozen)


def like(name: str, given: Tensor | None, vector: Tensor) -> Tensor:
    """Make a tangent of a flat vector: the given one, or zeros. Raises `CompileError` for another shape."""
    if given is None:
        return torch.zeros_like(vector).detach()
    if given.shape != vector.shape:
        raise CompileError(f"The tangent of {name} has shape {tuple(given.shape)}, expected {tuple(vector.shape)}.")
    return given.detach().to(vector)
