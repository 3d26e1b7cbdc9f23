"""A part that grows a network by splitting edges."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from netgraph.checks import Checked
from netgraph.columns import Array
from netgraph.criteria import Criterion, MinMaxThreshold, Selection, get_criterion, minmax_scaled, spread_over
from netgraph.errors import OptionError
from netgraph.graph import Graph
from netgraph.methods.method import Context, Proposal, actions_of, epochs_done
from netgraph.rewriting import draft, find
from netgraph.rules import SplitEdges
from netgraph.schedules import Plateau, Trigger


def edge_scores(context: Context, criterion: str | Criterion) -> Array:
    """Score every edge of the current graph, `(edges,)`; statistics are collected only if the criterion reads them."""
    chosen = get_criterion(criterion)
    stats = context.statistics() if chosen.needs_statistics else None
    return chosen.scores(context.graph, stats, context.rng)


def candidate_rows(graph: Graph, scope: str) -> Array:
    """Return the rows of `graph.edges` that are trainable and in scope.

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
        selection: number of edges to split, by their scores; thresholds scale by link.
        trigger: condition for an expansion.
        rule: rule that splits the edges.
        scope: "all" (edges inside earlier sublayers as well, as in the paper) or "output" (as in the published code).
        max_edges: largest number of edges that growth may reach; the selection is shortened to fit.
        share: fraction of the edges still allowed below `max_edges` that an expansion uses, unless it is the last.
        expansions: number of expansions; more follow while the graph has fewer edges than `at_least`.
        at_least: while the graph has fewer edges than this, an expansion follows every epoch after `start_by`, plateau
            or not.
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
    at_least: int = 0
    start_by: float = 1.0
    until: float = 1.0

    name = "split"

    def __post_init__(self) -> None:
        super().__post_init__()
        get_criterion(self.criterion)
        if not 0 < self.share <= 1:
            raise OptionError(f"share={self.share} is outside 0..1.")
        for name in ("start_by", "until"):
            if not 0 <= getattr(self, name) <= 1:
                raise OptionError(f"{name}={getattr(self, name)} is not a share of the epochs, which is in 0..1.")

    def propose(self, context: Context) -> Iterator[Proposal]:
        """Propose one expansion when the trigger fires or the expansion is overdue."""
        past = actions_of(context, self.name)
        done = sum(action.matches > 0 for action in past)
        if self._is_over(context):
            return
        last = past[-1].epoch if past else 0
        if not self._overdue(context, last) and not self.trigger.fires(context.history, last):
            return
        graph = context.graph
        rows = candidate_rows(graph, self.scope)
        chosen = self._select(graph, rows, edge_scores(context, self.criterion)[rows])
        limit = self._edge_limit(graph, last=self.expansions is not None and done + 1 >= self.expansions)
        kept = self._fitting(graph, chosen, limit)
        reason = f"{len(chosen):,} of {len(rows):,} edges selected by {self.criterion}"
        if len(kept) < len(chosen):
            room = "the caps on new edges and vertices" if limit is None else f"{limit:,} edges and the caps"
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
        enough = self.expansions is not None and done >= self.expansions and not self._is_short(context)
        return enough or epochs_done(context) > self._last_epoch(context.epochs)

    def _last_epoch(self, epochs: int) -> float:
        """Last epoch after which an expansion may come; at least 1, so that a short run grows at all."""
        return max(1.0, self.until * epochs)

    def expansions_within(self, epochs: int) -> int:
        """Number of expansions for which a run has time when the trigger never fires early."""
        first = max(1, math.ceil(self.start_by * epochs))
        last = min(math.floor(self._last_epoch(epochs)), epochs - 1)
        return max(0, last - first + 1)

    def reach(self, graph: Graph, expansions: int) -> int:
        """Return the largest number of edges after some expansions, whatever the scores are.

        The count stops early at `at_least`. Cost: that of the expansions, except the last one, which is only counted.
        """
        for _ in range(expansions):
            kept = self._fitting(graph, candidate_rows(graph, self.scope), self.max_edges)
            edges, _crossing, _vertices = self._counts(graph, kept)
            if not len(kept) or edges >= self.at_least:
                return edges
            graph = draft(self.rule, graph, on=graph.edges.id[kept], rng=0).graph
        return graph.num_edges

    def _is_short(self, context: Context) -> bool:
        return context.graph.num_edges < self.at_least

    def _overdue(self, context: Context, last: int) -> bool:
        """Whether to expand without the trigger: no expansion came so far, or the graph is short of `at_least`."""
        if epochs_done(context) < self.start_by * context.epochs:
            return False
        return not last or self._is_short(context)

    def _select(self, graph: Graph, rows: Array, scores: Array) -> Array:
        """Return the selected rows of `graph.edges`, best first."""
        edges = graph.edges
        if self.scale != "none":
            scores = minmax_scaled(scores, (edges.link if self.scale == "link" else edges.target_row)[rows])
        order = self.selection.select(scores, edges.link[rows])
        if self.spread:
            target_layer = graph.vertices.layer[edges.target_row[rows]]
            order = spread_over(order, edges.source_row[rows] * graph.next_ids.layer + target_layer)
        return np.asarray(rows[order])

    def _edge_limit(self, graph: Graph, *, last: bool) -> int | None:
        """Largest number of edges that the graph may have after this expansion, or None."""
        if self.max_edges is None or last:
            return self.max_edges
        return graph.num_edges + int(self.share * max(self.max_edges - graph.num_edges, 0))

    def _fitting(self, graph: Graph, rows: Array, limit: int | None) -> Array:
        """Return the longest prefix of rows whose split keeps to `limit` edges and the caps of the rule. O(E log k)."""
        low, high = 0, len(rows)
        while low < high:
            middle = (low + high + 1) // 2
            if self._fits(graph, rows[:middle], limit):
                low = middle
            else:
                high = middle - 1
        return rows[:low]

    def _fits(self, graph: Graph, rows: Array, limit: int | None) -> bool:
        edges, crossing, vertices = self._counts(graph, rows)
        if crossing > self.rule.max_crossing or vertices > self.rule.max_vertices:
            return False
        return limit is None or edges <= limit

    def _counts(self, graph: Graph, rows: Array) -> tuple[int, int, int]:
        """Count, for a split of the edges in these rows, all edges after it, new crossing edges and new vertices."""
        m = find(self.rule, graph, on=graph.edges.id[rows])
        crossing, vertices = self.rule.count_crossing(m), self.rule.count_vertices(m)
        return graph.num_edges + 2 * vertices - len(m) + crossing, crossing, vertices
