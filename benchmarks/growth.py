"""Seconds of a whole growth step, by stage: lift, split 900 edges, migrate, and the first training step after.

python -m benchmarks.growth

A trained ladder of 79,840 edges, of which 900 into the outputs are split, once with only the paths that replace them
and once with all crossing pairs. The parts of `ng.apply`, and `migrate` without the state of Adam, are also measured
separately on the same network; indented rows are parts of the row above them and need not add up to it. The probe of
`ng.apply`, which evaluates both graphs on 64 inputs, is a separate stage. Figures are medians over rounds, each with a
new network.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch

import netgraph as ng
from benchmarks.common import Column, Report, arguments_of, median, training_step
from benchmarks.networks import ladder
from compilers import lift, lower, migrate
from netgraph.proof import measure as probe
from netgraph.proof import sample_inputs
from netgraph.rules import SplitEdges

Cross = Literal["none", "selected"]
CROSSES: tuple[Cross, ...] = ("none", "selected")
LATER = 5
"""Number of training steps after the first; their median is the cost of a later step."""


class Stages(dict[str, float]):
    """Stopwatch for stages that follow each other, with the seconds of each by its name."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def begin(self) -> None:
        """Start the clock; earlier time belongs to no stage."""
        self._last = time.perf_counter()

    def end(self, name: str) -> None:
        """End the stage `name`, and begin the next."""
        now = time.perf_counter()
        self[name], self._last = now - self._last, now


def grow_once(graph: ng.Graph, cross: Cross, count: int, *, batch: int = 128) -> tuple[Stages, ng.Graph]:
    """Run one growth step; return the seconds of every stage, and the new graph."""
    x, y = torch.rand(batch, len(graph.inputs[0].vertex_ids)), torch.randint(10, (batch,))
    net = lower(graph)
    optimizer = torch.optim.Adam(net.parameters(), fused=True)
    for _ in range(3):
        training_step(net, x, y, optimizer)()
    into = graph.vertices.layer[graph.edges.target_row] == graph.outputs[0].id
    on = np.random.default_rng(0).choice(graph.edges.id[into], count, replace=False)
    rule = SplitEdges(cross=cross)

    stages = Stages()
    lifted = lift(net)
    stages.end("lift")
    result = ng.apply(rule, lifted, on=on, probe=None)
    stages.end("apply, without the probe")
    _parts_of_apply(stages, rule, lift(net), on)
    stages.begin()
    probe(lifted, result.graph, sample_inputs(lifted, 64, np.random.default_rng(0)))
    stages.end("probe on 64 inputs")
    new, carried = migrate(net, optimizer, result)
    stages.end("migrate")
    migrate(net, torch.optim.SGD(net.parameters()), result)
    stages.end("  relower, with an optimizer without state")
    step = training_step(new, x, y, carried)
    stages.begin()
    step()
    stages.end("first step after")
    later = Stages()
    for k in range(LATER):
        step()
        later.end(str(k))
    stages["a later step"] = float(np.median(list(later.values())))
    whole = sum(stages[name] for name in ("lift", "apply, without the probe", "migrate", "first step after"))
    stages["whole, without the probe"] = whole
    stages["whole, with the probe"] = whole + stages["probe on 64 inputs"]
    return stages, result.graph


def _parts_of_apply(stages: Stages, rule: ng.Rule, graph: ng.Graph, on: Any) -> None:
    stages.begin()
    matches = ng.find(rule, graph, on=on)
    stages.end("  match")
    rewriter = ng.Rewriter(graph, np.random.default_rng(0))
    rule.rewrite(matches, rewriter)
    new, _ = rewriter.commit()
    stages.end("  rewrite")
    ng.certify(graph, new)
    stages.end("  certify")


def measure(graph: ng.Graph, count: int, rounds: int) -> tuple[list[dict[str, Any]], dict[Cross, int]]:
    """Measure without and with crossing pairs; return one record per stage, and the numbers of edges after."""
    found: dict[Cross, list[Stages]] = {cross: [] for cross in CROSSES}
    after: dict[Cross, int] = {}
    for _ in range(rounds):
        for cross in CROSSES:
            stages, grown = grow_once(graph, cross, count)
            found[cross].append(stages)
            after[cross] = grown.num_edges
    names = found["none"][0]
    seconds = {(c, name): median(np.array([s[name] for s in found[c]])) for c in CROSSES for name in names}
    return [{"stage": name, **{cross: seconds[cross, name] for cross in CROSSES}} for name in names], after


def main(arguments: Sequence[str] | None = None) -> None:
    options = arguments_of("growth", __doc__, rounds=5).parse_args(arguments)
    torch.set_num_threads(options.threads)
    graph, count = ladder(100, 80), 900
    records, after = measure(graph, count, options.rounds)
    columns = [
        Column("stage", "stage"),
        Column(f"no crossing pairs, {after['none']:,} edges after", "none", ".4f"),
        Column(f"crossing pairs, {after['selected']:,} edges after", "selected", ".4f"),
    ]
    report = Report("growth")
    report.add(f"seconds to split {count:,} of {graph.num_edges:,} edges", columns, records)
    report.finish(options.json)


if __name__ == "__main__":
    main()
