"""Seconds and memory of choosing among millions of missing edges in proportion to path weights, and of adding them.

python -m benchmarks.candidates

First a layer of 2900 x 2900, which has 8,410,000 cells, at several densities: as many missing edges are drawn as a
quarter of those that are there, by each sampler. Then a network with the links of ResNet-50 for images of 224 x 224
(25.5 million cells; a stride stands for its first pool), a tenth of which is there: all stages of one growth step, in a
process of its own. Memory is the largest resident set in a stage, NumPy and netgraph included. The certificate is
proved, not measured: a measurement evaluates both networks in float64 on as many inputs as are asked for.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Sequence
from typing import Any, get_args

import numpy as np
import torch

import netgraph as ng
from benchmarks.common import Column, Report, arguments_of
from benchmarks.large import Memory
from netgraph.analysis import path_analysis, sparse_links
from netgraph.criteria import path_scores
from netgraph.criteria.missing import Sampler
from netgraph.rules import AddEdges

DENSITIES = (0.02, 0.1, 0.3, 0.6)

LAYER_COLUMNS = (
    Column("density", "density", "g"),
    Column("edges", "edges", ","),
    Column("drawn", "drawn", ","),
    Column("sampler", "sampler"),
    Column("by rejection", "by_rejection", ","),
    Column("s", "seconds", ".3f"),
)

GROWTH_COLUMNS = (
    Column("stage", "stage"),
    Column("s", "seconds", ".2f"),
    Column("peak, GB", "peak_gb", ".2f"),
    Column("what", "what"),
)


def layer_records(width: int, densities: Sequence[float] = DENSITIES, rounds: int = 3) -> list[dict[str, Any]]:
    """A record per density of a square layer and sampler, with the median of the seconds."""
    records = []
    for density in densities:
        b = ng.GraphBuilder(seed=0)
        b.input("input", width)
        b.layer("hidden", width)
        b.output("output", 10)
        b.dense("input", "hidden", density=density)
        b.dense("hidden", "output")
        graph = b.build()
        (key,) = sparse_links(graph)
        edges = len(graph.links_by_key[key])
        scores = path_scores(graph, [key])
        for sampler in sorted(get_args(Sampler), key=("race", "rejection", "auto").index):
            seconds = []
            for seed in range(rounds):
                started = time.perf_counter()
                drawn = scores.draw(edges // 4, seed, sampler=sampler)
                seconds.append(time.perf_counter() - started)
            records.append(
                {"density": density, "edges": edges, "drawn": len(drawn.pairs), "sampler": sampler,
                 "by_rejection": drawn.by_rejection, "seconds": float(np.median(seconds))}
            )  # fmt: skip
    return records


def resnet50(
    density: float,
    *,
    side: int = 224,
    width: int = 64,
    blocks: Sequence[int] = (3, 4, 6, 3),
    classes: int = 1000,
) -> ng.Graph:
    """The links of ResNet-50 (He et al. 2015, arXiv:1512.03385, table 1), all but the last at a density."""
    b = ng.GraphBuilder(seed=0, init="kaiming")
    b.input("input", 3, domain=(0, 1), grid=(side, side))
    size = -(-side // 2)
    source = b.layer("stem", width, grid=(size, size), norm="batch")
    b.conv2d("input", source, kernel=7, stride=2, padding=3, density=density)

    def conv(
        start: str, name: str, maps: int, grid: int, kernel: int, stride: int = 1, activation: str = "relu"
    ) -> str:
        b.layer(name, maps, grid=(grid, grid), norm="batch", activation=activation)
        b.conv2d(start, name, kernel=kernel, stride=stride, padding=kernel // 2, density=density)
        return name

    for stage, count in enumerate(blocks):
        maps = width * 2**stage
        for k in range(count):
            name, stride = f"block{stage + 1}_{k + 1}", 2 if k == 0 else 1
            after = -(-size // stride)
            inner = conv(conv(source, name + "a", maps, size, 1), name + "b", maps, after, 3, stride)
            wide = conv(inner, name + "c", 4 * maps, after, 1, activation="identity")
            last = stage == len(blocks) - 1 and k == count - 1
            b.layer(name, 4 * maps, grid=(after, after), pool=ng.Pool("average", (after, after)) if last else None)
            b.identity(wide, name)
            shortcut = source if k else conv(source, name + "p", 4 * maps, after, 1, stride, activation="identity")
            b.identity(shortcut, name)
            source, size = name, after
    b.output("output", classes)
    b.dense(source, "output")
    return b.build()


def growth_records(make: Callable[[], ng.Graph]) -> list[dict[str, Any]]:
    """A record per stage of one growth step by a quarter of the edges."""
    memory = Memory()
    memory.peak()
    records: list[dict[str, Any]] = []
    began = last = time.perf_counter()

    def end(stage: str, what: str) -> None:
        nonlocal last
        peak = memory.peak()
        records.append(
            {"stage": stage, "seconds": time.perf_counter() - last, "peak_gb": peak / 1e9 if peak else None,
             "what": what}
        )  # fmt: skip
        last = time.perf_counter()

    graph = make()
    end("build", f"{graph.num_edges:,} of {graph.admissible_edges:,} edges, {graph.num_layers} layers")
    paths = path_analysis(graph)
    links = sparse_links(graph)
    edges = sum(len(graph.links_by_key[key]) for key in links)
    end("paths", f"log of the weight of all paths {paths.log_total:.1f}")
    scores = path_scores(graph, links, paths=paths)
    drawn = scores.draw(edges // 4, 0)
    end("draw", f"{len(drawn.pairs):,} of {scores.missing:,} missing edges of {len(links)} links")
    result = ng.apply(AddEdges(), graph, on=drawn.pairs, probe=None)
    end("apply", f"{len(result.matches):,} edges added, {result.certificate.kind}")
    peaks = [record["peak_gb"] for record in records]
    peak = None if None in peaks else max(peaks)
    records.append({"stage": "all", "seconds": last - began, "peak_gb": peak})
    return records


def measured_growth(density: float) -> list[dict[str, Any]]:
    """`growth_records` of the whole network, in a process of its own."""
    return growth_records(lambda: resnet50(density))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = arguments_of("candidates", __doc__, rounds=3)
    parser.add_argument("--width", type=int, default=2900, help="of the layer, 2900 by default")
    parser.add_argument("--density", type=float, default=0.1, help="of the residual network, 0.1 by default")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)  # for the line about the machine; NumPy takes what OMP_NUM_THREADS says
    report = Report("candidates")
    cells = options.width**2
    records = layer_records(options.width, rounds=options.rounds)
    report.add(f"drawing among {cells:,} cells", LAYER_COLUMNS, records)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        stages = pool.apply(measured_growth, (options.density,))
    report.add("one growth step of a network like ResNet-50", GROWTH_COLUMNS, stages)
    report.finish(options.json)


if __name__ == "__main__":
    main()
