"""NAGN: widen the layers at which larger gradients arrive than at their neighbours."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from netgraph.criteria import GrowthRule
from netgraph.errors import OptionError
from netgraph.graph import Graph
from netgraph.methods.layered import layered_start, residual_start, stages_of
from netgraph.methods.method import Method
from netgraph.methods.start import Start
from netgraph.methods.widen import Widen
from netgraph.schedules import WindowGain

WATCHES: Mapping[str, Mapping[str, Any]] = {"vertex_signals": {"activations": False}}
"""What the trainer collects over the last mini-batches of every epoch."""

TRAINING: Mapping[str, Any] = {
    "epochs": 200,
    "optimizer": "adamw",
    "learning_rate": 1e-3,
    "weight_decay": 1e-2,
    "curve": "cosine",
    "batch_size": 500,
    "label_smoothing": 0.0,
}
"""Training as in the paper."""


@dataclass(frozen=True, kw_only=True)
class NagnOptions:
    """Options of NAGN.

    The defaults suit some hundred epochs. In a short run growth has to start earlier: `delta_acc=0.02`, say, and
    `delta_stop=0.002`.

    Attributes:
        widths: of the network at which growth starts. For images, maps of 3x3 convolutions, stages with a pool after
            each separated by "/", as in "8,8/16,16"; for other data, hidden layers, as in "8,8".
        resnet: depth of a residual network to start with instead, 6 n + 2, with the first of the widths; 0 is none.
        delta_acc: layers grow when the relative gain of the mean validation accuracy (for regression, of the loss),
        window: from one window of so many epochs to the next, is below it;
        delta_stop: growth ends for good when the gain from one such moment to the next is below this.
        metric: whose gain: "accuracy", or "loss", which regression needs.
        tau: a layer is under-expressive when its value is more than this share above that of its neighbours.
        max_increment: most vertices that a layer gains at once; by its own value it at most doubles, too.
        relative_to: "growable": under-expressiveness is measured against the layer that may grow and stands out
            most; "all": against the output layer as well, which then may hold back all others.
        non_decreasing: raise layers to the width of the one before them.
        fallback: when no layer stands out, double the one that rises most above the layer before it.
        max_edges: do not grow beyond so many edges, but for the last step; 0 is no limit.
        until: share of the epochs after which growth is over.
    """

    widths: str = "8,8/16,16/32,32"
    resnet: int = 0
    delta_acc: float = 0.001
    window: int = 3
    delta_stop: float = 0.01
    metric: Literal["accuracy", "loss"] = "accuracy"
    tau: float = 0.05
    max_increment: int = 8
    relative_to: Literal["growable", "all"] = "growable"
    non_decreasing: bool = True
    fallback: bool = True
    max_edges: int = 0
    until: float = 0.8

    def __post_init__(self) -> None:
        self.stages()
        if not 0 <= self.tau < math.inf:
            raise OptionError(f"tau={self.tau} is negative or not finite.")
        if self.max_edges < 0:
            raise OptionError(f"max_edges={self.max_edges} is negative.")
        if self.metric not in ("accuracy", "loss"):
            raise OptionError(f"metric={self.metric!r} is not 'accuracy' or 'loss'.")

    def stages(self) -> list[list[int]]:
        """The widths, stage by stage. Raises `OptionError` when the text is not of the form "8,8/16,16"."""
        return stages_of(self.widths)


def nagn_start(options: NagnOptions, start: Start) -> Graph:
    """A network of the given widths: convolutions with batch norm and pools for images, dense layers for other data."""
    if start.task == "regression" and options.metric == "accuracy":
        raise OptionError("metric='accuracy' is there for classification only; for regression set metric=loss.")
    stages = options.stages()
    return residual_start(options.resnet, stages[0][0], start) if options.resnet else layered_start(stages, start)


def nagn(start: Graph, options: NagnOptions | None = None) -> Method:
    """Put NAGN together.

    Where: layers whose normalised gradient, the RMS of dL/dz, lies above that of their neighbours. How: `WidenLayer`,
    incoming weights as at the start, outgoing 0: exact in train and in eval mode. When: `WindowGain` of the
    validation accuracy. How much: under-expressiveness times the width, and no width falls along the chain. Optimizer
    state survives by id; new entries have their own step counts at first, where the paper has zero moments and the
    shared one.

    Args:
        start: the graph at which growth starts.
        options: how to grow.

    Source: "NAGN". Where it leaves something open, the options say what was chosen.
    """
    o = options or NagnOptions()
    part = Widen(
        trigger=WindowGain(o.delta_acc, window=o.window, metric=f"val_{o.metric}"),
        stop=o.delta_stop,
        rule=GrowthRule(
            threshold=o.tau,
            max_increment=o.max_increment,
            relative_to=o.relative_to,
            non_decreasing=o.non_decreasing,
            fallback=o.fallback,
        ),
        max_edges=o.max_edges or None,
        until=o.until,
    )
    return Method("nagn", (part,), "NAGN: widen under-expressive layers", WATCHES)
