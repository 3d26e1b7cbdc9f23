"""Seconds and memory of a graph of 10,000,000 edges, from columns to a training step and back, by stage.

python -m benchmarks.large

The cases are a dense layer of 3163 x 3163, and a layer of 10,000 x 10,000 with a tenth of its edges, each in a separate
process. Memory is per edge: the largest resident set during a stage, as the system records it, minus the resident set
before the first stage, which includes the columns that the graph is built from (source row, target row and weight:
12 bytes per edge). For comparison: weight, gradient and the two moments of Adam take 16 bytes per edge in any network.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

import netgraph as ng
from benchmarks.common import Column, Report, arguments_of, training_step
from compilers import lift, lower
from netgraph.columns import Array

COLUMNS = (
    Column("graph", "graph"),
    Column("edges", "edges", ","),
    Column("kernel", "kernel"),
    Column("stage", "stage"),
    Column("s", "seconds", ".2f"),
    Column("peak, bytes an edge", "peak_bytes", ".0f"),
    Column("after, bytes an edge", "after_bytes", ".0f"),
)


class Case(NamedTuple):
    """One layer: numbers of inputs, outputs and edges."""

    inputs: int
    outputs: int
    edges: int


CASES = (Case(3163, 3163, 3163 * 3163), Case(10_000, 10_000, 10_000_000))


class Memory:
    """Resident set of this process in bytes; 0 on systems other than Linux, which do not record it."""

    STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")

    def now(self) -> int:
        """Return the current resident set."""
        return self._line("VmRSS:")

    def peak(self) -> int:
        """Return the largest resident set since the previous call of this method."""
        if not os.access(self.RESET, os.W_OK):
            return 0
        largest = self._line("VmHWM:")
        self.RESET.write_text("5")
        return largest

    def _line(self, name: str) -> int:
        if not self.STATUS.is_file():
            return 0
        return next((1024 * int(k.split()[1]) for k in self.STATUS.read_text().splitlines() if k.startswith(name)), 0)


class Recorder:
    """Seconds and memory of the stages of one case. The first stage begins when the recorder is made."""

    def __init__(self, edges: int) -> None:
        self.records: list[dict[str, Any]] = []
        self._edges, self._memory = edges, Memory()
        gc.collect()
        self._base = self._memory.now()
        self._memory.peak()
        self._started = self._last = time.perf_counter()

    def end(self, stage: str) -> None:
        """End a stage, and begin the next."""
        now = time.perf_counter()
        peak, after = (self._per_edge(k) for k in (self._memory.peak(), self._memory.now()))
        self.records.append({"stage": stage, "seconds": now - self._last, "peak_bytes": peak, "after_bytes": after})
        self._last = time.perf_counter()

    def finish(self) -> None:
        """Add the record of all stages together."""
        peaks = [record["peak_bytes"] for record in self.records]
        peak = None if None in peaks else max(peaks)
        self.records.append({"stage": "all", "seconds": self._last - self._started, "peak_bytes": peak})

    def _per_edge(self, size: int) -> float | None:
        return (size - self._base) / self._edges if size else None


def columns_of(case: Case) -> tuple[Array, Array, Array]:
    """Draw source rows, target rows and weights of distinct edges."""
    rng = np.random.default_rng(0)
    cells = case.inputs * case.outputs
    cell = np.arange(cells)
    if case.edges < cells:
        cell = np.flatnonzero(rng.random(cells, dtype=np.float32) < 1.02 * case.edges / cells + 100 / cells)
        cell = np.sort(rng.permutation(cell)[: case.edges])
    dst, src = (k.astype(np.int32) for k in np.divmod(cell, case.inputs))
    return src, dst, rng.standard_normal(len(src), dtype=np.float32) / np.float32(np.sqrt(len(src) / case.outputs))


def measure(case: Case, threads: int, batch: int = 128) -> list[dict[str, Any]]:
    """Measure one case and return one record per stage."""
    torch.set_num_threads(threads)
    src, dst, weight = columns_of(case)
    training_step(nn.Linear(8, 8), torch.rand(batch, 8), torch.randint(8, (batch,)))()  # torch loads its libraries
    x, y = torch.rand(batch, case.inputs), torch.randint(case.outputs, (batch,))
    recorder = Recorder(len(src))
    b = ng.GraphBuilder()
    b.input("input", case.inputs, domain=(0, 1))
    b.output("output", case.outputs)
    b.edges("input", "output", src, dst, weight=weight)
    graph = b.build()
    del b
    recorder.end("build from columns")
    net = lower(graph)
    recorder.end("lower")
    step = training_step(net, x, y)
    step()
    recorder.end("first step, Adam")
    step()
    recorder.end("second step")
    lifted = lift(net)
    recorder.end("lift")
    assert lifted.same_topology(graph)
    recorder.finish()
    kernel = ", ".join(block.kernel for block in net.plan.layers[-1].blocks)
    name = f"{case.inputs:,} x {case.outputs:,}"
    return [{"graph": name, "edges": len(src), "kernel": kernel, **record} for record in recorder.records]


def main(arguments: Sequence[str] | None = None) -> None:
    options = arguments_of("large", __doc__).parse_args(arguments)
    torch.set_num_threads(options.threads)  # for the line about the machine; each process sets its own number
    report = Report("large")
    records: list[dict[str, Any]] = []
    context = multiprocessing.get_context("spawn")
    for case in CASES:
        with context.Pool(1) as pool:
            records += pool.apply(measure, (case, options.threads))
    report.add("10,000,000 edges, batch 128", COLUMNS, records)
    report.finish(options.json)


if __name__ == "__main__":
    main()
