"""Part of PWMPR, and of growth at random or by gradients, that adds missing edges to a sparse network."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from netgraph.analysis import admissible_edges, density, forward_flops, sparse_links
from netgraph.checks import Checked
from netgraph.criteria import MissingScores, gradient_scores, path_scores, uniform_scores, weakest
from netgraph.errors import OptionError
from netgraph.graph import Graph
from netgraph.methods.method import NEW_PHASE, Context, NewPhase, Proposal, Step, actions_of, clip_step, epochs_done
from netgraph.rules import AddEdges, PruneEdges
from netgraph.schedules import EveryEpochs, Phase, PlateauStop, Trigger, is_error, values_of

Where = Literal["path", "random", "gradient"]
"""Score of missing edges: the weight of the paths that they close, equal for all, or their |gradient|."""


@dataclass(frozen=True, kw_only=True)
class GrowEdges(Checked):
    """Add missing edges with weight 0, step by step, up to a density or a plateau.

    Attributes:
        where: score of missing edges, which compete over all links together.
        draw: "sample" draws edges in proportion to their scores, without replacement; "top" takes the largest scores.
        power: power of the weights in path scores: 1 for path weights, 2 for the gain of the path-kernel trace.
        trigger: condition for a step.
        ratio: number of edges that a step adds, relative to the present edges of the links that grow:
            `floor(ratio * edges)`. A step is slightly stretched where it then ends exactly at a goal.
        until: density of these links at which growth ends; the last step is shortened to end there.
        through: intermediate densities that steps must reach exactly.
        prune: fraction of the edges, the ones of smallest magnitude, that each step removes before it adds as many
            more.
        stop: plateau of `metric` over density at which growth ends as well; None for no such end.
        metric: metric of the epochs before each step; None is val_accuracy, or val_rmse where there is no accuracy. A
            metric whose name ends in "loss" or "rmse" is negated, so that higher is better.
        rough: fraction of the epochs after which growth ends.
        then: phase of training that follows the end of growth.
        head: whether to add edges to links into output layers as well.
    """

    where: Where = "path"
    draw: Literal["sample", "top"] = "sample"
    power: int = 1
    trigger: Trigger = field(default_factory=lambda: EveryEpochs(2))
    ratio: float = 0.25
    until: float = 1.0
    through: tuple[float, ...] = ()
    prune: float = 0.0
    stop: PlateauStop | None = None
    metric: str | None = None
    rough: float = 1.0
    then: Phase = field(default_factory=Phase)
    head: bool = False

    name = "grow"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.power not in (1, 2):
            raise OptionError(f"power={self.power} is not 1 or 2.")
        if self.ratio <= 0:
            raise OptionError(f"ratio={self.ratio} is not a finite number above 0.")
        for name in ("until", "rough"):
            if not 0 < getattr(self, name) <= 1:
                raise OptionError(f"{name}={getattr(self, name)} is outside 0..1.")
        if not 0 <= self.prune < 1:
            raise OptionError(f"prune={self.prune} is outside 0..1.")

    def propose(self, context: Context) -> Iterator[Step]:
        """Propose one step of growth, or the next phase when growth ends."""
        if self._is_over(context):
            return
        if epochs_done(context) >= round(self.rough * context.epochs, 9):
            yield NewPhase(self.name, self.then, f"growth had {epochs_done(context)} epochs")
            return
        acted = actions_of(context, self.name)
        if not self.trigger.fires(context.history, acted[-1].epoch if acted else 0):
            return
        if self._at_plateau(context):
            yield NewPhase(self.name, self.then, f"{self._metric(context)} has reached its plateau over density")
            return
        if self._wanted(context.graph):
            yield from self._step(context)
        if not self._wanted(context.graph):
            yield NewPhase(self.name, self.then, f"density {self._density(context.graph):.4g} is reached")

    def pending(self, context: Context) -> bool:
        """Whether growth goes on."""
        return not self._is_over(context)

    def _is_over(self, context: Context) -> bool:
        return any(action.rule == NEW_PHASE for action in actions_of(context, self.name))

    def _step(self, context: Context) -> Iterator[Proposal]:
        graph, links = context.graph, sparse_links(context.graph, head=self.head)
        before, count = self._density(graph), self._wanted(graph)
        if self.prune:
            gone = weakest(graph, links, int(self.prune * self._edges(graph)))
            yield Proposal(self.name, PruneEdges(below=None), gone, f"the weakest {self.prune:.0%} make way")
            count += len(gone)
        scores = self._scores(context)
        drawn = scores.draw(count, context.rng) if self.draw == "sample" else None
        pairs = scores.top(count) if drawn is None else drawn.pairs
        after = before + self._wanted(graph) / admissible_edges(graph, links)
        by = {"path": "path weight", "random": "chance", "gradient": "gradient"}[self.where]
        how = "drawn by" if self.draw == "sample" else "of largest"
        reason = f"{how} {by}; density {before:.4g} to {after:.4g}"
        if drawn is not None and drawn.by_chance:
            reason += f"; {drawn.by_chance:,} on no path, by chance"
        yield Proposal(self.name, AddEdges(), pairs, reason)

    def _scores(self, context: Context) -> MissingScores:
        graph = context.graph
        links = sparse_links(graph, head=self.head)
        if self.where == "random":
            return uniform_scores(graph, links)
        if self.where == "gradient":
            return gradient_scores(graph, links, context.dense_gradients(links))
        # Cost: one forward and one backward of one sample, and the gradients of all weights, missing ones included.
        context.spend("paths", 2 * forward_flops(graph) + forward_flops(graph, dense=links))
        return path_scores(graph, links, power=self.power)

    def _edges(self, graph: Graph) -> int:
        return sum(len(graph.links_by_key[key]) for key in sparse_links(graph, head=self.head))

    def _density(self, graph: Graph) -> float:
        return density(graph, sparse_links(graph, head=self.head))

    def reach(self, graph: Graph, steps: int) -> int:
        """Predict the number of all edges after a number of steps of growth, which are not made."""
        cells, edges = admissible_edges(graph, sparse_links(graph, head=self.head)), self._edges(graph)
        others = graph.num_edges - edges
        for _ in range(steps):
            edges += self._count(edges, cells)
        return others + edges

    def _wanted(self, graph: Graph) -> int:
        """Number of edges to add now; 0 when growth is over."""
        return self._count(self._edges(graph), admissible_edges(graph, sparse_links(graph, head=self.head)))

    def _count(self, edges: int, cells: int) -> int:
        """Number of edges that the next step adds to `edges` of `cells` admissible ones."""
        room = [round(share * cells) - edges for share in (self.until, *self.through)]
        return min(clip_step(max(1, math.floor(self.ratio * edges)), room), max(0, room[0]))

    def _at_plateau(self, context: Context) -> bool:
        """Whether the metric over density has reached its plateau, fitted to one point per step and the present one."""
        if self.stop is None:
            return False
        graph, links = context.graph, sparse_links(context.graph, head=self.head)
        others = graph.num_edges - self._edges(graph)
        epochs = [*dict.fromkeys(action.epoch for action in actions_of(context, self.name)), epochs_done(context)]
        entries = [context.history[epoch - 1] for epoch in epochs]
        densities = (np.array([entry["edges"] for entry in entries]) - others) / admissible_edges(graph, links)
        metric = self._metric(context)
        values = np.array(values_of(entries, metric, "metric of growth"))
        return self.stop.reached(densities, -values if is_error(metric) else values)

    def _metric(self, context: Context) -> str:
        return self.metric or ("val_accuracy" if "val_accuracy" in context.history[-1] else "val_rmse")
