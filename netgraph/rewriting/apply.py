"""Find the matches of a rule, draft and apply rules and drivers, and explain which conditions matches fail."""

from __future__ import annotations

from typing import Any, overload

import numpy as np

from netgraph.checks import generator
from netgraph.errors import RewriteError
from netgraph.graph import Graph
from netgraph.proof import Level
from netgraph.rewriting.drafting import draft_rule
from netgraph.rewriting.drivers import Derivation, Driver, derive, require_step
from netgraph.rewriting.ordering import OrderBy
from netgraph.rewriting.outcomes import Draft, Result
from netgraph.rewriting.patterns import Matches
from netgraph.rewriting.rule import Rule
from netgraph.rewriting.search import Explanation, check_given, search
from netgraph.statistics import Statistics

Seed = np.random.Generator | int | None
"""Type of the argument `rng` of `apply`."""


def find(
    rule: Rule,
    graph: Graph,
    stats: Statistics | None = None,
    *,
    on: Any = None,
    rng: Seed = None,
) -> Matches:
    """Find the matches of a rule that pass its conditions, without rewriting anything.

    Args:
        rule: the rule.
        graph: the graph to search.
        stats: statistics of this topology, for conditions that read them.
        on: parts of the graph to which the search is limited, or None for all: edge ids; vertex ids; layer names or
            ids; for missing edges an array (pairs, 2 or 3) of source id, target id and tap; for links and missing
            links pairs (source, target) of layer names or ids. Of a pattern of several parts it limits the first.
        rng: generator, or seed, for conditions that draw random numbers; None for seed 0.

    Raises:
        RewriteError, StatisticsError: when `on` or `stats` do not belong to the graph, or the rule needs statistics
            that are not given.
    """
    if isinstance(rule, Driver):
        raise RewriteError(
            f"find takes a rule, not the driver {rule.name}, whose later steps match graphs that are not there yet; "
            "preview(driver, graph) carries it out on trial, with the matches of every step in .draft.steps."
        )
    return search(rule, graph, stats, on, generator("rng", 0 if rng is None else rng)).passing()


def explain(
    rule: Rule | Driver, graph: Graph, stats: Statistics | None = None, *, on: Any = None, rng: Seed = None
) -> Explanation:
    """Count the matches left after each condition, and describe the nearest miss.

    Args:
        rule: the rule, or a driver, which is carried out on trial; its explanation has one of every step.
        graph, stats, on: as for `find`.
        rng: generator, or seed, of conditions that draw, and of the trial of a driver; None for seed 0.
    """
    if isinstance(rule, Driver):
        return draft(rule, graph, stats, on=on, rng=rng).explanation
    return search(rule, graph, stats, on, generator("rng", 0 if rng is None else rng)).explanation()


@overload
def draft(
    rule: Rule,
    graph: Graph,
    stats: Statistics | None = ...,
    *,
    on: Any = ...,
    limit: int | None = ...,
    order_by: OrderBy = ...,
    rng: Seed = ...,
) -> Draft: ...


@overload
def draft(
    rule: Driver,
    graph: Graph,
    stats: Statistics | None = ...,
    *,
    on: Any = ...,
    limit: int | None = ...,
    order_by: OrderBy = ...,
    rng: Seed = ...,
) -> Derivation: ...


def draft(
    rule: Rule | Driver,
    graph: Graph,
    stats: Statistics | None = None,
    *,
    on: Any = None,
    limit: int | None = None,
    order_by: OrderBy = None,
    rng: Seed = None,
) -> Draft | Derivation:
    """Rewrite the matches of a rule, or carry out a driver, without a proof, for searches that try many rewrites.

    `draft(...).prove()` is the same as `apply(...)`. The old graph does not change.

    Args:
        rule, graph, stats, on, limit, order_by, rng: as for `apply`.

    Returns:
        A `Draft`, of a driver an unproved `Derivation`. Without a match, or when every edit keeps the old values, its
        graph is the old one.

    Raises:
        RewriteError: when the rewrite is not valid; the old graph is untouched.

    Costs O(E log E) for E edges.
    """
    source = generator("rng", 0 if rng is None else rng)
    require_step(rule)
    check_given(graph, stats)
    if isinstance(rule, Driver):
        if on is not None or limit is not None or order_by is not None:
            raise RewriteError(
                f"on=, limit= and order_by= belong to one rule; give them to a rule inside of {rule.name}: "
                "netgraph.rewriting.step(rule, on=...)."
            )
        return derive(rule, graph, stats, source)
    return draft_rule(rule, graph, stats, on=on, limit=limit, order_by=order_by, rng=source)


@overload
def apply(
    rule: Rule,
    graph: Graph,
    stats: Statistics | None = ...,
    *,
    on: Any = ...,
    limit: int | None = ...,
    order_by: OrderBy = ...,
    rng: Seed = ...,
    require: Level | float | None = ...,
    probe: Any = ...,
) -> Result: ...


@overload
def apply(
    rule: Driver,
    graph: Graph,
    stats: Statistics | None = ...,
    *,
    on: Any = ...,
    limit: int | None = ...,
    order_by: OrderBy = ...,
    rng: Seed = ...,
    require: Level | float | None = ...,
    probe: Any = ...,
) -> Derivation: ...


def apply(
    rule: Rule | Driver,
    graph: Graph,
    stats: Statistics | None = None,
    *,
    on: Any = None,
    limit: int | None = None,
    order_by: OrderBy = None,
    rng: Seed = None,
    require: Level | float | None = None,
    probe: Any = "auto",
) -> Result | Derivation:
    """Apply a rule to all its matches at once, or carry out a driver. The old graph does not change.

    Args:
        rule: the rule, or a driver, which takes no `on`, `limit` and `order_by`.
        graph: the graph to rewrite.
        stats: statistics of this topology, for conditions that read them.
        on: parts of the graph to which the search is limited, or None for all: see `find`.
        limit: largest number of matches to rewrite, the first in order, or None for all.
        order_by: values by which matches are ordered, largest first: an array with one value per match that passes,
            the name of an edge or vertex statistic, or a function of matches and statistics; "random" for an order
            drawn from `rng`; None for the order of the rows.
        rng: generator, or seed, of conditions that draw, then of a random order, and then of random initial values;
            None for seed 0.
        require: weakest level that the rewrite must be proved to have, else it is refused: "exact", "exact up to
            rounding", "bounded", or a number as the largest allowed change of an output; None for no requirement.
        probe: number of random inputs on which the change of the outputs is measured, or a batch of inputs as
            `interpret` takes them, or None to measure nothing. "auto" takes 64 random inputs, and fewer where two
            evaluations of the graph would need more than two billion products.

    Returns:
        A `Result`, of a driver a `Derivation`, with the new graph. Without a match, or when every edit keeps the old
        values, its graph is the old one and `changed` is False; that is no error.

    Raises:
        RewriteError: when the rewrite is refused or not valid; the old graph is untouched. Of a driver, every step
            counts or none, and the error names the step.

    Costs O(E log E) for E edges, plus two float64 evaluations of the probe. `draft` leaves out the proof.
    """
    made: Draft | Derivation = draft(rule, graph, stats, on=on, limit=limit, order_by=order_by, rng=rng)
    return made.prove(require, probe)
