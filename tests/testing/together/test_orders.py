"""Two rules in both orders: pairs of rules are judged right, with the smallest graph and the kind of conflict."""

import numpy as np
import pytest
from hypothesis import strategies as st
from pair_rules import COMMUTING, INTERFERING, ConnectAt, Grow, Scale

import netgraph as ng
from netgraph.errors import OptionError
from netgraph.testing import (
    NoMatchError,
    assert_commutes,
    commutes,
    graphs,
    interference,
    isomorphic,
    to_code,
)

EXAMPLES = 25


@pytest.mark.parametrize("pair", COMMUTING)
def test_rules_commute(pair):
    a, b = COMMUTING[pair]
    found = commutes(a, b, max_examples=EXAMPLES)
    assert found, found.reason
    assert found.interference.tried >= 15
    assert "This is a search, not a proof" in found.reason


@pytest.mark.parametrize("pair", INTERFERING)
def test_rules_interfere_on_a_small_graph(pair):
    a, b, functions = INTERFERING[pair]
    found = interference(a, b, max_examples=EXAMPLES)
    assert found, str(found)
    assert found.kinds[0] == pair.split()[0]
    assert found.graph.num_vertices <= 3
    assert len(found.graph.edges) <= 1
    one, two = (order.graph for order in found.orders)
    assert not isomorphic(one, two)
    assert found.differences
    different = found.function.verdict == "different" or found.other is not None
    assert different == (functions == "different"), str(found)
    built = {}
    exec(to_code(found.graph), built)
    assert built["graph"].equals(found.graph)
    for item in found.conflicts:
        if item.effect != "enables":
            assert item.pairs[:, 0].max() < len(found.conflicts.first) + len(found.conflicts.second)
    assert str(found).startswith(f"The order of {' and '.join(found.rules)} matters: the results differ on the graph")


def test_rows_in_another_order_are_no_difference():
    graph = ng.mlp([1, 2, 1], seed=0)
    one, two = Grow(bias=1.0), Grow(bias=2.0)
    first, second = (ng.draft(b, ng.draft(a, graph).graph).graph for a, b in ((one, two), (two, one)))
    assert first.layers["hidden1"].bias.tolist() != second.layers["hidden1"].bias.tolist()
    assert isomorphic(first, second)


def test_results_of_one_function_commute_by_function():
    a, b, _ = INTERFERING["produce-use of copies"]
    assert not commutes(a, b, max_examples=EXAMPLES)
    found = commutes(a, b, compare="function", max_examples=EXAMPLES)
    assert found
    assert "the functions of the results are the same in both orders" in found.reason


def test_a_difference_of_functions_is_measured():
    a, b, _ = INTERFERING["delete-use"]
    found = interference(a, b, compare="function", max_examples=EXAMPLES)
    assert found.function.verdict == "different"
    x = found.function.difference.inputs
    one, two = (ng.interpret(order.graph, {k: v[None] for k, v in x.items()}) for order in found.orders)
    assert not np.array_equal(one, two)


def test_a_rule_that_is_refused_in_one_order_only_interferes():
    class Refuse(Grow):
        """Grow layers of one vertex, and refuse to grow others."""

        def rewrite(self, m, rw):
            if (m.l.size > 1).any():
                raise ng.errors.RewriteError("Layers of several vertices are refused.")
            super().rewrite(m, rw)

    one_hidden = st.just(ng.mlp([1, 1, 1], seed=0))
    found = interference(Grow(), Refuse(), graphs=one_hidden, max_examples=1)
    assert [order.refused is not None for order in found.orders] == [True, False]
    assert found.differences == ()
    assert "Grow, then Refuse: refused: Refuse: Layers of several vertices are refused." in str(found)
    nothing = interference(Grow(), Refuse(), graphs=st.just(ng.mlp([1, 2, 1], seed=0)), max_examples=1)
    assert not nothing
    assert nothing.left_out == 1
    assert "1 graph left out" in str(nothing)


def test_an_interference_is_an_error_of_the_assertion():
    with pytest.raises(AssertionError, match=r"graph = b\.build\(\)"):
        assert_commutes(ConnectAt(weight=1.0), ConnectAt(weight=2.0), max_examples=5)
    assert_commutes(Scale(), Scale(by=2.0), max_examples=5)


def test_the_same_seed_finds_the_same_graph():
    a, b, _ = INTERFERING["change-use"]
    one, two = (interference(a, b, max_examples=5, seed=3).graph for _ in range(2))
    assert one.equals(two)


def test_statistics_are_made_for_each_graph():
    class PruneQuiet(ng.rules.PruneEdges):
        """Prune the edge of the smallest statistic."""

        def where(self, m, stats):
            return stats.edge("size")[m.e.rows] < 1

    def sizes(graph):
        return ng.Statistics(graph.topology_hash, {"size": np.abs(graph.edges.weight)})

    found = interference(Scale(), PruneQuiet(below=None), stats=sizes, graphs=graphs(kinds="dense"), max_examples=10)
    assert found
    assert found.graph.num_vertices == 2
    assert found.kinds == ("change-use",)


def test_a_drawing_of_the_difference():
    a, b, _ = INTERFERING["delete-forbid"]
    assert "<svg" in interference(a, b, max_examples=EXAMPLES).draw()._repr_svg_()
    with pytest.raises(OptionError, match="nothing to draw"):
        interference(Scale(), Scale(by=2.0), max_examples=1).draw()


def test_wrong_arguments_are_refused():
    with pytest.raises(OptionError, match="compare"):
        interference(Scale(), Scale(), compare="weights")
    with pytest.raises(OptionError, match="max_examples"):
        commutes(Scale(), Scale(), max_examples=0)

    class Never(Scale):
        def where(self, m, stats):
            return np.zeros(len(m), dtype=bool)

    with pytest.raises(NoMatchError, match="Never"):
        interference(Never(), Never(), graphs=st.just(ng.mlp([1, 1])), max_examples=1)
