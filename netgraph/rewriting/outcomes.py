"""Outcomes of rewrites: a draft, which is not proved, and a result, which is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from netgraph.analysis import forward_flops
from netgraph.checks import choice, whole
from netgraph.columns import FrozenDict
from netgraph.errors import OptionError, RewriteError
from netgraph.graph import Graph
from netgraph.proof import LEVELS, Certificate, Level, certify, measure, sample_inputs
from netgraph.rewriting.delta import Delta
from netgraph.rewriting.patterns import Matches
from netgraph.rewriting.rule import Rule
from netgraph.rewriting.search import Explanation

PROBE_SAMPLES = 64
"""Largest number of random inputs on which `apply` measures the change of the outputs by default."""

PROBE_PRODUCTS = 2_000_000_000
"""Largest number of products of weight and value in one such measurement, a few seconds; one input is always taken."""

_MAX_SAMPLES = 1_000_000


class Transform(Protocol):
    """Rule or driver, as far as an outcome and the journal read it."""

    @property
    def name(self) -> str:
        """Name in messages and the journal."""

    @property
    def parameters(self) -> FrozenDict[str, Any]:
        """Parameters by name, for the journal."""


class Rewrite(ABC):
    """Base of rewrites that were carried out: `Draft`, `Result` and `Derivation`.

    Attributes:
        graph: the new graph, or the old graph itself (the same object) when the rewrite changed nothing.
        delta: the parts that were added, removed and changed, by id.
        certificate: statement on the change of the outputs, "unknown" when no proof was asked for.
        explanation: number of matches after each condition.
        rule: the rule or driver.
    """

    graph: Graph
    delta: Delta
    certificate: Certificate
    explanation: Explanation
    rule: Transform

    @property
    @abstractmethod
    def before(self) -> Graph:
        """The old graph."""

    @property
    @abstractmethod
    def count(self) -> int:
        """Number of matches that were rewritten."""

    @property
    def changed(self) -> bool:
        """Whether the new graph is another one; False when nothing matched or every edit kept the old values."""
        return self.graph is not self.before

    @property
    def parameters(self) -> FrozenDict[str, Any]:
        """Parameters of the rule or driver, for the journal."""
        return self.rule.parameters

    def unproved(self) -> Certificate:
        """Return the certificate without a proof: "unknown", or "exact" when nothing changed."""
        if not self.changed:
            return Certificate("exact", "nothing changed" if self.count else "nothing matched", bound=0.0)
        return Certificate("unknown", "no proof was asked for")

    def proof(self, require: Level | float | None, probe: Any) -> Certificate:
        """Prove a statement on the change of the outputs, and measure the change. Arguments as for `apply`.

        Raises:
            RewriteError: when the certificate is weaker than `require`.
        """
        _check_required(require)
        if not self.changed:
            return self.unproved()
        old, new = self.before, self.graph
        proof = certify(old, new)
        if not proof.satisfies(require):
            raise RewriteError(f"{self.rule.name} is refused: {require} was required, but the rewrite is {proof}.")
        if probe is None:
            return proof
        if isinstance(probe, str):
            choice("probe", probe, ("auto",))
            probe = min(PROBE_SAMPLES, max(1, PROBE_PRODUCTS // max(1, forward_flops(old))))
        inputs = sample_inputs(old, int(probe), np.random.default_rng(0)) if _is_count(probe) else probe
        bounds = proof.bounds if proof.kind != "unknown" else None
        return replace(proof, measured=measure(old, new, inputs, bounds))


@dataclass(frozen=True, eq=False, repr=False)
class Draft(Rewrite):
    """A rewrite without its proof, made by `draft`.

    Attributes:
        graph: the new graph, or the old graph itself (the same object) when the rewrite changed nothing.
        delta: the parts that were added, removed and changed, by id.
        matches: the matches that were rewritten, on the old graph.
        skipped: the matches that overlap an earlier match or exceed the limit, and were not rewritten.
        explanation: number of matches after each condition.
        rule: the rule.
        certificate: "unknown", or "exact" when nothing changed.
    """

    graph: Graph
    delta: Delta
    matches: Matches
    skipped: Matches
    explanation: Explanation
    rule: Rule
    certificate: Certificate = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "certificate", self.unproved())

    @property
    def before(self) -> Graph:
        """The old graph."""
        return self.matches.graph

    @property
    def count(self) -> int:
        """Number of matches that were rewritten."""
        return len(self.matches)

    def prove(self, require: Level | float | None = None, probe: Any = "auto") -> Result:
        """Prove a statement on the change of the outputs, and measure the change. Arguments as for `apply`.

        Raises:
            RewriteError: when the certificate is weaker than `require`.
        """
        proof = self.proof(require, probe)
        return Result(self.graph, self.delta, proof, self.matches, self.skipped, self.explanation, self.rule)

    def __repr__(self) -> str:
        return f"Draft({_described(self)})"


@dataclass(frozen=True, eq=False, repr=False)
class Result(Rewrite):
    """A rewrite with its proof, made by `apply`.

    Attributes:
        graph: the new graph, or the old graph itself (the same object) when the rewrite changed nothing.
        delta: the parts that were added, removed and changed, by id.
        certificate: proved statement on the change of the outputs.
        matches: the matches that were rewritten, on the old graph.
        skipped: the matches that overlap an earlier match or exceed the limit, and were not rewritten.
        explanation: number of matches after each condition.
        rule: the rule.
    """

    graph: Graph
    delta: Delta
    certificate: Certificate
    matches: Matches
    skipped: Matches
    explanation: Explanation
    rule: Rule

    @property
    def before(self) -> Graph:
        """The old graph."""
        return self.matches.graph

    @property
    def count(self) -> int:
        """Number of matches that were rewritten."""
        return len(self.matches)

    def unprove(self) -> Draft:
        """Return the rewrite without its proof."""
        return Draft(self.graph, self.delta, self.matches, self.skipped, self.explanation, self.rule)

    def __repr__(self) -> str:
        return f"Result({_described(self)})"


def _described(outcome: Draft | Result) -> str:
    skipped = f", {len(outcome.skipped):,} skipped" if len(outcome.skipped) else ""
    return f"{outcome.rule.name}: {outcome.count:,} matches{skipped}; {outcome.delta.summary()}"


def _is_count(probe: Any) -> bool:
    if not isinstance(probe, int | float | np.number | np.bool_):
        return False
    probe = whole("probe", probe, most=_MAX_SAMPLES)
    if probe < 1:
        raise OptionError(f"probe={probe} is below 1; give a number of random inputs, or None not to measure.")
    return True


def _check_required(require: Level | float | None) -> None:
    number = isinstance(require, int | float) and not isinstance(require, bool) and require >= 0
    if not (require is None or number or require in LEVELS[:-1]):
        raise OptionError(f"require={require!r} is none of {LEVELS[:-1]}, a number from 0, or None.")
