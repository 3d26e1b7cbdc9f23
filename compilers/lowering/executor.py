"""One hand-written forward and backward for a whole network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from compilers.lifting.statistics import Collector
from compilers.lowering.operations import Run
from compilers.lowering.plan import Plan
from compilers.lowering.workspace import Pool, State, Workspace
from netgraph.errors import CompileError


class Executor:
    """Runs a plan. All state of the network is handed in, so that it stays in the module.

    Attributes:
        collectors: statistics by name, fed in every backward with the gradient of the weights.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.pool = Pool(plan)
        self.collectors: dict[str, Collector] = {}
        # Whether some layer has no bias: the others are then written and read by index.
        self._unbiased = len(plan.bias_rows) < plan.rows - plan.input_rows
        self._bias_rows: Tensor | None = None

    def run(self, state: State, inputs: Sequence[Tensor], *, training: bool) -> tuple[Tensor, ...]:
        """Forward of (batch, vertices) inputs to (batch, vertices) outputs, differentiable when gradients are on."""
        if torch.is_grad_enabled() and any(t.requires_grad for t in (*state[:2], *inputs)):
            outputs: tuple[Tensor, ...] = _Network.apply(self, training, *state, *inputs)  # type: ignore[no-untyped-call]
            return outputs
        workspace = self.pool.acquire(state, len(inputs[0]))
        try:
            with torch.no_grad():
                return self.forward(workspace, state, inputs, Run(training, record=False))
        finally:
            self.pool.release(workspace)

    def forward(self, workspace: Workspace, state: State, inputs: Sequence[Tensor], run: Run) -> tuple[Tensor, ...]:
        """Fill the buffer of a workspace and copy the outputs out of it."""
        plan, values = self.plan, workspace.values
        for layer, x in zip(plan.inputs, inputs, strict=True):
            values[layer.start : layer.stop].copy_(x.t())
        biases = state.vertex_parameters[: len(plan.bias_rows)].unsqueeze(1)
        if self._unbiased:
            values[plan.input_rows :].zero_()
            values.index_copy_(0, self._biased(values.device), biases.expand(-1, values.shape[1]))
        else:
            values[plan.input_rows :].copy_(biases)
        for step in workspace.steps:
            for kernel in step.kernels:
                kernel.forward()
            if step.operation is not None:
                step.operation.forward(run)
        return tuple([_transposed(values[p.start : p.stop]) for p in plan.outputs])

    def backward(
        self, workspace: Workspace, run: Run, outputs: Sequence[Tensor | None], needs: Sequence[bool]
    ) -> list[Tensor | None]:
        """Gradients of weights, vertex parameters and inputs, where `needs` says so.

        Args:
            workspace: that of the forward.
            run: the forward.
            outputs: gradients of the outputs, None where there is none.
            needs: for weights, vertex parameters and each input.
        """
        plan = self.plan
        to_inputs = any(needs[2:])
        gradients = workspace.gradients(inputs=to_inputs)
        for layer, gradient in zip(plan.outputs, outputs, strict=True):
            if gradient is not None:
                gradients[layer.start : layer.stop].copy_(gradient.t())
        # Every slot is written: by its block, pads included.
        weights = gradients.new_empty(plan.num_slots) if needs[0] or self.collectors else None
        vertex = gradients.new_empty(plan.num_vertex_slots) if needs[1] else None
        for step in reversed(workspace.steps):
            assert step.gradients is not None
            if step.operation is not None:
                step.operation.backward(run, step.gradients, vertex)
            if weights is not None and step.trained is not None:
                step.trained.backward_weights(weights)
            for kernel in step.kernels:
                kernel.backward_input()
        if vertex is not None:
            self._bias_gradients(gradients, vertex)
        if weights is not None:
            for collector in self.collectors.values():
                collector.update(weights)
        to_input = [
            _transposed(gradients[p.start : p.stop]) if need else None
            for p, need in zip(plan.inputs, needs[2:], strict=True)
        ]
        return [weights if needs[0] else None, vertex, *to_input]

    def _bias_gradients(self, gradients: Tensor, vertex: Tensor) -> None:
        """Sums over the batch for all layers at once: by now the buffer holds the gradients of z."""
        out = vertex[: len(self.plan.bias_rows)]
        if self._unbiased:
            torch.index_select(gradients.sum(1), 0, self._biased(gradients.device), out=out)
        else:
            torch.sum(gradients[self.plan.input_rows :], 1, out=out)

    def _biased(self, device: torch.device) -> Tensor:
        if self._bias_rows is None or self._bias_rows.device != device:
            self._bias_rows = torch.from_numpy(self.plan.bias_rows).to(device)
        return self._bias_rows


def _transposed(rows: Tensor) -> Tensor:
    """(batch, vertices) copy; `contiguous` would hand out the buffer itself for a width or batch of 1."""
    return rows.t().clone(memory_format=torch.contiguous_format)


class _Network(torch.autograd.Function):
    """The whole network as one function to autograd."""

    @staticmethod
    def forward(ctx: Any, executor: Executor, training: bool, *tensors: Tensor) -> tuple[Tensor, ...]:
        state, inputs = State(*tensors[:4]), tensors[4:]
        run = Run(training, record=True)
        workspace = executor.pool.acquire(state, len(inputs[0]))
        token = executor.pool.lease(workspace, run)
        outputs = executor.forward(workspace, state, inputs, run)
        # The parameters are saved so that autograd notices when they are changed before the backward.
        ctx.save_for_backward(token, *state[:2])
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
        if workspace.number != ctx.number or token.data_ptr() != workspace.values.data_ptr():
            raise CompileError(
                "The buffer of this forward was given back before its backward: hooks on saved tensors "
                "(save_on_cpu, checkpoint with use_reentrant=False) do not work with a compiled network."
            )
        needs = (*ctx.needs_input_grad[2:4], *ctx.needs_input_grad[6:])
        weights, vertex, *inputs = ctx.executor.backward(workspace, ctx.run, outputs, needs)
        return (None, None, weights, vertex, None, None, *inputs)
