"""SENN: expand in width and in depth where the natural gradient says that it pays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from netgraph.checks import Checked
from netgraph.errors import OptionError
from netgraph.graph import Graph, GraphBuilder, get_activation
from netgraph.methods.goal import Goal, outlook_of
from netgraph.methods.layered import layered_start, stages_of
from netgraph.methods.method import Method, Part
from netgraph.methods.senn.candidates import Judge, Tangent
from netgraph.methods.senn.decision import Limits, Thresholds
from netgraph.methods.senn.expand import Expand
from netgraph.methods.senn.prune_inputs import PruneInputs
from netgraph.methods.senn.search import Sampler, SearchOptions
from netgraph.methods.start import Start

SENN_TRAINING: Mapping[str, Any] = {
    "epochs": 400,
    "optimizer": "natural",
    "learning_rate": 0.1,
    "damping": 0.1,
    "curve": "constant",
    "batch_size": 1024,
    "weight_decay": 0.0,
    "label_smoothing": 0.0,
}
"""Training as in the paper."""


@dataclass(frozen=True, kw_only=True)
class SennOptions(Checked):
    """Options of SENN.

    Attributes:
        widths: hidden layers at which growth starts, as in "8,8"; an empty text is a linear start. With `maps`, maps of
            3x3 convolutions, stages with a pool after each separated by "/", as in "8,8/16,16".
        maps: start with convolutions, which needs images.
        batch_norm: whether convolutions are followed by batch norm.
        activation: activation of the hidden layers, those to come included, such as "rational", "relu" or "gelu".
        tau: an addition must raise the score of the layers that it feeds by more than this share.
        alpha: an addition must raise that score by more than this share of the mean |dL/dy|^2, too.
        significance: an addition must raise that score by more than this many times what chance gives, too, which keeps
            networks from growing into the noise of few samples; 0, as in the paper, is no limit.
        layer_cost: number of vertices that a new layer must be worth: by this its score is divided.
        cooldown: epochs from one look for additions to the next; a look goes on until nothing passes.
        first: epochs before the first look; 0 stands for `cooldown`.
        layer_cooldown: number of looks from one new layer to the next.
        width: whether vertices are added to hidden layers.
        depth: whether layers are added.
        score_samples: number of training samples over which scores are taken.
        tangent: additions for which output gradients are taken without what a step along the natural gradient takes
            away: new layers ("depth"), "all" or "none".
        judge: how a place is judged: by what the best proposal is worth on samples on which it was not searched for
            ("fresh"), or by the scores of all chains, as in the paper ("pooled").
        sampler: how proposals are searched for: "ascent", or "mala", which the paper has with judge=pooled and
            significance=0 (see `netgraph.methods.senn.SearchOptions`).
        chains: number of searches at a time; 0 stands for the default of `netgraph.methods.senn.SearchOptions`.
        steps: steps of each search; 0 lets `work` decide.
        work: multiplications after which a search should end; larger is slower and finds more.
        temperature: temperature of "mala" and of the pooled score.
        max_width: most vertices of a layer; 0 is no limit.
        max_layers: most hidden layers; 0 is no limit.
        max_edges: most edges that growth may reach; 0 is no limit.
        max_inputs: no layer is inserted after one with more vertices: it would hold a matrix of this size squared.
        at_once: most additions of one look; 0 is no limit.
        until: share of the epochs after which growth is over.
        prune: vertices go when that costs less than this share of the score of every layer that reads them; 0 keeps
            all.
    """

    widths: str = "1"
    maps: bool = False
    batch_norm: bool = True
    activation: str = "rational"
    tau: float = 1.0
    alpha: float = 2.5e-3
    significance: float = 2.0
    layer_cost: float = 2.0
    cooldown: int = 30
    first: int = 0
    layer_cooldown: int = 3
    width: bool = True
    depth: bool = True
    score_samples: int = 1024
    tangent: Tangent = "depth"
    judge: Judge = "fresh"
    sampler: Sampler = "ascent"
    chains: int = 0
    steps: int = 0
    work: float = 1e9
    temperature: float = 1.0
    max_width: int = 128
    max_layers: int = 16
    max_edges: int = 0
    max_inputs: int = 256
    at_once: int = 0
    until: float = 1.0
    prune: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        get_activation(self.activation)
        if self.widths or self.maps:
            stages_of(self.widths)
        for name in ("chains", "steps", "max_width", "max_layers", "max_edges", "max_inputs", "at_once", "first"):
            if getattr(self, name) < 0:
                raise OptionError(f"{name}={getattr(self, name)} is negative.")
        if self.prune < 0:
            raise OptionError(f"prune={self.prune} is negative.")


def senn_start(options: SennOptions, start: Start) -> Graph:
    """A network of the given widths, linear for none: dense, or with convolutions where the options say so.

    Weights are normal with variance 1 / fan-in. Biases of rational hidden layers and their v, c and l are normal.
    """
    if options.maps:
        return layered_start(
            stages_of(options.widths), start, activation=options.activation, batch_norm=options.batch_norm
        )
    b = GraphBuilder(seed=start.seed)
    last = b.input("input", start.features, domain=start.flat_domain)
    widths = [width for stage in stages_of(options.widths) for width in stage] if options.widths else []
    for i, width in enumerate(widths, start=1):
        name = b.layer(f"hidden{i}", width, activation=options.activation)
        b.dense(last, name)
        last = name
    b.dense(last, b.output("output", start.outputs))
    return _drawn(b.build(), np.random.default_rng(start.seed))


def _drawn(graph: Graph, rng: np.random.Generator) -> Graph:
    """The same graph with the weights and vertex parameters that SENN starts at."""
    fan_in = np.bincount(graph.edges.target_row, minlength=graph.num_vertices)[graph.edges.target_row]
    weights = rng.standard_normal(len(graph.edges)) / np.sqrt(fan_in)
    drawn = {name: rng.standard_normal(graph.num_vertices) for name in ("bias", "v", "c", "l")}
    rational = np.repeat(
        [layer.activation == "rational" for layer in graph.layers_by_id.values()],
        [len(layer) for layer in graph.layers_by_id.values()],
    )
    return graph.with_weights(
        weights, vertices={name: np.where(rational, values, 0.0) for name, values in drawn.items()}
    )


def senn(start: Graph, options: SennOptions | None = None) -> Method:
    """Put SENN together.

    Where: what raises the natural expansion score of the layers that it feeds most. How: `WidenLayer` with incoming
    weights that were searched for and outgoing weights 0, exact; `InsertLayer` at identity, exact up to rounding. When:
    every so many epochs. How much: as long as an addition passes both thresholds.

    Args:
        start: the graph at which growth starts.
        options: how to grow.

    Source: Mitchell et al. 2023, "Self Expanding Neural Networks". Where its published code differs from the text the
        text is followed.
    """
    o = options or SennOptions()
    search = {
        name: getattr(o, name) for name in ("chains", "steps", "sampler", "temperature", "work") if getattr(o, name)
    }
    parts: list[Part] = [
        Expand(
            thresholds=Thresholds(tau=o.tau, alpha=o.alpha, significance=o.significance, layer_cost=o.layer_cost),
            limits=Limits(
                max_width=o.max_width or None,
                max_layers=o.max_layers or None,
                max_edges=o.max_edges or None,
                max_inputs=o.max_inputs,
            ),
            cooldown=o.cooldown,
            first=o.first or None,
            layer_cooldown=o.layer_cooldown,
            until=o.until,
            at_once=o.at_once or None,
            width=o.width,
            depth=o.depth,
            activation=o.activation,
            search=SearchOptions(**search),
            samples=o.score_samples,
            tangent=o.tangent,
            judge=o.judge,
        )
    ]
    if o.prune:
        parts.append(PruneInputs(threshold=o.prune, cooldown=o.cooldown, samples=o.score_samples))
    goal = Goal(edges=o.max_edges, asked=f"max_edges={o.max_edges:,}", limit=True) if o.max_edges else None
    source = "Self expanding neural networks: expand where the natural gradient says so"
    return Method("senn", tuple(parts), source, goal=goal, outlook=outlook_of(goal))
