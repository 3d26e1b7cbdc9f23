"""Options and starts that the methods of sparse training share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from netgraph.errors import OptionError, unknown_name
from netgraph.graph import Graph
from netgraph.methods.networks import network, parse_stages
from netgraph.methods.sparse_start import SparseInit, sparse_start
from netgraph.methods.start import Start

ROWS, IMAGES = "300,100", "16/32/64"
"""Widths unless others are asked for, for rows of features and for images."""


@dataclass(frozen=True, kw_only=True)
class SparseOptions:
    """What all methods of sparse training have in common.

    Densities are of the links that may be sparse: all but those into the output, which stay dense unless `head` is set.

    Attributes:
        widths: of the network. For images, maps of 3x3 convolutions with batch norm, stages with a pool after each
            separated by "/", as in "8,8/16,16"; for other data, hidden layers, as in "300,100". By default 16/32/64
            or 300,100.
        resnet: depth of a residual network for images instead, 6 n + 2, with the first of the widths; 0 is none.
        head: whether links into output layers are sparse as well.
    """

    widths: str = ""
    resnet: int = 0
    head: bool = False

    def __post_init__(self) -> None:
        if self.widths:
            parse_stages(self.widths)
        if self.resnet < 0:
            raise OptionError(f"resnet={self.resnet} is negative.")


def dense_network(options: SparseOptions, start: Start) -> Graph:
    """The network that the options name, with all its edges."""
    return network(start, parse_stages(options.widths or usual_widths(start)), depth=options.resnet)


def usual_widths(start: Start) -> str:
    """Widths for data of this shape."""
    return IMAGES if len(start.shape) == 3 else ROWS


def thin_start(options: SparseOptions, start: Start, density: float, init: SparseInit) -> Graph:
    """The same network at a density, without isolated vertices: see `sparse_start`."""
    dense = dense_network(options, start)
    return sparse_start(dense, density=density, start=init, seed=start.seed, head=options.head).graph


def check_density(name: str, value: float) -> None:
    """Raise `OptionError` unless `value` is a density."""
    if not 0 < value <= 1:
        raise OptionError(f"{name}={value} is not a density, which is above 0 and at most 1.")


def check_init(init: str) -> None:
    """Raise `OptionError` unless `init` names a sparse start."""
    if init not in get_args(SparseInit):
        raise OptionError(unknown_name("start", init, get_args(SparseInit)))
