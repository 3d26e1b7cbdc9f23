"""Seconds and memory of the import of modules of torch, against `torch.export` of the same module in the same run.

python -m benchmarks.importing [--verify]

A chain of four dense layers and a chain of four 3x3 convolutions over 8x8 maps, by number of edges, each in a separate
process. Memory is the growth of the largest resident set, per edge; for comparison, a weight of float32 takes 4 bytes.
"""

from __future__ import annotations

import math
import multiprocessing
import resource
import time
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from benchmarks.common import Column, Report, arguments_of
from compilers.importing import from_module

SIZES = (10**5, 10**6, 10**7)

COLUMNS = (
    Column("module", "module"),
    Column("edges", "edges", ","),
    Column("torch.export, s", "export", ".2f"),
    Column("import, s", "seconds", ".2f"),
    Column("import / export", "ratio", ".1f"),
    Column("peak, bytes an edge", "peak_bytes", ".0f"),
)


def module_of(kind: str, edges: int) -> tuple[nn.Module, torch.Tensor]:
    """Module with about this number of edges, and an example."""
    if kind == "dense":
        width = round(math.sqrt(edges / 4))
        dense = [part for _ in range(4) for part in (nn.Linear(width, width), nn.ReLU())]
        return nn.Sequential(*dense), torch.randn(2, width)
    maps = round(math.sqrt(edges / 36))
    layers = [part for _ in range(4) for part in (nn.Conv2d(maps, maps, 3, padding=1), nn.BatchNorm2d(maps), nn.ReLU())]
    return nn.Sequential(*layers), torch.randn(2, maps, 8, 8)


def measure(kind: str, edges: int, threads: int, verify: bool) -> dict[str, Any]:
    """Measure the import of one module."""
    torch.set_num_threads(threads)
    small, x = module_of(kind, 1000)
    from_module(small, x)  # torch loads its exporter
    module, x = module_of(kind, edges)
    module.eval()
    started = time.perf_counter()
    torch.export.export(module, (x,), strict=False)
    export = time.perf_counter() - started
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    graph = from_module(module, x, verify=verify).graph
    seconds = time.perf_counter() - started
    grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    return {
        "module": kind, "edges": graph.num_edges, "export": export, "seconds": seconds, "ratio": seconds / export,
        "peak_bytes": grown / graph.num_edges,
    }  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    parser = arguments_of("importing", __doc__)
    parser.add_argument("--verify", action="store_true", help="also compare every graph with its module")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    report = Report("importing")
    context = multiprocessing.get_context("spawn")
    records = []
    for kind in ("dense", "convolutions"):
        for edges in SIZES:
            with context.Pool(1) as pool:
                records.append(pool.apply(measure, (kind, edges, options.threads, options.verify)))
    report.add("import of modules of torch", COLUMNS, records)
    report.finish(options.json)


if __name__ == "__main__":
    main()
