"""One hand-written forward and backward for a whole network."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from compilers.kernels import Gradients
from compilers.plan import LayerPlan, Plan, as_maps
from compilers.running.operations import Run
from compilers.running.transposing import write_transposed
from compilers.running.workspace import FlatTensors, Workspace, WorkspacePool
from compilers.statistics import Collector, Observation
from netgraph.errors import CompileError

_RUNS = 16
"""Most runs of rows with biases that are written run by run, which is cheaper than by index."""


class Executor:
    """Runs a plan. All state of the network is handed in, so that it stays in the module.

    Attributes:
        collectors: statistics by the key of their request, which see every backward while `collecting`.
        collecting: whether they do.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.pool = WorkspacePool(plan)
        self.collectors: dict[tuple[Any, ...], Collector] = {}
        self.collecting = True
        self._bias_runs = _runs(plan.bias_rows)
        # Whether rows without a bias have to be cleared: inputs and pooled maps are written whole.
        summed = sum(p.stop - p.start for p in plan.layers if p.role != "input" and not p.grid)
        self._unbiased = len(plan.bias_rows) < summed
        self._bias_rows: Tensor | None = None

    def run(self, state: FlatTensors, inputs: Sequence[Tensor], *, training: bool) -> tuple[Tensor, ...]:
        """Forward of (batch, vertices, *grid) inputs to outputs, differentiable when gradients are on."""
        if torch.is_grad_enabled() and any(t.requires_grad for t in (*state[:2], *inputs)):
            outputs: tuple[Tensor, ...] = _Network.apply(self, training, *state, *inputs)  # type: ignore[no-untyped-call]
            return outputs
        workspace = self.pool.acquire(state, len(inputs[0]))
        try:
            with torch.no_grad():
                return self.forward(workspace, state, inputs, Run(training, record=False))
        finally:
            self.pool.release(workspace)

    def forward(
        self, workspace: Workspace, state: FlatTensors, inputs: Sequence[Tensor], run: Run
    ) -> tuple[Tensor, ...]:
        """Fill a workspace and copy the outputs out of it."""
        self.begin(workspace, state, inputs)
        workspace.forward(run)
        return self.outputs(workspace)

    def begin(self, workspace: Workspace, state: FlatTensors, inputs: Sequence[Tensor]) -> None:
        """Write inputs and biases."""
        plan = self.plan
        for layer, x in zip(plan.inputs, inputs, strict=True):
            if layer.has_maps:
                workspace.maps[plan.position[layer.name]].take(x.detach())
            elif plan.position[layer.name] in workspace.given:
                given = workspace.given[plan.position[layer.name]]
                given.values, given.written = x.detach().t(), False
            else:
                write_transposed(workspace.values[layer.start : layer.stop], x)
        self.write_biases(workspace.values, state.vertex_parameters)

    def outputs(self, workspace: Workspace) -> tuple[Tensor, ...]:
        """Copy the values of the output layers."""
        return tuple([self._output(workspace, layer) for layer in self.plan.outputs])

    def write_biases(self, values: Tensor, vertex_parameters: Tensor) -> None:
        """Start the sums of all rows at their biases."""
        if self._unbiased:
            values[self.plan.input_rows :].zero_()
        if len(self._bias_runs) <= _RUNS:
            for first, low, high in self._bias_runs:
                values[low:high].copy_(vertex_parameters[first : first + high - low].unsqueeze(1))
        else:
            biases = vertex_parameters[: len(self.plan.bias_rows)].unsqueeze(1)
            values.index_copy_(0, self._biased(values.device), biases.expand(-1, values.shape[1]))

    def _output(self, workspace: Workspace, layer: LayerPlan) -> Tensor:
        if not layer.output_grid:
            return _transposed(workspace.values[layer.start : layer.stop])
        values = workspace.maps[self.plan.position[layer.name]].values
        assert values is not None
        # In the order that they have: the loss of a text reads the classes of each token side by side.
        return values.reshape(len(values), *layer.shape).clone()

    def backward(
        self,
        workspace: Workspace,
        run: Run,
        outputs: Sequence[Tensor | None],
        needs: Sequence[bool],
        *,
        last: bool = False,
    ) -> list[Tensor | None]:
        """Compute the gradients of the weights, vertex parameters and inputs that `needs` selects.

        Args:
            workspace: that of the forward.
            run: the forward.
            outputs: gradients of the outputs, None where there is none.
            needs: for weights, vertex parameters and each input.
            last: whether no other backward of this forward comes, so that the memory of maps is free layer by layer.
        """
        plan = self.plan
        gradients = self._seed(workspace, outputs, inputs=any(needs[2:]))
        # Every slot is written: by its block, pads included.
        collectors = tuple(self.collectors.values()) if self.collecting else ()
        wanted = needs[0] or any(collector.reads_weights for collector in collectors)
        gradients.weights = gradients.values.new_empty(plan.num_slots) if wanted else None
        gradients.vertices = gradients.values.new_empty(plan.num_vertex_slots) if needs[1] else None
        workspace.backward(run, weights=wanted, keep="all" if collectors else "none" if last else "values")
        if gradients.vertices is not None:
            self._bias_gradients(gradients.values, gradients.vertices)
        if collectors:
            seen = Observation(
                plan, workspace.batch, workspace.all_values, gradients.values, gradients.weights, workspace.maps
            )
            for collector in collectors:
                collector.update(seen)
        to_input = [
            self._input_gradient(workspace, gradients.values, p) if need else None
            for p, need in zip(plan.inputs, needs[2:], strict=True)
        ]
        found = [gradients.weights if needs[0] else None, gradients.vertices, *to_input]
        gradients.weights = gradients.vertices = None
        return found

    def backward_sums(self, workspace: Workspace, run: Run, outputs: Sequence[Tensor | None]) -> Gradients:
        """Compute the gradients of the sums of all layers, and nothing else; they stay in the workspace."""
        gradients = self._seed(workspace, outputs, inputs=False)
        workspace.backward(run, weights=False, keep="all")
        return gradients

    def _seed(self, workspace: Workspace, outputs: Sequence[Tensor | None], *, inputs: bool) -> Gradients:
        """Write the gradients of the outputs into the gradients of the workspace, from which the backward starts."""
        gradients = workspace.gradients(inputs=inputs)
        for layer, gradient in zip(self.plan.outputs, outputs, strict=True):
            if gradient is None:
                continue
            if layer.output_grid:
                shape = (len(gradient), layer.width, *as_maps(layer.output_grid))
                workspace.maps[self.plan.position[layer.name]].add_gradient(gradient.reshape(shape), own=False)
            else:
                write_transposed(gradients.values[layer.start : layer.stop], gradient)
        return gradients

    def _input_gradient(self, workspace: Workspace, gradients: Tensor, layer: LayerPlan) -> Tensor:
        if not layer.has_maps:
            return _transposed(gradients[layer.start : layer.stop])
        found = workspace.maps[self.plan.position[layer.name]].taken_gradient()
        return found.reshape(len(found), *layer.shape)

    def _bias_gradients(self, gradients: Tensor, vertices: Tensor) -> None:
        """Sum gradients over the batch, many layers at once; by now the buffer holds the gradients of the sums."""
        if len(self._bias_runs) <= _RUNS:
            for first, low, high in self._bias_runs:
                torch.sum(gradients[low:high], 1, out=vertices[first : first + high - low])
        else:
            out = vertices[: len(self.plan.bias_rows)]
            torch.index_select(gradients.sum(1), 0, self._biased(gradients.device), out=out)

    def _biased(self, device: torch.device) -> Tensor:
        if self._bias_rows is None or self._bias_rows.device != device:
            self._bias_rows = torch.from_numpy(self.plan.bias_rows).to(device)
        return self._bias_rows


def as_it_is(device: torch.device) -> AbstractContextManager[object]:
    """Keep autocast away: a compiled network runs in its own dtype, from one buffer."""
    if torch.is_autocast_enabled(device.type):
        return torch.autocast(device.type, enabled=False)
    return _NOTHING


_NOTHING = nullcontext()


def _runs(rows: Any) -> list[tuple[int, int, int]]:
    """Find the runs of consecutive rows, each as `(first place, low row, high row)`."""
    breaks = (np.flatnonzero(np.diff(rows) != 1) + 1).tolist()
    bounds = [0, *breaks, len(rows)] if len(rows) else []
    return [(a, int(rows[a]), int(rows[b - 1]) + 1) for a, b in pairwise(bounds)]


def _transposed(rows: Tensor) -> Tensor:
    """Copy rows as `(batch, vertices)`. `contiguous` would return the buffer itself for a width or batch of 1."""
    return rows.t().clone(memory_format=torch.contiguous_format)


class _Network(torch.autograd.Function):
    """The whole network as one function to autograd."""

    @staticmethod
    def forward(ctx: Any, executor: Executor, training: bool, *tensors: Tensor) -> tuple[Tensor, ...]:
        state, inputs = FlatTensors(*tensors[:4]), tensors[4:]
        run = Run(training, record=True)
        workspace = executor.pool.acquire(state, len(inputs[0]))
        token = executor.pool.lease(workspace, run)
        outputs = executor.forward(workspace, state, inputs, run)
        # Inputs that are not copied are saved, so that autograd notices when they are changed before the backward.
        places = [executor.plan.position[layer.name] for layer in executor.plan.inputs]
        given = [x for place, x in zip(places, inputs, strict=True) if place in workspace.given]
        ctx.save_for_backward(token, *state[:2], *given)
        ctx.set_materialize_grads(False)
        ctx.executor, ctx.run, ctx.workspace, ctx.number = executor, run, workspace, workspace.number
        return outputs

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor | None) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            # Not once_differentiable, which leaves a term out in silence when the loss is linear in the outputs.
            raise CompileError("A compiled network is differentiable once; call backward without create_graph.")
        token, *_ = ctx.saved_tensors
        workspace = ctx.workspace
        # A buffer without rows has no address by which a copy shows.
        lent = workspace.lease is not None and workspace.number == ctx.number
        if not lent or token.data_ptr() != workspace.values.data_ptr():
            raise CompileError(
                "The buffer of this forward was given back before its backward: hooks on saved tensors "
                "(save_on_cpu, checkpoint with use_reentrant=False) do not work with a compiled network."
            )
        needs = (*ctx.needs_input_grad[2:4], *ctx.needs_input_grad[6:])
        last = not torch._C._autograd._get_current_graph_task_keep_graph()
        with as_it_is(workspace.values.device):
            weights, vertex, *inputs = ctx.executor.backward(workspace, ctx.run, outputs, needs, last=last)
        return (None, None, weights, vertex, None, None, *inputs)
