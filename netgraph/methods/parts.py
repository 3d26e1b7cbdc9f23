"""Parts that methods are put together from. Each is usable alone and holds no state of its own."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from netgraph.checks import Checked
from netgraph.criteria import (
    AbsoluteThreshold,
    Criterion,
    MinMaxThreshold,
    Selection,
    TopK,
    get_criterion,
    minmax_scaled,
    spread_over,
)
from netgraph.errors import OptionError
from netgraph.graph import Graph
from netgraph.graph.columns import Array
from netgraph.methods.method import Context, Proposal, actions_of, epochs_done
from netgraph.rewriting import find
from netgraph.rules import PruneEdges, PruneVertices, SplitEdges
from netgraph.schedules import Plateau, Trigger, cubic_target


def edge_scores(context: Context, criterion: str | Criterion) -> Array:
    """(edges,) scores of a criterion for the current graph; statistics are collected only when it reads them."""
    chosen = get_criterion(criterion)
    stats = context.statistics() if chosen.needs_statistics else None
    return chosen.scores(context.graph, stats, context.rng)


def candidate_rows(graph: Graph, scope: str) -> Array:
    """Rows of `graph.edges` that may be acted on: trainable, and in scope.

    Args:
        graph: the graph.
        scope: "all"; "output", edges into output layers; "added", edges made by a rewrite.
    """
    edges = graph.edges
    chosen = ~edges.frozen
    if scope == "output":
        into = [graph.layer(key[1]).role == "output" for key in graph.links_by_key]
        chosen &= np.asarray(into, dtype=bool)[edges.link]
    elif scope == "added":
        chosen &= edges.birth > 0
    return np.flatnonzero(chosen)


@dataclass(frozen=True, kw_only=True)
class Split(Checked):
    """Grow by splitting the edges with the best scores.

    Attributes:
        criterion: edge criterion, by its name in `CRITERIA` or as a `Criterion` of your own.
        scale: "none", or scale scores to [0, 1] among the edges of one "link" (the published numbers) or into
            one "target" vertex, so that every class has its important edges.
        spread: take the best edge of every source vertex first, then the second best of each, and so on: new vertices
            with the same parent start alike, and important gradients gather on few sources.
        selection: how many edges, by their scores; thresholds scale by link.
        trigger: when.
        rule: the split itself.
        scope: "all" (edges inside earlier sublayers as well, as in the paper) or "output" (as in the code).
        max_edges: never grow beyond so many edges; the selection is cut to what fits.
        share: an expansion that is not the last fills this share of the room below `max_edges`.
        expansions: how many times at most.
        start_by: the first expansion comes at the latest after this share of the epochs, plateau or not.
        until: share of the epochs after which growth is over.
    """

    criterion: str | Criterion = "g_abs"
    selection: Selection = field(default_factory=lambda: MinMaxThreshold(0.7))
    trigger: Trigger = field(default_factory=lambda: Plateau(0.05))
    rule: SplitEdges = field(default_factory=SplitEdges)
    scale: Literal["none", "link", "target"] = "none"
    spread: bool = False
    scope: Literal["all", "output"] = "all"
    max_edges: int | None = None
    share: float = 1.0
    expansions: int | None = None
    start_by: float = 1.0
    until: float = 1.0

    name = "split"

    def __post_init__(self) -> None:
        super().__post_init__()
        get_criterion(self.criterion)
        if self.scope not in ("all", "output"):
            raise OptionError(f"scope={self.scope!r} is not 'all' or 'output'.")
        if self.scale not in ("none", "link", "target"):
            raise OptionError(f"scale={self.scale!r} is not 'none', 'link' or 'target'.")
        if not 0 < self.share <= 1:
            raise OptionError(f"share={self.share} is outside 0..1.")
        for name in ("start_by", "until"):
            if not 0 <= getattr(self, name) <= 1:
                raise OptionError(f"{name}={getattr(self, name)} is not a share of the epochs, which is in 0..1.")

    def propose(self, context: Context) -> Iterator[Proposal]:
        """One expansion, when it is time."""
        past = actions_of(context, self.name)
        done = sum(action.matches > 0 for action in past)
        if self._is_over(context):
            return
        overdue = not past and epochs_done(context) >= self.start_by * context.epochs
        if not overdue and not self.trigger.fires(context.history, past[-1].epoch if past else 0):
            return
        graph = context.graph
        rows = candidate_rows(graph, self.scope)
        chosen = self._select(graph, rows, edge_scores(context, self.criterion)[rows])
        most = self._most_edges(graph, last=self.expansions is not None and done + 1 == self.expansions)
        kept = self._that_fit(graph, chosen, most)
        reason = f"{len(chosen):,} of {len(rows):,} edges selected by {self.criterion}"
        if len(kept) < len(chosen):
            room = "the caps on new edges and vertices" if most is None else f"{most:,} edges and the caps"
            reason += f", {len(kept):,} fit into {room}"
        ids = graph.edges.id[kept]
        crossing = self.rule.count_crossing(find(self.rule, graph, on=ids))
        announcement = (
            f"splitting {len(kept):,} edges will make up to {crossing:,} crossing edges "
            f"(cap {self.rule.max_crossing:,})"
        )
        yield Proposal(self.name, self.rule, ids, reason, announcement)

    def pending(self, context: Context) -> bool:
        """Whether an expansion may still come."""
        return not self._is_over(context)

    def _is_over(self, context: Context) -> bool:
        done = sum(action.matches > 0 for action in actions_of(context, self.name))
        enough = self.expansions is not None and done >= self.expansions
        return enough or epochs_done(context) > self.until * context.epochs

    def _select(self, graph: Graph, rows: Array, scores: Array) -> Array:
        """The selected rows of `graph.edges`, best first."""
        edges = graph.edges
        if self.scale != "none":
            scores = minmax_scaled(scores, (edges.link if self.scale == "link" else edges.target_row)[rows])
        order = self.selection.select(scores, edges.link[rows])
        if self.spread:
            target_layer = graph.vertices.layer[edges.target_row[rows]]
            order = spread_over(order, edges.source_row[rows] * graph.next_ids.layer + target_layer)
        return np.asarray(rows[order])

    def _most_edges(self, graph: Graph, *, last: bool) -> int | None:
        """How many edges the graph may have after this expansion."""
        if self.max_edges is None or last:
            return self.max_edges
        return graph.num_edges + int(self.share * max(self.max_edges - graph.num_edges, 0))

    def _that_fit(self, graph: Graph, rows: Array, most: int | None) -> Array:
        """The longest prefix whose split stays within `most` edges and the rule's own cap. O(E log k)."""
        low, high = 0, len(rows)
        while low < high:
            middle = (low + high + 1) // 2
            if self._fits(graph, rows[:middle], most):
                low = middle
            else:
                high = middle - 1
        return rows[:low]

    def _fits(self, graph: Graph, rows: Array, most: int | None) -> bool:
        m = find(self.rule, graph, on=graph.edges.id[rows])
        crossing = self.rule.count_crossing(m)
        vertices = self.rule.count_vertices(m)
        if crossing > self.rule.max_crossing or vertices > self.rule.max_vertices:
            return False
        paths = 2 * vertices - len(m)
        return most is None or graph.num_edges + paths + crossing <= most


@dataclass(frozen=True, kw_only=True)
class PruneToBudget(Checked):
    """Come back to a number of edges, gradually: a cubic schedule between two shares of the run.

    Attributes:
        edges: how many edges to end with.
        criterion: edge criterion, by name or as a `Criterion`; edges with the smallest scores go first.
        start, end: shares of the epochs between which to prune, the last step included.
        scope: "added" spares the edges that the run started with, "all" does not.
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
        _check_prune_scope(self.scope)

    def propose(self, context: Context) -> Iterator[Proposal]:
        """Remove what is above this epoch's target, then what no one reads any more."""
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
        chosen = rows[TopK(excess).select(scores, graph.edges.link[rows])]
        reason = f"back to {target:,} edges, step {step} of {steps}, by smallest {self.criterion}"
        yield Proposal(self.name, PruneEdges(below=None), graph.edges.id[chosen], reason)
        yield from clear_dead(context, self.name)

    def pending(self, context: Context) -> bool:
        """Whether a step of the schedule is still to come."""
        return epochs_done(context) < self._epochs(context)[1]

    def _epochs(self, context: Context) -> tuple[int, int]:
        """The first and the last epoch after which to prune: of 1 to epochs - 1, for nothing learns after the last."""
        first, last = (
            max(1, min(math.ceil(share * context.epochs), context.epochs - 1)) for share in (self.start, self.end)
        )
        return first, last


@dataclass(frozen=True, kw_only=True)
class PruneBelow(Checked):
    """Prune edges with low scores some epochs after each action of another part (SSONN, section 3.4).

    Attributes:
        threshold: scores, scaled to [0, 1] in each link when `scaled`, at or below it go.
        criterion: edge criterion, by name or as a `Criterion`; the paper has the gradient score.
        after: name of the part whose actions start the pruning.
        delay: epochs between that action and the first step.
        duration: number of steps, one per epoch; each removes an equal share of what is left to remove.
        scope: "added" spares the edges that the run started with, "all" does not.
        scaled: compare min-max scaled scores (the published numbers) or absolute ones (the text).
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
        if math.isnan(self.threshold) or (self.scaled and not 0 <= self.threshold <= 1):
            raise OptionError(f"threshold={self.threshold} is not a score; scaled scores lie in 0..1.")
        _check_prune_scope(self.scope)

    def propose(self, context: Context) -> Iterator[Proposal]:
        """Remove this epoch's share of the edges below the threshold, then what no one reads any more."""
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
        """How far the pruning after each action has come; negative while it waits."""
        grown = [action.epoch for action in actions_of(context, self.after) if action.matches > 0]
        return [epochs_done(context) - epoch - self.delay for epoch in grown]


def _check_prune_scope(scope: str) -> None:
    if scope not in ("added", "all"):
        raise OptionError(f"scope={scope!r} is not 'added' or 'all'.")


def clear_dead(context: Context, part: str) -> Iterator[Proposal]:
    """Propose to remove vertices that nothing reads, when there are any."""
    dead = find(PruneVertices(), context.graph)
    if len(dead):
        yield Proposal(part, PruneVertices(), dead.v.id, f"nothing reads {len(dead):,} vertices")
