"""Expand a network where its natural expansion score says that it pays, in width and in depth: a part."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from netgraph.checks import Checked
from netgraph.columns import Array
from netgraph.errors import OptionError
from netgraph.graph import Graph, get_activation
from netgraph.methods.method import Context, Proposal, actions_of, epochs_done
from netgraph.methods.senn.candidates import Judge, Look, Tangent
from netgraph.methods.senn.decision import Candidate, Check, Limits, Thresholds, steadied
from netgraph.methods.senn.search import SearchOptions
from netgraph.rules import InsertLayer, WidenLayer

MOST_ROWS = 1 << 14
"""Samples times positions of the largest map at most: maps are looked at over fewer samples."""

PROBE = 256
"""Samples on which it is measured how far rounding moves outputs."""

FEWEST_SAMPLES = 32
"""Samples at least, however large the maps."""


@dataclass(frozen=True, kw_only=True)
class Expand(Checked):
    """Grow by vertices and layers, one at a time, as long as one pays (SENN).

    Every look takes the signals of all layers at fixed weights, searches for the best new vertex of every hidden layer
    and the best new layer for every link, and adds the one with the largest score of those that pass both thresholds.
    Then it looks again, at the network as it has become, until nothing passes. What was added is read by the next look
    like anything else, so that nothing is added twice.

    A new vertex has the incoming weights that were found, and outgoing weights 0: exact. A new layer is at identity,
    its matrix and shift as they were found, their inverse in what it takes over: exact up to rounding.

    Attributes:
        thresholds: when an addition pays.
        limits: how large the network may become.
        cooldown: epochs from one look to the next.
        first: epochs before the first look; None is `cooldown`.
        layer_cooldown: looks from one new layer to the next: it must learn first what it can do; 0 lets several come at
            once.
        until: share of the epochs after which growth is over.
        at_once: most additions after one epoch; None is no limit.
        width, depth: what to look for.
        activation: of layers to come: "rational", or another one, in whose place they start as prelu at slope 1.
        search: how proposals are looked for.
        samples: training samples over which scores are taken; fewer where there are maps (see `MOST_ROWS`).
        tangent: for what additions the output gradients are taken without what a step along the natural gradient
            takes away: "depth", "all" or "none".
        judge: "fresh": a place is judged by what the best proposal is worth on the second half of the samples, when it
            was searched for on the first; "pooled": by the scores of all chains of its search, each weighted by
            exp(score / (temperature * eta_c)), as in the paper: additions that hardly any start leads to count little.
            What is added is the best.
        bias: whether biases count among what a layer reads.
    """

    thresholds: Thresholds = field(default_factory=Thresholds)
    limits: Limits = field(default_factory=Limits)
    cooldown: int = 30
    first: int | None = None
    layer_cooldown: int = 3
    until: float = 1.0
    at_once: int | None = None
    width: bool = True
    depth: bool = True
    activation: str = "rational"
    search: SearchOptions = field(default_factory=SearchOptions)
    samples: int = 1024
    tangent: Tangent = "depth"
    judge: Judge = "fresh"
    bias: bool = True

    name = "expand"

    def __post_init__(self) -> None:
        super().__post_init__()
        get_activation(self.activation)
        if self.cooldown < 1:
            raise OptionError(f"cooldown={self.cooldown} is below 1 epoch.")
        if self.layer_cooldown < 0:
            raise OptionError(f"layer_cooldown={self.layer_cooldown} is negative.")
        if self.samples < 2:
            raise OptionError(f"samples={self.samples} is below 2.")
        if not 0 <= self.until <= 1:
            raise OptionError(f"until={self.until} is not a share of the epochs, which is in 0..1.")
        if not self.width and not self.depth:
            raise OptionError("Neither width nor depth is to grow; switch one of them on, or train without this part.")
        if self._endless:
            raise OptionError(
                "tau, alpha and significance are 0, and neither at_once nor limits say how much may be added: a look "
                "would not end. Set one of the thresholds, at_once, or limits."
            )

    @property
    def _endless(self) -> bool:
        """Whether anything passes, and nothing stops it."""
        marks, limits = self.thresholds, self.limits
        if self.at_once is not None or limits.max_edges is not None or marks.tau or marks.alpha or marks.significance:
            return False
        return (self.width and limits.max_width is None) or (self.depth and limits.max_layers is None)

    def propose(self, context: Context) -> Iterator[Proposal]:
        """One addition after the other, each from a look at the network with all before it."""
        if not self._is_time(context):
            return
        done = 0
        while self.at_once is None or done < self.at_once:
            check, best = self._decide(context)
            if best is None or best.rule is None:
                if not done:
                    yield Proposal(self.name, WidenLayer(), np.empty(0, np.int64), _nothing(check), _told(check))
                return
            done += 1
            room = (
                f"; at most {check.most(best):g} vertices there, before training goes on"
                if best.kind == "width"
                else ""
            )
            reason = (
                f"{best.kind} at {best.place}: score {best.score:.3g} is {best.ratio:.3g} of eta_c "
                f"{best.layer_score:.3g} (tau {self.thresholds.tau:g}) and {best.share:.3g} of |dL/dy|^2 "
                f"(alpha {self.thresholds.alpha:g}); addition {done} of this look{room}"
            )
            numbers = check.numbers(best) | {"addition": float(done)}
            settle = best.kind == "width"
            yield Proposal(self.name, best.rule, best.on, reason, _told(check), settle=settle, numbers=numbers)

    def _decide(self, context: Context) -> tuple[Check, Candidate | None]:
        """A look, and the best that passes without moving outputs."""
        check, limit = self.look(context), self.limits.max_change
        while (best := check.best) is not None:
            steady = steadied(best, context.graph, self._inputs(context), limit)
            if steady is not None:
                return check, steady
            check = check.without(best, f"rounding would move outputs by more than {limit:g} of their range")
        return check, None

    @staticmethod
    def _inputs(context: Context) -> Array:
        """Some inputs, in the domain of the graph."""
        layer = context.graph.inputs[0]
        values = context.capture([layer.name], samples=PROBE).activations[layer.name]
        low, high = (layer.values[key].reshape(-1, *(1,) * len(layer.grid)) for key in ("low", "high"))
        return np.clip(values, low, high)

    def look(self, context: Context) -> Check:
        """Score all that could be added now; `table()` of the result tells why each passes or not."""
        graph = context.graph
        tangent = self.tangent == "all" or (self.tangent == "depth" and self.depth)
        names = [layer.name for layer in graph.layers_by_id.values()]
        signals = context.capture(names, samples=self._samples(graph), tangent=tangent)
        look = Look(
            graph, signals, self.thresholds, self.limits, self.search, context.rng, self.activation, self.tangent,
            self.judge, self.bias,
        )  # fmt: skip
        return look.check(width=self.width, depth=self.depth, no_layer=self._no_layer(context))

    def _no_layer(self, context: Context) -> str:
        """Why there can be no new layer now, or nothing."""
        layers = [a for a in actions_of(context, self.name) if a.rule == InsertLayer().name and a.matches]
        since = epochs_done(context) - layers[-1].epoch if layers else math.inf
        wait = self.layer_cooldown * self.cooldown
        return f"the last layer came {since:g} epochs ago, less than {wait}" if since < wait else ""

    def pending(self, context: Context) -> bool:
        """Whether it will look again."""
        return self._next(epochs_done(context)) <= self.until * context.epochs

    def _samples(self, graph: Graph) -> int:
        positions = max(math.prod(layer.grid) for layer in graph.layers_by_id.values())
        return min(self.samples, max(FEWEST_SAMPLES, MOST_ROWS // positions))

    def _is_time(self, context: Context) -> bool:
        done = epochs_done(context)
        return done <= self.until * context.epochs and self._next(done - 1) == done

    def _next(self, done: int) -> int:
        """The first epoch after so many at which it looks."""
        first = self.cooldown if self.first is None else self.first
        if done < first:
            return first
        return done + self.cooldown - (done - first) % self.cooldown


def _told(check: Check) -> str:
    return "\n  ".join(check.table().splitlines())


def _nothing(check: Check) -> str:
    scored = [c for c in check.candidates if not math.isnan(c.score)]
    if not scored:
        return "there is no place where anything could be added"
    best = max(scored, key=lambda c: c.score)
    return (
        f"the best of {len(scored)} candidates, {best.kind} at {best.place}, has {best.ratio:.3g} of eta_c and "
        f"{best.share:.3g} of |dL/dy|^2: {best.verdict}"
    )
