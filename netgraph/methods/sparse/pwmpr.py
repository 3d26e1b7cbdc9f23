"""PWMPR: grow a sparse network by edges that join strong paths, until its accuracy no longer gains by density."""

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
            chance ("random").
        draw: how edges are taken: "sample" in proportion to the scores, or the "top" ones.
        power: power of the weights in path scores: 1, or 2 for the gain of the path-kernel trace.
        start: how the edges of the start are chosen: "phew" (walks along large weights), "erk" or "er" (at random,
            fewer in large links) or "uniform" (at random).
        start_density: density of the start; higher when that would leave vertices isolated.
        density: growth ends at the latest at this density.
        stop: end growth at the plateau of the validation score over density, fitted after every step: "gain", where 95
            % of what growth can gain are reached; "literal", where 95 % of the asymptote are, not for regression, whose
            score is the error; "none" does not.
        ratio: edges that a step adds, as a share of the edges before it.
        every: epochs from one step to the next.
        stall: a step comes when the validation loss has not improved for this number of epochs, whatever `every` says;
            0 keeps to `every`.
        rough: share of the epochs after which growth is over; what is left is the extensive training.
        prune: before each step, give up this share of the edges, the weakest, and grow as many more.
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
    """The network thinned out to the starting density."""
    if start.task == "regression" and options.stop == "literal":
        raise OptionError("stop='literal' takes a share of a positive score; for regression set stop=gain or none.")
    return thin_start(options, start, options.start_density, options.start)


@checked
def pwmpr(start: Graph, options: PwmprOptions | None = None, *, name: str = "pwmpr") -> Method:
    """Put PWMPR together, or growth by another score.

    Where: missing edges (i, j), all links in one pool, in proportion to complexity(i) * generality(j), the weight of
    all paths that the edge would close; or by |gradient| over one mini-batch, or at random. How: `AddEdges` at weight
    0: exact. When: every so many epochs at a constant learning rate, or when the validation loss stalls; until the
    fitted plateau of the validation score over density, a density, or a share of the epochs; then the learning rate
    falls along its curve (extensive training). How much: a share of the edges that are there. Optimizer state survives
    by id, and goes on into extensive training; new entries have their own step counts, where the paper says nothing.

    The hybrid, which the paper names as future work, gives up the weakest edges before each step: bounded.

    Args:
        start: the graph at which growth starts.
        options: how to grow.
        name: of the method.

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
    """A sentence when the start is too dense already, or when a run has time for too few steps."""
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
