"""Networks grown by NAGN against the same final architectures trained from scratch under the same conditions.

python -m benchmarks.static fashion_mnist.npz --set delta_acc=0.02 --set delta_stop=0.002 --set until=0.6

Both see the same samples in the same order, with the same optimizer and learning rates, for as many epochs. Seconds are
those of the whole training, growth and its proofs included. Every run is saved when it ends, so that an interrupted
benchmark can be resumed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch

import netgraph as ng
from benchmarks.common import Column, Report, arguments_of, as_maps, grey_images, mean_and_error
from compilers import lift
from compilers.training import Event, Rewritten, TrainSettings, begin, evaluate, train
from netgraph.app.memory import keep_freed_memory
from netgraph.app.options import parse_assignments, split_assignments
from netgraph.methods import NAGN_TRAINING, NagnOptions, Start, nagn, nagn_start

CONFIGURATIONS: dict[str, str] = {
    "rising": "4/8/16",
    "level": "8/8/8",
    "falling": "8/6/4",
    "bottleneck": "8/3/16",
    "two each": "4,4/8,8",
    "bottlenecks": "8,3/16,4",
}
CPU = torch.device("cpu")


def one(data: str, samples: int, epochs: int, options: dict[str, Any], name: str, seed: int) -> dict[str, Any]:
    """Grow one network, then train its final architecture from scratch."""
    torch.set_num_threads(1)
    keep_freed_memory()
    chosen = NagnOptions(**{"widths": CONFIGURATIONS[name], **options})
    dataset, training = grey_images(data, samples, seed)
    settings = TrainSettings(**dict(NAGN_TRAINING, epochs=epochs, seed=seed))
    what = Start(shape=(1, *dataset.input_shape), outputs=dataset.outputs, domain=dataset.domain, seed=seed)
    start = nagn_start(chosen, what)
    growth: list[dict[str, Any]] = []

    def watch(event: Event) -> None:
        if isinstance(event, Rewritten):
            found = event.result.certificate
            growth.append({"epoch": event.epoch, "reason": event.proposal.reason, "certificate": str(found.kind)})

    began = time.perf_counter()
    grown = train(begin(start, settings, CPU), training, settings, nagn(start, chosen), [watch])
    middle = time.perf_counter()
    final = lift(grown.net)
    first = ng.reinitialised(final, seed=seed, init="kaiming")
    again = time.perf_counter()
    static = train(begin(first, settings, CPU), training, settings)
    ended = time.perf_counter()
    alone = train(begin(start, settings, CPU), training, settings)
    test = (torch.from_numpy(as_maps(dataset, dataset.x_test)), torch.from_numpy(dataset.y_test))
    runs = {"grown": (grown, middle - began), "static": (static, ended - again), "start": (alone, None)}
    return {
        "configuration": name, "seed": seed, "start_edges": start.num_edges, "edges": final.num_edges,
        "widths": [len(layer) for layer in final.layers_by_id.values() if layer.role == "hidden"], "growth": growth,
        **{f"{key}_accuracy": evaluate(run.net, *test, "classification")["accuracy"] for key, (run, _) in runs.items()},
        **{f"{key}_seconds": seconds for key, (_, seconds) in runs.items()},
        **{f"{key}_flops": sum(entry["flops"] for entry in run.history) for key, (run, _) in runs.items()},
    }  # fmt: skip


def summaries(results: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield one record per configuration and one for all: means over seeds, and of the ratios grown over static."""
    for name in [*CONFIGURATIONS, "all"]:
        mine = [r for r in results if name in (r["configuration"], "all")]
        if not mine:
            continue
        ratios = {
            key: mean_and_error([r[f"grown_{key}"] / r[f"static_{key}"] for r in mine])
            for key in ("accuracy", "seconds", "flops")
        }
        record: dict[str, Any] = {"configuration": name, "start": CONFIGURATIONS.get(name, "")}
        for key in ("start_accuracy", "grown_accuracy", "static_accuracy", "start_edges", "edges"):
            record[key] = float(np.mean([r[key] for r in mine]))
        record |= {f"{key}_ratio": mean for key, (mean, _error) in ratios.items()}
        record["accuracy_error"] = ratios["accuracy"][1]
        yield record


def main() -> None:
    parser = arguments_of("static", __doc__)
    parser.add_argument("data", type=Path, help="grey images, as for `netgraph grow`")
    parser.add_argument("--samples", type=int, default=10_000, help="training samples")
    parser.add_argument("--epochs", type=int, default=30, help="of every training")
    parser.add_argument("--seeds", type=int, default=3, help="seeds 0 to SEEDS - 1")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time, one thread each")
    parser.add_argument("--set", action="append", default=[], dest="assignments", metavar="KEY=VALUE",
                        help="options of NAGN")  # fmt: skip
    parser.add_argument("--only", action="append", choices=list(CONFIGURATIONS), help="these configurations")
    arguments = parser.parse_args()
    kept = arguments.json.with_suffix(".runs.jsonl")
    kept.parent.mkdir(parents=True, exist_ok=True)
    (options,) = split_assignments(parse_assignments(arguments.assignments), NagnOptions)
    given = (str(arguments.data), arguments.samples, arguments.epochs, options)
    key = list(given)
    stored = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    wanted = [(name, seed) for seed in range(arguments.seeds) for name in arguments.only or CONFIGURATIONS]
    # The file may contain runs with other settings.
    results = [r for r in stored if r["settings"] == key and (r["configuration"], r["seed"]) in wanted]
    done = {(r["configuration"], r["seed"]) for r in results}
    with ProcessPoolExecutor(arguments.jobs) as pool:
        waiting = [pool.submit(one, *given, name, seed) for name, seed in wanted if (name, seed) not in done]
        for job in waiting:
            results.append({"settings": key, **job.result()})
            with kept.open("a") as file:
                file.write(json.dumps(results[-1]) + "\n")
    report = Report("static")
    report.add(
        f"grown against static, {arguments.epochs} epochs, {arguments.seeds} seeds",
        [
            Column("configuration", "configuration"),
            Column("start", "start"),
            Column("edges", "start_edges", ",.0f"),
            Column("grown to", "edges", ",.0f"),
            Column("start alone", "start_accuracy", ".4f"),
            Column("grown", "grown_accuracy", ".4f"),
            Column("static", "static_accuracy", ".4f"),
            Column("accuracy ratio", "accuracy_ratio", ".3f"),
            Column("error", "accuracy_error", ".3f"),
            Column("time ratio", "seconds_ratio", ".3f"),
            Column("FLOPs ratio", "flops_ratio", ".3f"),
        ],
        list(summaries(results)),
    )
    report.finish(arguments.json)


if __name__ == "__main__":
    main()
