"""Search and scoring of every vertex and layer that could be added to a network at fixed weights."""

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
from netgraph.methods.senn.reads import FedLayer, inputs_of, reads_table, rows_of
from netgraph.methods.senn.search import DepthProposal, SearchOptions, WidthProposal, search_depth, search_width
from netgraph.methods.senn.taps import Reader, TapReader, read_directly
from netgraph.rules import InsertLayer, WidenLayer, tied_layers
from netgraph.statistics import BatchSignals

Tangent = Literal["depth", "all", "none"]
Judge = Literal["fresh", "pooled"]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Evaluation of one network at fixed weights: candidates for new vertices and layers, with their scores.

    Attributes:
        graph: the network.
        signals: activations and gradients of all layers, for a batch of samples.
        thresholds: scores that a candidate must exceed.
        limits: largest sizes of the network.
        search: options of the search for proposals.
        rng: random numbers of the search.
        activation: activation of new layers.
        tangent: kinds of additions that are scored by residual gradients. The residual of the output gradients is what
            remains after the best step along the natural gradient, see `without_tangent`. "depth", "all" or "none".
        judge: sample on which the best proposal is scored. "fresh": the second half of the samples, after a search on
            the first half. "pooled": the samples of the search, with the scores of all chains pooled.
        bias: whether the bias of a layer counts as one of its inputs.
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

    def halves(self) -> tuple[Evaluation, Evaluation]:
        """Evaluations of the same network on the first and on the second half of the samples."""
        half = self.signals.samples // 2
        if not half:
            raise OptionError(
                f"judge='fresh' searches on one half of the samples and judges on the other, but there is "
                f"{self.signals.samples}; give more training data, or judge='pooled'."
            )
        first, second = _part(self.signals, slice(half)), _part(self.signals, slice(half, None))
        return replace(self, signals=first), replace(self, signals=second)

    @cached_property
    def _for_search(self) -> Evaluation:
        """Evaluation on the samples of the search."""
        return self.halves()[0] if self.judge == "fresh" else self

    @cached_property
    def _for_judging(self) -> Evaluation:
        """Evaluation on the samples that decide about a candidate."""
        return self.halves()[1] if self.judge == "fresh" else self

    @cached_property
    def loss_gradient(self) -> float:
        """Mean squared length of the output gradients, `E|dL/dy|^2`."""
        return float(np.mean(self.signals.output_norms**2))

    def fed(self, layer: int) -> FedLayer:
        """Inputs and gradients of a layer, given by its id."""
        if layer not in self._fed:
            read = inputs_of(self.graph, layer, self.signals.activations, bias=self.bias)
            gradients = rows_of(self.signals.gradients[self.graph.layer(layer).name])
            self._fed[layer] = FedLayer(read, gradients, self.signals.output_norms)
        return self._fed[layer]

    def expansion(self, layer: int, kind: str) -> Expansion:
        """Score function for new inputs of a layer, given by its id and by the kind of the addition."""
        without = self.tangent in ("all", kind)
        if (layer, without) not in self._expansions:
            signals = self.signals.residuals if without else self.signals.gradients
            wanted = rows_of(signals[self.graph.layer(layer).name])
            self._expansions[layer, without] = self.fed(layer).expansion(wanted)
        return self._expansions[layer, without]

    def inputs(self, layer: Layer) -> Array:
        """Inputs of a layer from all vertices of its sources, also where an edge is missing, `(rows, n)`."""
        return inputs_of(self.graph, layer.id, self.signals.activations, bias=False, used=False)

    def worth(self, link: Link, kind: str, values: Array, grid: Grid, pool: Pool | None) -> float:
        """Score of new vertices that a link would read, given by their values, `(rows, vertices)`."""
        columns = _reader(link, grid, pool)(values.T).values
        return float(self.expansion(link.target, kind).score(columns.reshape(-1, columns.shape[-1]).T))

    # -- candidates -------------------------------------------------------------------------------

    def check(self, *, width: bool, depth: bool, no_layer: str = "") -> Check:
        """Search for a new vertex of every hidden layer and for a new layer at every link.

        Args:
            width: whether to search for vertices.
            depth: whether to search for layers.
            no_layer: reason why no layer can be added now, or ''.
        """
        found: list[Candidate] = []
        if width:
            alone = {group[0] for group in tied_layers(self.graph) if len(group) == 1}
            hidden = [self.graph.layer(i) for i in self.graph.topological_order]
            found += [self._width(x, x.id in alone) for x in hidden if x.role == "hidden"]
        if depth:
            links = [k for i in self.graph.topological_order for k in weighted(self.graph.incoming[i])]
            found += [self._depth(k, no_layer) for k in links]
        return Check(tuple(found), self.thresholds, self._for_judging.loss_gradient, self.signals.natural_score)

    def _width(self, layer: Layer, alone: bool) -> Candidate:
        """Search for a vertex of a hidden layer."""
        readers, norm = weighted(self.graph.outgoing[layer.id]), get_norm(layer.norm)
        if refused := self._no_vertex(layer, alone, readers):
            return Candidate("width", layer.name, verdict=refused)
        searching, judging = self._for_search, self._for_judging
        found = search_width(
            [searching.expansion(k.target, "width") for k in readers],
            searching.inputs(layer),
            layer.activation,
            self._search(layer),
            self.rng,
            scale=_scale(sum(searching.fed(k.target).score for k in readers)),
            readers=[_reader(k, layer.grid, layer.pool) for k in readers],
            bias=norm.centres or layer.bias is not None,
        )
        inputs, eta = judging.inputs(layer), sum(judging.fed(k.target).score for k in readers)
        # The score of a residual gradient is no lower bound of the increase of eta_c.
        bound = sum(judging.fed(k.target).upper_bound for k in readers) if self.tangent != "all" else math.nan
        sums = inputs @ found.incoming + found.bias
        assert norm.restoring is not None
        bias = {} if norm.centres or layer.bias is None else {"bias": found.bias}
        # The vertex then has the same values behind the norm as in the search.
        values = {**bias, **found.parameters, **norm.restoring(sums)}
        given = {name: np.reshape(np.asarray(value, dtype=np.float64), (1,)) for name, value in values.items()}
        rule = WidenLayer(incoming=self._by_link(layer, found.incoming), values=given)
        score = self._pooled_score(found)
        if self.judge == "fresh":
            there = _activate(layer.activation, sums[:, None], found.parameters, layer.slope)
            score = float(sum(judging.worth(k, "width", there, layer.grid, layer.pool) for k in readers))
        chance = sum(judging.chance(k.target, "width") * k.kind.taps for k in readers)
        return judging.decide(
            Candidate("width", layer.name, score, eta, bound, chance=chance, rule=rule, on=np.array([layer.id]))
        )

    def _no_vertex(self, layer: Layer, alone: bool, readers: Sequence[Link]) -> str:
        """Reason why a layer can get no vertex, or ''."""
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
        if any(reads_table(self.graph, i) for i in (layer.id, *(k.target for k in readers))):
            return "it, or a reader, reads a table of positions or ids"
        made = sum(len(self.graph.layer(k.source)) * k.kind.taps for k in weighted(self.graph.incoming[layer.id]))
        return self._too_many(made + sum(len(self.graph.layer(k.target)) * k.kind.taps for k in readers))

    def _too_many(self, edges: int) -> str:
        cap, there = self.limits.max_edges, self.graph.num_edges
        return "" if cap is None or there + edges <= cap else f"{there + edges:,} edges would be more than {cap:,}"

    def _depth(self, link: Link, no_layer: str) -> Candidate:
        """Search for a layer at a link."""
        source, target = self.graph.layer(link.source), self.graph.layer(link.target)
        place = f"{source.name} -> {target.name}"
        if refused := no_layer or self._no_layer(link, source):
            return Candidate("depth", place, verdict=refused)
        cost, searching, judging = self.thresholds.layer_cost, self._for_search, self._for_judging
        shifts = target.bias is not None and not link.kind.padded
        found = search_depth(
            searching.expansion(link.target, "depth"),
            rows_of(searching.signals.activations[source.name]),
            self.activation,
            self.search,
            self.rng,
            scale=_scale(searching.fed(link.target).score),
            reader=_reader(link, source.output_grid, None),
            bias=shifts,
        )
        shift = found.shift if shifts else None
        inserted = "rational" if self.activation == "rational" else "prelu"
        rule = InsertLayer(activation=inserted, matrix=found.matrix, shift=shift)
        score = self._pooled_score(found)
        if self.judge == "fresh":
            sums = rows_of(judging.signals.activations[source.name]) @ found.matrix + found.shift
            there = _activate(self.activation, sums, found.parameters, self.search.slope)
            score = judging.worth(link, "depth", there, source.output_grid, None)
        chance = judging.chance(link.target, "depth") * len(source) * link.kind.taps / cost
        return judging.decide(
            Candidate(
                "depth",
                place,
                score / cost,
                judging.fed(link.target).score,
                chance=chance,
                rule=rule,
                on=[link.key],
            )
        )

    def _no_layer(self, link: Link, source: Layer) -> str:
        """Reason why a link can get no layer, or ''."""
        limits = self.limits
        if limits.max_layers is not None and self.graph.num_layers - self._ends >= limits.max_layers:
            return f"has {self.graph.num_layers - self._ends} hidden layers, as many as it may"
        if len(source) > limits.max_inputs:
            return f"{len(source)} vertices feed it, more than {limits.max_inputs}"
        if not len(link) or link.frozen.any():
            return "has frozen edges, or none"
        if reads_table(self.graph, link.target):
            return "its target reads a table of positions or ids"
        return self._too_many(len(source) ** 2)

    @cached_property
    def _ends(self) -> int:
        return len(self.graph.inputs) + len(self.graph.outputs)

    def chance(self, layer: int, kind: str) -> float:
        """Expected score of a vertex whose activations are independent of the gradients, for one tap.

        Positions of maps count as independent examples. Measured scores of maps of other samples were 0.4 to 2.3 times
        the expected score.
        """
        expansion = self.expansion(layer, kind)
        whitened = expansion.residual @ expansion.inverse
        return float(np.mean(np.sum(whitened * expansion.residual, axis=1))) / len(expansion.residual)

    def decide(self, candidate: Candidate) -> Candidate:
        """Compute the share of a candidate, and judge it by the thresholds."""
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
        """Incoming weights of one vertex, split by link as `WidenLayer` takes them, `(1, sources, taps)` each."""
        parts, start = {}, 0
        for link in weighted(self.graph.incoming[layer.id]):
            sources = len(self.graph.layer(link.source))
            size = sources * link.kind.taps
            parts[link.key] = incoming[start : start + size].reshape(1, sources, link.kind.taps)
            start += size
        return parts

    def _pooled_score(self, found: WidthProposal | DepthProposal) -> float:
        """Pooled score of a proposal, without the damping of the search.

        Scores of chains are damped. The ratio of the undamped to the damped score of the best chain removes the
        damping: `pooled * score / max(scores)`.
        """
        top = float(found.scores.max())
        return found.pooled * found.score / top if top > 0 else found.score

    def _search(self, layer: Layer) -> SearchOptions:
        """Options of the search, with the fixed slope of a layer."""
        return replace(self.search, slope=layer.slope)


def _scale(score: float) -> float:
    """Unit of the scores of a search: the score of the layers that read the addition, or 1 where that is 0."""
    return score if score > 0 else 1.0


def _reader(link: Link, grid: Grid, pool: Pool | None) -> Reader:
    """Reader of new vertices on a grid through a link."""
    if link.kind.wires or not grid:
        return read_directly
    return TapReader(link.kind, grid, pool)


def _part(signals: BatchSignals, rows: slice) -> BatchSignals:
    """Signals of some of the samples."""
    return replace(
        signals,
        activations={name: values[rows] for name, values in signals.activations.items()},
        gradients={name: values[rows] for name, values in signals.gradients.items()},
        residuals={name: values[rows] for name, values in signals.residuals.items()},
        output_gradients=signals.output_gradients[rows],
    )


def _activate(activation: str, sums: Array, parameters: Mapping[str, Array], slope: float) -> Array:
    """Values of vertices for their sums, both `(rows, vertices)`."""
    return np.asarray(get_activation(activation).function(sums, parameters, slope))
