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


def greedy(matches, names, order):
    """Positions that win when matches are taken one by one in order."""
    used, wins = {name: set() for name in names}, []
    for i in order:
        rows = {name: int(getattr(matches, name).rows[i]) for name in names}
        if all(rows[name] not in used[name] for name in names):
            wins.append(i)
            for name in names:
                used[name].add(rows[name])
    return wins


rules = st.sampled_from([Halve(), HalveApart(), HalveOnePerTarget()])


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
