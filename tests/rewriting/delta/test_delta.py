"""Deltas by hand: summaries, rows, and the corner cases of composition."""

import numpy as np
import pytest

import netgraph as ng
from netgraph.errors import RewriteError
from netgraph.rewriting import Rewriter, VertexRows
from netgraph.rewriting.delta.file import load_delta, save_delta
from netgraph.rules import AddEdges, PruneEdges, PruneVertices, SplitEdges, WidenLayer


@pytest.fixture
def graph():
    return ng.mlp([2, 2, 2], domain=(0, 1))


def remove(graph, *vertex_ids):
    return ng.apply(PruneVertices(only_dead=False), graph, on=list(vertex_ids), probe=None)


def test_summary_and_repr(graph):
    delta = ng.apply(SplitEdges(cross="none"), graph, on=[0, 1]).delta
    assert delta.summary() == "+4 edges, -2 edges, +2 vertices, +1 layer"
    assert repr(delta) == f"Delta({delta.summary()})"
    assert delta.inverse().summary() == "+2 edges, -4 edges, -2 vertices, -1 layer"
    assert delta.then(delta.inverse()).summary() == "nothing"


def test_rows_by_hand(graph):
    delta = remove(graph, 2).delta
    np.testing.assert_array_equal(delta.vertex_rows, [0, 1, 3, 4, 5])
    np.testing.assert_array_equal(delta.edge_rows, [2, 3, 5, 7])
    np.testing.assert_array_equal(delta.inverse().vertex_rows, [0, 1, -1, 2, 3, 4])
    np.testing.assert_array_equal(delta.inverse().edge_rows, [-1, -1, 0, 1, -1, 2, -1, 3])


def test_rows_of_a_delta_from_a_file_need_its_graph(graph, tmp_path):
    result = remove(graph, 2)
    save_delta(result.delta, tmp_path / "d")
    read = load_delta(tmp_path / "d")
    with pytest.raises(RewriteError, match="read from a file"):
        _ = read.edge_rows
    np.testing.assert_array_equal(ng.apply_delta(graph, read)[1].edge_rows, result.delta.edge_rows)


def test_a_vertex_that_comes_back_behind_one_that_went(graph):
    """First vertex 2 goes, then 3 and with it the layer; undoing the second brings 3 back at row 0, not at 1."""
    one = remove(graph, 2)
    two = remove(one.graph, 3)
    whole = one.delta.then(two.delta).then(two.delta.inverse())
    assert whole.summary() == one.delta.summary()
    assert ng.apply_delta(graph, whole)[0].equals(one.graph)


def test_two_branches_give_one_id_to_different_edges(graph):
    """Edge 8 is 0 -> 4 on one branch and 1 -> 5 on the other; vertex 6 is in another layer."""
    one = ng.apply(AddEdges(spread=1.0), graph, on=[(0, 4)], rng=1)
    other = ng.apply(AddEdges(spread=1.0), graph, on=[(1, 5)], rng=2)
    assert one.delta.edges_added.id.tolist() == other.delta.edges_added.id.tolist() == [8]
    across = one.delta.inverse().then(other.delta)
    new, bound = ng.apply_delta(one.graph, across)
    assert new.equals(other.graph)
    assert bound.edge_rows[new.edges.find([8])[0]] == -1
    stats = ng.Statistics(one.graph.topology_hash, {"g": np.ones(9)})
    assert np.isnan(stats.carry(bound).edge("g")[new.edges.find([8])[0]])
    wide, split = ng.apply(WidenLayer(), graph), ng.apply(SplitEdges(), graph, on=[0])
    new, bound = ng.apply_delta(wide.graph, wide.delta.inverse().then(split.delta))
    assert new.equals(split.graph)
    assert bound.vertex_rows[new.vertices.find([6])[0]] == -1


def test_a_link_of_one_kind_on_one_branch_and_another_on_the_other():
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 1, grid=(3, 3))
    b.output("y", 1, grid=(3, 3))
    graph = b.build()

    def linked(kind):
        rw = Rewriter(graph, np.random.default_rng(0))
        ends = (VertexRows(graph, np.array([i])) for i in (0, 1))
        rw.connect(*ends, weight=1.0, kind=kind)
        return rw.commit()

    dense, conv = linked(ng.Dense()), linked(ng.Conv2d((3, 3), padding=(1, 1)))
    new, _ = ng.apply_delta(dense[0], dense[1].inverse().then(conv[1]))
    assert new.equals(conv[0])


def test_composition_needs_an_unbroken_history(graph):
    one = ng.apply(SplitEdges(), graph, on=[0])
    two = ng.apply(PruneEdges(below=None), graph, on=[1])
    with pytest.raises(RewriteError, match=r"second delta starts at topology \w{8} after 0 rewrites.*after 1"):
        one.delta.then(two.delta)


def test_changes_add_up(graph):
    """What is set twice is one change, what is set back is none."""

    def set_weight(graph, value):
        rw = Rewriter(graph, np.random.default_rng(0))
        rw.set_weight(ng.rewriting.EdgeRows(graph, np.array([0])), value)
        return rw.commit()

    start = float(graph.edges.weight[0])
    one, first = set_weight(graph, 0.5)
    two, second = set_weight(one, 0.25)
    _, third = set_weight(two, start)
    change = first.then(second).edges_changed["weight"]
    assert (change.id.tolist(), change.old.tolist(), change.new.tolist()) == ([0], [start], [0.25])
    assert first.then(second).then(third).is_empty
    _, gone = (lambda r: (r.graph, r.delta))(ng.apply(PruneEdges(below=None), one, on=[0]))
    assert first.then(gone).edges_removed.weight.tolist() == [start]
    assert not first.then(gone).edges_changed
