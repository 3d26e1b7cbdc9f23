"""Buffers with everything bound to them, and the pool that lends them to one forward at a time."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from compilers.kernels import KERNELS, BoundKernel, Kernel
from compilers.lowering.operations import Operation, Run, bind_operation
from compilers.lowering.plan import LayerPlan, Plan

_FREE_PER_BATCH_SIZE = 2
_BATCH_SIZES = 4


class State(NamedTuple):
    """The flat tensors of a network that a run reads, detached."""

    weights: Tensor
    vertex_parameters: Tensor
    running: Tensor
    frozen_weights: Tensor


@dataclass(slots=True)
class Step:
    """One layer that is not an input, on one buffer."""

    rows: Tensor
    kernels: tuple[BoundKernel, ...]
    trained: BoundKernel | None
    operation: Operation | None
    gradients: Tensor | None = None


class Workspace:
    """One feature-major buffer (rows, batch) and the kernels and operations bound to it.

    The gradient buffer is made at the first backward, so that evaluation needs none.

    Attributes:
        values: (rows, batch) values of all vertices.
        steps: one per layer that is not an input, in topological order.
        number: how often it was lent; a backward knows by it whether the buffer still is its own.
    """

    def __init__(self, plan: Plan, kernels: Sequence[Sequence[Kernel]], state: State, batch: int) -> None:
        self.plan = plan
        self.values = state.weights.new_zeros((plan.rows, batch))
        self.number = 0
        self.lease: weakref.ref[Tensor] | None = None
        self._gradients: Tensor | None = None
        self._inputs: bool | None = None
        rows = max((kernel.scratch_rows for layer in kernels for kernel in layer), default=0)
        self._scratch = state.weights.new_zeros((rows, batch))
        views = torch.split(self.values, [p.stop - p.start for p in plan.layers])
        self.steps = [
            self._step(p, bound, view, state)
            for p, bound, view in zip(plan.layers, kernels, views, strict=True)
            if p.role != "input"
        ]

    def _step(self, plan: LayerPlan, kernels: Sequence[Kernel], rows: Tensor, state: State) -> Step:
        bound: list[BoundKernel] = []
        trained = None
        for block, kernel in zip(plan.blocks, kernels, strict=True):
            weights = state.frozen_weights if block.frozen else state.weights
            bound.append(kernel.bind(weights, self.values, rows, self._scratch))
            if not block.frozen:
                trained = bound[-1]
        operation = bind_operation(plan, rows, state.vertex_parameters, state.running)
        return Step(rows, tuple(bound), trained, operation)

    def gradients(self, *, inputs: bool) -> Tensor:
        """The (rows, batch) gradient buffer, bound to every kernel; rows that are used are 0."""
        if self._gradients is None:
            self._gradients = torch.zeros_like(self.values)
        if self._inputs is not inputs:
            layers = [p for p in self.plan.layers if p.role != "input"]
            for plan, step in zip(layers, self.steps, strict=True):
                step.gradients = self._gradients[plan.start : plan.stop]
                for kernel in step.kernels:
                    kernel.bind_gradients(self._gradients, step.gradients, inputs=inputs)
            self._inputs = inputs
        self._gradients[0 if inputs else self.plan.input_rows :].zero_()
        return self._gradients


class Pool:
    """Lends workspaces by batch size, and forgets all of them when the network's storage has moved."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._place: tuple[torch.device, torch.dtype] | None = None
        self._storage: tuple[int, ...] = ()
        self._kernels: list[list[Kernel]] = []
        self._free: dict[int, list[Workspace]] = {}

    def acquire(self, state: State, batch: int) -> Workspace:
        """A workspace for `batch` samples that nobody uses."""
        storage = tuple([tensor.data_ptr() for tensor in state])
        place = (state.weights.device, state.weights.dtype)
        if storage != self._storage or place != self._place:
            self._move(storage, place)
        free = self._free.get(batch)
        workspace = free.pop() if free else self._make(state, batch)
        workspace.number += 1
        return workspace

    def _move(self, storage: tuple[int, ...], place: tuple[torch.device, torch.dtype]) -> None:
        if place != self._place:
            inputs = self._plan.input_rows
            self._kernels = [
                [KERNELS[block.kernel].build(block, inputs, *place) for block in layer.blocks]
                for layer in self._plan.layers
            ]
        # A new dict, not a cleared one: what is still lent goes back into the old one and is dropped with it.
        self._free = {}
        self._storage, self._place = storage, place

    def _make(self, state: State, batch: int) -> Workspace:
        # Tensors made in inference mode could not be written outside of it later.
        with torch.inference_mode(False), torch.no_grad():
            detached = State(*[tensor.detach() for tensor in state])
            return Workspace(self._plan, self._kernels, detached, batch)

    def lease(self, workspace: Workspace, run: Run) -> Tensor:
        """A token, an alias of the values: the workspace comes back, and `run` is cleared, when the token dies.

        Saved by autograd, the token lives exactly as long as a backward may still come.
        """
        token = workspace.values.detach()
        free = self._free

        def give_back(_: object) -> None:
            workspace.lease = None
            run.graphs.clear()
            _put(free, workspace)

        workspace.lease = weakref.ref(token, give_back)
        return token

    def release(self, workspace: Workspace) -> None:
        """Take back a workspace that was lent without a token."""
        _put(self._free, workspace)


def _put(free: dict[int, list[Workspace]], workspace: Workspace) -> None:
    batch = workspace.values.shape[1]
    waiting = free.setdefault(batch, [])
    if len(waiting) < _FREE_PER_BATCH_SIZE:
        waiting.append(workspace)
    if len(free) > _BATCH_SIZES:
        del free[next(size for size in free if size != batch)]
