"""Where a network could be expanded, by how much that would raise its natural expansion score, and why not."""

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
"""Parts of the mean singular value of the matrix of a new layer to which the others are raised, None as usual."""

MARGIN = 0.5
"""What of the change that is allowed may be measured on the samples of a look; others may show more."""


@dataclass(frozen=True, kw_only=True)
class Thresholds(Checked):
    """When an addition pays.

    Attributes:
        tau: it raises the score of the layers that it feeds by more than this share,
        alpha: and by more than this share of the mean |dL/dy|^2.
        significance: and it is more than so many times what chance gives, the expected score of vertices that have
            nothing to do with the gradients: a share of one in the number of samples times positions. It keeps networks
            from growing into the noise of few samples. The paper has 0, which is no limit.
        layer_cost: by what the score of a layer is divided.
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
        kind: "width" or "depth".
        place: the layer that gets the vertex, or the link that gets the layer, in words.
        score: delta-eta' by its cost; NaN where nothing was looked for.
        layer_score: eta_c of the layers that it feeds.
        most: what eta_c cannot exceed; NaN where additions are not known to raise it by their score.
        share: the score by the mean |dL/dy|^2.
        chance: what chance gives, by the cost.
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
    chance: float = math.nan
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

    def without(self, candidate: Candidate, verdict: str) -> Check:
        """The same, but one candidate does not pass."""
        failed = replace(candidate, passes=False, verdict=verdict)
        return replace(self, candidates=tuple(failed if c is candidate else c for c in self.candidates))

    @property
    def looked_at(self) -> int:
        """How many were scored."""
        return sum(not math.isnan(c.score) for c in self.candidates)

    def most(self, candidate: Candidate) -> float:
        """How many vertices a place can still gain before the weights are trained on, the candidate included.

        Proved for vertices that are scored by the gradients themselves: each raises eta_c of its readers by more than
        both thresholds ask for, nothing else lowers it while weights stay, and it cannot exceed its most. Infinite
        where that says nothing.
        """
        if math.isnan(candidate.most):
            return math.inf
        step = self.thresholds.alpha * self.loss_gradient
        return most_additions(candidate.layer_score, candidate.most, ratio=self.thresholds.tau, step=step)

    def numbers(self, candidate: Candidate) -> dict[str, float]:
        """What the decision for a candidate was made by, by name."""
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
        } | ({"most_additions": self.most(candidate)} if math.isfinite(self.most(candidate)) else {})

    def table(self) -> str:
        """All candidates and why each passes or does not, line by line."""
        rows = []
        for c in self.candidates:
            ratio = math.nan if math.isnan(c.score) else c.ratio
            shown = ("" if math.isnan(v) else f"{v:.3g}" for v in (c.score, c.layer_score, ratio, c.share, c.chance))
            rows.append((c.kind, c.place, *shown, c.verdict))
        columns = ("kind", "where", "score", "eta_c", "ratio", "share", "chance", "verdict")
        return Table("", columns, rows, left=(0, 1, len(columns) - 1)).text()


@dataclass(frozen=True, kw_only=True)
class Limits(Checked):
    """How large a network may become.

    Attributes:
        max_width: most vertices of a layer; None is no limit.
        max_layers: most hidden layers; None is no limit.
        max_edges: most edges; None is no limit.
        max_inputs: no layer is inserted on a link that more vertices feed: it would hold a matrix of that size.
        max_change: most that an addition may move an output by rounding, relative to the range of the output.
    """

    max_width: int | None = None
    max_layers: int | None = None
    max_edges: int | None = None
    max_inputs: int = 256
    max_change: float = 1e-6


def steadied(candidate: Candidate, graph: Graph, inputs: Array, most: float) -> Candidate | None:
    """The candidate such that outputs move by no more than rounding may move them, or None where that cannot be.

    What a new layer takes over is multiplied by the inverse of its matrix, and rounded. Singular values of the matrix
    are raised until that is harmless: the search minds their size little, but behind other layers rounding adds up.

    Args:
        candidate: the candidate.
        graph: that it is for.
        inputs: samples to measure on.
        most: of the change, relative to the range of the output.

    Cost: a rewrite with its proof and a forward of the samples, for each try, of new layers only.
    """
    if not isinstance(candidate.rule, InsertLayer):
        return candidate
    for floor in FLOORS:
        rule = candidate.rule if floor is None else replace(candidate.rule, floor=floor)
        measured = apply(rule, graph, on=candidate.on, probe=inputs).certificate.measured
        if measured is not None and measured.relative <= MARGIN * most:
            return replace(candidate, rule=rule)
    return None
