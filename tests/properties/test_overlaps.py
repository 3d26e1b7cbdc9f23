"""Overlapping matches against the obvious sequential way of resolving them."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from random_graphs import dense_graphs, seeds

import netgraph as ng
from netgraph.rewriting import Rule


@dataclass(frozen=True, kw_only=True)
class Halve(Rule):
    """Halve the weight of edges, each vertex in one of them only."""

    pattern: ClassVar = ng.edge("e", src=ng.vertex("p"), dst=ng.vertex("c"))

    def rewrite(self, m, rw):
        rw.set_weight(m.e, m.e.weight / 2)


@dataclass(frozen=True, kw_only=True)
class HalveApart(Halve):
    exclusive: ClassVar = ("p", "c")


@dataclass(frozen=True, kw_only=True)
class HalveOnePerTarget(Halve):
    exclusive: ClassVar = ("c",)


@dataclass(frozen=True, kw_only=True)
class HalveNoPaths(Halve):
    exclusive: ClassVar = (("p", "c"),)


def greedy(matches, names, order):
    """Positions that win when matches are taken one by one in order."""
    used, wins = {entry: set() for entry in names}, []
    for i in order:
        rows = {e: {int(getattr(matches, name).rows[i]) for name in ((e,) if isinstance(e, str) else e)} for e in names}
        if not any(rows[entry] & used[entry] for entry in names):
            wins.append(i)
            for entry in names:
                used[entry] |= rows[entry]
    return wins


rules = st.sampled_from([Halve(), HalveApart(), HalveOnePerTarget(), HalveNoPaths()])


@given(dense_graphs(), rules, seeds, st.one_of(st.none(), st.integers(0, 6)))
def test_the_first_in_order_wins(graph, rule, seed, limit):
    matches = ng.find(rule, graph)
    scores = np.random.default_rng(seed).integers(0, 4, len(matches)).astype(float)  # with ties
    order = np.argsort(-scores, kind="stable")
    wins = greedy(matches, rule.exclusive, order)[:limit]
    result = ng.apply(rule, graph, order_by=scores, limit=limit, probe=None)
    np.testing.assert_array_equal(result.matches.e.id, matches.e.id[wins])
    rest = [i for i in order if i not in set(wins)]
    np.testing.assert_array_equal(result.skipped.e.id, matches.e.id[rest])
    expected = graph.edges.weight.copy()
    expected[matches.e.rows[wins]] /= 2
    np.testing.assert_array_equal(result.graph.edges.weight, expected)
