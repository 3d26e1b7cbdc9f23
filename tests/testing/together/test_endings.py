"""Sets of rules that end, come back to a graph, grow, or go on in another way."""

import pytest
from pair_rules import Grow, Scale

import netgraph as ng
from netgraph.errors import OptionError
from netgraph.testing import ends, isomorphic

R = ng.rules


def test_rules_that_only_remove_end():
    found = ends(R.PruneEdges(), R.PruneVertices(), max_examples=25)
    assert found
    assert found.outcome == "ends"
    assert found.tried >= 15
    assert found.longest == 2
    assert str(found).endswith("after at most 2 steps. This is a search, not a proof.")


def test_two_rules_that_undo_each_other_come_back():
    found = ends(R.AddEdges(), R.PruneEdges(), max_examples=10)
    assert not found
    assert found.outcome == "cycle"
    assert found.cycle == ("AddEdges", "PruneEdges")
    assert found.graph.num_vertices <= 3
    graph = found.graph
    for rule in (R.AddEdges(), R.PruneEdges()):
        graph = ng.draft(rule, graph).graph
    assert isomorphic(found.graph, graph, tolerance=0.0)
    assert "the graph comes back by AddEdges, then PruneEdges" in str(found)


@pytest.mark.parametrize("rule", [Grow(), R.SplitEdges(cross="none")], ids=["slowly", "doubling"])
def test_growth_without_end(rule):
    found = ends(rule, max_examples=5)
    assert found.outcome == "growth"
    assert found.graph.num_vertices <= 3
    sizes = [sum(size) for size in found.sizes]
    assert sizes == sorted(set(sizes))
    assert "it still grows after" in str(found)


def test_a_bound_of_the_rule_makes_it_end():
    assert ends(Grow(until=5), max_examples=10).longest == 4
    too_early = ends(Grow(until=5), most=2, max_examples=10)
    assert too_early.outcome == "growth"
    assert too_early.most == 2


def test_values_that_change_forever_are_undecided():
    found = ends(Scale(), most=12, max_examples=3)
    assert found.outcome == "undecided"
    assert len(found.steps) == 12
    assert "A larger `most` looks further." in str(found)


def test_a_sign_that_flips_comes_back():
    assert ends(Scale(by=-1.0), max_examples=3).cycle == ("Scale", "Scale")


def test_no_rules_are_refused():
    with pytest.raises(OptionError, match="at least one rule"):
        ends()
