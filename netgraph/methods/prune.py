"""Parts that prune edges: down to a budget, or below a score."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from netgraph.analysis import leading_out
from netgraph.checks import Checked
from netgraph.columns import Array
from netgraph.criteria import AbsoluteThreshold, Criterion, MinMaxThreshold, TopK, get_criterion
from netgraph.errors import OptionError
from netgraph.graph import Graph
from netgraph.methods.method import Context, Proposal, actions_of, epochs_done
from netgraph.methods.split import candidate_rows, edge_scores
from netgraph.rewriting import find
from netgraph.rules import PruneEdges, PruneVertices
from netgraph.schedules import cubic_target


@dataclass(frozen=True, kw_only=True)
class PruneToBudget(Checked):
    """Prune gradually to a number of edges, by a cubic schedule over a part of the run.

    Attributes:
        edges: number of edges after the last step.
        criterion: edge criterion, by name or as a `Criterion`; edges with the smallest scores go first.
        start, end: fractions of the epochs between which to prune, the last step included.
        scope: "added" spares the edges of the start, "all" does not.
    """

    edges: int
    criterion: str | Criterion = "l1"
    start: float = 0.5
    end: float = 0.8
    scope: Literal["added", "all"] = "added"

    name = "prune"

    def __post_init__(self) -> None:
        super().__post_init__()
        get_criterion(self.criterion)
        if self.edges < 0:
            raise OptionError(f"A budget of {self.edges} edges is negative.")
        if not 0 <= self.start <= self.end <= 1:
            raise OptionError(f"start={self.start} and end={self.end} must satisfy 0 <= start <= end <= 1.")

    def propose(self, context: Context) -> Iterator[Proposal]:
        """Propose to remove edges down to this epoch's target, then vertices that nothing reads any more."""
        first, last = self._epochs(context)
        step, steps = epochs_done(context) - first + 1, last - first + 1
        graph = context.graph
        if not 1 <= step <= steps:
            return
        past = actions_of(context, self.name)
        peak = past[0].edges_before if past else graph.num_edges
        target = cubic_target(max(peak, self.edges), self.edges, step, steps)
        excess = graph.num_edges - target
        if excess <= 0:
            return
        rows = candidate_rows(graph, self.scope)
        scores = -edge_scores(context, self.criterion)[rows]
        weakest = rows[TopK(excess).select(scores, graph.edges.link[rows])]
        chosen = weakest[: _enough(graph, weakest, target)]
        reason = f"back to {target:,} edges, step {step} of {steps}, by smallest {self.criterion}"
        yield Proposal(self.name, PruneEdges(below=None), graph.edges.id[chosen], reason)
        yield from clear_dead(context, self.name)

    def pending(self, context: Context) -> bool:
        """Whether a step of the schedule is still to come."""
        return epochs_done(context) < self._epochs(context)[1]

    def _epochs(self, context: Context) -> tuple[int, int]:
        """First and last epoch after which to prune, in `1 .. epochs - 1`: after the last epoch nothing learns."""
        first, last = (
            max(1, min(math.ceil(share * context.epochs), context.epochs - 1)) for share in (self.start, self.end)
        )
        return first, last


@dataclass(frozen=True, kw_only=True)
class PruneBelow(Checked):
    """Prune edges with low scores some epochs after each action of another part (SSONN, section 3.4).

    Attributes:
        threshold: edges with a score of at most this are removed; scores are in [0, 1] when `scaled`.
        criterion: edge criterion, by name or as a `Criterion`; the paper has the gradient score.
        after: name of the part whose actions start the pruning.
        delay: number of epochs between that action and the first step.
        duration: number of steps, one per epoch; each removes an equal number of edges.
        scope: "added" spares the edges of the start, "all" does not.
        scaled: whether scores are min-max scaled in each link (the published numbers) or absolute (the text).
    """

    threshold: float = 0.1
    criterion: str | Criterion = "g_abs"
    after: str = "split"
    delay: int = 3
    duration: int = 3
    scope: Literal["added", "all"] = "added"
    scaled: bool = True

    name = "prune-below"

    def __post_init__(self) -> None:
        super().__post_init__()
        get_criterion(self.criterion)
        if self.delay < 1 or self.duration < 1:
            raise OptionError(f"delay={self.delay} and duration={self.duration} must be at least one epoch.")
        if self.scaled and not 0 <= self.threshold <= 1:
            raise OptionError(f"threshold={self.threshold} is not a score; scaled scores lie in 0..1.")

    def propose(self, context: Context) -> Iterator[Proposal]:
        """Propose to remove this epoch's share of the edges below the threshold, then vertices that nothing reads."""
        running = [step for step in self._steps(context) if 0 <= step < self.duration]
        if not running:
            return
        step = running[0]
        graph = context.graph
        rows = candidate_rows(graph, self.scope)
        scores = edge_scores(context, self.criterion)[rows]
        links = graph.edges.link[rows]
        above = (MinMaxThreshold if self.scaled else AbsoluteThreshold)(self.threshold).mask(scores, links)
        low = np.flatnonzero(~above)
        share = -(-len(low) // (self.duration - step))
        chosen = rows[low[TopK(share).select(-scores[low], links[low])]]
        reason = f"{len(low):,} of {len(rows):,} edges at or below {self.threshold:g} by {self.criterion}"
        yield Proposal(self.name, PruneEdges(below=None), graph.edges.id[chosen], reason)
        yield from clear_dead(context, self.name)

    def pending(self, context: Context) -> bool:
        """Whether a step after an earlier action is still to come."""
        return any(step < self.duration - 1 for step in self._steps(context))

    def _steps(self, context: Context) -> list[int]:
        """Steps of pruning done after each action; negative during the delay."""
        grown = [action.epoch for action in actions_of(context, self.after) if action.matches > 0]
        return [epochs_done(context) - epoch - self.delay for epoch in grown]


def _enough(graph: Graph, rows: Array, target: int) -> int:
    """Return the smallest number of leading `rows` whose removal brings a graph down to `target` edges.

    The removal counts edges of vertices that nothing reads any more. Cost: O(edges log edges).
    """

    def left(count: int) -> int:
        keep = np.ones(len(graph.edges), dtype=bool)
        keep[rows[:count]] = False
        return int(np.count_nonzero(keep & ~graph.edges.frozen & leading_out(graph, keep)[graph.edges.target_row]))

    low, high = 0, len(rows)
    while low < high:
        middle = (low + high) // 2
        if left(middle) <= target:
            high = middle
        else:
            low = middle + 1
    return low


def clear_dead(context: Context, part: str) -> Iterator[Proposal]:
    """Propose to remove vertices that nothing reads, if there are any."""
    dead = find(PruneVertices(), context.graph)
    if len(dead):
        yield Proposal(part, PruneVertices(), dead.v.id, f"nothing reads {len(dead):,} vertices")
