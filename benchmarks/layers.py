"""Milliseconds of forward and backward of one sparse layer, by density, against other ways to compute it.

python -m benchmarks.layers

A layer of 2048 x 2048 edges at a batch of 128, and a 3x3 convolution of 64 x 64 maps of 16x16, with and without
gradients for the inputs. Peers have the same weights, which is checked by their outputs: a dense matrix multiplied by
a mask at every step; the CSR matrix of torch, made of the trained values, with its autograd; the package torch-sparse
where it is installed; and nn.Conv2d, which has all weights. A peer that takes more than a second per step is left out
at that density and above. All run in one process, in turns. A ratio is the median over rounds of our time over the time
of the peer: below 1 the graph is faster.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

import netgraph as ng
from benchmarks.common import Column, Report, arguments_of, compare, forward_backward, median, ratio, stopwatch
from benchmarks.networks import Masked, TorchSparseCsr, TorchSparsePackage, check_same, copy_weights, matrix
from compilers import lower

DENSITIES = (0.002, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0)
SECONDS_AT_MOST = 1.0
"""Largest seconds of one step of a peer; slower peers are left out."""

Make = Callable[[ng.Graph], nn.Module]


def one_layer(size: int, density: float) -> ng.Graph:
    """Build a graph of inputs and outputs, linked at random."""
    return ng.mlp([size, size], domain=(0, 1), density=density)


def one_convolution(maps: int, side: int, density: float) -> ng.Graph:
    """Build a graph of input and output maps, linked by a 3x3 convolution with a random fraction of its edges."""
    b = ng.GraphBuilder(seed=0)
    b.input("input", maps, domain=(0, 1), grid=(side, side))
    b.output("output", maps, grid=(side, side))
    b.conv2d("input", "output", kernel=3, padding=1, density=density)
    return b.build()


def _masked(graph: ng.Graph) -> nn.Module:
    (link,) = graph.links_by_key.values()
    padding = 1 if link.kind.tap_axes else 0
    return Masked(*matrix(graph, link), graph.outputs[0].values["bias"], padding)


def _csr(graph: ng.Graph) -> nn.Module:
    return TorchSparseCsr(*_one(graph))


def _package(graph: ng.Graph) -> nn.Module:
    return TorchSparsePackage(*_one(graph))


def _one(graph: ng.Graph) -> tuple[Any, Any, Any]:
    (link,) = graph.links_by_key.values()
    return *matrix(graph, link), graph.outputs[0].values["bias"]


def _convolution(graph: ng.Graph) -> nn.Module:
    net = nn.Conv2d(len(graph.inputs[0].vertex_ids), len(graph.outputs[0].vertex_ids), 3, padding=1)
    copy_weights(graph, net)
    return net


MATRIX_PEERS: dict[str, Make] = {"masked": _masked, "torch CSR": _csr, "torch-sparse": _package}
CONVOLUTION_PEERS: dict[str, Make] = {"masked": _masked, "nn.Conv2d": _convolution}


def measure(
    make: Callable[[float], ng.Graph],
    peers: dict[str, Make],
    densities: Sequence[float],
    rounds: int,
    *,
    batch: int = 128,
    note: Callable[[str], None] = print,
) -> list[dict[str, Any]]:
    """Measure graph and peers; return one record per density, without and with gradients for the inputs.

    Args:
        make: function that builds the graph of a density.
        peers: functions that make the module of a graph, by name of the peer.
        densities: densities in increasing order.
        rounds: number of rounds of all competitors.
        batch: number of samples.
        note: function that gets a message for each peer that is left out, with the reason.
    """
    left = dict(peers)
    records = []
    for density in densities:
        graph = make(density)
        x = torch.rand(batch, len(graph.inputs[0].vertex_ids), *graph.inputs[0].grid)
        nets = _able(graph, left, x, density, note)
        for needed in (False, True):
            records.append({"density": density, **_compared(graph, nets, x.clone().requires_grad_(needed), rounds)})
    return records


def _able(
    graph: ng.Graph, left: dict[str, Make], x: torch.Tensor, density: float, note: Callable[[str], None]
) -> dict[str, nn.Module]:
    """Make the peers that are installed and fast enough; remove the others from `left`."""
    nets: dict[str, nn.Module] = {}
    ours = lower(graph)
    for name, make in list(left.items()):
        try:
            net = make(graph)
        except ImportError as error:
            note(f"{name} is left out: {error}.")
            del left[name]
            continue
        check_same(ours, net, x)
        inputs = x.clone().requires_grad_()
        step = forward_backward(net, inputs, torch.rand_like(net(inputs)))
        seconds = min(stopwatch(step) for _ in range(3))
        if seconds > SECONDS_AT_MOST:
            note(f"{name} is left out from a density of {density:g} on: a step takes {seconds:.1f} s.")
            del left[name]
            continue
        nets[name] = net
    return nets


def _compared(graph: ng.Graph, nets: dict[str, nn.Module], x: torch.Tensor, rounds: int) -> dict[str, Any]:
    """Time the graph and its peers; return the record."""
    net = lower(graph)
    gradient = torch.rand_like(net(x))
    ours, *others = compare([forward_backward(n, x, gradient) for n in (net, *nets.values())], rounds)
    record: dict[str, Any] = {
        "edges": graph.num_edges,
        "kernel": ", ".join(block.kernel for block in net.plan.layers[-1].blocks),
        "input_gradients": "yes" if x.requires_grad else "no",
        "ours_ms": median(ours),
    }
    for name, times in zip(nets, others, strict=True):
        record[f"{name} ms"], record[f"{name} ratio"] = median(times), ratio(ours, times)
    return record


def columns(records: Sequence[dict[str, Any]], peers: Sequence[str]) -> list[Column]:
    """Columns of the table, including those of the peers that occur in the records."""
    result = [
        Column("density", "density", "g"),
        Column("edges", "edges", ","),
        Column("kernel", "kernel"),
        Column("for inputs", "input_gradients"),
        Column("ms", "ours_ms", ".2f"),
    ]
    for peer in peers:
        if any(f"{peer} ms" in record for record in records):
            result += [Column(f"{peer}, ms", f"{peer} ms", ".2f"), Column("ratio", f"{peer} ratio", ".2f")]
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    options = arguments_of("layers", __doc__, rounds=5).parse_args(arguments)
    torch.set_num_threads(options.threads)
    report = Report("layers")
    cases = [
        ("2048 x 2048", lambda density: one_layer(2048, density), MATRIX_PEERS),
        ("convolution 64 x 64 x 3 x 3 of 16x16", lambda density: one_convolution(64, 16, density), CONVOLUTION_PEERS),
    ]
    for name, make, peers in cases:
        records = measure(make, peers, DENSITIES, options.rounds, note=report.note)
        report.add(f"{name}, batch 128: forward and backward", columns(records, tuple(peers)), records)
    report.finish(options.json)


if __name__ == "__main__":
    main()
