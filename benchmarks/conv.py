"""Milliseconds of one training step (forward, backward, fused Adam) of convolutional graphs and the same in torch.nn.

python -m benchmarks.conv

The networks are a residual network and a VGG network for 32x32 images with dense kernels. Peers are modules of
torch.nn with the same weights, in the default memory format and with `torch.channels_last`. First the outputs of both
are compared, in train and in eval mode. All run in one process, in turns. A ratio is the median over rounds of our time
over the time of the peer: below 1 the graph is faster.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

import netgraph as ng
from benchmarks.common import Column, Report, arguments_of, compare, median, ratio, training_step
from benchmarks.networks import check_same, copy_weights
from compilers import lower
from netgraph.graph import VGG_SCALES, VGG_STAGES

COLUMNS = (
    Column("network", "network"),
    Column("parameters", "parameters", ","),
    Column("ms", "ours_ms", ".0f"),
    Column("torch.nn, ms", "torch_ms", ".0f"),
    Column("ratio", "torch_ratio", ".2f"),
    Column("channels last, ms", "channels_last_ms", ".0f"),
    Column("ratio", "channels_last_ratio", ".2f"),
)


class Block(nn.Module):
    """Residual block of two convolutions; its shortcut has no parameters and fills new maps with zeros."""

    def __init__(self, maps: int, size: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(maps, size, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(size)
        self.conv2 = nn.Conv2d(size, size, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(size)
        self.stride, self.new = stride, size - maps

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm2(self.conv2(self.norm1(self.conv1(x)).relu()))
        shortcut = x[:, :, :: self.stride, :: self.stride]
        if self.new:
            shortcut = nn.functional.pad(shortcut, (0, 0, 0, 0, 0, self.new))
        return (y + shortcut).relu()  # type: ignore[no-any-return]


def resnet(depth: int, width: int) -> nn.Sequential:
    """Make the network of `netgraph.resnet` in torch.nn."""
    layers: list[nn.Module] = [nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    maps = width
    for stage in range(3):
        size = width * 2**stage
        for block in range((depth - 2) // 6):
            layers.append(Block(maps, size, 2 if stage and not block else 1))
            maps = size
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(maps, 10))


def vgg(depth: int, width: int) -> nn.Sequential:
    """Make the network of `netgraph.vgg` for images of 32x32 in torch.nn."""
    layers: list[nn.Module] = []
    maps = 3
    for count, scale in zip(VGG_STAGES[depth], VGG_SCALES, strict=True):
        for _ in range(count):
            layers += [nn.Conv2d(maps, width * scale, 3, 1, 1), nn.BatchNorm2d(width * scale), nn.ReLU()]
            maps = width * scale
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(maps, 10))


def measure(name: str, graph: ng.Graph, peer: nn.Module, rounds: int, *, batch: int = 128) -> dict[str, Any]:
    """Measure one network and return its record. First check that graph and module give the same outputs."""
    layer = graph.inputs[0]
    x, y = torch.randn(batch, len(layer.vertex_ids), *layer.grid), torch.randint(10, (batch,))
    copy_weights(graph, peer)
    net = lower(graph)
    for training in (True, False):  # train mode updates the running statistics that eval mode reads
        check_same(net.train(training), peer.train(training), x)
    last: nn.Module = copy.deepcopy(peer).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    steps = [
        training_step(net.train(), x, y),
        training_step(peer.train(), x, y),
        training_step(last.train(), x.contiguous(memory_format=torch.channels_last), y),
    ]
    ours, plain, channels_last = compare(steps, rounds)
    return {
        "network": name,
        "parameters": sum(p.numel() for p in peer.parameters()),
        "ours_ms": median(ours),
        "torch_ms": median(plain),
        "torch_ratio": ratio(ours, plain),
        "channels_last_ms": median(channels_last),
        "channels_last_ratio": ratio(ours, channels_last),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = arguments_of("conv", __doc__, rounds=5)
    parser.add_argument("--batch", type=int, default=128)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    report = Report("conv")
    records = [
        measure("resnet(20)", ng.resnet(20), resnet(20, 16), options.rounds, batch=options.batch),
        measure("vgg(11, width=16)", ng.vgg(11, width=16), vgg(11, 16), options.rounds, batch=options.batch),
    ]
    report.add(f"one step, 32x32 images, batch {options.batch}", COLUMNS, records)
    report.finish(options.json)


if __name__ == "__main__":
    main()
