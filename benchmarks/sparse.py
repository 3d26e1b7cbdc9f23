"""Seconds of one epoch of a wide network with sparse inner links, against masked and dense networks in torch.

python -m benchmarks.sparse

The network is 784-1024-1024-1024-10. Links between inputs and hidden layers have a random fraction of their edges; the
link into the outputs is dense. It is trained as `compilers.training.train` does it, by the kernels of its plan. Peers
are plain torch: the same function with dense matrices that are multiplied by a mask in every step, forward and
backward, the usual way to make networks sparse; and dense matrices without masks, which is the network at density 1.
All use fused Adam, the same random data in the shape of MNIST, and the same batches of 128. They run in turns in one
process, which keeps freed memory for itself, as `netgraph grow` does.

Each density has two rows. "steps" is one pass over the training samples without evaluation: draw and shuffle batches,
forward, cross entropy, backward, optimizer (`compilers.training.train_epoch`). "epoch" is "steps" and then loss and
accuracy on the validation samples, a twelfth as many. Neither includes a rewrite, which methods of sparse training make
between epochs. Times are medians over rounds. A ratio is the median over rounds of our time over the time of the peer:
below 1 the graph is faster.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import netgraph as ng
from benchmarks.common import Column, Report, arguments_of, median, ratio
from benchmarks.networks import Masked, check_same, copy_weights, dense, matrix
from compilers.training import (
    EVALUATION_BATCH,
    TrainingData,
    TrainSettings,
    begin,
    evaluate,
    train_epoch,
    training_loss,
)
from netgraph.app.memory import keep_freed_memory
from netgraph.columns import Array

SIZES = (784, 1024, 1024, 1024, 10)
DENSITIES = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02)
SAMPLES = 10_000
COLUMNS = (
    Column("density", "density", "g"),
    Column("edges", "edges", ","),
    Column("kernels", "kernels"),
    Column("measured", "measured"),
    Column("s", "ours_s", ".3f"),
    Column("masked, s", "masked_s", ".3f"),
    Column("ratio", "masked_ratio", ".2f"),
    Column("dense, s", "dense_s", ".3f"),
    Column("ratio", "dense_ratio", ".2f"),
)

LEARNING_RATE = 1e-6
"""Learning rate, so small that weights hardly change and a step costs the same in every round."""


@dataclass(frozen=True)
class Competitor:
    """A timed competitor: a function for one pass of training, and one for an evaluation, on given data."""

    steps: Callable[[TrainingData], object]
    evaluation: Callable[[TrainingData], object]


def sparse(sizes: Sequence[int], density: float) -> ng.Graph:
    """Build layers with ReLU; the last link is dense, the others have a fraction `density` of their edges."""
    b = ng.GraphBuilder(seed=0)
    names = [b.input("input", sizes[0], domain=(0, 1))]
    names += [b.layer(f"hidden{k}", size) for k, size in enumerate(sizes[1:-1], start=1)]
    names.append(b.output("output", sizes[-1]))
    for source, target in pairwise(names):
        b.dense(source, target, density=1.0 if target == "output" else density)
    return b.build()


def masked(graph: ng.Graph) -> nn.Sequential:
    """Make the layers of a graph as dense matrices; all but the last are multiplied by a mask at every step."""
    modules: list[nn.Module] = []
    for link in graph.links_by_key.values():
        weight, mask = matrix(graph, link)
        target = graph.layer(link.target)
        modules += [Masked(weight, None if target.role == "output" else mask, target.values["bias"]), nn.ReLU()]
    return nn.Sequential(*modules[:-1])


def random_data(sizes: Sequence[int], samples: int) -> TrainingData:
    """Draw random inputs and classes, and a twelfth as many for validation."""
    rng = np.random.default_rng(0)

    def draw(count: int) -> tuple[Array, Array]:
        return rng.random((count, sizes[0])), rng.integers(sizes[-1], size=count)

    return TrainingData.from_arrays(*draw(samples), *draw(max(1, samples // 12)), task="classification")


def as_users_train(graph: ng.Graph, batch: int) -> tuple[Competitor, nn.Module, str]:
    """Make a competitor of a graph, trained by `compilers.training`; return it, its network and its kernels."""
    settings = TrainSettings(
        epochs=1, batch_size=batch, optimizer="adam", weight_decay=0, label_smoothing=0, learning_rate=LEARNING_RATE
    )
    state = begin(graph, settings, torch.device("cpu"))
    kernels = [block.kernel for layer in state.net.plan.layers for block in layer.blocks]
    competitor = Competitor(
        lambda data: train_epoch(state, data, settings),
        lambda data: evaluate(state.net, data.x_valid, data.y_valid, data.task),
    )
    return competitor, state.net, ", ".join(kernels)


def in_plain_torch(net: nn.Module, batch: int) -> Competitor:
    """Make a competitor of a torch module with a plain training loop."""
    optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE, fused=True)
    loss_of = training_loss("classification")

    def steps(data: TrainingData) -> float:
        total = torch.zeros(())
        for rows in torch.split(torch.randperm(len(data.x_train)), batch):
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(net(data.x_train[rows]), data.y_train[rows])
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            total += loss.detach() * len(rows)
        return float(total) / len(data.x_train)

    @torch.no_grad()
    def evaluation(data: TrainingData) -> tuple[float, int]:
        loss, hits = 0.0, 0
        for x, y in zip(*(torch.split(k, EVALUATION_BATCH) for k in (data.x_valid, data.y_valid)), strict=True):
            output: Tensor = net(x)
            loss += float(nn.functional.cross_entropy(output, y, reduction="sum"))
            hits += int((output.argmax(1) == y).sum())
        return loss / len(data.x_valid), hits

    return Competitor(steps, evaluation)


def compare(competitors: Sequence[Competitor], data: TrainingData, few: TrainingData, rounds: int) -> Array:
    """Time competitors in turns, after a pass over a few samples; every round begins with another one.

    Returns:
        Seconds of the steps, and of steps and evaluation, `(2, competitors, rounds)`.
    """
    for competitor in competitors:
        competitor.steps(few)
        competitor.evaluation(data)
    seconds = np.empty((2, len(competitors), rounds))
    for r in range(rounds):
        for turn in range(len(competitors)):
            k = (r + turn) % len(competitors)
            started = time.perf_counter()
            competitors[k].steps(data)
            seconds[0, k, r] = time.perf_counter() - started
            competitors[k].evaluation(data)
            seconds[1, k, r] = time.perf_counter() - started
    return seconds


def measure(
    density: float, rounds: int, *, sizes: Sequence[int] = SIZES, samples: int = SAMPLES, batch: int = 128
) -> list[dict[str, Any]]:
    """Measure one density; return two records: steps alone, and epochs with evaluation."""
    graph, data, few = sparse(sizes, density), random_data(sizes, samples), random_data(sizes, 4 * batch)
    ours, net, kernels = as_users_train(graph, batch)
    peers = {"masked": masked(graph), "dense": dense(sizes)}
    copy_weights(graph, peers["dense"])
    for peer in peers.values():
        check_same(net, peer, few.x_train)
    competitors = [ours, *(in_plain_torch(peer, batch) for peer in peers.values())]
    records = []
    for what, (own, *others) in zip(("steps", "epoch"), compare(competitors, data, few, rounds), strict=True):
        record: dict[str, Any] = {"density": density, "edges": graph.num_edges, "kernels": kernels, "measured": what}
        record["ours_s"] = median(own)
        for name, times in zip(peers, others, strict=True):
            record |= {f"{name}_s": median(times), f"{name}_ratio": ratio(own, times)}
        records.append(record)
    return records


def main(arguments: Sequence[str] | None = None) -> None:
    parser = arguments_of("sparse", __doc__, rounds=3)
    parser.add_argument("--samples", type=int, default=SAMPLES, help=f"training samples, {SAMPLES:,} by default")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    keep_freed_memory()  # as `netgraph grow` does; it speeds up the peers as well
    records = [record for density in DENSITIES for record in measure(density, options.rounds, samples=options.samples)]
    report = Report("sparse", width=150)
    sizes = "-".join(map(str, SIZES))
    title = f"{sizes}, {options.samples:,} samples, batch 128, fused Adam; densities of all links but the last"
    report.add(title, COLUMNS, records)
    report.finish(options.json)


if __name__ == "__main__":
    main()
