"""Where a network could be expanded at one moment, by how much that would raise its natural expansion score, and why not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np

from netgraph.criteria import (
    DepthProposal,
    Expansion,
    FedLayer,
    Reader,
    SearchOptions,
    inputs_of,
    most_additions,
    read_directly,
    rows_of,
    search_depth,
    TapReader,
    WidthProposal,
    search_width,
)
from netgraph.criteria.fed import weighted
from netgraph.errors import OptionError
from netgraph.graph import Conv2d, Graph, Layer, Link
from netgraph.graph.columns import Array
from netgraph.graph.link import LinkKey
from netgraph.rewriting import Rule
from netgraph.rules import InsertLayer, WidenLayer, tied_layers
from netgraph.statistics import BatchSignals

Tangent = Literal["depth", "all", "none"]
TANGENTS = ("depth", "all", "none")
Judge = Literal["pooled", "best"]
JUDGES = ("pooled", "best")


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """When an addition pays.

    Attributes:
        tau: it raises the score of the layers that it feeds by more than this share,
        alpha: and by more than this share of the mean |dL/dy|^2.
        layer_cost: by what the score of a layer is divided.
    """

    tau: float = 1.0
    alpha: float = 2.5e-3
    layer_cost: float = 2.0

    def __post_init__(self) -> None:
        for name in ("tau", "alpha"):
            if not 0 <= getattr(self, name) < math.inf:
                raise OptionError(f"{name}={getattr(self, name)} is negative or not finite.")
        if not 0 < self.layer_cost < math.inf:
            raise OptionError(f"layer_cost={self.layer_cost} is not a positive number.")


@dataclass(frozen=True, eq=False)
class Candidate:
    """A vertex, or a layer, that could be added.

    Attributes:
        kind: "width" or "depth".
        place: the layer that gets the vertex, or the link that gets the layer, in words.
        score: delta-eta' by its cost; NaN where nothing was looked for.
        layer_score: eta_c of the layers that it feeds.
        most: what eta_c cannot exceed.
        share: the score by the mean |dL/dy|^2.
        refused: why it is out of the question; empty when it is not.
        verdict: why it passes or does not, in words.
        passes: whether it does.
        rule, on: the rewrite that adds it.
    """

    kind: Literal["width", "depth"]
    place: str
    score: float = math.nan
    layer_score: float = math.nan
    most: float = math.nan
    share: float = math.nan
    verdict: str = ""
    passes: bool = False
    rule: Rule | None = None
    on: Any = field(default=None)

    @property
    def ratio(self) -> float:
        """The score by eta_c; infinite where the layers can follow nothing as they are."""
        if self.layer_score > 0:
            return self.score / self.layer_score
        return math.inf if self.score > 0 else 0.0


@dataclass(frozen=True, eq=False)
class Check:
    """What one look at a network found.

    Attributes:
        candidates: all that were looked at, those that are out of the question among them.
        thresholds: what they had to pass.
        loss_gradient: mean |dL/dy|^2.
        natural_score: g^T n of the whole network, 0 when it was not asked for.
    """

    candidates: tuple[Candidate, ...]
    thresholds: Thresholds
    loss_gradient: float
    natural_score: float

    @property
    def best(self) -> Candidate | None:
        """The one with the largest score of those that pass."""
        return max((c for c in self.candidates if c.passes), key=lambda c: c.score, default=None)

    @property
    def looked_at(self) -> int:
        """How many were scored."""
        return sum(not math.isnan(c.score) for c in self.candidates)

    def most(self, candidate: Candidate) -> float:
        """How many additions the layers that a candidate feeds can take before the weights are trained again."""
        step = self.thresholds.alpha * self.loss_gradient
        return most_additions(candidate.layer_score, candidate.most, ratio=self.thresholds.tau, step=step)

    def numbers(self, candidate: Candidate) -> dict[str, float]:
        """What the decision for a candidate was made by, by name."""
        return {
            "score": candidate.score,
            "layer_score": candidate.layer_score,
            "ratio": candidate.ratio,
            "share": candidate.share,
            "tau": self.thresholds.tau,
            "alpha": self.thresholds.alpha,
            "loss_gradient": self.loss_gradient,
            "natural_score": self.natural_score,
            "candidates": float(self.looked_at),
            "most_additions": self.most(candidate),
        }

    def table(self) -> str:
        """All candidates and why each passes or does not, line by line."""
        width = max([len(c.place) for c in self.candidates] + [len("where")])
        lines = [f"{'kind':5}  {'where':{width}}  {'score':>9}  {'eta_c':>9}  {'ratio':>9}  {'share':>9}  verdict"]
        for c in self.candidates:
            shown = [
                " " * 9 if math.isnan(value) else f"{value:9.3g}"
                for value in (c.score, c.layer_score, c.ratio if c.score == c.score else math.nan, c.share)
            ]
            lines.append(f"{c.kind:5}  {c.place:{width}}  {'  '.join(shown)}  {c.verdict}")
        return "\n".join(lines)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How large a network may become.

    Attributes:
        max_width: most vertices of a layer; None is no limit.
        max_layers: most hidden layers; None is no limit.
        max_edges: most edges; None is no limit.
        max_inputs: no layer is inserted on a link that more vertices feed: it would hold a matrix of that size.
    """

    max_width: int | None = None
    max_layers: int | None = None
    max_edges: int | None = None
    max_inputs: int = 256


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
        judge: whether a place is judged by the scores of all chains, pooled, or by the best.
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
    _fed: dict[int, FedLayer] = field(default_factory=dict)

    @cached_property
    def loss_gradient(self) -> float:
        """Mean |dL/dy|^2."""
        return float(np.mean(self._output_norms**2))

    @cached_property
    def _output_norms(self) -> Array:
        flat = self.signals.output_gradients.reshape(self.signals.samples, -1)
        return np.asarray(np.linalg.norm(flat, axis=1))

    def fed(self, layer: int) -> FedLayer:
        """What a layer reads, and its gradients."""
        if layer not in self._fed:
            read = inputs_of(self.graph, layer, self.signals.activations, bias=self.bias)
            gradients = rows_of(self.signals.gradients[self.graph.layer(layer).name])
            self._fed[layer] = FedLayer(read, gradients, self._output_norms)
        return self._fed[layer]

    def expansion(self, layer: int, kind: str, damping: float = 0.0) -> Expansion:
        """What a layer would gain from more to read."""
        without = self.tangent == "all" or self.tangent == kind
        signals = self.signals.residuals if without else self.signals.gradients
        return self.fed(layer).expansion(rows_of(signals[self.graph.layer(layer).name]), damping)

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
        return Check(tuple(found), self.thresholds, self.loss_gradient, self.signals.natural_score)

    def _width(self, layer: Layer, alone: bool) -> Candidate:
        """A vertex for a hidden layer."""
        readers = weighted(self.graph.outgoing[layer.id])
        if refused := self._no_vertex(layer, alone, readers):
            return Candidate("width", layer.name, verdict=refused)
        inputs = inputs_of(self.graph, layer.id, self.signals.activations, bias=False, used=False)
        eta = sum(self.fed(k.target).score for k in readers)
        found = search_width(
            [self.expansion(k.target, "width") for k in readers],
            inputs, layer.activation, self._search(layer), self.rng, scale=_scale(eta),
            readers=[_reader(k, layer) for k in readers], bias=layer.norm != "none" or layer.bias is not None,
        )  # fmt: skip
        most = sum(self.fed(k.target).most for k in readers)
        sums = inputs @ found.incoming + found.bias
        values = found.parameters if layer.bias is None else {"bias": found.bias, **found.parameters}
        if layer.norm == "batch":  # such that what leaves the norm is what was searched with
            values = {**found.parameters, "scale": sums.std(), "shift": sums.mean()}
        given = {name: np.reshape(value, 1) for name, value in values.items()}
        rule = WidenLayer(incoming=self._by_link(layer, found.incoming), values=given)
        return self._decided("width", layer.name, self._judged(found), eta, most, rule, np.array([layer.id]))

    def _no_vertex(self, layer: Layer, alone: bool, readers: Sequence[Link]) -> str:
        """Why a layer can get no vertex, or nothing."""
        limits = self.limits
        if not alone:
            return "wires tie it to other layers"
        if layer.norm == "layer":
            return "layer norm: a vertex would change the others"
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
        cost, reached = self.thresholds.layer_cost, self.fed(link.target)
        inputs = rows_of(self.signals.activations[source.name])
        padded = isinstance(link.kind, Conv2d) and link.kind.padding != (0, 0)
        shifts = target.bias is not None and not padded
        found = search_depth(
            self.expansion(link.target, "depth"), inputs, self.activation, self.search, self.rng,
            scale=_scale(reached.score), reader=TapReader(link.kind, source.output_grid) if source.output_grid else None,
            bias=shifts,
        )  # fmt: skip
        shift = found.shift if shifts else None
        inserted: Literal["rational", "prelu"] = "rational" if self.activation == "rational" else "prelu"
        rule = InsertLayer(activation=inserted, matrix=found.matrix, shift=shift)
        return self._decided("depth", place, self._judged(found) / cost, reached.score, reached.most, rule, [link.key])

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

    def _decided(
        self, kind: Literal["width", "depth"], place: str, score: float, eta: float, most: float, rule: Rule, on: Any
    ) -> Candidate:
        """A candidate with its verdict."""
        limits = self.thresholds
        share = score / self.loss_gradient if self.loss_gradient > 0 else 0.0
        enough, counts = score > limits.tau * eta, share > limits.alpha
        verdict = "passes" if enough and counts else "too little"
        if not enough:
            verdict += f": ratio <= tau={limits.tau:g}"
        if not counts:
            verdict += f"{',' if not enough else ':'} share <= alpha={limits.alpha:g}"
        return Candidate(kind, place, score, eta, most, share, verdict, enough and counts, rule, on)

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
        if self.judge == "best" or top <= 0:
            return found.score
        return found.pooled * found.score / top

    def _search(self, layer: Layer) -> SearchOptions:
        """The options, with the fixed slope of a layer."""
        return replace(self.search, slope=layer.slope)


def _scale(score: float) -> float:
    """By what scores are measured during a search, also where the fed layers can follow nothing as they are."""
    return score if score > 0 else 1.0


def _reader(link: Link, layer: Layer) -> Reader:
    """How a link reads a new vertex of a layer."""
    return TapReader(link.kind, layer.grid, layer.pool) if layer.grid else read_directly
