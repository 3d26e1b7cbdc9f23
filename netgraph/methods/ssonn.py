"""SSONN: start from one linear layer, split the edges with important gradients, prune what stays unimportant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from netgraph.checks import Checked, Count, Extended
from netgraph.criteria import AbsoluteThreshold, AtMost, MinMaxThreshold, Quantile, Selection, TopK
from netgraph.errors import OptionError
from netgraph.graph import Graph, mlp
from netgraph.methods.goal import Goal
from netgraph.methods.method import Method, Part
from netgraph.methods.prune import PruneBelow, PruneToBudget
from netgraph.methods.split import Split
from netgraph.methods.start import Start
from netgraph.rules import MAX_CROSSING, MAX_VERTICES, SplitEdges
from netgraph.schedules import Plateau

PRUNE_CRITERIA = {"budget": "l1", "below": "g_abs", "none": "l1"}
PRUNE_SCOPES: dict[str, Literal["added", "all"]] = {"budget": "all", "below": "added", "none": "added"}
LEAST = 1_000
"""Smallest default of `final_edges`: ten features alone give a start of ten edges per class, too few to learn with."""

SELECTIONS: dict[str, Callable[[float], Selection]] = {
    "absolute": AbsoluteThreshold,
    "minmax": MinMaxThreshold,
    "quantile": Quantile,
    "all": lambda amount: Quantile(1.0),
    "top-k": lambda amount: TopK(_whole(amount)),
}


@dataclass(frozen=True, kw_only=True)
class SsonnOptions(Checked):
    """Options of SSONN. The defaults are those of the benchmarks in docs/results.md, not those of the paper.

    Attributes:
        criterion: importance of an edge: "g_abs" (mean |gradient|), "g_var" (variance of |gradient|), or the
            ablations "reversed", "l1", "l2" and "random".
        select: which edges an expansion splits: "absolute" (the text: score above `amount`), "minmax" (the published
            numbers: above `amount` after scaling each link to [0, 1]), "quantile" (the best share `amount`), "top-k"
            (the best `amount`) or "all" (as many of the best as `peak_edges` leaves room for).
        amount: threshold, share or number of edges, as `select` says; "all" does not read it.
        scale: how scores of different links are compared: as they are ("none"), scaled to [0, 1] in each "link", or
            into each "target" vertex, so that every class has its important edges.
        spread: true takes the best edge of every source vertex first, then the second best of each, and so on; false
            takes the best edges wherever they are (the paper).
        limit: most edges that one expansion splits; 0 is no limit.
        cross: edges beside the replacement of a split edge: "selected" joins all selected parents and children with
            all new vertices, "none" adds none.
        epsilon: crossing weights are drawn from U(0, epsilon); the paper has 1e-8, 0 is exact.
        max_crossing: most crossing edges of one expansion.
        max_vertices: most new vertices of one expansion.
        signed: how to split on inputs that may be negative: by a "pair" of vertices, exactly, or not at all ("refuse").
        scope: which edges may be split: "all" (recursion into sublayers) or those into the "output" only, as in the
            published code.
        expansions: most expansions of the run, unless they end below `final_edges`; 0 is no limit.
        peak_edges: most edges that growth may reach; 0 stands for ten times `final_edges` up to 100,000, and at least
            five times.
        share: an expansion that is not the last fills this share of the room below `peak_edges`.
        grow_until: share of the epochs after which no expansion starts.
        plateau: an expansion starts when the mean |change| of the validation loss over `window` epochs is below this.
        window: number of changes of the validation loss in the mean that `plateau` limits.
        spacing: least number of epochs from one expansion to the next.
        start_by: the first expansion comes at the latest after this share of the epochs, plateau or not.
        prune: how growth is followed by pruning: "budget" (gradually back to `final_edges`), "below" (the paper: low
            scores some epochs after an expansion), or "none".
        prune_criterion: by what to prune: a gradient criterion, "l1" (magnitude), or "auto": the gradient (the paper)
            when pruning below a score, magnitude when pruning to a budget.
        final_edges: edges to end with when `prune` is "budget"; 0 stands for 4.5 times those of the start, and at least
            1,000.
        prune_start: share of the epochs after which pruning to the budget starts.
        prune_end: share of the epochs after which pruning to the budget has reached it.
        prune_threshold: edges with a score up to this go when `prune` is "below".
        prune_delay: epochs from an expansion to the first step of pruning when `prune` is "below".
        prune_duration: number of steps of that pruning, one after each epoch, when `prune` is "below".
        prune_scaled: `prune_threshold` is of scores that are scaled to [0, 1] in each link (true, the published
            numbers), or of scores as they are (false, the text of the paper).
        prune_scope: which edges may be pruned: "added" spares the edges of the linear start, "all" does not; "auto" is
            "all" when `prune` is "budget", which counts every edge, and else "added" (the paper).
    """

    criterion: str = "g_abs"
    select: Literal["absolute", "minmax", "quantile", "top-k", "all"] = "all"
    amount: float = 0.0
    scale: Literal["none", "link", "target"] = "target"
    spread: bool = True
    limit: int = 0
    cross: Literal["selected", "none"] = "selected"
    epsilon: float = 0.0
    max_crossing: int = MAX_CROSSING
    max_vertices: int = MAX_VERTICES
    signed: Literal["pair", "refuse"] = "pair"
    scope: Literal["all", "output"] = "all"
    expansions: int = 1
    peak_edges: int = 0
    share: float = 0.6
    grow_until: float = 0.4
    plateau: Extended = 0.005
    window: int = 5
    spacing: int = 5
    start_by: float = 0.25
    prune: Literal["budget", "below", "none"] = "budget"
    prune_criterion: str = "auto"
    final_edges: int = 0
    prune_start: float = 0.4
    prune_end: float = 0.75
    prune_threshold: float = 0.1
    prune_delay: Count = 3
    prune_duration: Count = 3
    prune_scaled: bool = True
    prune_scope: Literal["auto", "added", "all"] = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("final_edges", "peak_edges", "expansions", "limit"):
            if getattr(self, name) < 0:
                raise OptionError(f"{name}={getattr(self, name)} is negative.")
        if self.spacing < 1:
            raise OptionError(f"spacing={self.spacing} is below 1 epoch.")

    def resolved(self, start: Graph) -> SsonnOptions:
        """Return the options with defaults filled in that depend on the start or on other options."""
        final = self.final_edges or max(LEAST, round(4.5 * start.num_edges))
        criterion = self.prune_criterion if self.prune_criterion != "auto" else PRUNE_CRITERIA[self.prune]
        return replace(
            self,
            final_edges=final,
            peak_edges=self.peak_edges or max(5 * final, min(10 * final, 100_000)),
            prune_criterion=criterion,
            prune_scope=pruned_edges(self),
        )


def pruned_edges(options: SsonnOptions) -> Literal["added", "all"]:
    """Resolve `prune_scope`: the edges that pruning may remove."""
    return PRUNE_SCOPES[options.prune] if options.prune_scope == "auto" else options.prune_scope


def ssonn_start(options: SsonnOptions, start: Start) -> Graph:
    """Build the linear start: all features, also of images, feed all outputs. No option changes it."""
    return mlp([start.features, start.outputs], domain=start.flat_domain, seed=start.seed)


def ssonn(start: Graph, options: SsonnOptions | None = None) -> Method:
    """Compose SSONN.

    Where: edges with a large mean of |gradient| over mini-batches (equation 1), or a large variance (equation 2).
    How: `SplitEdges`. When: `Plateau` of the validation loss. How much: a selection, capped by `peak_edges`.
    Then pruning, see `prune` and `prune_scope`. Optimizer state survives by id; new entries start at zero momentum.

    Args:
        start: the graph at which growth starts; sizes that the options leave open depend on it.
        options: options of the growth.

    Source: "SSONN", sections 3.1 to 3.4; the published code differs from the text where the options say so.
    """
    o = (options or SsonnOptions()).resolved(start)
    scope = pruned_edges(o)
    goal = Goal(edges=o.final_edges, asked=f"final_edges={o.final_edges:,}") if o.prune == "budget" else None
    if goal and scope == "added" and goal.edges < start.num_edges:
        raise OptionError(
            f"{goal.asked} is below the {start.num_edges:,} edges of the start, which prune_scope='added' spares; use "
            f"prune_scope='all', or ask for at least {start.num_edges:,}."
        )
    split = Split(
        criterion=o.criterion,
        selection=_selection(o),
        trigger=Plateau(o.plateau, window=o.window, minimum=o.spacing),
        rule=SplitEdges(
            cross=o.cross,
            epsilon=o.epsilon,
            signed=o.signed,
            max_crossing=o.max_crossing,
            max_vertices=o.max_vertices,
        ),
        scope=o.scope,
        scale=o.scale,
        spread=o.spread,
        share=o.share,
        max_edges=o.peak_edges,
        at_least=goal.edges if goal else 0,
        expansions=o.expansions or None,
        start_by=o.start_by,
        until=o.grow_until,
    )
    source = "Self-scaled optimised networks: split important edges"
    return Method("ssonn", (split, *_pruning(o, scope)), source, goal=goal, outlook=partial(_outlook, split, goal))


def _pruning(o: SsonnOptions, scope: Literal["added", "all"]) -> tuple[Part, ...]:
    """Return the part that prunes, or an empty tuple."""
    if o.prune == "budget":
        return (
            PruneToBudget(
                edges=o.final_edges, criterion=o.prune_criterion, start=o.prune_start, end=o.prune_end, scope=scope
            ),
        )
    if o.prune == "below":
        return (
            PruneBelow(
                threshold=o.prune_threshold,
                criterion=o.prune_criterion,
                delay=o.prune_delay,
                duration=o.prune_duration,
                scope=scope,
                scaled=o.prune_scaled,
            ),
        )
    return ()


def _outlook(split: Split, goal: Goal | None, start: Graph, epochs: int) -> list[str]:
    """Return a warning when growth may not reach the goal, else an empty list."""
    if goal is None or goal.edges <= start.num_edges:
        return []
    expansions = split.expansions_within(epochs)
    reach = split.reach(start, expansions)
    if reach >= goal.edges:
        return []
    times = f"{expansions} expansion{'' if expansions == 1 else 's'} (see start_by and grow_until)"
    return [
        f"{goal.asked} may be missed: {epochs} epochs have time for {times}, by which there are at most {reach:,} "
        "edges. Train for more epochs, raise peak_edges, max_vertices or max_crossing where one of them is the limit, "
        "or ask for fewer edges."
    ]


def _whole(amount: float) -> int:
    if not float(amount).is_integer():
        raise OptionError(f"amount={amount} is not a number of edges, which select='top-k' needs.")
    return int(amount)


def _selection(o: SsonnOptions) -> Selection:
    chosen: Selection = SELECTIONS[o.select](o.amount)
    return AtMost(chosen, o.limit) if o.limit else chosen
