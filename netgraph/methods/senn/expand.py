"""Part of a method that adds vertices and layers where they raise the natural expansion score most."""

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
from netgraph.methods.senn.candidates import Evaluation, Judge, Tangent
from netgraph.methods.senn.decision import Candidate, Check, Limits, Thresholds, stabilise
from netgraph.methods.senn.search import SearchOptions
from netgraph.rules import InsertLayer, WidenLayer

MOST_ROWS = 1 << 14
"""Largest number of rows of one layer, `samples * positions`; networks with maps are scored over fewer samples."""

PROBE = 256
"""Number of samples on which the change of the outputs by rounding is measured."""

FEWEST_SAMPLES = 32
"""Smallest number of samples for the scores, also for large maps."""


@dataclass(frozen=True, kw_only=True)
class Expand(Checked):
    """Add vertices and layers one at a time, as long as one passes the thresholds (SENN).

    Every `cooldown` epochs the part checks the network at fixed weights. It captures the signals of all layers,
    searches for the best new vertex of every hidden layer and the best new layer of every link, and adds the candidate
    with the largest score among all that pass. It checks the changed network again, until no candidate passes. A check
    sees earlier additions as inputs of their readers, so that the same addition is not made twice.

    A new vertex has the incoming weights that the search found and outgoing weights 0, which is exact. A new layer
    starts as the identity: it has the matrix and the shift that the search found, and the weights behind it are
    multiplied by the inverse, which is exact up to rounding.

    Attributes:
        thresholds: scores that an addition must exceed.
        limits: largest sizes of the network.
        cooldown: number of epochs between two checks.
        first: number of epochs before the first check; None is `cooldown`.
        layer_cooldown: number of checks between two new layers, as a layer must be trained before the next is scored;
            0 allows several layers in one check.
        until: fraction of the epochs after which growth ends.
        at_once: largest number of additions after one epoch; None is no limit.
        width: whether vertices are added.
        depth: whether layers are added.
        activation: activation of new layers: "rational", or another one, for which they start as prelu with slope 1.
        search: options of the search for proposals.
        samples: number of training samples for the scores; fewer for networks with maps, see `MOST_ROWS`.
        tangent: kinds of additions that are scored by residual gradients. The residual of the output gradients is what
            remains after the best step along the natural gradient, see `without_tangent`. "depth", "all" or "none".
        judge: score that decides about a place. "fresh": the score of its best proposal on the second half of the
            samples, after a search on the first half. "pooled": the mean score of all chains of its search with weights
            `exp(score / (temperature * eta_c))`, as in the paper, so that proposals which few chains reach count
            little. The best proposal is added in both cases.
        bias: whether the bias of a layer counts as one of its inputs.
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
        """Whether every candidate would pass, without a limit on the number of additions."""
        marks, limits = self.thresholds, self.limits
        if self.at_once is not None or limits.max_edges is not None or marks.tau or marks.alpha or marks.significance:
            return False
        return (self.width and limits.max_width is None) or (self.depth and limits.max_layers is None)

    def propose(self, context: Context) -> Iterator[Proposal]:
        """Propose additions one after the other, each from a check of the network with all earlier ones."""
        if not self._is_time(context):
            return
        done = 0
        while self.at_once is None or done < self.at_once:
            check, best = self._decide(context)
            if best is None or best.rule is None:
                if not done:
                    yield Proposal(
                        self.name, WidenLayer(), np.empty(0, np.int64), _reason_against(check), _list_candidates(check)
                    )
                return
            done += 1
            room = (
                f"; at most {check.max_additions(best):g} vertices there, before training goes on"
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
            yield Proposal(
                self.name, best.rule, best.on, reason, _list_candidates(check), settle=settle, numbers=numbers
            )

    def _decide(self, context: Context) -> tuple[Check, Candidate | None]:
        """Check the network, and take the best candidate that passes and that rounding allows."""
        check, limit = self.look(context), self.limits.max_change
        while (best := check.best) is not None:
            stable = stabilise(best, context.graph, self._inputs(context), limit)
            if stable is not None:
                return check, stable
            check = check.without(best, f"rounding would move outputs by more than {limit:g} of their range")
        return check, None

    @staticmethod
    def _inputs(context: Context) -> Array:
        """Sample of inputs, clipped to the domain of the graph."""
        layer = context.graph.inputs[0]
        values = context.capture([layer.name], samples=PROBE).activations[layer.name]
        if layer.encoding == "index":
            return np.asarray(values.argmax(axis=1))  # the row of the vertex that is 1
        low, high = (layer.values[key].reshape(-1, *(1,) * len(layer.grid)) for key in ("low", "high"))
        return np.clip(values, low, high)

    def look(self, context: Context) -> Check:
        """Score all possible additions at the present weights; `table()` of the result shows the reasons."""
        graph = context.graph
        tangent = self.tangent == "all" or (self.tangent == "depth" and self.depth)
        names = [layer.name for layer in graph.layers_by_id.values() if not layer.is_table]
        signals = context.capture(names, samples=self._samples(graph), tangent=tangent)
        evaluation = Evaluation(
            graph,
            signals,
            self.thresholds,
            self.limits,
            self.search,
            context.rng,
            self.activation,
            self.tangent,
            self.judge,
            self.bias,
        )
        return evaluation.check(width=self.width, depth=self.depth, no_layer=self._no_layer(context))

    def _no_layer(self, context: Context) -> str:
        """Reason why no layer can be added now, or ''."""
        layers = [a for a in actions_of(context, self.name) if a.rule == InsertLayer().name and a.matches]
        since = epochs_done(context) - layers[-1].epoch if layers else math.inf
        wait = self.layer_cooldown * self.cooldown
        return f"the last layer came {since:g} epochs ago, less than {wait}" if since < wait else ""

    def pending(self, context: Context) -> bool:
        """Whether a later check is due before growth ends."""
        return self._next(epochs_done(context)) <= self.until * context.epochs

    def _samples(self, graph: Graph) -> int:
        positions = max(math.prod(layer.grid) for layer in graph.layers_by_id.values())
        return min(self.samples, max(FEWEST_SAMPLES, MOST_ROWS // positions))

    def _is_time(self, context: Context) -> bool:
        done = epochs_done(context)
        return done <= self.until * context.epochs and self._next(done - 1) == done

    def _next(self, done: int) -> int:
        """First epoch after `done` at which a check is due."""
        first = self.cooldown if self.first is None else self.first
        if done < first:
            return first
        return done + self.cooldown - (done - first) % self.cooldown


def _list_candidates(check: Check) -> str:
    return "\n  ".join(check.table().splitlines())


def _reason_against(check: Check) -> str:
    scored = [c for c in check.candidates if not math.isnan(c.score)]
    if not scored:
        return "there is no place where anything could be added"
    best = max(scored, key=lambda c: c.score)
    return (
        f"the best of {len(scored)} candidates, {best.kind} at {best.place}, has {best.ratio:.3g} of eta_c and "
        f"{best.share:.3g} of |dL/dy|^2: {best.verdict}"
    )
