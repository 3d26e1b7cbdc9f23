"""Candidates for an expansion of a network, their scores, and the thresholds and limits that decide about them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from netgraph.checks import Checked
from netgraph.columns import Array
from netgraph.errors import OptionError
from netgraph.graph import Graph
from netgraph.methods.senn.reads import most_additions
from netgraph.rewriting import Rule, apply
from netgraph.rules import InsertLayer
from netgraph.tables import Table

FLOORS = (None, 0.2, 0.5, 1.0)
"""Lower bounds of the singular values of a new layer's matrix, tried in this order, as fractions of their mean.

Smaller singular values are raised to the bound. None stands for the default of `InsertLayer`.
"""

MARGIN = 0.5
"""Fraction of the allowed output change that the measured samples may show, as other inputs may change more."""


@dataclass(frozen=True, kw_only=True)
class Thresholds(Checked):
    """Thresholds that the score of an addition must exceed, all of them. The score is `delta-eta'`.

    Attributes:
        tau: smallest ratio of the score to the present score `eta_c` of the layers that read the addition.
        alpha: smallest ratio of the score to the mean `|dL/dy|^2`.
        significance: smallest ratio of the score to the chance score. That is the expected score of vertices whose
            activations are independent of the gradients, `1 / (samples * positions)` of the largest possible score.
            This keeps networks from fitting the noise of few samples. 0, as in the paper, is no limit.
        layer_cost: divisor of the score of a layer, in units of one vertex.
    """

    tau: float = 1.0
    alpha: float = 2.5e-3
    significance: float = 2.0
    layer_cost: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("tau", "alpha", "significance"):
            if getattr(self, name) < 0:
                raise OptionError(f"{name}={getattr(self, name)} is negative.")
        if self.layer_cost <= 0:
            raise OptionError(f"layer_cost={self.layer_cost} is not a positive number.")


@dataclass(frozen=True, eq=False)
class Candidate:
    """A vertex, or a layer, that could be added.

    Attributes:
        kind: "width" for a vertex, "depth" for a layer.
        place: name of the layer that gets the vertex, or source and target of the link that gets the layer.
        score: `delta-eta'` divided by the cost of the addition; NaN where there was no search.
        layer_score: `eta_c`, the present score of the layers that read the addition.
        upper_bound: upper bound of `eta_c`; NaN where additions are not proved to raise `eta_c` by their score.
        share: `score / E|dL/dy|^2`.
        chance: expected score of an addition that is independent of the gradients, divided by the same cost.
        verdict: reason why the candidate passes, fails, or is impossible.
        passes: whether the candidate passes all thresholds.
        rule: rule that makes the addition, or None.
        on: matches of the rule.
    """

    kind: Literal["width", "depth"]
    place: str
    score: float = math.nan
    layer_score: float = math.nan
    upper_bound: float = math.nan
    share: float = math.nan
    chance: float = math.nan
    verdict: str = ""
    passes: bool = False
    rule: Rule | None = None
    on: Any = field(default=None)

    @property
    def ratio(self) -> float:
        """Ratio of the score to `eta_c`. Where `eta_c` is 0, it is infinite for a score above 0, and 0 otherwise."""
        if self.layer_score > 0:
            return self.score / self.layer_score
        return math.inf if self.score > 0 else 0.0


@dataclass(frozen=True, eq=False)
class Check:
    """All candidates for an expansion of a network at fixed weights.

    Attributes:
        candidates: candidates of all places, the impossible ones included.
        thresholds: thresholds by which the candidates were judged.
        loss_gradient: mean squared length of the output gradients, `E|dL/dy|^2`.
        natural_score: score of the whole network, `g^T n`; 0 when it was not requested.
    """

    candidates: tuple[Candidate, ...]
    thresholds: Thresholds
    loss_gradient: float
    natural_score: float

    @property
    def best(self) -> Candidate | None:
        """Candidate with the largest score among all that pass, or None."""
        return max((c for c in self.candidates if c.passes), key=lambda c: c.score, default=None)

    def without(self, candidate: Candidate, verdict: str) -> Check:
        """Return a copy in which one candidate fails for the reason `verdict`."""
        failed = replace(candidate, passes=False, verdict=verdict)
        return replace(self, candidates=tuple(failed if c is candidate else c for c in self.candidates))

    @property
    def looked_at(self) -> int:
        """Number of candidates with a score."""
        return sum(not math.isnan(c.score) for c in self.candidates)

    def max_additions(self, candidate: Candidate) -> float:
        """Upper bound on the vertices that a place can gain at these weights, the candidate included.

        It is proved for vertices whose score uses the gradients themselves, not residual gradients. Each of them raises
        `eta_c` of its readers by more than both thresholds require, nothing lowers `eta_c` while the weights stay the
        same, and `eta_c` never exceeds `candidate.upper_bound`. Infinite where no bound is known.
        """
        if math.isnan(candidate.upper_bound):
            return math.inf
        step = self.thresholds.alpha * self.loss_gradient
        return most_additions(candidate.layer_score, candidate.upper_bound, ratio=self.thresholds.tau, step=step)

    def numbers(self, candidate: Candidate) -> dict[str, float]:
        """Figures behind the decision about a candidate, by name."""
        return {
            "score": candidate.score,
            "layer_score": candidate.layer_score,
            "ratio": candidate.ratio,
            "share": candidate.share,
            "chance": candidate.chance,
            "tau": self.thresholds.tau,
            "alpha": self.thresholds.alpha,
            "significance": self.thresholds.significance,
            "layer_cost": self.thresholds.layer_cost,
            "loss_gradient": self.loss_gradient,
            "natural_score": self.natural_score,
            "candidates": float(self.looked_at),
        } | ({"most_additions": self.max_additions(candidate)} if math.isfinite(self.max_additions(candidate)) else {})

    def table(self) -> str:
        """Format all candidates as a table, with the reason why each passes or fails."""
        rows = []
        for c in self.candidates:
            ratio = math.nan if math.isnan(c.score) else c.ratio
            shown = ("" if math.isnan(v) else f"{v:.3g}" for v in (c.score, c.layer_score, ratio, c.share, c.chance))
            rows.append((c.kind, c.place, *shown, c.verdict))
        columns = ("kind", "where", "score", "eta_c", "ratio", "share", "chance", "verdict")
        return Table("", columns, rows, left=(0, 1, len(columns) - 1)).text()


@dataclass(frozen=True, kw_only=True)
class Limits(Checked):
    """Largest sizes of a network, and the largest rounding error of an addition.

    Attributes:
        max_width: largest number of vertices of a layer; None is no limit.
        max_layers: largest number of hidden layers; None is no limit.
        max_edges: largest number of edges; None is no limit.
        max_inputs: largest number of source vertices of a link at which a layer is inserted. The new layer has
            `max_inputs^2` edges.
        max_change: largest change of an output by rounding, relative to the range of the output.
    """

    max_width: int | None = None
    max_layers: int | None = None
    max_edges: int | None = None
    max_inputs: int = 256
    max_change: float = 1e-6


def stabilise(candidate: Candidate, graph: Graph, inputs: Array, max_change: float) -> Candidate | None:
    """Raise the singular values of a new layer's matrix until rounding moves the outputs little enough.

    `InsertLayer` multiplies the weights behind the new layer by the inverse of its matrix and rounds them. Small
    singular values make that error large, and errors of several new layers add up. The search hardly limits them.

    Args:
        candidate: the addition; a new vertex is returned as it is.
        graph: the graph that the candidate extends.
        inputs: samples on which the change of the outputs is measured.
        max_change: largest change of an output, relative to the range of the output.

    Returns:
        The candidate with the first of `FLOORS` that keeps `measured <= MARGIN * max_change`, or None where none does.

    Cost: for a new layer, one rewrite with its proof and one forward of the samples for each floor that is tried.
    """
    if not isinstance(candidate.rule, InsertLayer):
        return candidate
    for floor in FLOORS:
        rule = candidate.rule if floor is None else replace(candidate.rule, floor=floor)
        measured = apply(rule, graph, on=candidate.on, probe=inputs).certificate.measured
        if measured is not None and measured.relative <= MARGIN * max_change:
            return replace(candidate, rule=rule)
    return None
