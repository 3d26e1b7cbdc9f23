"""A part that widens layers that are too narrow, by the signals of an epoch's last mini-batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from netgraph.checks import Checked, Extended
from netgraph.criteria import ExpressivenessProfile, GrowthRule, expressiveness, nagn, trainable_chain
from netgraph.errors import OptionError
from netgraph.graph import Graph
from netgraph.methods.method import Context, Proposal, actions_of, epochs_done
from netgraph.rewriting import find
from netgraph.rules import WidenLayer, tied_layers
from netgraph.schedules import WindowGain
from netgraph.statistics import Statistics


def layer_profile(graph: Graph, stats: Statistics, rule: GrowthRule | None = None) -> ExpressivenessProfile:
    """Compute the NAGN profile of a graph: for every layer with trainable edges, whether and why it should grow.

    A layer may grow when `WidenLayer` accepts it: it is hidden, and neither the layer nor one that identity wires tie
    to it has a norm that couples vertices. Tied layers grow together.

    Args:
        graph: the graph.
        stats: statistics with "vertex_signals" of its topology.
        rule: thresholds and limits.

    Raises:
        StatisticsError: when the statistic was not requested, or belongs to another topology.
    """
    chain = trainable_chain(graph)
    group = {member: number for number, tied in enumerate(tied_layers(graph)) for member in tied}
    takes = set(find(WidenLayer(), graph).l.id.tolist())
    free = dict.fromkeys(group.values(), True)
    for member, number in group.items():
        free[number] &= member in takes
    return expressiveness(
        nagn(graph, stats, chain),
        [len(layer) for layer in chain],
        growable=[free[group[layer.id]] for layer in chain],
        groups=[group[layer.id] for layer in chain],
        names=[layer.name for layer in chain],
        rule=rule,
    )


@dataclass(frozen=True, kw_only=True)
class Widen(Checked):
    """Grow by widening under-expressive layers (NAGN).

    Attributes:
        trigger: condition for growth: a small gain from one window of epochs to the next.
        stop: growth ends for good when the relative gain of the metric from one trigger to the next is below this.
        rule: choice of layers and of their new widths.
        max_edges: number of edges from which on the graph does not grow; None is no limit.
        until: fraction of the epochs after which growth is over.
    """

    trigger: WindowGain = field(default_factory=WindowGain)
    stop: Extended = 0.001
    rule: GrowthRule = field(default_factory=GrowthRule)
    max_edges: int | None = None
    until: float = 0.8

    name = "widen"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.until <= 1:
            raise OptionError(f"until={self.until} is not a share of the epochs, which is in 0..1.")

    def propose(self, context: Context) -> Iterator[Proposal]:
        """Propose one widening for each group of layers, from first to last, so that new vertices join each other."""
        if self._is_over(context) or not self.trigger.fires(context.history, self._last(context)):
            return
        graph, signals = context.graph, context.signals()
        if signals.topology_hash != graph.topology_hash:
            return  # another part has rewritten the graph since; the trigger is asked again after the next epoch
        yield from proposals(graph, layer_profile(graph, signals, self.rule), self.name)

    def pending(self, context: Context) -> bool:
        """Whether layers may still be widened."""
        return not self._is_over(context)

    def _is_over(self, context: Context) -> bool:
        """Whether growth has ended. The history alone decides, so a resumed run agrees and the end is final."""
        if epochs_done(context) > self.until * context.epochs:
            return True
        if self.max_edges is not None and context.graph.num_edges >= self.max_edges:
            return True
        history, last = context.history, self._last(context)
        return last > 0 and any(
            self.trigger.fires(history[:epoch], last) and self.trigger.gain(history, last, epoch) < self.stop
            for epoch in range(last + 1, len(history) + 1)
        )

    def _last(self, context: Context) -> int:
        past = actions_of(context, self.name)
        return past[-1].epoch if past else 0


def proposals(graph: Graph, profile: ExpressivenessProfile, part: str) -> Iterator[Proposal]:
    """Turn a profile of this graph into rewrites, one for each group of tied layers, in topological order.

    New vertices read old ones by weights of variance `2 / fan-in`, with the widths before the growth, and each other by
    weight 0 (NAGN, equation 1). The first proposal announces the profile. When no layer grows, the only proposal is
    empty and says so.
    """
    by_name = {layer.name: layer.id for layer in graph.layers_by_id.values()}
    group = {member: number for number, tied in enumerate(tied_layers(graph)) for member in tied}
    table = "\n  ".join(profile.table().splitlines())
    since = graph.next_ids.vertex
    done: set[int] = set()
    for i in np.flatnonzero(profile.increments):
        layer, count = by_name[profile.names[i]], int(profile.increments[i])
        if group[layer] in done:
            continue
        announcement = "" if done else table
        done.add(group[layer])
        reason = f"{profile.names[i]} from {profile.widths[i]} to {profile.widths[i] + count}: {profile.reasons[i]}"
        yield Proposal(part, WidenLayer(count=count, since=since), np.array([layer]), reason, announcement, settle=True)
    if not done:
        yield Proposal(part, WidenLayer(), np.empty(0, np.int64), "no layer stands out from its neighbours", table)
