"""Drafts of rules: search, order and choose matches, and rewrite them, without a proof."""

from __future__ import annotations

from typing import Any

import numpy as np

from netgraph.checks import whole
from netgraph.graph import Graph
from netgraph.rewriting.blame import blaming
from netgraph.rewriting.delta import Delta
from netgraph.rewriting.ordering import OrderBy, first_wins, ordered
from netgraph.rewriting.outcomes import Draft
from netgraph.rewriting.patterns import Matches
from netgraph.rewriting.rewriter import Rewriter
from netgraph.rewriting.rule import Rule
from netgraph.rewriting.search import search
from netgraph.statistics import Statistics


def draft_rule(
    rule: Rule,
    graph: Graph,
    stats: Statistics | None,
    *,
    on: Any,
    limit: int | None,
    order_by: OrderBy,
    rng: np.random.Generator,
) -> Draft:
    """Rewrite the matches of a rule without a proof. Arguments as for `draft`."""
    found = search(rule, graph, stats, on, rng)
    passing = found.passing()
    with blaming(rule, "order_by", passing):
        order = ordered(passing, stats, order_by, rng)
    wins = first_wins(rule, passing, order)
    if limit is not None:
        limit = whole("limit", limit, least=0)
        order_of_winners = order[wins[order]]
        wins = np.zeros_like(wins)
        wins[order_of_winners[:limit]] = True
    chosen, skipped = passing.take(order[wins[order]]), passing.take(order[~wins[order]])
    new, delta = _rewritten(rule, graph, stats, chosen, rng)
    return Draft(new, delta, chosen, skipped, found.explanation(), rule)


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
