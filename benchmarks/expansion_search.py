"""What the two searches of proposals find in the same seconds: gradient ascent with restarts, and a Markov chain.

python -m benchmarks.expansion_search

On a network of the size of the golden case, one of width 100, and one that reads images of 28 x 28 and has width 128:
the best score that is found for a new vertex and for a new layer, as a part of E|dL/dy|^2, and the pooled score. Every
search is given as many steps as fit into the same time of the processor (with one thread the wall time of a machine
that does nothing else); the chains are those of the defaults. The images are drawn blobs, of ten classes. Then ascent
in the three kinds of coordinates, with the score of what was found on as many examples that the search has not seen,
and last what a search takes with its defaults.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from benchmarks.common import Column, Report, arguments_of
from netgraph.criteria import (
    Expansion,
    SearchOptions,
    layer_residual,
    search_depth,
    search_width,
)
from netgraph.graph import get_activation
from netgraph.graph.columns import Array

SEARCHES = {
    "ascent": SearchOptions(sampler="ascent"),
    "mala, T = 1": SearchOptions(sampler="mala"),
    "mala, T = 0.01": SearchOptions(sampler="mala", temperature=0.01),
    "mala, T = 0.0001": SearchOptions(sampler="mala", temperature=1e-4),
}

COLUMNS = (
    Column("layer", "layer"),
    Column("proposal", "proposal"),
    Column("search", "search"),
    Column("chains", "chains", ","),
    Column("steps", "steps", ","),
    Column("s", "seconds", ".2f"),
    Column("best score", "score", ".4f"),
    Column("least", "least", ".4f"),
    Column("most", "most", ".4f"),
    Column("pooled", "pooled", ".4f"),
)

FRAME_COLUMNS = (
    Column("layer", "layer"),
    Column("coordinates", "coordinates"),
    Column("best score", "score", ".4f"),
    Column("on other examples", "held_out", ".4f"),
)

DEFAULT_COLUMNS = (*COLUMNS[:2], *COLUMNS[3:6])


@dataclass(frozen=True, eq=False)
class Case:
    """A trained hidden layer, what it reads, and what the output layer would gain; `other` is of fresh examples."""

    inputs: Array
    hidden: Array
    target: Expansion
    scale: float
    other: tuple[Array, Expansion] | None = None


def _expansion(gradients: Array, read: Array) -> Expansion:
    lengths = np.linalg.norm(gradients, axis=1, keepdims=True)
    unit = gradients / np.maximum(lengths, 1e-300)
    return Expansion(layer_residual(gradients, read), unit.T @ unit / len(gradients))


def _case(x: Array, goal: Array, width: int, rng: np.random.Generator, classes: bool) -> Case:
    """Random hidden tanh vertices under an output layer fitted to the first half of the examples."""
    rows = len(x) // 2
    hidden = np.tanh(x @ rng.normal(size=(x.shape[1], width)) / np.sqrt(np.mean(np.sum(x * x, axis=1))))
    read = np.column_stack([hidden, np.ones(len(x))])
    fit = np.linalg.lstsq(read[:rows], goal[:rows], rcond=None)[0]
    y = read @ fit
    if classes:
        y = np.exp(4 * y) / np.sum(np.exp(4 * y), axis=1, keepdims=True)
    gradients = y - goal
    seen, fresh = slice(0, rows), slice(rows, None)
    return Case(
        x[seen], hidden[seen], _expansion(gradients[seen], read[seen]),
        float(np.mean(np.sum(gradients[seen] ** 2, axis=1))),
        (x[fresh], _expansion(gradients[fresh], read[fresh])),
    )  # fmt: skip


def regression(n: int, width: int, outputs: int, rows: int, seed: int = 0) -> Case:
    """Normal inputs, and the outputs of a random tanh network."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(2 * rows, n))
    goal = np.tanh(2 / np.sqrt(n) * x @ rng.normal(size=(n, 16))) @ rng.normal(size=(16, outputs))
    return _case(x, goal / goal.std(), width, rng, False)


def images(width: int = 128, rows: int = 1024, side: int = 28, seed: int = 0) -> Case:
    """Blurred spots on a grid, at places that depend on the class, in [0, 1]."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 10, 2 * rows)
    places = rng.uniform(0.2 * side, 0.8 * side, (10, 4, 2))
    row, column = np.mgrid[:side, :side]
    x = np.zeros((2 * rows, side, side))
    for k in range(4):
        at = places[label, k] + rng.normal(0, side / 18, (2 * rows, 2))
        size = rng.uniform(side / 18, side / 9, (2 * rows, 1, 1))
        distance = (row - at[:, 0, None, None]) ** 2 + (column - at[:, 1, None, None]) ** 2
        x += np.exp(-distance / (2 * size**2))
    return _case(np.minimum(x, 1).reshape(2 * rows, -1), np.eye(10)[label], width, rng, True)


def cases(small: bool = False) -> dict[str, Case]:
    """The layers that are measured."""
    if small:
        return {"2 -> 2 -> 1": regression(2, 2, 1, 24), "images": images(8, 60, 8)}
    return {
        "2 -> 2 -> 1, 24 examples": regression(2, 2, 1, 24),
        "100 -> 100 -> 10, 1,024 examples": regression(100, 100, 10, 1024),
        "784 -> 128 -> 10, 1,024 examples": images(),
    }


def _searched(case: Case, proposal: str, options: SearchOptions, seed: int) -> tuple[Any, float]:
    rng = np.random.default_rng(seed)
    began = time.process_time()
    if proposal == "vertex":
        found: Any = search_width([case.target], case.inputs, "rational", options, rng, scale=case.scale)
    else:
        found = search_depth(case.target, case.hidden, "rational", options, rng, scale=case.scale)
    return found, time.process_time() - began


def _timed(case: Case, proposal: str, options: SearchOptions, seconds: float) -> SearchOptions:
    """As many steps as fit into the seconds, for as many chains as the defaults have."""
    found, _seconds = _searched(case, proposal, options, 0)
    few = replace(options, chains=len(found.scores), steps=5)
    short = min(_searched(case, proposal, few, 0)[1] for _ in range(3))
    long = min(_searched(case, proposal, replace(few, steps=15), 0)[1] for _ in range(3))
    each = max((long - short) / 10, 1e-5)
    return replace(few, steps=max(5, int((seconds - short) / each) + 5))


def records_of(case: Case, layer: str, proposal: str, seconds: float, seeds: int) -> list[dict[str, Any]]:
    """A record per search."""
    records = []
    for name, options in SEARCHES.items():
        timed = _timed(case, proposal, options, seconds)
        runs = [_searched(case, proposal, timed, seed) for seed in range(seeds)]
        scores = [found.ratio for found, _ in runs]
        records.append(
            {"layer": layer, "proposal": proposal, "search": name, "chains": timed.chains, "steps": timed.steps,
             "seconds": float(np.median([s for _, s in runs])), "score": float(np.median(scores)),
             "least": min(scores), "most": max(scores),
             "pooled": float(np.median([found.pooled for found, _ in runs])) / case.scale}
        )  # fmt: skip
    return records


def frame_records(case: Case, layer: str, seeds: int) -> list[dict[str, Any]]:
    """Ascent in each kind of coordinates, with its defaults otherwise."""
    records = []
    for coordinates in ("unit", "scaled", "whitened"):
        scores, others = [], []
        for seed in range(seeds):
            found, _ = _searched(case, "vertex", SearchOptions(coordinates=coordinates), seed)
            scores.append(found.ratio)
            if case.other is not None:
                x, target = case.other
                z = x @ found.incoming + found.bias
                values = get_activation("rational").function(z, found.parameters, 0.0)
                others.append(float(target.score(values[:, None])) / case.scale)
        records.append(
            {"layer": layer, "coordinates": coordinates, "score": float(np.median(scores)),
             "held_out": float(np.median(others)) if others else None}
        )  # fmt: skip
    return records


def default_records(case: Case, layer: str, rounds: int = 3) -> list[dict[str, Any]]:
    """What a search takes with its defaults."""
    records = []
    for proposal in ("vertex", "layer"):
        runs = [_searched(case, proposal, SearchOptions(), seed) for seed in range(rounds)]
        found = runs[0][0]
        records.append(
            {"layer": layer, "proposal": proposal, "chains": len(found.scores), "steps": found.steps,
             "seconds": float(np.median([s for _, s in runs]))}
        )  # fmt: skip
    return records


def main(arguments: Sequence[str] | None = None) -> None:
    parser = arguments_of("expansion_search", __doc__)
    parser.add_argument("--seconds", type=float, default=1.0, help="of processor time for each search, 1 by default")
    parser.add_argument("--seeds", type=int, default=5, help="of each search, 5 by default")
    parser.add_argument("--small", action="store_true", help="small layers only")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)  # for the line about the machine; NumPy takes what OMP_NUM_THREADS says
    report = Report("expansion_search")
    layers = cases(options.small)
    found = [
        record
        for layer, case in layers.items()
        for proposal in ("vertex", "layer")
        for record in records_of(case, layer, proposal, options.seconds, options.seeds)
    ]
    report.add(f"best scores in {options.seconds:g} s, median of {options.seeds} seeds", COLUMNS, found)
    frames = [record for layer, case in layers.items() for record in frame_records(case, layer, options.seeds)]
    report.add("coordinates of incoming weights", FRAME_COLUMNS, frames)
    defaults = [record for layer, case in layers.items() for record in default_records(case, layer)]
    report.add("what a search takes with its defaults", DEFAULT_COLUMNS, defaults)
    report.finish(options.json)


if __name__ == "__main__":
    main()
