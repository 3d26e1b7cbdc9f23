"""Conflicts between the matches of two rules, or of one, on a graph."""

from dataclasses import dataclass

import netgraph as ng
from netgraph.rules import AddEdges, PruneEdges, SplitEdges


@dataclass(frozen=True)
class Contract(ng.Rule):
    """Replace a path of two edges by one."""

    pattern = ng.path("a", ng.vertex("b", role="hidden"), "c").without(ng.edge("x", src="b"), ng.edge("y", dst="b"))

    def rewrite(self, m, rw):
        rw.connect(m.a, m.c, weight=m.e1.weight * m.e2.weight)
        rw.remove(m.b)


def chain():
    """x -> a -> b -> y, a vertex each."""
    return ng.mlp([1, 1, 1, 1], bias=False, seed=0)


def test_rules_that_read_the_same_do_not_conflict():
    graph = ng.mlp([2, 2], bias=False).with_weights([0.5, 1.0, 1.5, 2.0])
    assert not ng.conflicts(PruneEdges(below=1.2), PruneEdges(below=0.7), graph)
    assert str(ng.conflicts(AddEdges(), PruneEdges(), graph)) == "no conflicts"


def test_an_edge_that_goes_is_named_by_both_rules():
    graph = ng.mlp([2, 2], bias=False).with_weights([0.5, 1.0, 1.5, 2.0])
    found = ng.conflicts(PruneEdges(below=0.7), SplitEdges(), graph)
    first = found.items[0]
    assert (first.kind, first.effect, first.first_name, first.second_name) == ("delete-use", "prevents", "e", "e")
    assert first.pairs.tolist() == [[0, 0]]
    assert "apply them in a stated order" in found.remedy


def test_matches_of_one_rule_that_share_a_vertex_conflict_and_the_remedy_keeps_them_apart():
    found = ng.conflicts(Contract(), Contract(), chain())
    assert {item.kind for item in found} >= {"delete-use"}
    assert len(found.first) == 2
    assert found.exclusive, found.remedy

    class Apart(Contract):
        exclusive = found.exclusive

    left = ng.conflicts(Apart(), Apart(), chain())
    assert not left, str(left)
    assert left.excluded > 0


def test_dependencies_are_listed_when_asked_for():
    graph = ng.mlp([1, 1], bias=False).with_weights([1.0])
    split = SplitEdges(signed="pair")
    assert "produce-use" not in {item.kind for item in ng.conflicts(split, PruneEdges(below=2.0), graph)}
    found = ng.conflicts(split, PruneEdges(below=2.0), graph, dependencies=True)
    enabled = [item for item in found if item.effect == "enables"]
    assert enabled
    assert (enabled[0].pairs[:, 1] == -1).all()
