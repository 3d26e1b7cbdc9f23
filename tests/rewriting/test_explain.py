"""Searches for matches, and the reasons why some do not pass."""

import numpy as np
import pytest
from scaling import Scale, weighted

import netgraph as ng
from netgraph.errors import RewriteError
from netgraph.rewriting import Condition, at_most
from netgraph.rules import AddEdges, PruneEdges, WidenLayer


@pytest.fixture
def graph():
    return weighted()


def test_find_leaves_out_what_fails(graph):
    m = ng.find(Scale(at_least=6), graph)
    assert m.e.id.tolist() == [6, 7]
    assert m.p.id.tolist() == [2, 3]
    assert m.c.id.tolist() == [5, 5]
    assert repr(m) == "Matches(2 of e, p, c)"
    with pytest.raises(AttributeError, match="bound name 'q'"):
        _ = m.q


def test_explain_counts_each_condition(graph):
    e = ng.explain(Scale(at_least=6), graph)
    assert e.rule == "Scale"
    assert e.stages == (
        ("edges", 10),
        ("e is trainable", 10),
        ("weight is large", 2),
        ("target is hidden", 2),
    )
    assert e.nearest_miss == "edge 5 (1 -> 5) fails 'weight is large' (short by 1)"
    lines = str(e).splitlines()
    assert lines[0] == "Scale:"
    assert lines[1].split() == ["edges", "10"]
    assert lines[-1].startswith("  nearest miss: edge 5")


def test_the_nearest_miss_fails_the_fewest_conditions(graph):
    """Edge 8 (weight .5, into the output) fails both conditions, edge 5 only one, although by more."""
    e = ng.explain(Scale(at_least=9), graph)
    assert e.stages[-1] == ("target is hidden", 0)
    assert e.nearest_miss == "edge 7 (3 -> 5) fails 'weight is large' (short by 2)"
    both = ng.explain(Scale(at_least=0.75), graph, on=[8, 9])
    assert both.nearest_miss == ("edge 8 (4 -> 6) fails 'weight is large' (short by 0.25) and 'target is hidden'")


def test_a_condition_without_margin_has_no_shortfall(graph):
    e = ng.explain(Scale(at_least=9, margin=False), graph, on=[3])
    assert e.nearest_miss == "edge 3 (3 -> 4) fails 'weight is large'"


def test_at_most_holds_up_to_its_limit_and_keeps_the_distance_to_it():
    condition = at_most(np.array([-1.0, 0.5, 0.75]), 0.5)
    assert condition.holds.tolist() == [True, True, False]
    assert condition.margin.tolist() == [1.5, 0.0, -0.25]


def test_a_miss_with_a_margin_is_nearer_than_one_without(graph):
    """Edge 8 (weight .5) is large enough, but its target is the output; edge 0 (weight 0) falls short by 0.25."""
    e = ng.explain(Scale(at_least=0.25), graph, on=[8, 0])
    assert e.nearest_miss == "edge 0 (0 -> 4) fails 'weight is large' (short by 0.25)"


def test_where_some_pass_their_number_is_given(graph):
    e = ng.explain(Scale(at_least=0.25), graph, on=[7, 8])
    assert e.lines[-2:] == ("  1 of 2 pass", "  nearest miss: edge 8 (4 -> 6) fails 'target is hidden'")
    assert not any("pass" in line for line in ng.explain(Scale(at_least=9), graph).lines)


def test_nothing_missed_nothing_told(graph):
    assert ng.explain(Scale(), graph).nearest_miss is None
    assert ng.explain(Scale(at_least=1), graph, on=[]).nearest_miss is None


def test_explain_names_vertices_layers_and_missing_edges(graph):
    normed = ng.mlp([2, 3, 1], norm="layer")
    assert (
        ng.explain(WidenLayer(), normed).nearest_miss
        == "layer 'hidden1' fails 'norms of the group act vertex by vertex'"
    )
    assert "vertex 2 of layer 'hidden1'" in ng.explain(ng.rules.PruneVertices(only_dead=False), normed).nearest_miss

    class Never(AddEdges):
        def where(self, m, stats):
            return np.zeros(len(m), dtype=bool)

    sparse = ng.apply(PruneEdges(below=None), graph, on=[3]).graph
    assert ng.explain(Never(), sparse).nearest_miss == "missing edge 3 -> 4 fails 'where'"


def test_the_funnel_starts_with_what_was_asked_for(graph):
    assert ng.explain(Scale(), graph, on=[1, 2]).stages[0] == ("edges asked for", 2)
    assert ng.explain(AddEdges(), graph, on=[[0, 4]]).stages == (
        ("pairs asked for", 1), ("e is missing", 0), ("where", 0),
    )  # fmt: skip
    assert ng.explain(WidenLayer(), graph).stages[:2] == (("layers", 3), ("l is hidden", 1))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.ones(3, bool), r"'where' is bool of shape \(3,\), expected \(10,\) booleans"),
        (np.ones(10), r"'where' is float64"),
        ({"odd": Condition(np.ones(10, int))}, r"'odd' is int64"),
        (True, r"'where' is bool of shape \(\)"),
    ],
)
def test_where_must_give_one_boolean_per_match(graph, value, words):
    class Odd(Scale):
        def where(self, m, stats):
            return value

    with pytest.raises(RewriteError, match=f"Odd.where.*{words}"):
        ng.find(Odd(), graph)


def test_where_may_give_lists_which_can_be_empty(graph):
    class Listed(Scale):
        def where(self, m, stats):
            return {"large": [w > 0 for w in m.e.weight], "born early": ng.at_most(list(m.e.birth), 0)}

    assert len(ng.find(Listed(), graph)) == (graph.edges.weight > 0).sum()
    assert len(ng.find(Listed(), graph, on=[])) == 0
