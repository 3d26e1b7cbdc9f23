"""Milliseconds of one training step (forward, backward, fused Adam) of graphs of scalar layers, and of their peers.

python -m benchmarks.steps

Peers are a dense network with as many weights, which computes another function; and, for the ladder, dense layers with
masked weights over all earlier rows, which compute the same function. A dense graph is compared with the same
nn.Sequential. All are trained with fused Adam in one process, in turns. Times are medians over rounds. A ratio is the
median over rounds of our time over the time of the peer: below 1 the graph is faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

import netgraph as ng
from benchmarks.common import Column, Report, arguments_of, compare, median, ratio, training_step
from benchmarks.networks import MaskedNetwork, check_same, copy_weights, dense, dense_like, grown, ladder, pruned
from compilers import lower

COLUMNS = (
    Column("graph", "graph"),
    Column("edges", "edges", ","),
    Column("ms", "ours_ms", ".2f"),
    Column("peer", "peer"),
    Column("weights", "peer_weights", ","),
    Column("ms", "peer_ms", ".2f"),
    Column("ratio", "ratio", ".2f"),
)


@dataclass(frozen=True)
class Case:
    """A graph and its peers.

    Attributes:
        name: description of the graph.
        graph: the graph.
        peers: modules by name.
        same: names of the peers that compute the same function, which is checked.
    """

    name: str
    graph: ng.Graph
    peers: dict[str, nn.Module] = field(default_factory=dict)
    same: tuple[str, ...] = ()


def ladder_case(
    width: int,
    parents: int,
    *,
    sublayers: int = 8,
    inputs: int = 784,
    hidden: int | None = None,
    masked: bool = False,
) -> Case:
    """Make the case of an SSONN ladder, with a dense network as peer, and with `masked` also masked layers.

    The dense network has `hidden` vertices, or by default about as many weights as the ladder.
    """
    graph = ladder(width, parents, sublayers=sublayers, inputs=inputs)
    name, peer = dense_like(graph, hidden)
    peers: dict[str, nn.Module] = {name: peer}
    if masked:
        peers["masked dense layers"] = MaskedNetwork(graph)
    return Case(f"ladder, {sublayers} x {width}, {parents} parents", graph, peers, tuple(peers)[1:])


def plain_case(sizes: Sequence[int]) -> Case:
    """Make the case of a dense graph against the same network of nn.Linear."""
    graph, peer = ng.mlp(sizes, domain=(0, 1)), dense(sizes)
    copy_weights(graph, peer)
    name = "-".join(map(str, sizes))
    return Case(f"mlp {name}", graph, {f"the same, nn.Sequential {name}": peer}, (f"the same, nn.Sequential {name}",))


def grown_cases(expansions: int, edges: int, left: int, *, inputs: int = 784) -> list[Case]:
    """Make the cases of a grown graph, and of the same graph pruned at random; the peers are dense networks.

    Args:
        expansions: number of splits by which the linear start grows.
        edges: approximate number of edges after growth.
        left: number of edges after pruning.
        inputs: number of inputs.
    """
    full = grown(expansions, edges, inputs=inputs)
    few = pruned(full, left)
    name = f"{expansions} expansions"
    return [
        Case(f"{name}, grown", full, dict([dense_like(full)])),
        Case(f"{name}, pruned at random", few, dict([dense_like(few)])),
    ]


def measure(case: Case, rounds: int, *, batch: int = 128) -> list[dict[str, Any]]:
    """Measure one case; return one record per peer."""
    graph = case.graph
    x = torch.rand(batch, len(graph.inputs[0].vertex_ids))
    y = torch.randint(len(graph.outputs[0].vertex_ids), (batch,))
    net = lower(graph)
    for name in case.same:
        check_same(net, case.peers[name], x)
    ours, *others = compare([training_step(n, x, y) for n in (net, *case.peers.values())], rounds)
    return [
        {
            "graph": case.name,
            "edges": graph.num_edges,
            "ours_ms": median(ours),
            "peer": name,
            "peer_weights": sum(p.numel() for p in peer.parameters() if p.ndim > 1),
            "peer_ms": median(times),
            "ratio": ratio(ours, times),
        }
        for (name, peer), times in zip(case.peers.items(), others, strict=True)
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    options = arguments_of("steps", __doc__, rounds=15).parse_args(arguments)
    torch.set_num_threads(options.threads)
    start = ng.mlp([784, 10], domain=(0, 1))
    cases = [
        ladder_case(100, 80, hidden=104, masked=True),
        ladder_case(300, 234),
        plain_case([784, 300, 100, 10]),
        Case("linear start", start, dict([dense_like(start)])),
        *grown_cases(8, 80_000, 16_000),
        *grown_cases(4, 200_000, 40_000),
    ]
    report = Report("steps")
    records = [record for case in cases for record in measure(case, options.rounds)]
    report.add("one step: forward, backward, fused Adam, batch 128", COLUMNS, records)
    report.finish(options.json)


if __name__ == "__main__":
    main()
