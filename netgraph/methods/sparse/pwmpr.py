"""PWMPR: growth of a sparse network by edges that join strong paths, up to the plateau of accuracy over density."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Literal

from netgraph.checks import checked
from netgraph.errors import OptionError
from netgraph.graph import Graph
from netgraph.methods.goal import SLACK, Goal
from netgraph.methods.method import Method
from netgraph.methods.sparse.grow_edges import GrowEdges, Where
from netgraph.methods.sparse.options import SparseOptions, check_density, thin_start
from netgraph.methods.sparse.start import SparseInit
from netgraph.methods.start import Start
from netgraph.schedules import EveryEpochs, Phase, PlateauStop, Stalled


@dataclass(frozen=True, kw_only=True)
class PwmprOptions(SparseOptions):
    """Options of PWMPR, and of growth by other scores.

    Attributes:
        where: score of a missing edge: the weights of the paths that it joins ("path"), its |gradient| ("gradient"), or
            equal scores ("random").
        draw: choice of the added edges: "sample" draws them in proportion to the scores, "top" takes the largest
            scores.
        power: power of the weights in path scores: 1, or 2 for the gain of the path-kernel trace.
        start: choice of the first edges: "phew" (walks along large weights), "erk" or "er" (at random, with a lower
            density in large links) or "uniform" (at random).
        start_density: density of the first graph; the graph is denser when vertices would be isolated.
        density: upper bound of the density; growth ends there at the latest.
        stop: plateau of the validation score over density at which growth ends, fitted after every step: "gain", 95 %
            of the fitted gain; "literal", 95 % of the asymptote, for classification only; "none", no plateau.
        ratio: number of edges that a step adds, as a fraction of the edges before it.
        every: number of epochs between two steps.
        stall: number of epochs without an improvement of the validation loss after which a step follows; 0 uses `every`
            instead.
        rough: fraction of the epochs after which growth ends; the rest is extensive training.
        prune: fraction of the edges, the weakest, that each step removes before it adds as many more.
    """

    where: Where = "path"
    draw: Literal["sample", "top"] = "sample"
    power: int = 1
    start: SparseInit = "phew"
    start_density: float = 0.05
    density: float = 0.5
    stop: Literal["gain", "literal", "none"] = "gain"
    ratio: float = 0.25
    every: int = 2
    stall: int = 0
    rough: float = 0.6
    prune: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_density("start_density", self.start_density)
        check_density("density", self.density)
        if self.stall < 0:
            raise OptionError(f"stall={self.stall} is negative.")


def pwmpr_start(options: PwmprOptions, start: Start) -> Graph:
    """Build the network at the starting density.

    Raises:
        OptionError: for a regression with `stop="literal"`.
    """
    if start.task == "regression" and options.stop == "literal":
        raise OptionError("stop='literal' takes a share of a positive score; for regression set stop=gain or none.")
    return thin_start(options, start, options.start_density, options.start)


@checked
def pwmpr(start: Graph, options: PwmprOptions | None = None, *, name: str = "pwmpr") -> Method:
    """Compose PWMPR, or growth by another score.

    * Where: missing edges `(i, j)` of all links together, in proportion to `complexity(i) * generality(j)`, the weight
      of all paths that the edge would close; or by |gradient| over one mini-batch, or at random.
    * How: `AddEdges` with weight 0, which is exact.
    * When: every `every` epochs at a constant learning rate, or when the validation loss stalls. Growth ends at the
      fitted plateau of the validation score over density, at a density, or after a fraction of the epochs. Then the
      learning rate falls along its curve (extensive training).
    * How much: a fraction of the present edges.

    Optimizer state is carried by id through growth and into extensive training. New entries have step counts of their
    own; the paper leaves this open. With `prune`, the hybrid that the paper names as future work, each step first
    removes the weakest edges, which is bounded.

    Args:
        start: first graph.
        options: options of the method; None is the defaults.
        name: name of the method.

    Source: "PWMPR" (growth by path weight, plateau of a saturating exponential); starts: Patil and Dovrolis 2021.
    """
    o = options or PwmprOptions()
    part = GrowEdges(
        where=o.where,
        draw=o.draw,
        power=o.power,
        trigger=Stalled(o.stall) if o.stall else EveryEpochs(o.every),
        ratio=o.ratio,
        until=o.density,
        prune=o.prune,
        stop=None if o.stop == "none" else PlateauStop(reading=o.stop),
        rough=o.rough,
        head=o.head,
    )
    source = "PWMPR: grow sparse networks along strong paths"
    asked, limit = f"density={o.density:g}", o.stop != "none"
    goal = Goal.of_density(start, o.density, asked, head=o.head, limit=limit)
    return Method(
        name, (part,), source, opening=Phase(curve="constant"), goal=goal, outlook=partial(_outlook, part, goal)
    )


def _outlook(part: GrowEdges, goal: Goal, start: Graph, epochs: int) -> list[str]:
    """Warning for a first graph that is too dense, or a run with too few steps, as a list of at most one sentence.

    Steps are counted only when they have a fixed number of epochs between them, and no plateau may end growth earlier.
    """
    if goal.limit or not isinstance(part.trigger, EveryEpochs):
        return goal.outlook(start, epochs)
    last = min(math.ceil(round(part.rough * epochs, 9)), epochs) - 1
    reached = part.reach(start, last // part.trigger.period)
    if reached >= (1 - SLACK) * goal.edges:
        return goal.outlook(start, epochs)
    steps = f"{last // part.trigger.period} steps of growth (see rough and every)"
    return [
        f"{goal.asked} will be missed: {epochs} epochs have time for {steps}, which lead to {reached:,} edges instead "
        f"of {goal.edges:,}. Train for more epochs, or raise ratio or rough."
    ]
