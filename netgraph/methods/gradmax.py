"""GradMax: widen all hidden layers by vertices whose incoming weights will have the largest gradients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from netgraph.checks import Checked
from netgraph.columns import Array
from netgraph.criteria import (
    gradmax_outgoing,
    growth_matrix,
    growth_requests,
    outgoing_by_link,
    outgoing_norm,
    outgoing_size,
)
from netgraph.errors import OptionError
from netgraph.graph import ACTIVATIONS, Graph, LinkKey, get_activation
from netgraph.methods.layered import layered_start, stages_of
from netgraph.methods.method import Context, Method, Proposal, actions_of
from netgraph.methods.start import Start
from netgraph.rewriting import find
from netgraph.rules import WidenLayer, tied_layers
from netgraph.schedules import EveryEpochs

GRADMAX_TRAINING: Mapping[str, Any] = {"batch_size": 128}
"""Training settings of the paper."""


@dataclass(frozen=True, kw_only=True)
class GradMaxOptions(Checked):
    """Options of GradMax. The defaults suit some hundred epochs: every layer grows to four times its width.

    Attributes:
        widths: network at which growth starts. For images, maps of 3x3 convolutions, stages with a pool after each
            separated by "/", as in "8,8/16,16"; for other data, hidden layers, as in "8,8".
        activation: activation of the hidden layers. It must map 0 to 0 and have a slope there, so it cannot be "relu".
        batch_norm: whether convolutions are followed by batch norm; there outgoing weights are random.
        every: epochs from the start to the first growth, and from one growth to the next.
        steps: number of growths.
        share: number of vertices that one growth adds to a layer, as a share of its width at the start; at least one.
        scale: norm of the outgoing weights of a new vertex, relative to the mean over the old vertices.
        batches: mini-batches over which the growth matrices are collected.
        random: draw all outgoing weights at random, for comparison.
    """

    widths: str = "8,8/16,16/32,32"
    activation: str = "prelu"
    batch_norm: bool = False
    every: int = 6
    steps: int = 12
    share: float = 0.25
    scale: float = 0.5
    batches: int = 4
    random: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        stages_of(self.widths)
        if not slope_at_0(self.activation):
            raise OptionError(
                f"activation={self.activation!r} does not map 0 to 0, or has no slope there, so new vertices would "
                f"never learn; use one of {', '.join(name for name in ACTIVATIONS if slope_at_0(name))}."
            )
        if self.share <= 0:
            raise OptionError(f"share={self.share} is not a positive share of the widths.")


def slope_at_0(activation: str, slope: float = 0.01) -> bool:
    """Whether an activation `f` maps 0 to 0 and has a slope other than 0 there, `f(0) = 0` and `f'(0) != 0`.

    Parameters of vertices have their starting values. At a kink the slopes on both sides must have the same sign.
    """
    known, zero = get_activation(activation), np.zeros(1)
    start = {name: np.array([value]) for name, value in known.parameters.items()}
    low, high = known.slopes(zero, zero, start, slope)
    return bool(known.function(zero, start, slope)[0] == 0 and low[0] * high[0] > 0)


@dataclass(frozen=True, kw_only=True)
class GradMaxWiden(Checked):
    """Grow all hidden layers by vertices with incoming weights 0 and the outgoing weights of GradMax.

    Layers with a norm, a pool or wires between their sources and their readers get random outgoing weights of the same
    norm. Layers under layer norm, tied to inputs or outputs, or whose activation has no slope at 0 do not grow.

    Attributes:
        counts: number of vertices that each layer gains at a time, by its name; other layers do not grow.
        trigger: condition for growth.
        steps: number of growths.
        scale: norm of the outgoing weights of a new vertex, relative to the mean over the old vertices.
        batches: mini-batches over which the growth matrices are collected.
        random: draw all outgoing weights at random.
    """

    counts: Mapping[str, int]
    trigger: EveryEpochs
    steps: int
    scale: float = 0.5
    batches: int = 4
    random: bool = False

    name = "gradmax"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("steps", "batches"):
            if getattr(self, name) < 1:
                raise OptionError(f"{name}={getattr(self, name)} is below 1.")
        if self.scale <= 0:
            raise OptionError(
                f"scale={self.scale} is not a positive number; without outgoing weights nothing is learned."
            )

    def propose(self, context: Context) -> Iterator[Proposal]:
        """Propose one widening for each group of tied layers. All weights are planned before the first group grows."""
        past = actions_of(context, self.name)
        if not self.pending(context) or not self.trigger.fires(context.history, past[-1].epoch if past else 0):
            return
        graph = context.graph
        groups = self._groups(graph)
        if not groups:
            yield Proposal(self.name, WidenLayer(), np.empty(0, np.int64), "no layer can grow")
            return
        growth = {} if self.random else self._growth(context, groups)
        planned = [self._plan(graph, group, growth, context.rng) for group in groups]
        for group, (outgoing, reason) in zip(groups, planned, strict=True):
            now = {key: _for_all(weights, context.graph, key) for key, weights in outgoing.items()}
            rule = WidenLayer(count=self._count(graph, group), init="incoming zero", outgoing=now)
            yield Proposal(self.name, rule, np.array([group[0]]), reason)

    def pending(self, context: Context) -> bool:
        """Whether the layers will grow again."""
        return len({action.epoch for action in actions_of(context, self.name)}) < self.steps

    def _count(self, graph: Graph, group: Sequence[int]) -> int:
        return max((self.counts.get(graph.layer(i).name, 0) for i in group), default=0)

    def _groups(self, graph: Graph) -> list[tuple[int, ...]]:
        """Groups of tied layers that grow: every member can, and one is named in `counts`."""
        takes = set(find(WidenLayer(init="incoming zero"), graph).l.id.tolist())
        return [
            group
            for group in tied_layers(graph)
            if takes.issuperset(group)
            and self._count(graph, group)
            and all(slope_at_0(graph.layer(i).activation, graph.layer(i).slope) for i in group)
        ]

    def _growth(self, context: Context, groups: Sequence[tuple[int, ...]]) -> dict[int, Array]:
        """Collect the growth matrix of each layer that has one. A pass holds one request for each pair of layers."""
        graph = context.graph
        passes: list[dict[tuple[str, str], Mapping[str, Any]]] = []
        where: dict[int, int] = {}
        for (layer,) in (group for group in groups if len(group) == 1):
            asked, _ = growth_requests(graph, layer)
            wanted = {(options["source"], options["target"]): options for options in asked}
            if wanted:
                fits = [i for i, taken in enumerate(passes) if all(taken.get(k, v) == v for k, v in wanted.items())]
                where[layer] = fits[0] if fits else len(passes)
                passes += [] if fits else [{}]
                passes[where[layer]] |= wanted
        moments = []
        for taken in passes:
            stats = context.collect({"cross_moments": list(taken.values())}, self.batches)
            moments.append({ends: stats.cross(*ends) for ends in taken})
        return {layer: growth_matrix(graph, layer, moments[i]) for layer, i in where.items()}

    def _plan(
        self, graph: Graph, group: Sequence[int], growth: Mapping[int, Array], rng: np.random.Generator
    ) -> tuple[dict[LinkKey, Array], str]:
        """Return the outgoing weights of a group by link, and a sentence that explains them."""
        outgoing: dict[LinkKey, Array] = {}
        count, first = self._count(graph, group), graph.layer(group[0])
        how = "as asked" if self.random else growth_requests(graph, group[0])[1]
        how = f"random outgoing weights: {how}"
        for layer in group:
            columns = outgoing_size(graph, layer)
            if columns:
                # Where all outgoing weights are 0, a vertex with none either would never learn.
                norm = self.scale * (outgoing_norm(graph, layer) or 1.0)
                rows = gradmax_outgoing(growth.get(layer), count, norm, columns, rng)
                outgoing |= outgoing_by_link(graph, layer, rows.weights)
                if layer in growth:
                    shown = "".join(f" {value:.3g}" for value in rows.values[:3]) + " ..." * (len(rows.values) > 3)
                    how = f"{len(rows.values)} of them along the largest gradients, singular values{shown or ' 0'}"
        return outgoing, f"{first.name} from {len(first)} to {len(first) + count}, {how}"


def _for_all(weights: Array, graph: Graph, key: LinkKey) -> Array:
    """Pad weights, `(count, targets, taps)`, by 0 for vertices that the target gained after they were planned."""
    return np.pad(weights, ((0, 0), (0, len(graph.layer(key[1])) - weights.shape[1]), (0, 0)))


def gradmax_start(options: GradMaxOptions, start: Start) -> Graph:
    """Build the first graph: convolutions and pools for images, dense layers for other data."""
    return layered_start(stages_of(options.widths), start, activation=options.activation, batch_norm=options.batch_norm)


def gradmax(start: Graph, options: GradMaxOptions | None = None) -> Method:
    """Compose GradMax.

    Where: all hidden layers. How: `WidenLayer` with incoming weights 0 and outgoing weights along the directions in
    which the gradient of the incoming weights is largest; exact. When: after every `every` epochs. How much: a fraction
    of the widths at the start.

    Args:
        start: the graph at which growth starts.
        options: options of the growth.

    Source: Evci et al. 2022, "GradMax: growing neural networks using gradient information". ReLU has slope 1 at 0
        there and slope 0 here, so the start has another activation.
    """
    o = options or GradMaxOptions()
    hidden = [layer for layer in start.layers_by_id.values() if layer.role == "hidden"]
    part = GradMaxWiden(
        counts={layer.name: max(1, int(o.share * len(layer))) for layer in hidden},
        trigger=EveryEpochs(o.every),
        steps=o.steps,
        scale=o.scale,
        batches=o.batches,
        random=o.random,
    )
    source = "GradMax: grow where the gradient will be largest"
    return Method("gradmax", (part,), source, outlook=partial(_outlook, part))


def _outlook(part: GradMaxWiden, start: Graph, epochs: int) -> list[str]:
    """Return a warning when the epochs suffice for too few of the steps, else an empty list."""
    possible = (epochs - 1) // part.trigger.period
    if possible >= part.steps:
        return []
    return [
        f"steps={part.steps} will be missed: in {epochs} epochs, with every={part.trigger.period}, layers grow "
        f"{possible} times. Train for more epochs, or set every or steps."
    ]
