"""Options, first graph and composition of SENN, which expands a network in width and in depth."""

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
"""Training options of the paper, by name."""


@dataclass(frozen=True, kw_only=True)
class SennOptions(Checked):
    """Options of SENN.

    Attributes:
        widths: widths of the first hidden layers, as in "8,8"; an empty text is a linear start. With `maps`, numbers of
            maps of 3x3 convolutions, in stages separated by "/" with a pool after each, as in "8,8/16,16".
        maps: start with convolutions, which needs images.
        batch_norm: whether convolutions are followed by batch norm.
        activation: activation of all hidden layers, new ones included, such as "rational", "relu" or "gelu".
        tau: smallest ratio of the score of an addition to the present score of the layers that read it.
        alpha: smallest ratio of the score of an addition to the mean squared output gradient `|dL/dy|^2`.
        significance: smallest ratio of the score of an addition to the score expected by chance, which keeps networks
            from fitting the noise of few samples; 0, as in the paper, is no limit.
        layer_cost: divisor of the score of a new layer, in units of one vertex.
        cooldown: number of epochs between two checks for additions; a check goes on until no addition passes.
        first: number of epochs before the first check; 0 stands for `cooldown`.
        layer_cooldown: number of checks between two new layers.
        width: whether vertices are added to hidden layers.
        depth: whether layers are added.
        score_samples: number of training samples for the scores.
        tangent: kinds of additions that are scored by the output gradients that remain after the best step along the
            natural gradient: new layers ("depth"), "all" or "none".
        judge: samples on which the best proposal of a place is scored: other samples than those of its search
            ("fresh"), or the same, with the scores of all chains pooled as in the paper ("pooled").
        sampler: algorithm of the search for proposals: "ascent", or "mala" as in the paper, which has judge=pooled and
            significance=0 (see `netgraph.methods.senn.SearchOptions`).
        chains: number of parallel searches; 0 stands for the default of `netgraph.methods.senn.SearchOptions`.
        steps: number of steps of each search; 0 derives it from `work`.
        work: number of multiplications after which a search should end; larger values are slower and find more.
        temperature: temperature of "mala" and of the pooled score.
        max_width: largest number of vertices of a layer; 0 is no limit.
        max_layers: largest number of hidden layers; 0 is no limit.
        max_edges: largest number of edges that growth may reach; 0 is no limit.
        max_inputs: largest width of a layer behind which a layer is inserted; the new one has `max_inputs^2` edges.
        at_once: largest number of additions of one check; 0 is no limit.
        until: fraction of the epochs after which growth ends.
        prune: remove vertices when every layer that reads them loses less than this fraction of its score; 0 removes
            none.
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
    """Build the first graph: dense layers of the given widths, or convolutions with `maps`; linear without widths.

    Weights of dense layers are normal with variance `1 / fan-in`. Biases and the parameters v, c and l of rational
    hidden layers are normal with variance 1.
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
    return _draw_weights(b.build(), np.random.default_rng(start.seed))


def _draw_weights(graph: Graph, rng: np.random.Generator) -> Graph:
    """Draw the first weights and vertex parameters of SENN for a graph."""
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
    """Compose the method SENN.

    * Where: at the place whose addition raises the natural expansion score of its readers most.
    * How: `WidenLayer` with the incoming weights of a search and outgoing weights 0, which is exact; `InsertLayer` as
      the identity, which is exact up to rounding.
    * When: every `cooldown` epochs.
    * How much: as long as an addition passes all thresholds.

    Args:
        start: first graph.
        options: options of the method; None is the defaults.

    Source: Mitchell et al. 2023, "Self Expanding Neural Networks". Where its published code differs from the text,
        this follows the text.
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
