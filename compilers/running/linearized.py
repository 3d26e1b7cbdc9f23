"""A network at one batch and at fixed parameters: one forward that serves many products with its Jacobian."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Self

import torch
from torch import Tensor

from compilers.kernels import Maps, Ports
from compilers.plan import LayerPlan
from compilers.running.activations import tensor_activation
from compilers.running.derivatives import tangent_operation, tangent_state
from compilers.running.executor import Executor
from compilers.running.operations import Arithmetic, Run
from compilers.running.workspace import FlatTensors, Workspace
from netgraph.graph import get_norm

Call = Callable[[], object]


class Linearized:
    """The Jacobian of all outputs of a batch by weights and vertex parameters, as two functions of vectors.

    Parameters must not change before it is closed; use it as a context. Statistics do not see it.

    Args:
        executor: of the network.
        state: its flat tensors.
        inputs: of the batch.
        training: mode of batch norm, whose running statistics stay as they are.

    Attributes:
        outputs: of the batch.
    """

    def __init__(self, executor: Executor, state: FlatTensors, inputs: Sequence[Tensor], *, training: bool) -> None:
        self._executor, self._training = executor, training
        self._state = FlatTensors(*(tensor.detach() for tensor in state))
        self._weights, self._vertices = torch.zeros_like(self._state.weights), torch.zeros_like(self._state[1])
        self._primal = executor.pool.acquire(state, len(inputs[0]))
        self._run = Run(training, record=True)
        running = state.running.clone()
        try:
            with torch.no_grad():
                self.outputs = executor.forward(self._primal, state, inputs, self._run)
                tangents = FlatTensors(self._weights, self._vertices, *self._state[2:])
                self._tangent = Workspace(
                    executor.plan, executor.pool.kernels, tangent_state(self._state, tangents), len(inputs[0])
                )
                self._constants = self._read_constants()
                self._tangent.be_still()
                self._calls = [call for k in range(len(self._primal.steps)) for call in self._calls_of(k)]
        except BaseException:
            self.close()
            raise
        finally:
            state.running.data.copy_(running)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give the buffer back."""
        self._executor.pool.release(self._primal)

    @torch.no_grad()
    def push(self, weights: Tensor, vertex_parameters: Tensor) -> tuple[Tensor, ...]:
        """Tangents of the outputs for tangents of the vectors, which must be 0 in pads."""
        self._weights.copy_(weights)
        self._vertices.copy_(vertex_parameters)
        self._executor.write_biases(self._tangent.values, self._vertices)
        for maps, zeros in self._constants:
            maps.values = zeros
        for call in self._calls:
            call()
        found = self._executor.outputs(self._tangent)
        for maps in self._tangent.maps.values():
            maps.clear()
        return found

    @torch.no_grad()
    def pull(self, cotangents: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Compute the gradients of both vectors from cotangents of the outputs."""
        executor, before = self._executor, self._executor.collecting
        executor.collecting = False
        try:
            needs = (True, True, *(False for _ in executor.plan.inputs))
            weights, vertices, *_ = executor.backward(self._primal, self._run, cotangents, needs)
        finally:
            executor.collecting = before
        assert weights is not None
        assert vertices is not None
        return weights, vertices

    def _read_constants(self) -> list[tuple[Maps, Tensor]]:
        """Find the maps of inputs that layers merge, each with its tangent, which is 0."""
        layers = self._executor.plan.layers
        read = {place for layer in layers for reads in layer.reads for place in reads.places}
        places = [i for i in sorted(read) if layers[i].role == "input" and layers[i].grid and not layers[i].picks]
        return [(self._tangent.maps[i], torch.zeros_like(_of(self._primal.maps[i].values))) for i in places]

    # -- tangents, layer by layer ---------------------------------------------------------------------

    def _calls_of(self, k: int) -> list[Call]:
        """Calls that turn tangents of the values that a layer reads into tangents of its own."""
        step, plan = self._tangent.steps[k], self._tangent.steps[k].plan
        place = self._executor.plan.position[plan.name]
        blocks = list(zip(plan.blocks, step.kernels, strict=True))
        # Tangents of inputs are 0.
        calls: list[Call] = [c.forward for b, c in blocks if self._primal.trains_source(b, inputs=False)]
        target = self._tangent.maps.get(place)
        rows = None if target is not None else self._tangent.values[plan.start : plan.stop]
        for block, kernel in zip(plan.blocks, self._executor.pool.kernels[place].blocks, strict=True):
            if not block.frozen:
                weights = self._weights[block.start : block.stop]
                source = self._primal.maps[block.source] if block.source >= 0 else None
                given = self._primal.given_to(block)
                calls.append(kernel.bind(Ports(weights, self._primal.values, rows, source, target, given)).forward)
        merge, along = self._primal.steps[k].merge, step.merge
        if merge is not None and along is not None:
            calls.append(partial(merge.push, along))
        return [*calls, *self._operation(plan, place)]

    def _operation(self, plan: LayerPlan, place: int) -> list[Call]:
        """Calls that turn tangents of sums into tangents of values."""
        maps, target = self._primal.maps.get(place), self._tangent.maps.get(place)
        rows, moved = (space.values[plan.start : plan.stop] for space in (self._primal, self._tangent))
        along = Arithmetic(plan, self._vertices, self._state.running).parameters
        elementwise = get_norm(plan.norm).identity and plan.pool is None
        tangent: Callable[[Tensor], Tensor]
        if elementwise and plan.activation == "identity":
            if target is None:
                return []
            tangent = _same
        elif elementwise and (backward := tensor_activation(plan.activation).backward) is not None:
            values = rows if maps is None else _of(maps.values)
            tangent = backward(torch.ones_like(values), values, None).mul
        else:
            z = self._run.graphs[plan.id][0].detach()
            running = self._state.running.clone()  # batch norm writes to it
            arithmetic = Arithmetic(plan, self._state.vertex_parameters, running)
            if elementwise:
                tangent = _slopes(arithmetic, z, along)
            else:
                training = self._training

                def tangent(t: Tensor) -> Tensor:
                    return tangent_operation(arithmetic, along, z, t, training=training)[1]

        def rows_to_rows() -> None:
            moved.copy_(tangent(moved))

        def from_maps() -> None:
            assert target is not None
            target.values = values = tangent(target.sums)
            if not plan.output_grid:
                moved.copy_(values.flatten(1).t())

        return [rows_to_rows if target is None else from_maps]


def _slopes(arithmetic: Arithmetic, z: Tensor, along: dict[str, Tensor]) -> Callable[[Tensor], Tensor]:
    """Differentiate an activation at the sums `z`; return a function from tangents of the sums to those of the values.

    Each value depends on its own sum and columns alone, so that one backward gives all slopes.
    """
    with torch.enable_grad():
        z = z.clone().requires_grad_()
        columns = {n: v.detach().expand_as(z).clone().requires_grad_() for n, v in arithmetic.parameters.items()}
        values = arithmetic(z, columns, training=False)
        slope, *others = torch.autograd.grad(values.sum(), (z, *columns.values()))

    def tangent(t: Tensor) -> Tensor:
        found = slope * t
        for name, by_column in zip(columns, others, strict=True):
            found.addcmul_(by_column, along[name])
        return found

    return tangent


def _same(t: Tensor) -> Tensor:
    return t


def _of(values: Tensor | None) -> Tensor:
    assert values is not None
    return values
