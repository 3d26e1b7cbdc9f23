"""PruneEdges: exact for weights of 0 only."""

import numpy as np
import pytest
from random_graphs import assert_same_outputs

import netgraph as ng
from netgraph.errors import OptionError, RewriteError
from netgraph.rules import PruneEdges


@pytest.fixture
def graph():
    return ng.mlp([3, 2], dtype=np.float64, domain=(-1, 1)).with_weights(np.array([0, -0.0, 0.25, -0.5, 1, 0]))


def test_zeros_go_without_a_trace(graph):
    result = ng.apply(PruneEdges(), graph, require="exact")
    assert result.graph.edges.id.tolist() == [2, 3, 4]
    assert result.certificate.level == result.rule.claim(result.matches) == "exact"
    assert_same_outputs(graph, result.graph)


def test_small_ones_change_the_function(graph):
    result = ng.apply(PruneEdges(below=0.5), graph)
    assert result.graph.edges.id.tolist() == [4]
    assert result.certificate.level == result.rule.claim(result.matches) == "bounded"
    assert result.certificate.bound >= result.certificate.measured.change > 0
    with pytest.raises(RewriteError, match="exact was required"):
        ng.apply(PruneEdges(below=0.5), graph, require="exact")


def test_those_asked_for(graph):
    assert ng.apply(PruneEdges(below=None), graph, on=[4]).graph.edges.id.tolist() == [0, 1, 2, 3, 5]
    assert not ng.apply(PruneEdges(), graph, on=[4]).changed


def test_the_nearest_miss(graph):
    e = ng.explain(PruneEdges(below=0.125), graph)
    assert e.stages[-1] == ("|weight| <= 0.125", 3)
    assert e.nearest_miss == "edge 2 (2 -> 3) fails '|weight| <= 0.125' (short by 0.125)"


def test_all_of_them_leave_layers_without_links(graph):
    new = ng.apply(PruneEdges(below=None), graph).graph
    assert (len(new.links), new.num_edges, new.num_layers) == (0, 0, 2)
    np.testing.assert_array_equal(ng.interpret(new, np.ones((1, 3))), [[0, 0]])


def test_edges_on_which_no_output_depends_go_exactly():
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 1, domain=(-1, 1))
    b.layer("h", 2)
    b.output("y", 1)
    b.edges("x", "h", [0, 0], [0, 1], weight=[1, 2])
    b.edges("h", "y", [0, 1], [0, 0], weight=[1, 0])
    graph = b.build()
    rule = PruneEdges(below=None)
    for edge, level in ((1, "exact"), (2, "bounded"), (3, "exact")):
        result = ng.apply(rule, graph, on=[edge])
        assert result.certificate.level == rule.claim(result.matches) == level


def test_frozen_edges_stay():
    b = ng.GraphBuilder()
    b.input("x", 1)
    b.output("y", 1)
    b.edges("x", "y", [0], [0], weight=0.0, frozen=True)
    assert not ng.apply(PruneEdges(below=None), b.build()).changed


def test_below_is_checked():
    with pytest.raises(OptionError, match="below=-1 is negative"):
        PruneEdges(below=-1)
