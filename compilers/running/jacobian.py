"""The Jacobian of a small network: every output of every sample by every parameter, assembled from one backward."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from compilers.kernels import Gradients
from compilers.plan import Block, LayerPlan, Plan
from compilers.running.executor import Executor
from compilers.running.operations import Run
from compilers.running.workspace import FlatTensors, Workspace
from netgraph.columns import Array
from netgraph.graph import get_norm


def output_size(plan: Plan) -> int:
    """Count the output values of one sample."""
    return sum(layer.width * layer.positions for layer in plan.outputs)


def couples_samples(plan: Plan, *, training: bool) -> bool:
    """Whether the outputs of a sample depend on the others of its batch, so that it has no Jacobian of its own."""
    return training and any(get_norm(layer.norm).couples_samples for layer in plan.layers)


def jacobian_bytes(plan: Plan, samples: int, size: int) -> int:
    """Memory that `jacobian` takes with numbers of `size` bytes, one copy of the result in float64 included."""
    parameters = plan.num_slots + plan.num_vertex_slots
    maps = [(layer, block) for layer in plan.layers for block in layer.blocks if block.source >= 0]
    patches = max(
        (block.geometry.taps * plan.layers[block.source].width * (block.geometry.positions + layer.width)
         for layer, block in maps if block.geometry is not None),
        default=0,
    )  # fmt: skip
    each = parameters * (8 + 2 * size) + (3 * plan.floats_per_sample + patches) * size
    return samples * output_size(plan) * each


def jacobian(executor: Executor, state: FlatTensors, inputs: Sequence[Tensor]) -> tuple[list[Tensor], Tensor]:
    """Outputs, and (parameters, outputs * samples) derivatives of them, where batch norm takes running statistics.

    Rows are weight slots, then vertex parameters; pads have 0. Columns are the first number that the network gives for
    each sample, then the second, and so on. The batch is run once for every output, all at the same time: the
    derivative by an edge is the value that it reads times the gradient of the sum that it goes into.

    Args:
        executor: of the network.
        state: its flat tensors.
        inputs: of the batch.
    """
    plan, samples = executor.plan, len(inputs[0])
    outputs = output_size(plan)
    repeated = [x.detach().repeat(outputs, *[1] * (x.dim() - 1)) if outputs > 1 else x.detach() for x in inputs]
    workspace = executor.pool.acquire(state, outputs * samples)
    run = Run(training=False, record=True, per_sample=True)
    try:
        with torch.no_grad():
            values = executor.forward(workspace, state, repeated, run)
            gradients = executor.backward_sums(workspace, run, _seeds(plan, state.weights, outputs, samples))
            found = state.weights.new_zeros((plan.num_slots + plan.num_vertex_slots, outputs * samples))
            _weights(found[: plan.num_slots], plan, workspace, gradients)
            _vertices(found[plan.num_slots :], plan, workspace, gradients, run)
        return [value[:samples] for value in values], found
    finally:
        executor.pool.release(workspace)


def _seeds(plan: Plan, like: Tensor, outputs: int, samples: int) -> list[Tensor]:
    """Make cotangents for copies of the batch: in the k-th copy, 1 for the k-th output value and 0 for the others."""
    if outputs == 1:
        return [like.new_ones((samples, *layer.shape)) for layer in plan.outputs]
    unit = torch.eye(outputs, dtype=like.dtype, device=like.device)
    sizes = [layer.width * layer.positions for layer in plan.outputs]
    return [
        part.unsqueeze(1).expand(-1, samples, -1).reshape(outputs * samples, *layer.shape)
        for layer, part in zip(plan.outputs, torch.split(unit, sizes, dim=1), strict=True)
    ]


def _weights(out: Tensor, plan: Plan, workspace: Workspace, gradients: Gradients) -> None:
    products = plan.row_products
    if len(products.slots):
        slots, source, target = (_index(a, out) for a in products)
        found = workspace.all_values().index_select(0, source).mul_(gradients.values.index_select(0, target))
        out.index_copy_(0, slots, found)
    for place, layer in enumerate(plan.layers):
        for block in layer.blocks:
            if block.source >= 0 and not block.frozen:
                sums = _sum_gradients(place, layer, workspace, gradients)
                out.index_copy_(0, _index(block.slots, out), _of_maps(block, workspace, sums))


def _of_maps(block: Block, workspace: Workspace, sums: Tensor) -> Tensor:
    """Compute the derivatives by the edges of a link that reads maps, `(edges, batch)`.

    They are sums over positions of patches times gradients.
    """
    values, geometry = workspace.maps[block.source].values, block.geometry
    assert values is not None
    assert geometry is not None
    patches = functional.unfold(values, geometry.kernel, padding=geometry.padding, stride=geometry.stride)
    every = torch.bmm(sums, patches.transpose(1, 2))
    dst, column = _index(block.incidence.dst, values), _index(block.patch_columns, values)
    return every[:, dst, column].t()


def _sum_gradients(place: int, layer: LayerPlan, workspace: Workspace, gradients: Gradients) -> Tensor:
    """Return the gradients of the sums of a layer, `(batch, vertices, positions)`."""
    if not layer.grid:
        return gradients.values[layer.start : layer.stop].t().unsqueeze(2)
    found = workspace.maps[place].sum_gradients
    assert found is not None
    return found.flatten(2)


def _index(places: Array, like: Tensor) -> Tensor:
    """Copy places into a tensor; columns of a graph are read-only, and tensors cannot be."""
    wide = places.astype(np.int64, copy=not places.flags.writeable)
    return torch.from_numpy(wide).to(like.device)


def _vertices(out: Tensor, plan: Plan, workspace: Workspace, gradients: Gradients, run: Run) -> None:
    rows = _index(plan.bias_rows, out)
    torch.index_select(gradients.values, 0, rows, out=out[: len(rows)])
    for place, layer in enumerate(plan.layers):
        if layer.bias is not None and layer.grid:
            start, stop = layer.bias
            torch.sum(_sum_gradients(place, layer, workspace, gradients), 2, out=out[start:stop].t())
    for (start, stop), found in _of_columns(plan, run):
        out[start:stop] = found


def _of_columns(plan: Plan, run: Run) -> Iterator[tuple[tuple[int, int], Tensor]]:
    """Slots of every trained column but the biases, and (width, batch) derivatives by it."""
    for layer in plan.layers:
        for name, slots in layer.parameters.items():
            yield slots, run.by_sample[layer.id, name]
