"""One look at a network: all that could be added to it, searched for and scored."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np

from netgraph.columns import Array
from netgraph.errors import OptionError
from netgraph.graph import Graph, Grid, Layer, Link, LinkKey, Pool, get_activation, get_norm, weighted
from netgraph.methods.senn.decision import Candidate, Check, Limits, Thresholds
from netgraph.methods.senn.natural import Expansion
from netgraph.methods.senn.reads import FedLayer, inputs_of, rows_of
from netgraph.methods.senn.search import DepthProposal, SearchOptions, WidthProposal, search_depth, search_width
from netgraph.methods.senn.taps import Reader, TapReader, read_directly
from netgraph.rules import InsertLayer, WidenLayer, tied_layers
from netgraph.statistics import BatchSignals

Tangent = Literal["depth", "all", "none"]
Judge = Literal["fresh", "pooled"]


@dataclass(frozen=True, eq=False)
class Look:
    """One look at a network: the scores of all that could be added to it.

    Attributes:
        graph: the network.
        signals: of all its layers.
        thresholds, limits: what decides.
        search: how proposals are looked for.
        rng: random numbers of the search.
        activation: of layers to come.
        tangent: for what additions the gradients are taken without what a step along the natural gradient takes away.
        judge: whether a place is judged by the scores of all chains, pooled, or by what the best is worth on samples on
            which it was not searched for.
        bias: whether biases count among what a layer reads.
    """

    graph: Graph
    signals: BatchSignals
    thresholds: Thresholds
    limits: Limits
    search: SearchOptions
    rng: np.random.Generator
    activation: str
    tangent: Tangent
    judge: Judge
    bias: bool
    _fed: dict[int, FedLayer] = field(default_factory=dict, init=False)
    _expansions: dict[tuple[int, bool], Expansion] = field(default_factory=dict, init=False)

    def halves(self) -> tuple[Look, Look]:
        """The same look at the first half of the samples, and at the second."""
        half = self.signals.samples // 2
        if not half:
            raise OptionError(
                f"judge='fresh' searches on one half of the samples and judges on the other, but there is "
                f"{self.signals.samples}; give more training data, or judge='pooled'."
            )
        first, second = _part(self.signals, slice(half)), _part(self.signals, slice(half, None))
        return replace(self, signals=first), replace(self, signals=second)

    @cached_property
    def _scout(self) -> Look:
        """Where proposals are searched for."""
        return self.halves()[0] if self.judge == "fresh" else self

    @cached_property
    def _bench(self) -> Look:
        """Where they are judged."""
        return self.halves()[1] if self.judge == "fresh" else self

    @cached_property
    def loss_gradient(self) -> float:
        """Mean |dL/dy|^2."""
        return float(np.mean(self.signals.output_norms**2))

    def fed(self, layer: int) -> FedLayer:
        """What a layer reads, and its gradients."""
        if layer not in self._fed:
            read = inputs_of(self.graph, layer, self.signals.activations, bias=self.bias)
            gradients = rows_of(self.signals.gradients[self.graph.layer(layer).name])
            self._fed[layer] = FedLayer(read, gradients, self.signals.output_norms)
        return self._fed[layer]

    def expansion(self, layer: int, kind: str) -> Expansion:
        """What a layer would gain from more to read."""
        without = self.tangent in ("all", kind)
        if (layer, without) not in self._expansions:
            signals = self.signals.residuals if without else self.signals.gradients
            wanted = rows_of(signals[self.graph.layer(layer).name])
            self._expansions[layer, without] = self.fed(layer).expansion(wanted)
        return self._expansions[layer, without]

    def inputs(self, layer: Layer) -> Array:
        """(rows, n) what the vertices of a layer read, whatever edges there are."""
        return inputs_of(self.graph, layer.id, self.signals.activations, bias=False, used=False)

    def worth(self, link: Link, kind: str, values: Array, grid: Grid, pool: Pool | None) -> float:
        """The score of vertices (rows, vertices) that a link would read."""
        columns = _reader(link, grid, pool)(values.T).values
        return float(self.expansion(link.target, kind).score(columns.reshape(-1, columns.shape[-1]).T))

    # -- candidates -------------------------------------------------------------------------------

    def check(self, *, width: bool, depth: bool, no_layer: str = "") -> Check:
        """Look for all that could be added.

        Args:
            width, depth: what to look for.
            no_layer: why no layer can be added now.
        """
        found: list[Candidate] = []
        if width:
            alone = {group[0] for group in tied_layers(self.graph) if len(group) == 1}
            hidden = [self.graph.layer(i) for i in self.graph.topological_order]
            found += [self._width(x, x.id in alone) for x in hidden if x.role == "hidden"]
        if depth:
            links = [k for i in self.graph.topological_order for k in weighted(self.graph.incoming[i])]
            found += [self._depth(k, no_layer) for k in links]
        return Check(tuple(found), self.thresholds, self._bench.loss_gradient, self.signals.natural_score)

    def _width(self, layer: Layer, alone: bool) -> Candidate:
        """A vertex for a hidden layer."""
        readers, norm = weighted(self.graph.outgoing[layer.id]), get_norm(layer.norm)
        if refused := self._no_vertex(layer, alone, readers):
            return Candidate("width", layer.name, verdict=refused)
        scout, bench = self._scout, self._bench
        found = search_width(
            [scout.expansion(k.target, "width") for k in readers],
            scout.inputs(layer), layer.activation, self._search(layer), self.rng,
            scale=_scale(sum(scout.fed(k.target).score for k in readers)),
            readers=[_reader(k, layer.grid, layer.pool) for k in readers],
            bias=norm.centres or layer.bias is not None,
        )  # fmt: skip
        inputs, eta = bench.inputs(layer), sum(bench.fed(k.target).score for k in readers)
        # With the tangent taken away a score is no lower bound of what eta_c gains.
        most = sum(bench.fed(k.target).most for k in readers) if self.tangent != "all" else math.nan
        sums = inputs @ found.incoming + found.bias
        assert norm.restoring is not None
        bias = {} if norm.centres or layer.bias is None else {"bias": found.bias}
        # What leaves the norm is then what was searched with.
        values = {**bias, **found.parameters, **norm.restoring(sums)}
        given = {name: np.reshape(np.asarray(value, dtype=np.float64), (1,)) for name, value in values.items()}
        rule = WidenLayer(incoming=self._by_link(layer, found.incoming), values=given)
        score = self._judged(found)
        if self.judge == "fresh":
            there = _activated(layer.activation, sums[:, None], found.parameters, layer.slope)
            score = float(sum(bench.worth(k, "width", there, layer.grid, layer.pool) for k in readers))
        chance = sum(bench.chance(k.target, "width") * k.kind.taps for k in readers)
        return bench.decided(
            Candidate("width", layer.name, score, eta, most, chance=chance, rule=rule, on=np.array([layer.id]))
        )

    def _no_vertex(self, layer: Layer, alone: bool, readers: Sequence[Link]) -> str:
        """Why a layer can get no vertex, or nothing."""
        limits = self.limits
        if not alone:
            return "wires tie it to other layers"
        norm = get_norm(layer.norm)
        if norm.couples_vertices:
            return f"{norm.label}: a vertex would change the others"
        if norm.restoring is None:
            return f"{norm.label}: it is not known how a vertex would keep its sums"
        if limits.max_width is not None and len(layer) >= limits.max_width:
            return f"has {len(layer)} vertices, as many as it may"
        if not readers or not weighted(self.graph.incoming[layer.id]):
            return "nothing with weights feeds it, or reads it"
        made = sum(len(self.graph.layer(k.source)) * k.kind.taps for k in weighted(self.graph.incoming[layer.id]))
        return self._too_many(made + sum(len(self.graph.layer(k.target)) * k.kind.taps for k in readers))

    def _too_many(self, edges: int) -> str:
        cap, there = self.limits.max_edges, self.graph.num_edges
        return "" if cap is None or there + edges <= cap else f"{there + edges:,} edges would be more than {cap:,}"

    def _depth(self, link: Link, no_layer: str) -> Candidate:
        """A layer for a link."""
        source, target = self.graph.layer(link.source), self.graph.layer(link.target)
        place = f"{source.name} -> {target.name}"
        if refused := no_layer or self._no_layer(link, source):
            return Candidate("depth", place, verdict=refused)
        cost, scout, bench = self.thresholds.layer_cost, self._scout, self._bench
        shifts = target.bias is not None and not link.kind.padded
        found = search_depth(
            scout.expansion(link.target, "depth"), rows_of(scout.signals.activations[source.name]), self.activation,
            self.search, self.rng, scale=_scale(scout.fed(link.target).score),
            reader=_reader(link, source.output_grid, None), bias=shifts,
        )  # fmt: skip
        shift = found.shift if shifts else None
        inserted = "rational" if self.activation == "rational" else "prelu"
        rule = InsertLayer(activation=inserted, matrix=found.matrix, shift=shift)
        score = self._judged(found)
        if self.judge == "fresh":
            sums = rows_of(bench.signals.activations[source.name]) @ found.matrix + found.shift
            there = _activated(self.activation, sums, found.parameters, self.search.slope)
            score = bench.worth(link, "depth", there, source.output_grid, None)
        chance = bench.chance(link.target, "depth") * len(source) * link.kind.taps / cost
        return bench.decided(
            Candidate(
                "depth", place, score / cost, bench.fed(link.target).score, chance=chance, rule=rule,
                on=[link.key],
            )
        )  # fmt: skip

    def _no_layer(self, link: Link, source: Layer) -> str:
        """Why a link can get no layer, or nothing."""
        limits = self.limits
        if limits.max_layers is not None and self.graph.num_layers - self._ends >= limits.max_layers:
            return f"has {self.graph.num_layers - self._ends} hidden layers, as many as it may"
        if len(source) > limits.max_inputs:
            return f"{len(source)} vertices feed it, more than {limits.max_inputs}"
        if not len(link) or link.frozen.any():
            return "has frozen edges, or none"
        return self._too_many(len(source) ** 2)

    @cached_property
    def _ends(self) -> int:
        return len(self.graph.inputs) + len(self.graph.outputs)

    def chance(self, layer: int, kind: str) -> float:
        """The expected score of a vertex whose activations have nothing to do with the gradients.

        For maps that of one tap, positions counting as independent examples: what maps of other samples score was
        .4 to 2.3 times as much.
        """
        expansion = self.expansion(layer, kind)
        whitened = expansion.residual @ expansion.inverse
        return float(np.mean(np.sum(whitened * expansion.residual, axis=1))) / len(expansion.residual)

    def decided(self, candidate: Candidate) -> Candidate:
        """A candidate with its share and its verdict."""
        limits, score = self.thresholds, candidate.score
        share = score / self.loss_gradient if self.loss_gradient > 0 else 0.0
        failed = [
            text
            for text, good in (
                (f"ratio <= tau={limits.tau:g}", score > limits.tau * candidate.layer_score),
                (f"share <= alpha={limits.alpha:g}", share > limits.alpha),
                (
                    f"score <= {limits.significance:g} x {candidate.chance:.3g} by chance",
                    not limits.significance or score > limits.significance * candidate.chance,
                ),
            )
            if not good
        ]
        verdict = f"too little: {', '.join(failed)}" if failed else "passes"
        return replace(candidate, share=share, verdict=verdict, passes=not failed)

    def _by_link(self, layer: Layer, incoming: Array) -> dict[LinkKey, Array]:
        """Incoming weights of one vertex, link after link, as `WidenLayer` takes them."""
        parts, start = {}, 0
        for link in weighted(self.graph.incoming[layer.id]):
            sources = len(self.graph.layer(link.source))
            size = sources * link.kind.taps
            parts[link.key] = incoming[start : start + size].reshape(1, sources, link.kind.taps)
            start += size
        return parts

    def _judged(self, found: WidthProposal | DepthProposal) -> float:
        """The score that decides; scores of chains have the damping of the search, which the best tells."""
        top = float(found.scores.max())
        return found.pooled * found.score / top if top > 0 else found.score

    def _search(self, layer: Layer) -> SearchOptions:
        """The options, with the fixed slope of a layer."""
        return replace(self.search, slope=layer.slope)


def _scale(score: float) -> float:
    """By what scores are measured during a search, also where the fed layers can follow nothing as they are."""
    return score if score > 0 else 1.0


def _reader(link: Link, grid: Grid, pool: Pool | None) -> Reader:
    """How a link reads a new vertex on a grid."""
    if link.kind.wires or not grid:
        return read_directly
    return TapReader(link.kind, grid, pool)


def _part(signals: BatchSignals, rows: slice) -> BatchSignals:
    """Some of the samples."""
    return replace(
        signals,
        activations={name: values[rows] for name, values in signals.activations.items()},
        gradients={name: values[rows] for name, values in signals.gradients.items()},
        residuals={name: values[rows] for name, values in signals.residuals.items()},
        output_gradients=signals.output_gradients[rows],
    )


def _activated(activation: str, sums: Array, parameters: Mapping[str, Array], slope: float) -> Array:
    """Values of vertices (rows, vertices)."""
    return np.asarray(get_activation(activation).function(sums, parameters, slope))
