"""Rules that undo others, and rules that do not, with the smallest graph."""

import pytest
from hypothesis import strategies as st
from pair_rules import Grow, RemovePassing, Scale

import netgraph as ng
from netgraph.errors import RewriteError
from netgraph.testing import NoMatchError, inverse_of, isomorphic

PRUNE, ADD = ng.rules.PruneEdges, ng.rules.AddEdges
EXAMPLES = 20


@pytest.mark.parametrize(
    ("a", "b"),
    [(Scale(by=2.0), Scale(by=0.5)), (ng.rules.InsertLayer(), RemovePassing())],
    ids=["doubled and halved", "a layer put in and taken out"],
)
def test_a_rule_undoes_another(a, b):
    found = inverse_of(a, b, max_examples=EXAMPLES)
    assert found, str(found)
    assert found.tried >= 10
    assert f"on all {found.tried} graphs. This is a search, not a proof." in str(found)


@pytest.mark.parametrize(
    ("a", "b", "part"),
    [
        (Scale(by=0.0), Scale(by=2.0), "weight of x[0] -> y[0]"),
        (PRUNE(), ADD(), "link x -> y"),  # the last edge takes its link along
        (ADD(), PRUNE(), "link x -> y"),  # a link without edges
        (Grow(), Scale(), "vertex h1[1]"),
    ],
    ids=["weights are lost", "a link is lost", "an empty link is lost", "nothing is undone"],
)
def test_a_rule_does_not_undo_another(a, b, part):
    found = inverse_of(a, b, max_examples=EXAMPLES)
    assert not found
    assert found.graph.num_vertices <= 3
    assert part[:4] in {d.part[:4] for d in found.differences}
    assert part.split()[0] in found.differences[0].part
    assert not isomorphic(found.graph, found.last)
    assert "graph = b.build()" in str(found)


def test_the_function_may_come_back_without_the_graph():
    assert inverse_of(PRUNE(), ADD(), compare="function", max_examples=EXAMPLES)
    found = inverse_of(PRUNE(below=1.0), ADD(), compare="function", max_examples=EXAMPLES)
    assert not found
    assert found.function.verdict == "different"


def test_only_what_the_first_rule_touched_is_undone():
    graph = ng.mlp([2, 2], bias=False).with_weights([0.0, 1.0, 1.0, 1.0])
    graph = ng.apply(PRUNE(below=None), graph, on=[graph.edges.id[1]], probe=None).graph
    given = {"graphs": st.just(graph), "max_examples": 1}
    assert inverse_of(ADD(), PRUNE(), **given)
    assert not inverse_of(ADD(), PRUNE(), on="all", **given), "the edge that was 0 before is gone too"


def test_a_refused_second_rule_undoes_nothing():
    class Refuse(Scale):
        def rewrite(self, m, rw):
            raise RewriteError("Nothing is scaled back.")

    found = inverse_of(Scale(by=2.0), Refuse(), max_examples=3)
    assert found.refused.startswith("Refuse: Nothing is scaled back.")
    assert found.last is None
    assert "Refuse is refused" in str(found)


def test_a_rule_that_changes_nothing_is_named():
    with pytest.raises(NoMatchError, match="changes no drawn graph"):
        inverse_of(Scale(by=1.0), Scale(), max_examples=3)
