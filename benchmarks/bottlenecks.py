"""Detection rate of NAGN for layers that are too narrow, planted in convolutional networks.

python -m benchmarks.bottlenecks fashion_mnist.npz

Every network is trained for some epochs and then scored once with the statistics that growth reads. A bottleneck is
found when it is under-expressive (`s > 0`), and widened when it would gain a vertex: `s` times a small width may be
less than one. Other layers are counted as well, because a criterion that widens every layer finds every bottleneck. The
last network has no bottleneck.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch

import netgraph as ng
from benchmarks.common import Column, Report, arguments_of, grey_images
from compilers.training import TrainSettings, begin, train_epoch
from netgraph.app.memory import keep_freed_memory
from netgraph.criteria import GrowthRule
from netgraph.methods import NAGN_REQUESTS, NAGN_TRAINING, layer_profile

Widths = list[list[int]]

NETWORKS: dict[str, Widths] = {
    "second of three": [[8, 3, 8], [16, 4, 16], [32, 4, 32]],
    "first of three": [[3, 8, 8], [4, 16, 16], [4, 32, 32]],
    "third of three": [[8, 8, 3], [16, 16, 4], [32, 32, 4]],
    "second, milder": [[8, 4, 8], [16, 8, 16], [32, 16, 32]],
    "none": [[8, 8, 8], [16, 16, 16], [32, 32, 32]],
}
RULE = GrowthRule(non_decreasing=False, fallback=False)


def bottlenecks(widths: Widths) -> list[bool]:
    """Mask of the convolutions that are narrower than the widest convolution of their stage."""
    return [width < max(stage) for stage in widths for width in stage]


def one(data: str, samples: int, epochs: int, name: str, seed: int) -> dict[str, Any]:
    """Train one network and score its layers after every epoch."""
    torch.set_num_threads(1)
    keep_freed_memory()
    dataset, training = grey_images(data, samples, seed)
    height, width = dataset.input_shape
    settings = TrainSettings(**dict(NAGN_TRAINING, epochs=30, seed=seed))
    graph = ng.convnet(NETWORKS[name], input_size=(1, height, width), domain=(0, 1), seed=seed)
    state = begin(graph, settings, torch.device("cpu"))
    looks = []
    for _ in range(epochs):
        metrics, signals = train_epoch(state, training, settings, NAGN_REQUESTS)
        state.history.append(metrics)
        assert signals is not None
        profile = layer_profile(state.net.graph, signals, RULE)
        looks.append(
            {"values": profile.values.tolist(), "s": profile.under.tolist(), "more": profile.increments.tolist()}
        )
    return {"network": name, "seed": seed, "looks": looks}


def records(runs: list[dict[str, Any]], name: str, epoch: int) -> Iterator[dict[str, Any]]:
    """Yield one record per convolution of a network: the fractions of runs in which it is found, and is widened."""
    widths = [width for stage in NETWORKS[name] for width in stage]
    names = [f"conv{k}_{i}" for k, stage in enumerate(NETWORKS[name], 1) for i in range(1, len(stage) + 1)]
    mine = [run["looks"][epoch - 1] for run in runs if run["network"] == name]
    s = np.array([look["s"][: len(widths)] for look in mine])
    g = np.array([look["values"][: len(widths)] for look in mine])
    more = np.array([look["more"][: len(widths)] for look in mine])
    for i, planted in enumerate(bottlenecks(NETWORKS[name])):
        yield {
            "network": name,
            "layer": names[i],
            "width": widths[i],
            "planted": "yes" if planted else "",
            "found": f"{int((s[:, i] > 0).sum())} of {len(s)}",
            "widened": f"{int((more[:, i] > 0).sum())} of {len(s)}",
            "first": f"{int((s.argmax(axis=1) == i)[s.max(axis=1) > 0].sum())} of {len(s)}",
            "s": float(s[:, i].mean()),
            "value": float(g[:, i].mean()),
        }


def total(runs: list[dict[str, Any]], name: str, epoch: int) -> dict[str, Any]:
    """Fractions of the bottlenecks and of the other layers of one network that are found, and widened."""
    planted = np.array(bottlenecks(NETWORKS[name]))
    mine = [run["looks"][epoch - 1] for run in runs if run["network"] == name]
    s, more = (np.array([look[key][: len(planted)] for look in mine]) for key in ("s", "more"))
    strongest = planted[s.argmax(axis=1)] & (s.max(axis=1) > 0)
    return {
        "network": name,
        "widths": str(NETWORKS[name]),
        "hits": float((s[:, planted] > 0).mean()) if planted.any() else None,
        "hits_widened": float((more[:, planted] > 0).mean()) if planted.any() else None,
        "others": float((s[:, ~planted] > 0).mean()),
        "others_widened": float((more[:, ~planted] > 0).mean()),
        "strongest": float(strongest.mean()) if planted.any() else None,
    }


def main() -> None:
    parser = arguments_of("bottlenecks", __doc__)
    parser.add_argument("data", type=Path, help="images, as for `netgraph grow`")
    parser.add_argument("--samples", type=int, default=10_000, help="training samples")
    parser.add_argument("--epochs", type=int, default=5, help="of training before the look")
    parser.add_argument("--seeds", type=int, default=5, help="seeds 0 to SEEDS - 1")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time, one thread each")
    arguments = parser.parse_args()
    with ProcessPoolExecutor(arguments.jobs) as pool:
        waiting = [
            pool.submit(one, str(arguments.data), arguments.samples, arguments.epochs, name, seed)
            for name in NETWORKS
            for seed in range(arguments.seeds)
        ]
        runs = [job.result() for job in waiting]
    report = Report("bottlenecks")
    for epoch in sorted({1, arguments.epochs}):
        report.add(
            f"bottlenecks found after {epoch} epochs, {arguments.seeds} seeds",
            [
                Column("bottleneck", "network"),
                Column("widths", "widths"),
                Column("planted found", "hits", ".2f"),
                Column("widened", "hits_widened", ".2f"),
                Column("others found", "others", ".2f"),
                Column("widened", "others_widened", ".2f"),
                Column("strongest is planted", "strongest", ".2f"),
            ],
            [total(runs, name, epoch) for name in NETWORKS],
        )
    report.add(
        f"by position, after {arguments.epochs} epochs",
        [
            Column("bottleneck", "network"),
            Column("layer", "layer"),
            Column("width", "width"),
            Column("planted", "planted"),
            Column("found", "found"),
            Column("widened", "widened"),
            Column("strongest", "first"),
            Column("mean s", "s", ".2f"),
            Column("mean NAGN", "value", ".4f"),
        ],
        [record for name in NETWORKS for record in records(runs, name, arguments.epochs)],
    )
    report.finish(arguments.json)


if __name__ == "__main__":
    main()
