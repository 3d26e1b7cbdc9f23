"""New entries of the optimizer state after growth: seeded second moments, or step counts of their own.

What a step costs; how far new entries move per step, in learning rates; and what becomes of the loss.

python -m benchmarks.optimizers
python -m benchmarks.optimizers mnist.npz --limit 10000 --seeds 5 --json runs/benchmarks/optimizers_mnist.json
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

import netgraph as ng
from benchmarks.common import machine, mean_and_error, write_json
from benchmarks.elementwise_adam import ElementwiseAdam
from compilers import CompiledNetwork, lift, lower, migrate
from compilers.lifting.newcomers import BORN, OWN_STEPS
from compilers.lifting.nursery import ease_in
from compilers.training import TrainingData, TrainSettings, evaluate, make_optimizer, training_loss
from netgraph.app.data import load_dataset, split_validation
from netgraph.rules import SplitEdges, WidenLayer

SIZES = (80_000, 590_000, 10_000_000)
MOVED_AFTER = (1, 5, 12, 50, 200)
LOSS_AFTER = (0, 20, 100, 500)
GROWTHS = ("split 40 edges", "widen by 64")
FIRST_GRADIENT, OWN = "link mean of first gradient", "own step counts, for ever"
OWN_FOR = {f"own step counts, {steps} steps": steps for steps in (20, 50, OWN_STEPS, 200, 500)}
SEEDS: dict[str, tuple[str, str] | None] = {
    "zero": None,
    "layer mean": ("layer", "mean"),
    "link mean": ("link", "mean"),
    "layer median": ("layer", "median"),
    "layer largest": ("layer", "max"),
    "mean of all": ("all", "mean"),
    FIRST_GRADIENT: None,
}
"""Where the second moments of new entries start under the shared step count: group of survivors, and what of it."""

VARIANTS = (*SEEDS, *OWN_FOR, OWN)


# -- what a step costs -----------------------------------------------------------------------------------


def step_costs(rounds: int, threads: int) -> dict[int, dict[str, tuple[float, float]]]:
    """By size and optimizer: median milliseconds, and median of the ratio to fused Adam in the same round."""
    torch.set_num_threads(threads)
    costs = {}
    for size in SIZES:
        optimizers = {
            "fused Adam": torch.optim.Adam([_parameter(size)], fused=True),
            "fused AdamW": torch.optim.AdamW([_parameter(size)], fused=True),
            f"fused AdamW, first {OWN_STEPS} steps of new entries": _with_new_entries(_parameter(size)),
            "own step count of every element": ElementwiseAdam([_parameter(size)]),
        }
        times: dict[str, list[float]] = {name: [] for name in optimizers}
        repeat = max(1, 4_000_000 // size)
        for _ in range(rounds):
            for name, optimizer in optimizers.items():
                optimizer.step()
                started = time.perf_counter()
                for _ in range(repeat):
                    optimizer.step()
                times[name].append(1000 * (time.perf_counter() - started) / repeat)
        base = np.array(times["fused Adam"])
        costs[size] = {n: (float(np.median(t)), float(np.median(np.array(t) / base))) for n, t in times.items()}
    torch.set_num_threads(1)
    return costs


def _parameter(size: int) -> torch.nn.Parameter:
    torch.manual_seed(0)
    parameter = torch.nn.Parameter(torch.randn(size))
    parameter.grad = 0.01 * torch.randn(size)
    return parameter


def _with_new_entries(parameter: torch.nn.Parameter) -> torch.optim.Optimizer:
    """Half of the entries are new, and stay so."""
    optimizer = torch.optim.AdamW([parameter], fused=True)
    optimizer.step()
    optimizer.state[parameter][BORN] = torch.where(torch.rand(len(parameter)) < 0.5, 1.0, -1.0)
    ease_in(optimizer, steps=10**9)
    return optimizer


# -- growth ----------------------------------------------------------------------------------------------


class Grown(NamedTuple):
    """A network just after growth, and which entries of its two vectors are new."""

    before: CompiledNetwork
    net: CompiledNetwork
    optimizer: torch.optim.Optimizer
    fresh: dict[Tensor, Tensor]


class Course(NamedTuple):
    """What happened after growth.

    Attributes:
        largest: largest step of each new entry within the first k, in learning rates: maximum and mean over entries.
        loss: training and validation loss after k steps.
    """

    largest: dict[int, tuple[float, float]]
    loss: dict[int, tuple[float, float]]


def batches(data: TrainingData, size: int, seed: int) -> Iterator[Tensor]:
    """Rows of mini-batches without end."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        yield from torch.split(torch.randperm(len(data.x_train), generator=generator), size)


def train(
    net: CompiledNetwork, optimizer: torch.optim.Optimizer, data: TrainingData, rows: Iterator[Tensor], steps: int
) -> None:
    loss_of = training_loss(data.task)
    for _ in range(steps):
        chosen = next(rows)
        optimizer.zero_grad()
        loss_of(net(data.x_train[chosen]), data.y_train[chosen]).backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def grow(net: CompiledNetwork, optimizer: torch.optim.Optimizer, growth: str, seed: int) -> Grown:
    """Rewrite, and migrate; the old network stays as it is."""
    graph = lift(net)
    if growth == GROWTHS[0]:
        strongest = np.argsort(-np.abs(graph.edges.weight), kind="stable")[:40]
        result = ng.apply(SplitEdges(), graph, on=graph.edges.id[strongest], probe=None, rng=seed)
    else:
        result = ng.apply(WidenLayer(count=64), graph, probe=None, rng=seed)
    new, carried = migrate(net, optimizer, result)
    edges, vertices = torch.zeros(len(new.weights), dtype=torch.bool), torch.zeros(len(new.vertex_parameters)).bool()
    edges[torch.from_numpy(new.plan.edge_slots)] = torch.from_numpy(graph.edges.find(new.graph.edges.id) < 0)
    for where in new.plan.vertex_slots.values():
        if where.trained:
            ids = new.graph.vertices.id[where.rows]
            vertices[torch.from_numpy(where.slots)] = torch.from_numpy(graph.vertices.find(ids) < 0)
    return Grown(net, new, carried, {new.weights: edges, new.vertex_parameters: vertices})


def groups(net: CompiledNetwork, parameter: Tensor, by: str) -> Tensor:
    """(slots,) number of the group of each entry of a flat vector."""
    table, plan = net.graph.vertices, net.plan
    numbers = torch.zeros(len(parameter), dtype=torch.int64)
    if by == "all":
        return numbers
    if parameter is net.weights:
        edges = net.graph.edges
        link = np.repeat(np.arange(len(edges.offsets) - 1), np.diff(edges.offsets))
        of_row = link if by == "link" else table.layer[edges.target_row]
        numbers[torch.from_numpy(plan.edge_slots)] = torch.from_numpy(of_row)
        return numbers
    columns = [where for where in plan.vertex_slots.values() if where.trained]
    for k, where in enumerate(columns):
        numbers[torch.from_numpy(where.slots)] = torch.from_numpy(table.layer[where.rows] * len(columns) + k)
    return numbers


def start(variant: str, grown: Grown, data: TrainingData, rows: Tensor) -> torch.optim.Optimizer:
    """The optimizer with new entries as the variant has them."""
    if variant == OWN:
        return ElementwiseAdam.taking_over(grown.optimizer, grown.fresh)
    optimizer = without_own_steps(grown.optimizer)
    if variant in OWN_FOR:
        for parameter, fresh in grown.fresh.items():
            state = optimizer.state[parameter]
            state[BORN] = torch.full_like(parameter, -1.0).masked_fill_(fresh, float(state["step"]))
        ease_in(optimizer, steps=OWN_FOR[variant])
        return optimizer
    if variant == FIRST_GRADIENT:
        optimizer.zero_grad()
        loss = training_loss(data.task)(grown.net(data.x_train[rows]), data.y_train[rows])
        loss.backward()  # type: ignore[no-untyped-call]
    for parameter, fresh in grown.fresh.items():
        state = optimizer.state[parameter]
        moments, beta = state["exp_avg_sq"], optimizer.param_groups[0]["betas"][1]
        if variant == FIRST_GRADIENT:
            assert parameter.grad is not None
            square = parameter.grad.square() * (1 - beta ** float(state["step"]))
            levels(moments, square, fresh, fresh, groups(grown.net, parameter, "link"), "mean")
        elif (seed := SEEDS[variant]) is not None:
            levels(moments, moments.clone(), ~fresh, fresh, groups(grown.net, parameter, "layer"), seed[1])
            if seed[0] != "layer":
                moments.masked_fill_(fresh, 0.0)
                levels(moments, moments.clone(), ~fresh, fresh, groups(grown.net, parameter, seed[0]), seed[1])
    return optimizer


def without_own_steps(optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
    """The same with the shared step count alone: new entries have moments 0, and jump."""
    plain = type(optimizer)([dict(group) for group in optimizer.param_groups])  # type: ignore[call-arg]
    for parameter, state in optimizer.state.items():
        plain.state[parameter] = {key: value for key, value in state.items() if key != BORN}
    return plain


def levels(out: Tensor, values: Tensor, known: Tensor, fresh: Tensor, group: Tensor, how: str) -> None:
    """Fill `out` where fresh with the level of the known values of the group, or of all where there is none."""
    known = known & (values > 0)
    take: dict[str, Callable[[Tensor], Tensor]] = {"mean": torch.mean, "median": torch.median, "max": torch.max}
    for number in np.unique(group.numpy()).tolist():
        mine = group == number
        source = values[mine & known] if (mine & known).any() else values[known]
        if len(source):
            out[mine & fresh] = take[how](source)


def follow(grown: Grown, optimizer: torch.optim.Optimizer, data: TrainingData, rows: Iterator[Tensor]) -> Course:
    """Train on, and record movement and loss."""
    rate = optimizer.param_groups[0]["lr"]
    largest = {p: torch.zeros_like(p) for p in grown.fresh}
    moved, losses = {}, {}
    for step in range(max(LOSS_AFTER) + 1):
        if step in MOVED_AFTER:
            steps = torch.cat([largest[p][fresh] for p, fresh in grown.fresh.items()]) / rate
            moved[step] = (float(steps.max()), float(steps.mean()))
        if step in LOSS_AFTER:
            train_loss = evaluate(grown.net, data.x_train, data.y_train, data.task)["loss"]
            losses[step] = (train_loss, evaluate(grown.net, data.x_valid, data.y_valid, data.task)["loss"])
        before = {p: p.detach().clone() for p in grown.fresh}
        train(grown.net, optimizer, data, rows, 1)
        for p in grown.fresh:
            torch.maximum(largest[p], (p.detach() - before[p]).abs(), out=largest[p])
    return Course(moved, losses)


def one_seed(arguments: argparse.Namespace, seed: int) -> dict[tuple[str, str], Course]:
    """Every growth and variant from the same trained network, with the same batches."""
    dataset = load_dataset(arguments.data, seed=seed, limit=arguments.limit)
    kept, held = split_validation(dataset, seed=seed)
    x, y = dataset.x_train.reshape(len(dataset.x_train), -1), dataset.y_train
    data = TrainingData.from_arrays(x[kept], y[kept], x[held], y[held], task="classification")
    settings = TrainSettings(batch_size=32, learning_rate=arguments.rate)
    net = lower(ng.mlp([dataset.features, 32, dataset.outputs], domain=(0, 1), seed=seed))
    optimizer = make_optimizer(net, settings)
    train(net, optimizer, data, batches(data, settings.batch_size, seed), arguments.steps)
    courses = {}
    for growth in GROWTHS:
        for variant in VARIANTS:
            grown = grow(net, optimizer, growth, seed)
            rows = batches(data, settings.batch_size, seed + 1000)
            first = next(batches(data, settings.batch_size, seed + 1000))
            courses[growth, variant] = follow(grown, start(variant, grown, data, first), data, rows)
    return courses


# -- tables ----------------------------------------------------------------------------------------------


def cost_table(costs: dict[int, dict[str, tuple[float, float]]], threads: int) -> Table:
    table = Table(title=f"one optimizer step, {threads} threads: ms (times fused Adam)")
    table.add_column("elements", justify="right")
    for name in next(iter(costs.values())):
        table.add_column(name, justify="right")
    for size, row in costs.items():
        table.add_row(f"{size:,}", *(f"{ms:.3f} ({ratio:.2f})" for ms, ratio in row.values()))
    return table


def growth_tables(growth: str, seeds: list[dict[tuple[str, str], Course]]) -> Iterator[Table]:
    """Movement, and losses with their standard errors."""
    moved = Table(title=f"{growth}: largest step within the first k, in learning rates: max (mean over new entries)")
    moved.add_column("new entries", no_wrap=True)
    for k in MOVED_AFTER:
        moved.add_column(f"k = {k}", justify="right")
    for variant in VARIANTS:
        mine = [courses[growth, variant].largest for courses in seeds]
        cells = [[np.mean([c[k][i] for c in mine]) for i in (0, 1)] for k in MOVED_AFTER]
        moved.add_row(variant, *(f"{top:.2f} ({mean:.2f})" for top, mean in cells))
    yield moved
    for i, kind in enumerate(("training", "validation")):
        loss = Table(title=f"{growth}: {kind} loss k steps later, mean and standard error")
        loss.add_column("new entries", no_wrap=True)
        for k in LOSS_AFTER:
            loss.add_column(f"k = {k}", justify="right")
        for variant in VARIANTS:
            pairs = [mean_and_error([c[growth, variant].loss[k][i] for c in seeds]) for k in LOSS_AFTER]
            loss.add_row(variant, *(f"{mean:.4f} ±{error:.4f}" for mean, error in pairs))
        yield loss


def as_json(costs: dict[int, Any], seeds: list[dict[tuple[str, str], Course]]) -> dict[str, Any]:
    runs = [
        {"seed": k, "growth": growth, "variant": variant, **course._asdict()}
        for k, courses in enumerate(seeds)
        for (growth, variant), course in courses.items()
    ]
    return {"step": costs, "growth": runs}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", default="digits", help="data set, as for `netgraph grow`")
    parser.add_argument("--limit", type=int, help="training samples")
    parser.add_argument("--seeds", type=int, default=8, help="seeds 0 to SEEDS - 1")
    parser.add_argument("--steps", type=int, default=800, help="steps of training before growth")
    parser.add_argument("--rate", type=float, default=2e-3, help="learning rate")
    parser.add_argument("--threads", type=int, default=2, help="threads of the measurement of time")
    parser.add_argument("--rounds", type=int, default=15, help="rounds of the measurement of time")
    parser.add_argument("--json", type=Path, default=Path("runs/benchmarks/optimizers.json"))
    arguments = parser.parse_args()
    console = Console(width=150)
    costs = step_costs(arguments.rounds, arguments.threads)
    console.print(cost_table(costs, arguments.threads))
    seeds = [one_seed(arguments, seed) for seed in range(arguments.seeds)]
    for growth in GROWTHS:
        for table in growth_tables(growth, seeds):
            console.print(table)
    console.print(machine())
    write_json(arguments.json, as_json(costs, seeds))


if __name__ == "__main__":
    main()
