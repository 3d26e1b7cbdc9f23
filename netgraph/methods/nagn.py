"""NAGN: widen the layers at which larger gradients arrive than at their neighbours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from netgraph.checks import Checked, Extended
from netgraph.criteria import GrowthRule
from netgraph.errors import OptionError
from netgraph.graph import Graph
from netgraph.methods.goal import Goal, outlook_of
from netgraph.methods.layered import layered_start, residual_start, stages_of
from netgraph.methods.method import Method
from netgraph.methods.start import Start
from netgraph.methods.widen import Widen
from netgraph.schedules import WindowGain

NAGN_REQUESTS: Mapping[str, Mapping[str, Any]] = {"vertex_signals": {"activations": False}}
"""Statistics that the trainer collects over the last mini-batches of every epoch."""

NAGN_TRAINING: Mapping[str, Any] = {
    "epochs": 200,
    "optimizer": "adamw",
    "learning_rate": 1e-3,
    "weight_decay": 1e-2,
    "curve": "cosine",
    "batch_size": 500,
    "label_smoothing": 0.0,
}
"""Training settings of the paper."""

OURS: Mapping[str, Any] = {"delta_acc": 0.001, "delta_stop": 0.01, "relative_to": "growable", "until": 0.8}
"""Values for options of `NagnOptions` that are None, unless `paper` is set."""

PAPER: Mapping[str, Any] = {"delta_acc": 0.003, "delta_stop": 0.05, "relative_to": "all", "until": 1.0}
"""Values for options of `NagnOptions` that are None when `paper` is set, from the text of the paper."""


@dataclass(frozen=True, kw_only=True)
class NagnOptions(Checked):
    """Options of NAGN.

    The defaults suit some hundred epochs. In a short run growth has to start earlier, for example with
    `delta_acc=0.02` and `delta_stop=0.002`. Options that are None take the values of `OURS` or, with `paper`, of
    `PAPER`; a given value always counts.

    Attributes:
        paper: fill in the values of `PAPER` instead of `OURS`. The defaults of `window` and `tau` are the paper's
            anyway. Training stays as it is: `newcomers=zero` is the paper's.
        widths: network at which growth starts. For images, maps of 3x3 convolutions, stages with a pool after each
            separated by "/", as in "8,8/16,16"; for other data, hidden layers, as in "8,8".
        resnet: depth of a residual network to start with instead, 6 n + 2, with the first of the widths; 0 is none.
        delta_acc: layers grow when the mean validation accuracy (for regression, the loss) gains less than this,
            relatively, from one window of epochs to the next; none means .001, or the paper's .003.
        window: number of epochs in each of the two windows that `delta_acc` compares.
        delta_stop: growth ends for good when the gain from one growth to the next is below this; none means .01, or
            the paper's .05.
        metric: validation metric whose gain decides: "accuracy", or "loss", which regression needs.
        tau: a layer is under-expressive when its value exceeds the value of its neighbours by more than this fraction.
        max_increment: largest number of vertices that a layer gains at once; under-expressiveness alone at most doubles
            a layer.
        relative_to: "growable": under-expressiveness is measured against the layer that may grow and stands out most;
            "all": against the output layer as well, which then may hold back all others. None means "growable", or the
            paper's "all".
        non_decreasing: whether a layer is widened to at least the width of the layer before it.
        fallback: whether, when no layer stands out, the layer that exceeds the layer before it most is doubled.
        max_edges: number of edges from which on nothing grows; the last step may exceed it; 0 is no limit.
        until: share of the epochs after which growth is over; none means .8, or the paper's 1, no limit.
    """

    paper: bool = False
    widths: str = "8,8/16,16/32,32"
    resnet: int = 0
    delta_acc: Extended | None = None
    window: int = 3
    delta_stop: Extended | None = None
    metric: Literal["accuracy", "loss"] = "accuracy"
    tau: float = 0.05
    max_increment: int = 8
    relative_to: Literal["growable", "all"] | None = None
    non_decreasing: bool = True
    fallback: bool = True
    max_edges: int = 0
    until: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.stages()
        if self.tau < 0:
            raise OptionError(f"tau={self.tau} is negative.")
        if self.max_edges < 0:
            raise OptionError(f"max_edges={self.max_edges} is negative.")

    def stages(self) -> list[list[int]]:
        """Return the widths, stage by stage. Raises `OptionError` when the text is not of the form "8,8/16,16"."""
        return stages_of(self.widths)

    def resolved(self, start: Graph | None = None) -> NagnOptions:
        """Return the options with every None filled in; the start has no influence."""
        usual = PAPER if self.paper else OURS
        return replace(self, **{name: value for name, value in usual.items() if getattr(self, name) is None})


def nagn_start(options: NagnOptions, start: Start) -> Graph:
    """Build the first graph: convolutions with batch norm and pools for images, dense layers for other data."""
    if start.task == "regression" and options.metric == "accuracy":
        raise OptionError("metric='accuracy' is there for classification only; for regression set metric=loss.")
    stages = options.stages()
    return residual_start(options.resnet, stages[0][0], start) if options.resnet else layered_start(stages, start)


def nagn(start: Graph, options: NagnOptions | None = None) -> Method:
    """Compose NAGN.

    Where: layers whose normalised gradient, the RMS of `dL/dz`, exceeds that of their neighbours. How: `WidenLayer`,
    exact in train and in eval mode, by equation 1. Weights from new vertices, to old and to new ones, are 0. Weights
    from old to new vertices are normal with variance `2 / n` (convolutions: `2 / (n k^2)`), where `n` is the width
    before the growth. Biases and shifts are 0, scales 1. When: `WindowGain` of the validation accuracy. How much:
    under-expressiveness times the width, and no width falls along the chain. Optimizer state survives by id.

    Differences from the paper:

    * `delta_acc`, `delta_stop`, `relative_to` and `until`, unless `paper`.
    * New entries of the optimizer start with step counts of their own. The training option `newcomers="zero"` gives the
      paper's way: zero moments under the shared step count.
    * Running statistics of new maps are those of one mini-batch; the paper does not define them.
    * The paper leaves open the ends of the chain, the fallback and residual groups; see docs/methods.md.

    Args:
        start: the graph at which growth starts.
        options: options of the growth.

    Source: "NAGN"; see `NagnOptions` for choices that the paper leaves open.
    """
    o: Any = (options or NagnOptions()).resolved()  # in which nothing is None any more
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
    goal = Goal(edges=o.max_edges, asked=f"max_edges={o.max_edges:,}", limit=True) if o.max_edges else None
    return Method(
        "nagn", (part,), "NAGN: widen under-expressive layers", NAGN_REQUESTS, goal=goal, outlook=outlook_of(goal)
    )
