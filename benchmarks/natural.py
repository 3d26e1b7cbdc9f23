"""Cost of a natural gradient step, solved directly and by conjugate gradients, against a step of fused Adam.

python -m benchmarks.natural

A step is forward, backward and update on a random batch, with the loss of the row. All run in one process, in turns.
The direct way is left out where the Jacobian exceeds its size limit. "taken" is the way that `natural_step` chooses by
default; "iterations" is the number of iterations of conjugate gradients in the first step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

import netgraph as ng
from benchmarks.common import Column, Report, arguments_of, compare, median
from compilers import CompiledNetwork, lower
from compilers.running import jacobian_bytes
from compilers.training import JACOBIAN_BYTES, Loss, MeanLoss, NaturalStep, Way, natural_step

CASES = (
    ((1, 10, 1), "rational", 50),
    ((2, 3, 3, 2), "rational", 200),
    ((1, 20, 20, 1), "rational", 50),
    ((2, 16, 16, 2), "rational", 200),
    ((64, 10), "relu", 32),
    ((20, 40, 10), "relu", 100),
    ((20, 40, 10), "relu", 500),
    ((64, 64, 10), "relu", 128),
    ((784, 128, 10), "relu", 1024),
)
"""Widths, activation and batch."""

COLUMNS = (
    Column("network", "network"),
    Column("batch", "batch", ","),
    Column("parameters", "parameters", ","),
    Column("ms Adam", "adam_ms", ".2f"),
    Column("ms direct", "direct_ms", ".2f"),
    Column("ms CG", "cg_ms", ".2f"),
    Column("iterations", "iterations"),
    Column("taken", "taken"),
)


def network(sizes: Sequence[int], activation: str) -> CompiledNetwork:
    """Build and lower a dense network; rational activations start near the identity, curved either way."""
    graph = ng.mlp(sizes, activation=activation)
    rng = np.random.default_rng(0)
    columns = {name: rng.normal(size=graph.num_vertices) for name in ("v", "c", "l")}
    return lower(graph.with_weights(vertices=columns) if activation == "rational" else graph)


def measure(sizes: Sequence[int], activation: str, batch: int, rounds: int) -> dict[str, Any]:
    """Measure one row and return its record."""
    net = network(sizes, activation)
    torch.manual_seed(0)
    x = torch.randn(batch, sizes[0])
    classes = sizes[-1] > 1
    y = torch.randint(sizes[-1], (batch,)) if classes else torch.randn(batch, 1)
    loss = functional.cross_entropy if classes else functional.mse_loss
    fits = jacobian_bytes(net.plan, batch, 4) <= JACOBIAN_BYTES
    ways: list[Way] = ["cg", "direct"] if fits else ["cg"]
    actions = {way: natural_training_step(net, x, y, loss, way) for way in ways}
    times = dict(zip(("adam", *ways), compare([adam_step(net, x, y, loss), *actions.values()], rounds), strict=True))
    return {
        "network": f"{'-'.join(map(str, sizes))} {activation}",
        "batch": batch,
        "parameters": len(net.weights) + len(net.vertex_parameters),
        **{f"{name}_ms": median(found) for name, found in times.items()},
        "iterations": actions["cg"]().iterations,
        "taken": "direct" if natural_training_step(net, x, y, loss, "auto")().iterations == 0 else "cg",
    }


def natural_training_step(
    net: CompiledNetwork, x: Tensor, y: Tensor, loss: Loss, way: Way
) -> Callable[[], NaturalStep]:
    """Make a function that takes one natural gradient step, so short that the network hardly changes."""
    own = MeanLoss(lambda outputs: loss(outputs, y))

    def step() -> NaturalStep:
        found = natural_step(net, x, own, way=way)
        with torch.no_grad():
            net.weights.sub_(found.weights, alpha=1e-9)
            net.vertex_parameters.sub_(found.vertex_parameters, alpha=1e-9)
        return found

    return step


def adam_step(net: CompiledNetwork, x: Tensor, y: Tensor, loss: Loss) -> Callable[[], None]:
    """Make a function that takes one step of fused Adam."""
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-9, fused=True)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss(net(x), y).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def main(arguments: Sequence[str] | None = None) -> None:
    options = arguments_of("natural", __doc__, rounds=9).parse_args(arguments)
    torch.set_num_threads(options.threads)
    report = Report("natural")
    records = [measure(sizes, activation, batch, options.rounds) for sizes, activation, batch in CASES]
    report.add("one step", COLUMNS, records)
    report.finish(options.json)


if __name__ == "__main__":
    main()
