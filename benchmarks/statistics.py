"""Cost of collecting statistics in a training step.

python -m benchmarks.statistics

The same network is trained with and without a request (forward, backward and fused Adam, batch 128), in one process and
in turns. Per cents are of the median ratio over rounds. The row "nothing" compares two equal networks; it shows the
noise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

import netgraph as ng
from benchmarks.common import Column, Report, arguments_of, compare, median, ratio, training_step
from benchmarks.networks import ladder
from compilers import CompiledNetwork, lower

REQUESTS: tuple[tuple[str, Callable[[CompiledNetwork], None]], ...] = (
    ("nothing", lambda net: None),
    ("edge_gradients", lambda net: net.request("edge_gradients")),
    ("vertex_signals, RMS alone", lambda net: net.request("vertex_signals", activations=False)),
    ("vertex_signals", lambda net: net.request("vertex_signals")),
    ("cross_moments, input and output", lambda net: net.request("cross_moments", **_ends(net))),
    ("second_moments of the output", lambda net: net.request("second_moments", layer=_ends(net)["target"])),
)
"""Requests to a network, by the label of their row."""

COLUMNS = (
    Column("graph", "graph"),
    Column("edges", "edges", ","),
    Column("statistic", "statistic"),
    Column("ms without", "without_ms", ".2f"),
    Column("ms with", "with_ms", ".2f"),
    Column("per cent more", "percent", "+.0f"),
)


def _ends(net: CompiledNetwork) -> dict[str, str]:
    return {"source": net.plan.inputs[0].name, "target": net.plan.outputs[0].name}


def measure(name: str, graph: ng.Graph, rounds: int, *, batch: int = 128) -> list[dict[str, Any]]:
    """Measure all requests; return one record per request."""
    x = torch.rand(batch, len(graph.inputs[0].vertex_ids))
    y = torch.randint(len(graph.outputs[0].vertex_ids), (batch,))
    nets = [lower(graph) for _ in range(len(REQUESTS) + 1)]
    for net, (_, request) in zip(nets[1:], REQUESTS, strict=True):
        request(net)
    without, *others = compare([training_step(net, x, y) for net in nets], rounds)
    return [
        {
            "graph": name,
            "edges": graph.num_edges,
            "statistic": label,
            "without_ms": median(without),
            "with_ms": median(times),
            "percent": 100 * (ratio(times, without) - 1),
        }
        for (label, _), times in zip(REQUESTS, others, strict=True)
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    options = arguments_of("statistics", __doc__, rounds=15).parse_args(arguments)
    torch.set_num_threads(options.threads)
    report = Report("statistics")
    graphs = {"ladder, 8 x 100": ladder(100, 80), "ladder, 8 x 300": ladder(300, 234)}
    records = [record for name, graph in graphs.items() for record in measure(name, graph, options.rounds)]
    report.add("one step without and with statistics, batch 128", COLUMNS, records)
    report.finish(options.json)


if __name__ == "__main__":
    main()
