"""First graphs of given widths: a chain of layers, or a residual network."""

from __future__ import annotations

from collections.abc import Sequence

from netgraph.errors import OptionError
from netgraph.graph import Graph, GraphBuilder, convnet, resnet
from netgraph.methods.start import Start


def stages_of(widths: str) -> list[list[int]]:
    """Parse widths, stage by stage. Raises `OptionError` when the text is not of the form "8,8/16,16"."""
    try:
        found = [[int(width) for width in stage.split(",")] for stage in widths.split("/")]
    except ValueError:
        found = []
    if not found or min(map(min, found)) < 1:
        raise OptionError(f"widths={widths!r} is not of the form 8,8/16,16.")
    return found


def layered_start(
    stages: Sequence[Sequence[int]], start: Start, *, activation: str = "relu", batch_norm: bool = True
) -> Graph:
    """Build a network of the given widths: 3x3 convolutions and pools for images, dense layers for other data.

    Args:
        stages: maps of the convolutions, a pool after each stage; for other data, widths of the hidden layers in order.
        start: facts about the data.
        activation: activation of the hidden layers.
        batch_norm: whether convolutions are followed by batch norm.

    Raises:
        OptionError, GraphError: see `netgraph.convnet`.
    """
    if len(start.shape) == 3:
        return convnet(
            stages,
            classes=start.outputs,
            input_size=start.maps,
            activation=activation,
            batch_norm=batch_norm,
            domain=start.domain,
            seed=start.seed,
        )
    b = GraphBuilder(seed=start.seed, init="kaiming")
    last = b.input("input", start.features, domain=start.domain)
    for i, width in enumerate([width for stage in stages for width in stage], start=1):
        name = b.layer(f"hidden{i}", width, activation=activation)
        b.dense(last, name)
        last = name
    b.dense(last, b.output("output", start.outputs))
    return b.build()


def residual_start(depth: int, width: int, start: Start) -> Graph:
    """Build the residual network for CIFAR, see `netgraph.resnet`.

    Args:
        depth: number of weighted layers, `6 n + 2`.
        width: maps of the first stage.
        start: facts about the data.

    Raises:
        OptionError: when the data are not images, or for another depth.
    """
    if len(start.shape) != 3:
        raise OptionError(f"resnet={depth} needs images; the data are rows of {start.features} features.")
    return resnet(
        depth, width=width, classes=start.outputs, input_size=start.maps, domain=start.domain, seed=start.seed
    )
