"""The rule of the page "Write a rule": an edge around strong paths, with a part of their strength."""

from dataclasses import dataclass

import numpy as np
from hypothesis import given, note, settings

import netgraph as ng
from netgraph.proof import Level
from netgraph.rewriting import Matches, Where
from netgraph.testing import (
    RuleCheckError,
    check_claim_equals_certificate,
    check_rule,
    graphs,
    graphs_matching,
    to_code,
)


# region rule
@dataclass(frozen=True, kw_only=True)
class StrongBridges(ng.Rule):
    """Add an edge around strong paths, with a share of their strength.

    Attributes:
        above: smallest strength of a path, the magnitude of the product of its weights.
        share: part of the product that the new edge gets.
    """

    above: float = 0.1
    share: float = 0.5

    around = ng.missing_edge("new", src="a", dst="c", links="any")
    pattern = ng.all_of(ng.path("a", "b", "c"), around)
    exclusive = ("new",)  # an edge around several middles is added once

    def where(self, m: Matches, stats: ng.Statistics | None) -> Where:
        """Return the matches to rewrite, by named conditions."""
        product = m.e1.weight * m.e2.weight
        strong = ng.at_least(np.abs(product), self.above)
        return {"path is strong": strong, "product": ng.computed(product)}

    def rewrite(self, m: Matches, rw: ng.Rewriter) -> None:
        """Add the missing edge of every matched path."""
        weight = self.share * m.computed["product"]
        rw.connect(m.a, m.c, weight=weight, tap=m.new.tap)

    def claim(self, m: Matches) -> Level | None:
        """Return the promised effect on the outputs, which every check compares."""
        return "bounded" if self.share else "exact"


# endregion rule


# region own
@settings(max_examples=20, deadline=None)
@given(graph=graphs_matching(StrongBridges()))
def test_a_bridge_has_its_share(graph: ng.Graph) -> None:
    note(to_code(graph))  # printed when the test fails
    result = ng.apply(StrongBridges(share=0.5), graph, probe=None)
    edges = result.graph.edges
    new = edges.weight[edges.birth == edges.birth.max()]
    assert np.allclose(np.sort(new), np.sort(0.5 * result.matches.computed["product"]))


# endregion own


class Hasty(StrongBridges):
    """The first try, which still promises what the new rule promised."""

    def claim(self, m):
        return "exact"


DEEP = graphs(min_layers=1)
"""Graphs with paths of two edges, so that the search for matches is short."""


def main() -> None:
    try:
        check_rule(Hasty(), graphs=DEEP, checks=[check_claim_equals_certificate], max_examples=5)
    except RuleCheckError as error:
        (failure,) = error.failures
        print(str(failure).split("Applied with")[0])
    else:
        raise AssertionError("the promise was believed")
    check_rule(StrongBridges(), graphs=DEEP, max_examples=5)
    test_a_bridge_has_its_share()

    graph = ng.mlp([3, 3, 2], domain=(-1, 1), seed=0)
    rule = StrongBridges(above=0.2)
    print(ng.explain(rule, graph))
    result = ng.apply(rule, graph)
    assert result.certificate.kind == "bounded"
    ng.viz.draw_delta(result, title="StrongBridges").save("strong_bridges.svg")


if __name__ == "__main__":
    main()
