"""A method that starts at a small graph of maps and does nothing."""

import dataclasses

import netgraph as ng
from netgraph.methods import Method, MethodSpec


@dataclasses.dataclass(frozen=True)
class NoOptions:
    """No options."""


def small_start(_options, start):
    """A convolution with a stride, and a dense layer on its whole grid."""
    channels, height, width = start.maps
    b = ng.GraphBuilder(seed=start.seed, init="kaiming")
    b.input("input", channels, domain=start.domain, grid=(height, width))
    grid = ((height - 1) // 2 + 1, (width - 1) // 2 + 1)
    b.layer("conv", 4, grid=grid, pool=ng.Pool("average", grid))
    b.conv2d("input", "conv", kernel=3, stride=2, padding=1)
    b.output("output", start.outputs)
    b.dense("conv", "output")
    return b.build()


MAPS = MethodSpec(
    "maps", NoOptions, small_start, lambda _graph, _options: Method("maps", ()), "nothing, at a graph of maps",
    training={"epochs": 2, "weight_decay": 0.25},
)  # fmt: skip
