"""Measured seconds of each block of a network."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from compilers.running.executor import Executor
from compilers.running.operations import Run
from compilers.running.workspace import FlatTensors, Workspace


def measure_blocks(
    executor: Executor, state: FlatTensors, inputs: Sequence[Tensor], *, repeats: int
) -> dict[tuple[str, int], float]:
    """Median seconds of one step, forward and backward, of each block, by layer name and number of the block.

    Norms and activations are not counted, and running statistics stay as they are.
    """
    with torch.no_grad():
        detached = FlatTensors(*(tensor.detach() for tensor in state))
        detached = detached._replace(running=detached.running.clone())
        executor.pool.release(executor.pool.acquire(state, len(inputs[0])))  # makes the kernels
        workspace = Workspace(executor.plan, executor.pool.kernels, detached, len(inputs[0]))
        run = Run(training=len(inputs[0]) > 1, record=True)
        outputs = executor.forward(workspace, detached, inputs, run)
        gradients = executor.backward_sums(workspace, run, outputs)
        gradients.weights = gradients.values.new_zeros(executor.plan.num_slots)
        found = {}
        for step in workspace.steps:
            for number, (block, kernel) in enumerate(zip(step.plan.blocks, step.kernels, strict=True)):
                calls = [kernel.forward]
                if not block.frozen:
                    calls.append(kernel.weight_gradients)
                if workspace.trains_source(block, inputs=False):
                    calls.append(kernel.source_gradients)
                found[step.plan.name, number] = _median_seconds(calls, repeats)
        return found


def _median_seconds(calls: Sequence[Callable[[], None]], repeats: int) -> float:
    found = []
    for _ in range(repeats):
        started = time.perf_counter()
        for call in calls:
            call()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        found.append(time.perf_counter() - started)
    return statistics.median(found)
