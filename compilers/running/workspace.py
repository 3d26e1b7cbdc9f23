"""Buffers with everything bound to them, and the pool that lends them to one forward at a time."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from compilers.kernels import BoundKernel, Given, Gradients, Kernel, Maps, Picks, Ports, get_builder
from compilers.plan import Block, LayerPlan, Plan, as_maps
from compilers.running.merges import BoundMerge, DeferredMaps, MergeKernel, MergePorts, build_merges
from compilers.running.operations import Operation, Run, bind_operation
from compilers.running.transposing import write_transposed

_FREE_PER_BATCH_SIZE = 2
_BATCH_SIZES = 4

Call = Callable[[], object]
Keep = Literal["all", "values", "none"]


class FlatTensors(NamedTuple):
    """The flat tensors of a network that a run reads, detached."""

    weights: Tensor
    vertex_parameters: Tensor
    running: Tensor
    frozen_weights: Tensor


class LayerKernels(NamedTuple):
    """The kernels of one layer on one device: of its blocks, in order, and of its merge if it has one."""

    blocks: tuple[Kernel, ...]
    merge: MergeKernel | None


@dataclass(eq=False, slots=True)
class LayerStep:
    """One layer that is not an input, in one workspace.

    Attributes:
        plan: the layer.
        kernels: of its blocks, in order.
        merge: of what it reads, or None.
        operation: on its sums, or None.
        done: places of layers whose maps nobody reads after this one.
    """

    plan: LayerPlan
    kernels: tuple[BoundKernel, ...]
    merge: BoundMerge | None
    operation: Operation | None
    done: tuple[int, ...]


class _Release:
    """The end of the maps of a layer in the last backward."""

    def __init__(self, layer: int, maps: Maps) -> None:
        self._layer, self._maps = layer, maps

    def backward(self, run: Run, gradients: Gradients) -> None:
        """Let go of all tensors of the layer."""
        self._maps.clear()
        run.let_go(self._layer)


class Workspace:
    """One feature-major buffer (rows, batch), the maps beside it, and the kernels and operations bound to them.

    The gradient buffer is made at the first backward, so that evaluation needs none.

    Attributes:
        values: values of all vertices without a grid, `(rows, batch)`.
        maps: of each layer whose sums or values are maps, by its place in the plan.
        given: by place, the input layers that are read where the caller left them.
        steps: one per layer that is not an input, in topological order; a mix that is fused has that of its attention.
        number: how often it was lent; a backward knows by it whether the buffer still is its own.
    """

    def __init__(self, plan: Plan, kernels: Sequence[LayerKernels], state: FlatTensors, batch: int) -> None:
        self.plan, self.batch = plan, batch
        self.values = state.weights.new_zeros((plan.rows, batch))
        self.number = 0
        self.lease: weakref.ref[Tensor] | None = None
        self._gradients: Gradients | None = None
        self._bound_inputs: bool | None = None
        self._backwards: dict[tuple[bool, bool, Keep], list[Call | Operation | BoundMerge | _Release]] = {}
        self.maps = {i: self._maps(i, p, state) for i, p in enumerate(plan.layers) if p.has_maps}
        self.given = {i: Given(plan.layers[i].start, plan.layers[i].stop) for i in plan.given_inputs}
        last = _last_readers(plan)
        self.steps = [
            self._step(i, p, bound, state, tuple(last.get(i, ())))
            for i, (p, bound) in enumerate(zip(plan.layers, kernels, strict=True))
            if not p.is_source and i not in plan.fused
        ]

    def _maps(self, place: int, plan: LayerPlan, state: FlatTensors) -> Maps:
        if plan.picks:
            positions = plan.role == "position"
            return Picks(self.batch, plan.width, as_maps(plan.grid), self.values, positions=positions)
        bias = None if plan.bias is None else state.vertex_parameters[plan.bias[0] : plan.bias[1]]
        return (DeferredMaps if place in self.plan.fused else Maps)(
            self.batch, plan.width, as_maps(plan.grid), bias, self.values
        )

    def _step(
        self, place: int, plan: LayerPlan, kernels: LayerKernels, state: FlatTensors, done: tuple[int, ...]
    ) -> LayerStep:
        rows, maps = self.values[plan.start : plan.stop], self.maps.get(place)
        bound: list[BoundKernel] = []
        for block, kernel in zip(plan.blocks, kernels.blocks, strict=True):
            weights = (state.frozen_weights if block.frozen else state.weights)[block.start : block.stop]
            source = self.maps[block.source] if block.source >= 0 else None
            sums = rows if maps is None else None
            bound.append(kernel.bind(Ports(weights, self.values, sums, source, maps, self.given_to(block))))
        merge = None
        if kernels.merge is not None:
            sums = rows if maps is None else None
            merge = kernels.merge.bind(MergePorts(self.plan.layers, self.values, self.maps, sums, maps))
        operation = bind_operation(plan, rows, maps, state.vertex_parameters, state.running)
        return LayerStep(plan, tuple(bound), merge, operation, done)

    def given_to(self, block: Block) -> Given | None:
        """Return the input layer that a block reads in the caller's tensor, without a copy; None when it reads none."""
        for given in self.given.values():
            if block.source < 0 and given.start <= block.parents[0] < given.stop:
                return given
        return None

    def all_values(self) -> Tensor:
        """Return the buffer after copying the given inputs into it."""
        for given in self.given.values():
            if given.values is not None and not given.written:
                write_transposed(self.values[given.start : given.stop], given.values.t())
                given.written = True
        return self.values

    def forward(self, run: Run) -> None:
        """Run all layers after the inputs; maps that nobody will read are let go of when nothing is recorded."""
        keep = run.record
        for step in self.steps:
            for kernel in step.kernels:
                kernel.forward()
            if step.merge is not None:
                step.merge.forward(run)
            if step.operation is not None:
                step.operation.forward(run)
            if not keep:
                for place in step.done:
                    self.maps[place].clear()

    def gradients(self, *, inputs: bool) -> Gradients:
        """Return the gradients, bound to every kernel; set the rows that are used to 0."""
        if self._gradients is None:
            with torch.inference_mode(False):  # else they could not be written to outside of it
                self._gradients = Gradients(torch.zeros_like(self.values))
        gradients = self._gradients
        if self._bound_inputs is not inputs:
            for step in self.steps:
                plan = step.plan
                rows = None if plan.grid else gradients.values[plan.start : plan.stop]
                for kernel in step.kernels:
                    kernel.bind_gradients(gradients, rows, inputs=inputs)
                if step.merge is not None:
                    step.merge.bind_gradients(gradients, rows, inputs=inputs)
            self._bound_inputs = inputs
            self._backwards.clear()
        gradients.values[0 if inputs else self.plan.input_rows :].zero_()
        return gradients

    def backward(self, run: Run, *, weights: bool, keep: Keep) -> None:
        """Run all layers backwards, after `gradients` and once the gradients of the outputs are in place.

        Args:
            run: the forward.
            weights: whether gradients of the weights are wanted.
            keep: of maps, all tensors stay, or the values without the gradients of sums, or none: then the memory of a
                layer is free for those before it, and this backward is the last one.
        """
        assert self._gradients is not None
        assert self._bound_inputs is not None
        gradients = self._gradients
        key = (weights, self._bound_inputs, keep)
        calls = self._backwards.get(key)
        if calls is None:
            calls = self._backwards[key] = self._backward_calls(*key)
        for call in calls:
            if callable(call):
                call()
            else:
                call.backward(run, gradients)

    def _backward_calls(
        self, weights: bool, inputs: bool, keep: Keep
    ) -> list[Call | Operation | BoundMerge | _Release]:
        calls: list[Call | Operation | BoundMerge | _Release] = []
        for step in reversed(self.steps):
            if step.operation is not None:
                calls.append(step.operation)
            if step.merge is not None:
                calls.append(step.merge)
            blocks = list(zip(step.plan.blocks, step.kernels, strict=True))
            if weights:
                calls += [k.weight_gradients for b, k in blocks if not b.frozen]
            for block, kernel in blocks:
                if self.trains_source(block, inputs=inputs):
                    calls.append(kernel.source_gradients)
            if step.plan.grid and keep != "all":
                maps = self.maps[self.plan.position[step.plan.name]]
                calls.append(maps.forget_sum_gradients if keep == "values" else _Release(step.plan.id, maps))
        return calls

    def trains_source(self, block: Block, *, inputs: bool) -> bool:
        """Whether the sources of a block need gradients: inputs only when `inputs` is set, and constants never."""
        if block.source < 0:
            return inputs or bool(block.parents[-1] >= self.plan.input_rows)
        source = self.plan.layers[block.source]
        return not source.is_source or (inputs and not source.picks)

    def be_still(self) -> None:
        """Stand for tangents from now on: those of positions and indices are 0."""
        for maps in self.maps.values():
            maps.be_still()

    def clear(self) -> None:
        """Release maps and given inputs; the buffer stays."""
        for maps in self.maps.values():
            maps.clear()
        for given in self.given.values():
            given.values, given.written = None, False


def _last_readers(plan: Plan) -> dict[int, list[int]]:
    """Find, by place, the layers whose maps a layer is the last to read; without outputs, which are read at the end."""
    last = {i: i for i, layer in enumerate(plan.layers) if layer.has_maps}
    for i, layer in enumerate(plan.layers):
        for block in layer.blocks:
            if block.source >= 0:
                last[block.source] = i
        for reads in layer.reads:
            last.update((place, plan.fused.get(i, i)) for place in reads.places if place in last)
    found: dict[int, list[int]] = {}
    for place, reader in last.items():
        if plan.layers[place].role != "output":
            found.setdefault(reader, []).append(place)
    return found


class WorkspacePool:
    """Workspaces by batch size, lent to one forward at a time; all are dropped when the network's storage has moved.

    Attributes:
        kernels: by layer, on the device of the network; made by the first `acquire`.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._place: tuple[torch.device, torch.dtype] | None = None
        self._storage: tuple[int, ...] = ()
        self.kernels: list[LayerKernels] = []
        self._free: dict[int, list[Workspace]] = {}

    def acquire(self, state: FlatTensors, batch: int) -> Workspace:
        """Lend a workspace for `batch` samples that is not in use."""
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
            layers, inputs = self._plan.layers, self._plan.input_rows
            merges = build_merges(self._plan, *place)
            self.kernels = [
                LayerKernels(tuple(get_builder(block.kernel)(block, inputs, *place) for block in layer.blocks), merge)
                for layer, merge in zip(layers, merges, strict=True)
            ]
        # A new dict, not a cleared one: workspaces still lent go back into the old one and are dropped with it.
        self._free = {}
        self._storage, self._place = storage, place

    def _make(self, state: FlatTensors, batch: int) -> Workspace:
        # Tensors made in inference mode could not be written outside of it later.
        with torch.inference_mode(False), torch.no_grad():
            detached = FlatTensors(*[tensor.detach() for tensor in state])
            return Workspace(self._plan, self.kernels, detached, batch)

    def lease(self, workspace: Workspace, run: Run) -> Tensor:
        """A token, an alias of the values: the workspace comes back, and `run` is cleared, when the token dies.

        Saved by autograd, the token lives exactly as long as a backward may still come.
        """
        # Not `detach`: writing to the buffer between two backwards, as statistics do, is no change of the saved values.
        token = workspace.values.data
        free = self._free

        def give_back(_: object) -> None:
            workspace.lease = None
            run.clear()
            _put(free, workspace)

        workspace.lease = weakref.ref(token, give_back)
        return token

    def release(self, workspace: Workspace) -> None:
        """Take back a workspace that was lent without a token."""
        _put(self._free, workspace)


def _put(free: dict[int, list[Workspace]], workspace: Workspace) -> None:
    workspace.clear()
    batch = workspace.batch
    waiting = free.setdefault(batch, [])
    if len(waiting) < _FREE_PER_BATCH_SIZE:
        waiting.append(workspace)
    if len(free) > _BATCH_SIZES:
        del free[next(size for size in free if size != batch)]
