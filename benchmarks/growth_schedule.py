"""Frequency and size of growth steps: PWMPR with several times between steps and several growth ratios.

python -m benchmarks.growth_schedule mnist.npz --model mlp

Every variant grows through rough training from the same start to the same density, which is then trained for the
budget, as in `netgraph compare`. Costs are in units of one training of the dense network. Every run is saved when it
ends, so that an interrupted benchmark can be resumed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from benchmarks.common import Column, Report, arguments_of, mean_and_error
from netgraph.app.memory import keep_freed_memory
from netgraph.app.options import parse_assignments
from netgraph.app.requests import StudyRequest
from netgraph.app.study import Job, Outcome, make_study, run_job

TIMING: dict[str, dict[str, str]] = {
    "every epoch": {"every": "1"},
    "every 2 epochs": {"every": "2"},
    "every 5 epochs": {"every": "5"},
    "no better for 3 epochs": {"stall": "3"},
}
RATIO: dict[str, dict[str, str]] = {
    "10 %": {"ratio": "0.1", "every": "1"},
    "25 %": {"ratio": "0.25", "every": "1"},
    "50 %": {"ratio": "0.5", "every": "1"},
    "100 %": {"ratio": "1.0", "every": "1"},
    "all at once": {"ratio": "1000.0", "every": "1"},
}
STUDIES = {"timing": TIMING, "ratio": RATIO}


def one(request: dict[str, Any], variant: dict[str, str], seed: int) -> dict[str, Any]:
    """Grow a network by one variant, and train it."""
    torch.set_num_threads(1)
    keep_freed_memory()
    settings = {**request, "assignments": {**request["assignments"], **variant}}
    study = make_study(StudyRequest(**settings, methods=("pwmpr",)))
    return asdict(run_job(study, Job(method="pwmpr", seed=seed)))


def summaries(results: list[dict[str, Any]], variants: dict[str, dict[str, str]]) -> Iterator[dict[str, Any]]:
    """Yield one record of means over seeds for each variant."""
    for name in variants:
        outcomes = [Outcome.from_json(r["outcome"]) for r in results if r["variant"] == name]
        points = [point for outcome in outcomes for point in outcome.points]
        if not points:
            continue
        test, error = mean_and_error([point.test for point in points])
        yield {
            "variant": name, "steps": sum(len(outcome.trajectory) - 1 for outcome in outcomes) / len(outcomes),
            "test": test, "error": error,
            "epochs": mean_and_error([float(outcome.trajectory[-1].epochs) for outcome in outcomes])[0],
            "rough": mean_and_error([point.cost_before for point in points])[0],
            "cost": mean_and_error([point.cost for point in points])[0],
        }  # fmt: skip


def main() -> None:
    parser = arguments_of("growth_schedule", __doc__)
    parser.add_argument("data", help="as for `netgraph compare`")
    parser.add_argument("--model", default="auto", help="network, as for `netgraph compare`")
    parser.add_argument("--budget", type=int, default=8, help="epochs of the training of every network")
    parser.add_argument("--density", type=float, default=0.1, help="to grow to")
    parser.add_argument("--seeds", type=int, default=3, help="seeds 0 to SEEDS - 1")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time, one thread each")
    parser.add_argument("--set", action="append", default=[], dest="assignments", metavar="KEY=VALUE")
    arguments = parser.parse_args()
    request = {
        "data": arguments.data, "model": arguments.model, "budget": arguments.budget,
        "densities": (arguments.density,), "assignments": parse_assignments(arguments.assignments),
    }  # fmt: skip
    key = json.loads(json.dumps(request))
    kept: Path = arguments.json.with_suffix(".runs.jsonl")
    kept.parent.mkdir(parents=True, exist_ok=True)
    stored = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    results = [r for r in stored if r["settings"] == key and r["seed"] < arguments.seeds]
    done = {(r["study"], r["variant"], r["seed"]) for r in results}
    wanted = [
        (study, name, seed)
        for seed in range(arguments.seeds)
        for study, variants in STUDIES.items()
        for name in variants
        if (study, name, seed) not in done
    ]
    with ProcessPoolExecutor(arguments.jobs) as pool:
        waiting = {job: pool.submit(one, request, STUDIES[job[0]][job[1]], job[2]) for job in wanted}
        for (study, name, seed), job in waiting.items():
            record = {"settings": key, "study": study, "variant": name, "seed": seed, "outcome": job.result()}
            results.append(json.loads(json.dumps(record)))
            with kept.open("a") as file:
                file.write(json.dumps(record) + "\n")
    report = Report("growth_schedule")
    for study, variants in STUDIES.items():
        report.add(
            f"{study} of growth to density {arguments.density:g}, {arguments.seeds} seeds",
            [
                Column(study, "variant"),
                Column("steps", "steps", ".0f"),
                Column("rough epochs", "epochs", ".0f"),
                Column("test accuracy", "test", ".4f"),
                Column("error", "error", ".4f"),
                Column("rough cost", "rough", ".3f"),
                Column("cost", "cost", ".3f"),
            ],
            list(summaries([r for r in results if r["study"] == study], variants)),
        )
        for result in results:
            if result["study"] == study:
                for failure in result["outcome"]["failures"]:
                    report.note(f"{result['variant']}: {failure}")
    report.finish(arguments.json)


if __name__ == "__main__":
    main()
