"""Find the matches of a rule, draft and apply its rewrite, and explain which conditions its matches fail."""

from __future__ import annotations

from typing import Any

import numpy as np

from netgraph.checks import generator
from netgraph.graph import Graph
from netgraph.proof import Level
from netgraph.rewriting.drafting import draft_rule
from netgraph.rewriting.ordering import OrderBy
from netgraph.rewriting.outcomes import Draft, Result
from netgraph.rewriting.patterns import Matches
from netgraph.rewriting.rule import Rule
from netgraph.rewriting.search import Explanation, search
from netgraph.statistics import Statistics


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
    return search(rule, graph, stats, on).passing()


def explain(rule: Rule, graph: Graph, stats: Statistics | None = None, *, on: Any = None) -> Explanation:
    """Count the matches left after each condition, and describe the nearest miss. Arguments as for `find`."""
    return search(rule, graph, stats, on).explanation()


def draft(
    rule: Rule,
    graph: Graph,
    stats: Statistics | None = None,
    *,
    on: Any = None,
    limit: int | None = None,
    order_by: OrderBy = None,
    rng: np.random.Generator | int | None = None,
) -> Draft:
    """Rewrite the matches of a rule without a proof, for searches that try many rewrites.

    `draft(...).prove()` is the same as `apply(...)`. The old graph does not change.

    Args:
        rule, graph, stats, on, limit, order_by, rng: as for `apply`.

    Returns:
        A `Draft`. Without a match, or when every edit keeps the old values, its graph is the old one.

    Raises:
        RewriteError: when the rewrite is not valid; the old graph is untouched.

    Costs O(E log E) for E edges.
    """
    source = generator("rng", 0 if rng is None else rng)
    return draft_rule(rule, graph, stats, on=on, limit=limit, order_by=order_by, rng=source)


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

    Returns:
        A `Result`. Without a match, or when every edit keeps the old values, its graph is the old one and `changed`
        is False; that is no error.

    Raises:
        RewriteError: when the rewrite is refused or not valid; the old graph is untouched.

    Costs O(E log E) for E edges, plus two float64 evaluations of the probe. `draft` leaves out the proof.
    """
    return draft(rule, graph, stats, on=on, limit=limit, order_by=order_by, rng=rng).prove(require, probe)
