"""netgraph beside gromo, a package for growing networks in PyTorch, in one process.

make bench-peers

`gromo` is no dependency: the make target installs it, this package and what both need into an environment of its own.

**Steps.** Milliseconds of one training step (forward, cross-entropy, backward, fused Adam; batch 128) of two
networks that have the same weights and biases in every package: 784-300-100-10 with ReLU, and the same layers with all
skip links. gromo runs the first as a stack of `LinearGrowingModule`, which is what its `GrowingMLP` makes when all
hidden layers have the same width, and the second as a `GrowingDAG` with a bias on one link into each layer. Neither
collects statistics. PyTorch runs them as `nn.Sequential`, and as one linear layer for each layer on all before it.

**Growth.** Seconds of adding 10 vertices to both hidden layers of the first network in the middle of training, up to
the end of the first step of the grown network, since buffers and optimizer state are made in that step.

* Random: new incoming weights are random, outgoing ones 0. gromo: `create_layer_extensions` and `apply_change`.
  netgraph: `lift`, `apply(WidenLayer)` with its certificate, and `migrate`; with and without measuring on random
  inputs how much the outputs change, which `apply` does by default.
* After 10 batches of statistics. gromo's `init_computation`, `update_computation`, `compute_optimal_updates` with the
  settings that it documents as TINY and as GradMax, and `apply_change`. It grows one layer at a time, so every
  hidden layer has a pass of 10 batches over the network as it is by then; the covariance of the loss gradients,
  which neither setting uses, is left out. Inputs are normal, so that no hidden vertex is dead, for which gromo would
  take a pseudo-inverse. netgraph collects `edge_gradients` in one pass for both layers.

The statistics are not the same, and neither is what they are used for: gromo solves for the best new weights, while
`WidenLayer` draws its own, and the gradients would go to criteria that choose where to grow. So these rows
compare the cost of a growth step as each package does it, not the cost of one algorithm. Moreover netgraph carries the
state of the optimizer across, where gromo leaves it to the caller, who gets a new optimizer here.

Packages take turns in every round. Tables show medians, and medians over rounds of the ratios within a round.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

import netgraph as ng
from benchmarks.common import machine
from compilers import lift, lower, migrate
from netgraph.rewriting import PROBE_SAMPLES
from netgraph.rules import WidenLayer

SIZES = (784, 300, 100, 10)
BATCH, WARM_UP, STEPS, STEP_ROUNDS = 128, 10, 40, 15
ADDED, BATCHES, GROWTH_ROUNDS = 10, 10, 15

TINY = {"compute_delta": False}
GRADMAX = {
    "compute_delta": False,
    "use_covariance": False,
    "alpha_zero": True,
    "use_projection": False,
    "ignore_singular_values": True,
}

Batch = tuple[Tensor, Tensor]


@dataclass
class Run:
    """A network in training."""

    net: nn.Module
    optimizer: torch.optim.Optimizer

    @classmethod
    def of(cls, net: nn.Module) -> Run:
        """Begin the training of a network, with a new optimizer."""
        return cls(net, torch.optim.Adam(net.parameters(), fused=True))

    def backward(self, batch: Batch) -> None:
        """Run forward and backward of a batch, which leave its gradients."""
        self.optimizer.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(self.net(batch[0]), batch[1]).backward()  # type: ignore[no-untyped-call]

    def step(self, batch: Batch) -> None:
        """Train on a batch, by forward, backward and a step of the optimizer."""
        self.backward(batch)
        self.optimizer.step()


Makers = Mapping[str, Callable[[], nn.Module]]
Growth = Callable[[Run, list[Batch]], Run]


class SkipNet(nn.Module):
    """Layers that read all layers before them."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(sum(SIZES[:k]), SIZES[k]) for k in range(1, len(SIZES)))

    def forward(self, x: Tensor) -> Tensor:
        """Run the network."""
        for layer in self.layers[:-1]:
            x = torch.cat((x, torch.relu(layer(x))), dim=1)
        output: Tensor = self.layers[-1](x)
        return output


def torch_stack() -> nn.Module:
    first, second, last = (nn.Linear(a, b) for a, b in pairwise(SIZES))
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), last)


def skip_graph() -> ng.Graph:
    """Build the layers of `SIZES` with all skip links."""
    b = ng.GraphBuilder()
    names = [b.input("input", SIZES[0])]
    names += [b.layer(f"hidden{k}", size) for k, size in enumerate(SIZES[1:-1], start=1)]
    names.append(b.output("output", SIZES[-1]))
    for source, target in combinations(names, 2):
        b.dense(source, target)
    return b.build()


# -- gromo --------------------------------------------------------------------------------------------


def gromo_stack() -> nn.Module:
    """Build a stack of growing linear layers."""
    from gromo.modules.linear_growing_module import LinearGrowingModule

    layers: list[Any] = []
    for k, (inputs, outputs) in enumerate(pairwise(SIZES)):
        activation = nn.ReLU() if k < len(SIZES) - 2 else nn.Identity()
        previous = layers[-1] if layers else None
        layers.append(
            LinearGrowingModule(
                inputs, outputs, post_layer_function=activation, previous_module=previous, name=f"layer {k}"
            )
        )
    return nn.Sequential(*layers)


def gromo_graph() -> nn.Module:
    """Build a growing graph with all skip links."""
    from gromo.containers.growing_dag import GrowingDAG

    names = ["start@", "hidden1@", "hidden2@", "end@"]
    # One bias for each layer, on the link from the inputs; an activation on hidden layers only.
    nodes = {
        name: {"type": "linear", "size": size, "activation": "relu" if name.startswith("hidden") else "id"}
        for name, size in zip(names, SIZES, strict=True)
    }
    links = list(combinations(names, 2))
    net: nn.Module = GrowingDAG(
        in_features=SIZES[0],
        out_features=SIZES[-1],
        neurons=ADDED,
        use_bias=True,
        use_layer_norm=False,
        DAG_parameters={
            "edges": links,
            "node_attributes": nodes,
            "edge_attributes": {str(link): {"type": "linear", "use_bias": link[0] == "start@"} for link in links},
        },
    )
    return net


def gromo_random(run: Run, batches: list[Batch]) -> Run:
    for layer in _growing(run):
        layer.create_layer_extensions(ADDED, output_extension_init="kaiming", input_extension_init="zeros")
        layer.apply_change(scaling_factor=1.0, extension_size=ADDED)
        layer.delete_update()
    return Run.of(run.net)


def gromo_informed(settings: Mapping[str, bool], run: Run, batches: list[Batch]) -> Run:
    for layer in _growing(run):
        layer.init_computation()
        for batch in batches:
            run.backward(batch)
            layer.update_computation(update_covariance_loss_gradient=False)
        # Threshold 0: all requested directions, even small ones.
        layer.compute_optimal_updates(maximum_added_neurons=ADDED, statistical_threshold=0.0, **settings)
        layer.reset_computation()
        layer.apply_change(scaling_factor=1.0)
        layer.delete_update()
    return Run.of(run.net)


def _growing(run: Run) -> list[Any]:
    """Layers whose inputs grow."""
    return list(run.net.children())[1:]


# -- netgraph -----------------------------------------------------------------------------------------


def netgraph_stack() -> nn.Module:
    return lower(ng.mlp(SIZES))


def netgraph_graph() -> nn.Module:
    return lower(skip_graph())


def netgraph_random(probe: int | None, run: Run, batches: list[Batch]) -> Run:
    net: Any = run.net
    return Run(*migrate(net, run.optimizer, ng.apply(WidenLayer(count=ADDED), lift(net), probe=probe)))


def netgraph_informed(run: Run, batches: list[Batch]) -> Run:
    net: Any = run.net
    net.request("edge_gradients")
    for batch in batches:
        run.backward(batch)
    statistics = net.statistics()
    net.release("edge_gradients")
    return Run(*migrate(net, run.optimizer, ng.apply(WidenLayer(count=ADDED), lift(net), statistics)))


# -- measurement --------------------------------------------------------------------------------------


def step_rounds(makers: Makers, batch: Batch) -> dict[str, list[float]]:
    """Measure the milliseconds of a training step by package, one number per round."""
    runs = {name: Run.of(make()) for name, make in makers.items()}
    if len({_count(run.net) for run in runs.values()}) != 1:
        raise RuntimeError(f"The networks differ in size: { {name: _count(run.net) for name, run in runs.items()} }")
    for run in runs.values():
        for _ in range(WARM_UP):
            run.step(batch)
    spent: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(STEP_ROUNDS):
        for name, run in runs.items():
            started = time.perf_counter()
            for _ in range(STEPS):
                run.step(batch)
            spent[name].append(1000 * (time.perf_counter() - started) / STEPS)
    return spent


def growth_rounds(growths: Mapping[str, Growth], makers: Makers) -> dict[str, list[float]]:
    """Measure the seconds of a growth step by name, one number per round; a name starts with the package."""
    batches = [_batch(seed) for seed in range(BATCHES)]
    spent: dict[str, list[float]] = {name: [] for name in growths}
    sizes = [SIZES[0], *(size + ADDED for size in SIZES[1:-1]), SIZES[-1]]
    expected = sum(a * b + b for a, b in pairwise(sizes))
    for round_ in range(GROWTH_ROUNDS + 1):  # the first one warms up
        for name, grow in growths.items():
            run = Run.of(makers[name.split(",")[0]]())
            for batch in batches[:3]:
                run.step(batch)
            started = time.perf_counter()
            run = grow(run, batches)
            run.step(batches[0])
            seconds = time.perf_counter() - started
            if _count(run.net) != expected:
                raise RuntimeError(f"{name}: {_count(run.net):,} parameters after growth, expected {expected:,}")
            if round_:
                spent[name].append(seconds)
    return spent


def _count(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def _batch(seed: int) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(BATCH, SIZES[0], generator=generator), torch.randint(SIZES[-1], (BATCH,), generator=generator)


def summary(spent: Mapping[str, list[float]], reference: str) -> dict[str, dict[str, float]]:
    """Compute median, quartiles, and median ratio to the reference of each competitor, by name."""
    base = np.array(spent[reference])
    rows = {}
    for name, values in spent.items():
        low, median, high = np.percentile(values, [25, 50, 75])
        ratio = float(np.median(np.array(values) / base))
        rows[name] = {"median": float(median), "quartile_1": float(low), "quartile_3": float(high), "ratio": ratio}
    return rows


def table(title: str, rows: Mapping[str, Mapping[str, float]], unit: str, reference: str, digits: int) -> Table:
    out = Table(title=title)
    for name in ("", unit, "quartiles", f"ratio to {reference}"):
        out.add_column(name, justify="right" if name else "left")
    for name, row in rows.items():
        quartiles = f"{row['quartile_1']:.{digits}f} to {row['quartile_3']:.{digits}f}"
        out.add_row(name, f"{row['median']:.{digits}f}", quartiles, f"{row['ratio']:.2f}")
    return out


def require_gromo() -> str:
    """Return the version of gromo; exit when it is not installed."""
    try:
        return metadata.version("gromo")
    except metadata.PackageNotFoundError:
        raise SystemExit("gromo is not installed here, and is not a dependency: run `make bench-peers`.") from None


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description="netgraph beside gromo.")
    parser.add_argument("--json", type=Path, default=Path("runs/benchmarks/peers.json"), help="where results go")
    parser.add_argument("--threads", type=int, default=1, help="torch threads (default: 1, as netgraph runs)")
    arguments = parser.parse_args()
    gromo = require_gromo()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    stacks = {"netgraph": netgraph_stack, "torch": torch_stack, "gromo": gromo_stack}
    graphs = {"netgraph": netgraph_graph, "torch": SkipNet, "gromo": gromo_graph}
    growths: dict[str, Growth] = {
        "netgraph, random": partial(netgraph_random, PROBE_SAMPLES),
        "netgraph, random, change not measured": partial(netgraph_random, None),
        "gromo, random": gromo_random,
        f"netgraph, {BATCHES} batches of statistics": netgraph_informed,
        f"gromo, GradMax, {BATCHES} batches per layer": partial(gromo_informed, GRADMAX),
        f"gromo, TINY, {BATCHES} batches per layer": partial(gromo_informed, TINY),
    }
    shape = "-".join(map(str, SIZES))
    batch = _batch(0)
    steps = summary(step_rounds(stacks, batch), "netgraph")
    skips = summary(step_rounds(graphs, batch), "netgraph")
    growth = summary(growth_rounds(growths, stacks), "netgraph, random")

    console = Console(width=120)
    title = f"one step of {shape}: forward, backward, fused Adam, batch {BATCH}"
    console.print(table(title, steps, "ms", "netgraph", 2))
    console.print(table(f"one step of {shape} with all skip links", skips, "ms", "netgraph", 2))
    title = f"{ADDED} more vertices in both hidden layers of {shape}, and one step"
    console.print(table(title, growth, "seconds", "netgraph, random", 3))
    console.print(f"gromo {gromo}, {machine()}")
    results = {
        "machine": machine(),
        "gromo": gromo,
        "torch_threads": torch.get_num_threads(),
        "step_milliseconds": steps,
        "skip_step_milliseconds": skips,
        "growth_seconds": growth,
    }
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
