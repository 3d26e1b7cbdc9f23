"""Convolutional architectures: VGG and similar networks, and residual networks for CIFAR."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from netgraph.checks import Seed, checked, whole_numbers
from netgraph.errors import GraphError, OptionError
from netgraph.graph.builder import Domain, GraphBuilder
from netgraph.graph.graph import Graph
from netgraph.graph.grid import Grid
from netgraph.graph.kinds import Conv2d
from netgraph.graph.layer import Pool

VGG_STAGES: Mapping[int, tuple[int, ...]] = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
"""Number of convolutions per stage, by depth: configurations A, B, D and E of table 1 of arXiv:1409.1556."""

VGG_SCALES = (1, 2, 4, 8, 8)
"""Number of maps of each stage, in multiples of the number of maps of the first stage."""

HALVE = Pool("max", (2, 2))


@checked
def vgg(
    depth: int = 16,
    *,
    classes: int = 10,
    input_size: tuple[int, int, int] = (3, 32, 32),
    width: int = 64,
    hidden: Sequence[int] = (),
    batch_norm: bool = True,
    bias: bool = True,
    domain: Domain = (-np.inf, np.inf),
    seed: Seed | None = 0,
    dtype: Any = np.float32,
) -> Graph:
    """Build a VGG network: five stages of 3x3 convolutions with ReLU, each ending in a 2x2 max pool, and dense layers.

    Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition", 2015
    (arXiv:1409.1556), table 1, configurations A, B, D and E. The defaults are the usual variant for CIFAR, with
    batch norm, and with the output as only dense layer. The networks of the paper are
    `vgg(depth, classes=1000, input_size=(3, 224, 224), hidden=(4096, 4096), batch_norm=False)`, without their
    dropout, which graphs do not have.

    Args:
        depth: 11, 13, 16 or 19: the number of convolutions plus three, for the three dense layers of the paper.
        classes: number of vertices of the output layer.
        input_size: size of the inputs, `(channels, height, width)`; height and width of at least 32.
        width: number of maps of the first stage; the other stages have 2, 4, 8 and 8 times this number.
        hidden: widths of the dense layers between the convolutions and the outputs.
        batch_norm: whether every convolution is followed by batch norm.
        bias: whether the convolutions have biases; dense layers always have them.
        domain: interval `(low, high)` of the inputs; each end is a number, or one number per channel.
        seed: seed of the initial weights, drawn by the `init` "kaiming" of `GraphBuilder`.
        dtype: precision of weights and trained vertex columns, float32 or float64.

    Returns:
        The graph, with layers `input`, `conv1_1` to `conv5_4`, `dense1` onwards, and `output`.

    Raises:
        OptionError: for another depth, or an input size that is not three whole numbers of at least 1.
        GraphError: when the grid of the inputs is too small, or a width is below 1.

    Cost: O(edges); depth 16 on CIFAR has 15 million edges.
    """
    if depth not in VGG_STAGES:
        raise OptionError(f"vgg(depth={depth}) is not in the paper; use one of {', '.join(map(str, VGG_STAGES))}.")
    channels, grid = channels_and_grid("vgg", input_size)
    least = 2 ** len(VGG_SCALES)
    if min(grid) < least:
        raise GraphError(
            f"vgg(input_size={tuple(input_size)}): the grid {grid} is too small for {len(VGG_SCALES)} pools that halve "
            f"it; give inputs of at least {least} x {least}, or use resnet, which halves twice."
        )
    return convnet(
        [[width * scale] * count for count, scale in zip(VGG_STAGES[depth], VGG_SCALES, strict=True)],
        classes=classes,
        input_size=(channels, grid[0], grid[1]),
        hidden=hidden,
        batch_norm=batch_norm,
        bias=bias,
        domain=domain,
        seed=seed,
        dtype=dtype,
    )


@checked
def convnet(
    widths: Sequence[Sequence[int]],
    *,
    classes: int = 10,
    input_size: tuple[int, int, int] = (3, 32, 32),
    hidden: Sequence[int] = (),
    activation: str = "relu",
    batch_norm: bool = True,
    bias: bool = True,
    domain: Domain = (-np.inf, np.inf),
    seed: Seed | None = 0,
    dtype: Any = np.float32,
) -> Graph:
    """Build a network like VGG with any widths: stages of 3x3 convolutions, each ending in a 2x2 max pool.

    Args:
        widths: number of maps of every convolution, stage by stage, as in `[[8, 8], [16, 16]]`.
        classes: number of vertices of the output layer, which reads all positions of the last maps.
        input_size: size of the inputs, `(channels, height, width)`; every stage halves height and width, rounded down.
        hidden: widths of dense layers between the convolutions and the outputs.
        activation: activation of the hidden layers.
        batch_norm: whether every convolution is followed by batch norm.
        bias: whether the convolutions have biases; dense layers always have them.
        domain: interval `(low, high)` of the inputs; each end is a number, or one number per channel.
        seed: seed of the initial weights, drawn by the `init` "kaiming" of `GraphBuilder`.
        dtype: precision of weights and trained vertex columns, float32 or float64.

    Returns:
        The graph, with layers `input`, `conv<stage>_<number>`, `dense1` onwards, and `output`.

    Raises:
        OptionError: for an empty stage, or an input size that is not three whole numbers of at least 1.
        GraphError: when the grid of the inputs is too small for the number of stages, or a width is below 1.

    Cost: O(edges).
    """
    channels, grid = channels_and_grid("convnet", input_size)
    widths = [list(stage) if np.ndim(stage) == 1 else [] for stage in widths]
    if not all(widths):
        raise OptionError(f"convnet({widths}) has a stage without a convolution; give a list of widths for each.")
    if min(grid) < 2 ** len(widths):
        raise GraphError(
            f"convnet(input_size={tuple(input_size)}): the grid {grid} is too small for {len(widths)} pools that halve "
            f"it; give inputs of at least {2 ** len(widths)} x {2 ** len(widths)}, or fewer stages."
        )
    b = GraphBuilder(seed=seed, dtype=dtype, init="kaiming")
    last = b.input("input", channels, domain=domain, grid=grid)
    for stage, maps in enumerate(widths, start=1):
        for i, size in enumerate(maps, start=1):
            name = b.layer(
                f"conv{stage}_{i}",
                size,
                grid=grid,
                activation=activation,
                norm="batch" if batch_norm else "none",
                bias=bias,
                pool=HALVE if i == len(maps) else None,
            )
            b.conv2d(last, name, kernel=3, padding=1)
            last = name
        grid = HALVE.output_grid(grid)
    for name in [
        *(b.layer(f"dense{i}", size, activation=activation) for i, size in enumerate(hidden, start=1)),
        b.output("output", classes),
    ]:
        if grid:
            b.conv2d(last, name, kernel=(grid[0], grid[1]))  # as large as the maps: a dense layer
            grid = ()
        else:
            b.dense(last, name)
        last = name
    return b.build()


@checked
def resnet(
    depth: int = 20,
    *,
    classes: int = 10,
    input_size: tuple[int, int, int] = (3, 32, 32),
    width: int = 16,
    bias: bool = False,
    domain: Domain = (-np.inf, np.inf),
    seed: Seed | None = 0,
    dtype: Any = np.float32,
) -> Graph:
    """Build a residual network for CIFAR, with shortcuts that have no parameters.

    He, Zhang, Ren and Sun, "Deep residual learning for image recognition", 2016 (arXiv:1512.03385), section 4.2:
    a 3x3 convolution, three stages of n residual blocks of two 3x3 convolutions, global average pooling, and a
    dense layer. Batch norm follows every convolution. The second and the third stage halve the grid and double
    the maps in their first block. The shortcut there is option A of the paper: it reads every second position of the
    old maps, and adds 0 to the new maps, which come last.

    Args:
        depth: `6 n + 2` with `n >= 1`; the paper has 20, 32, 44, 56 and 110.
        classes: number of vertices of the output layer.
        input_size: size of the inputs, `(channels, height, width)`.
        width: number of maps of the first stage; the other stages have 2 and 4 times this number.
        bias: whether the convolutions have biases besides the shift of their norm; the output layer always has them.
        domain: interval `(low, high)` of the inputs; each end is a number, or one number per channel.
        seed: seed of the initial weights, drawn by the `init` "kaiming" of `GraphBuilder`.
        dtype: precision of weights and trained vertex columns, float32 or float64.

    Returns:
        The graph. Block k of stage s is the layers `stage<s>-block<k>-conv1`, `stage<s>-block<k>-conv2`, and
        `stage<s>-block<k>`, which sums and activates; around the blocks are `input`, `conv` and `output`.

    Raises:
        OptionError: for another depth, or an input size that is not three whole numbers of at least 1.
        GraphError: when a width is below 1.

    Cost: O(edges).
    """
    blocks, rest = divmod(depth - 2, 6)
    if rest or blocks < 1:
        near = 6 * max(1, round((depth - 2) / 6)) + 2
        raise OptionError(f"resnet(depth={depth}) is not 6 n + 2 with n blocks in each stage; the nearest is {near}.")
    channels, grid = channels_and_grid("resnet", input_size)
    b = GraphBuilder(seed=seed, dtype=dtype, init="kaiming")
    b.input("input", channels, domain=domain, grid=grid)
    last = b.layer("conv", width, grid=grid, norm="batch", bias=bias)
    b.conv2d("input", last, kernel=3, padding=1)
    for stage in (1, 2, 3):
        for block in range(1, blocks + 1):
            kind = Conv2d((3, 3), (2, 2) if stage > 1 and block == 1 else (1, 1), (1, 1))
            grid = kind.output_grid(grid)
            pool = Pool("average", (grid[0], grid[1])) if (stage, block) == (3, blocks) else None
            size = width * 2 ** (stage - 1)
            last = _residual_block(b, f"stage{stage}-block{block}", last, size, grid, kind, bias, pool)
    b.output("output", classes)
    b.dense(last, "output")
    return b.build()


def _residual_block(
    b: GraphBuilder, name: str, source: str, size: int, grid: Grid, first: Conv2d, bias: bool, pool: Pool | None
) -> str:
    """Add two convolutions and the layer that sums them with the shortcut; return its name. `first` has the stride."""
    conv1 = b.layer(f"{name}-conv1", size, grid=grid, norm="batch", bias=bias)
    b.conv2d(source, conv1, kernel=first.kernel, stride=first.stride, padding=first.padding)
    conv2 = b.layer(f"{name}-conv2", size, grid=grid, norm="batch", bias=bias, activation="identity")
    b.conv2d(conv1, conv2, kernel=3, padding=1)
    total = b.layer(name, size, grid=grid, bias=False, pool=pool)
    b.identity(conv2, total)
    b.identity(source, total, stride=first.stride)
    return total


def channels_and_grid(who: str, input_size: Sequence[int]) -> tuple[int, Grid]:
    """Check and split the size of inputs `(channels, height, width)` of the architecture called `who`."""
    try:
        size = whole_numbers(f"{who}(): input_size", input_size, least=1)
    except OptionError:
        size = np.empty(0, np.int64)
    if size.shape != (3,):
        raise OptionError(
            f"{who}(input_size={input_size}) needs three whole numbers of at least 1: (channels, height, width)."
        )
    channels, height, width = size.tolist()
    return channels, (height, width)
