"""Options and starts that the methods of sparse training share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from netgraph.checks import Checked
from netgraph.errors import OptionError
from netgraph.graph import Graph
from netgraph.methods.layered import layered_start, residual_start, stages_of
from netgraph.methods.sparse.start import SparseInit, sparse_start
from netgraph.methods.start import Start

Model = Literal["auto", "mlp", "vgg", "resnet20"]
"""Kinds of networks that the methods make sparse."""

WIDTHS = {"mlp": "300,100", "vgg": "16/32/64", "resnet20": "16"}
"""Default widths of each kind of network."""


@dataclass(frozen=True, kw_only=True)
class SparseOptions(Checked):
    """Options that all methods of sparse training share.

    A density counts the links that may be sparse. Links into output layers are not counted and stay dense, unless
    `head` is set.

    Attributes:
        model: kind of network: "mlp", dense layers; "vgg", stages of 3x3 convolutions with batch norm and a pool after
            each stage; "resnet20", the residual network for CIFAR; "auto" is vgg for images and mlp for other data.
        widths: widths of the network. For mlp: hidden layers, as in "300,100". For vgg: numbers of maps, in stages
            separated by "/", as in "8,8/16,16". For resnet20: maps of its first stage. An empty text stands for
            300,100 or 16/32/64 or 16.
        head: whether links into output layers are sparse as well.
    """

    model: Model = "auto"
    widths: str = ""
    head: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        stages = stages_of(self.widths) if self.widths else []
        if self.model == "resnet20" and len(stages) + sum(map(len, stages)) > 2:
            raise OptionError(f"widths={self.widths!r} has several; resnet20 takes that of its first stage alone.")


def dense_network(options: SparseOptions, start: Start) -> Graph:
    """Build the network of the options with all its edges.

    Raises:
        OptionError: for a model with convolutions when the data are not images.
    """
    images = len(start.shape) == 3
    model = ("vgg" if images else "mlp") if options.model == "auto" else options.model
    stages = stages_of(options.widths or WIDTHS[model])
    if model == "mlp":
        start = replace(start, shape=(start.features,), domain=start.flat_domain)
    elif not images:
        raise OptionError(f"model={model} needs images; the data are rows of {start.features} features. Use model=mlp.")
    return residual_start(20, stages[0][0], start) if model == "resnet20" else layered_start(stages, start)


def thin_start(options: SparseOptions, start: Start, density: float, init: SparseInit) -> Graph:
    """Build the network of the options at a density, without isolated vertices; see `sparse_start`."""
    dense = dense_network(options, start)
    return sparse_start(dense, density=density, start=init, seed=start.seed, head=options.head).graph


def check_density(name: str, value: float) -> None:
    """Raise `OptionError` unless `value` is above 0 and at most 1."""
    if not 0 < value <= 1:
        raise OptionError(f"{name}={value} is not a density, which is above 0 and at most 1.")
