"""Find the matches of a rule, apply the rule, and explain which conditions its matches fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from netgraph.analysis import forward_flops
from netgraph.checks import choice, generator, whole
from netgraph.columns import Array
from netgraph.errors import OptionError, RewriteError, StatisticsError
from netgraph.graph import Graph
from netgraph.markup import printable
from netgraph.proof import LEVELS, Certificate, Level, measure, sample_inputs
from netgraph.proof import certify as prove
from netgraph.rewriting.blame import blaming, describe
from netgraph.rewriting.delta import Delta
from netgraph.rewriting.operands import describe_value
from netgraph.rewriting.patterns import EdgeRows, Matches, VertexRows
from netgraph.rewriting.rewriter import Rewriter
from netgraph.rewriting.rule import Condition, Rule, conditions, require_rule
from netgraph.statistics import Statistics

OrderBy = Array | str | Callable[[Matches, Statistics | None], Array] | None
"""Type of the argument `order_by` of `apply`."""

PROBE_SAMPLES = 64
"""Largest number of random inputs on which `apply` measures the change of the outputs by default."""

PROBE_PRODUCTS = 2_000_000_000
"""Largest number of products of weight and value in one such measurement, a few seconds; one input is always taken."""

_MAX_SAMPLES = 1_000_000


@dataclass(frozen=True)
class Explanation:
    """Number of matches of a rule after each condition.

    Attributes:
        rule: name of the rule.
        stages: (condition, number of matches left), in the order in which the conditions are checked.
        nearest_miss: description of the match that failed by the least, and the conditions it fails. Of matches that
            fail as few conditions, those whose conditions all have a margin come first. None when every match passes.
    """

    rule: str
    stages: tuple[tuple[str, int], ...]
    nearest_miss: str | None = None

    @property
    def lines(self) -> tuple[str, ...]:
        """Lines of text: the name of the rule, every stage, the matches that pass, and the nearest miss."""
        width = max(len(name) for name, _ in self.stages)
        lines = [f"{self.rule}:"] + [f"  {name:<{width}}  {count:>12,}" for name, count in self.stages]
        if passing := self.stages[-1][1]:
            lines.append(f"  {passing:,} of {self.stages[0][1]:,} pass")
        if self.nearest_miss:
            lines.append(f"  nearest miss: {self.nearest_miss}")
        return tuple(lines)

    def __str__(self) -> str:
        return "\n".join(map(printable, self.lines))


@dataclass(frozen=True, eq=False)
class Result:
    """Result of `apply`.

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
    def changed(self) -> bool:
        """Whether the new graph is another one; False when nothing matched or every edit kept the old values."""
        return self.graph is not self.matches.graph

    def __repr__(self) -> str:
        skipped = f", {len(self.skipped):,} skipped" if len(self.skipped) else ""
        return f"Result({self.rule.name}: {len(self.matches):,} matches{skipped}; {self.delta.summary()})"


def find(rule: Rule, graph: Graph, stats: Statistics | None = None, *, on: Any = None) -> Matches:
    """Find the matches of a rule that pass its conditions, without rewriting anything.

    Args:
        rule: the rule.
        graph: the graph to search.
        stats: statistics of this topology, for conditions that read them.
        on: parts of the graph to which the search is limited, or None for all: edge ids; vertex ids; layer names or
            ids; for missing edges an array (pairs, 2 or 3) of source id, target id and tap; for links and missing
            links pairs (source, target) of layer names or ids.

    Raises:
        RewriteError, StatisticsError: when `on` or `stats` do not belong to the graph.
    """
    m, _stages, named = _filtered(rule, graph, stats, on)
    return m.take(np.flatnonzero(_all_hold(m, named)))


def explain(rule: Rule, graph: Graph, stats: Statistics | None = None, *, on: Any = None) -> Explanation:
    """Count the matches left after each condition, and describe the nearest miss. Arguments as for `find`."""
    m, stages, named = _filtered(rule, graph, stats, on)
    return _explanation(rule, m, stages, named)


def apply(
    rule: Rule,
    graph: Graph,
    stats: Statistics | None = None,
    *,
    on: Any = None,
    limit: int | None = None,
    order_by: OrderBy = None,
    rng: np.random.Generator | int | None = None,
    require: Level | float | None = None,
    probe: Any = "auto",
    certify: bool = True,
) -> Result:
    """Apply a rule to all its matches at once and return the new graph. The old graph does not change.

    Args:
        rule: the rule.
        graph: the graph to rewrite.
        stats: statistics of this topology, for conditions that read them.
        on: parts of the graph to which the search is limited, or None for all: see `find`.
        limit: largest number of matches to rewrite, the first in order, or None for all.
        order_by: values by which matches are ordered, largest first: an array with one value per match that passes,
            the name of an edge or vertex statistic, or a function of matches and statistics; "random" for an order
            drawn from `rng`; None for the order of the rows.
        rng: generator, or seed, of a random order, and then of random initial values; None for seed 0.
        require: weakest level that the rewrite must be proved to have, else it is refused: "exact", "exact up to
            rounding", "bounded", or a number as the largest allowed change of an output; None for no requirement.
        probe: number of random inputs on which the change of the outputs is measured, or a batch of inputs as
            `interpret` takes them, or None to measure nothing. "auto" takes 64 random inputs, and fewer where two
            evaluations of the graph would need more than two billion products.
        certify: whether to prove a statement on the change of the outputs, and to measure the change. Otherwise the
            certificate is "unknown".

    Returns:
        A `Result`. Without a match, or when every edit keeps the old values, its graph is the old one and `changed`
        is False; that is no error.

    Raises:
        RewriteError: when the rewrite is refused or not valid; the old graph is untouched.

    Costs O(E log E) for E edges, plus two float64 evaluations of the probe.
    """
    m, stages, named = _filtered(rule, graph, stats, on)
    explanation = _explanation(rule, m, stages, named)
    passing = m.take(np.flatnonzero(_all_hold(m, named)))
    source = generator("rng", 0 if rng is None else rng)
    with blaming(rule, "order_by", passing):
        order = _order(passing, stats, order_by, source)
    wins = _first_wins(rule, passing, order)
    if limit is not None:
        limit = whole("limit", limit, least=0)
        order_of_winners = order[wins[order]]
        wins = np.zeros_like(wins)
        wins[order_of_winners[:limit]] = True
    chosen, skipped = passing.take(order[wins[order]]), passing.take(order[~wins[order]])
    new, delta = _rewritten(rule, graph, stats, chosen, source)
    if new is graph:
        proof = Certificate("exact", "nothing changed" if len(chosen) else "nothing matched", bound=0.0)
    elif certify:
        proof = _proved(rule, graph, new, require, probe)
    else:
        proof = Certificate("unknown", "no proof was asked for")
        _enforce(rule, proof, require)
    return Result(new, delta, proof, chosen, skipped, explanation, rule)


def _rewritten(
    rule: Rule, graph: Graph, stats: Statistics | None, chosen: Matches, rng: np.random.Generator
) -> tuple[Graph, Delta]:
    """Rewrite the chosen matches; return the new graph and the delta, or the old graph itself when nothing changed."""
    if not len(chosen):
        return graph, Delta.nothing(graph)
    rewriter = Rewriter(graph, rng, stats)
    with blaming(rule, "rewrite", chosen):
        rule.rewrite(chosen, rewriter)
        return rewriter.commit()


def _proved(rule: Rule, graph: Graph, new: Graph, require: Level | float | None, probe: Any) -> Certificate:
    """Prove and measure a rewrite; raise `RewriteError` when the certificate is weaker than `require`."""
    proof = prove(graph, new)
    _enforce(rule, proof, require)
    if probe is None:
        return proof
    if isinstance(probe, str):
        choice("probe", probe, ("auto",))
        probe = min(PROBE_SAMPLES, max(1, PROBE_PRODUCTS // max(1, forward_flops(graph))))
    inputs = sample_inputs(graph, int(probe), np.random.default_rng(0)) if _is_count(probe) else probe
    bounds = proof.bounds if proof.kind != "unknown" else None
    return replace(proof, measured=measure(graph, new, inputs, bounds))


def _is_count(probe: Any) -> bool:
    if not isinstance(probe, int | float | np.number | np.bool_):
        return False
    probe = whole("probe", probe, most=_MAX_SAMPLES)
    if probe < 1:
        raise OptionError(f"probe={probe} is below 1; give a number of random inputs, or None not to measure.")
    return True


def _enforce(rule: Rule, proof: Certificate, require: Level | float | None) -> None:
    number = isinstance(require, int | float) and not isinstance(require, bool) and require >= 0
    if not (require is None or number or require in LEVELS[:-1]):
        raise OptionError(f"require={require!r} is none of {LEVELS[:-1]}, a number from 0, or None.")
    if not proof.satisfies(require):
        raise RewriteError(f"{rule.name} is refused: {require} was required, but the rewrite is {proof}.")


def _check_given(rule: Any, graph: Any, stats: Any) -> None:
    require_rule(rule)
    if not isinstance(graph, Graph):
        raise RewriteError(
            f"The graph that was given is {describe_value(graph)}; give a Graph, after the rule: apply(rule, graph)."
        )
    if stats is None:
        return
    if not isinstance(stats, Statistics):
        raise RewriteError(
            f"The stats that were given are {describe_value(stats)}; give Statistics of the graph, or None."
        )
    stats.check(graph)


def _filtered(
    rule: Rule, graph: Graph, stats: Statistics | None, on: Any
) -> tuple[Matches, list[tuple[str, int]], dict[str, Condition]]:
    """Find the matches of the pattern, the number of matches after each stage, and the conditions on the matches."""
    _check_given(rule, graph, stats)
    m, stages = rule.pattern.match(graph, on)
    with blaming(rule, "where", m):
        named = conditions(rule, m, stats)
    holds = np.ones(len(m), dtype=bool)
    for name, condition in named.items():
        holds = holds & condition.holds
        stages.append((name, int(np.count_nonzero(holds))))
    return m, stages, named


def _all_hold(m: Matches, named: dict[str, Condition]) -> Array:
    return np.asarray(np.logical_and.reduce([np.ones(len(m), dtype=bool), *(c.holds for c in named.values())]))


def _explanation(rule: Rule, m: Matches, stages: list[tuple[str, int]], named: dict[str, Condition]) -> Explanation:
    return Explanation(rule.name, tuple(stages), _nearest_miss(m, named) if len(m) else None)


def _nearest_miss(m: Matches, named: dict[str, Condition]) -> str | None:
    fails = np.sum([~c.holds for c in named.values()], axis=0) if named else np.zeros(len(m), int)
    missed = np.flatnonzero(fails)
    if not len(missed):
        return None
    shortfall, unmeasured = np.zeros(len(m)), np.zeros(len(m), int)
    for condition in named.values():
        if condition.margin is not None:
            shortfall += np.where(condition.holds, 0.0, -condition.margin)
        else:
            unmeasured += ~condition.holds
    best = missed[np.lexsort((shortfall[missed], unmeasured[missed], fails[missed]))[0]]
    texts = []
    for name, condition in named.items():
        if not condition.holds[best]:
            margin = f" (short by {-condition.margin[best]:.4g})" if condition.margin is not None else ""
            texts.append(f"{name!r}{margin}")
    return f"{describe(m, int(best))} fails {' and '.join(texts)}"


def _order(m: Matches, stats: Statistics | None, order_by: OrderBy, rng: np.random.Generator) -> Array:
    if order_by is None:
        return np.arange(len(m))
    if isinstance(order_by, str) and order_by == "random":
        return rng.permutation(len(m))
    if isinstance(order_by, str):
        if not isinstance(m.root, EdgeRows | VertexRows):
            raise RewriteError(
                f"order_by={order_by!r} names a statistic, which only edges and vertices have; give a function of the "
                "matches, or an array with one value per match."
            )
        if stats is None:
            raise RewriteError(
                f"order_by={order_by!r} names a statistic, but no statistics were given; give them, or "
                f"{_instead(m, order_by)}."
            )
        try:
            column = stats.edge(order_by) if isinstance(m.root, EdgeRows) else stats.vertex(order_by)
        except StatisticsError as error:
            raise StatisticsError(f"{error} Or {_instead(m, order_by)}.") from None
        values = column[m.root.rows]
    else:
        values = np.asarray(order_by(m, stats) if callable(order_by) else order_by)
    if values.shape != (len(m),):
        raise RewriteError(f"order_by has shape {values.shape}, expected ({len(m)},), one value per match that passes.")
    if values.dtype.kind not in "iufb":
        raise RewriteError(f"order_by has values of {values.dtype}; give one real number per match that passes.")
    if values.dtype.kind == "f" and np.isnan(values).any():
        raise RewriteError("order_by has NaN values; matches cannot be ordered by them.")
    # Ranks from the values as they are: as floats, large whole numbers would tie.
    return np.argsort(-np.unique(values, return_inverse=True)[1], kind="stable")


def _instead(m: Matches, order_by: str) -> str:
    """Text of an `order_by` without statistics: a function of the column of the same name, or else of `birth`."""
    name = next(iter(m.bound))
    has = not order_by.startswith("_") and isinstance(getattr(type(m.root), order_by, None), property | cached_property)
    return f"order by a column with order_by=lambda m, stats: m.{name}.{order_by if has else 'birth'}"


def _first_wins(rule: Rule, m: Matches, order: Array) -> Array:
    """Mask of the matches that are rewritten, where each exclusive row occurs once: earlier matches win, `(matches,)`.

    In each round a match wins if no undecided earlier match shares a row with it. The number of rounds is the length
    of the longest chain of overlaps; each round is linear in the number of undecided matches.
    """
    wins = np.ones(len(m), dtype=bool)
    if not rule.exclusive or not len(m):
        return wins
    groups = [(entry,) if isinstance(entry, str) else entry for entry in rule.exclusive]
    parts = [np.stack([getattr(m, name).rows for name in group]) for group in groups]
    keys = [np.unique(columns, return_inverse=True)[1].reshape(columns.shape) for columns in parts]
    earliest = [np.empty(key.max() + 1, dtype=np.int64) for key in keys]
    taken = [np.zeros(key.max() + 1, dtype=bool) for key in keys]
    wins[:] = False
    undecided = order
    while len(undecided):
        place = np.arange(len(undecided))
        first = np.ones(len(undecided), dtype=bool)
        for key, place_of in zip(keys, earliest, strict=True):
            mine = key[:, undecided]
            # In reversed order, so that the earliest match is assigned last and stays.
            place_of[mine.ravel(order="F")[::-1]] = np.repeat(place, len(mine))[::-1]
            first &= (place_of[mine] == place).all(axis=0)
        won, left = undecided[first], ~first
        wins[won] = True
        for key, gone in zip(keys, taken, strict=True):
            gone[key[:, won]] = True
            left &= ~gone[key[:, undecided]].any(axis=0)
        undecided = undecided[left]
    return wins
