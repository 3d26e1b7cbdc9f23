"""AddEdges: at weight 0 exact, else not; only where an edge fits."""

import numpy as np
import pytest
from ported import as_stored
from random_graphs import assert_same_outputs

import netgraph as ng
from netgraph.errors import OptionError, RewriteError
from netgraph.rules import AddEdges


@pytest.fixture
def graph():
    """x(2) -> h(2) -> y(1); x1 -> h0 and h1 -> y are missing."""
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 2, domain=(-1, 1))
    b.layer("h", 2)
    b.output("y", 1)
    b.edges("x", "h", [0, 0, 1], [0, 1, 1], weight=[0.5, 1, 2])
    b.edges("h", "y", [0], [0], weight=[3.0])
    return b.build()


def test_adds_every_missing_edge_at_0(graph):
    result = ng.apply(AddEdges(), graph, require="exact")
    assert result.graph.density == 1
    added = result.delta.edges_added
    assert list(zip(added.source.tolist(), added.target.tolist(), strict=True)) == [(1, 2), (3, 4)]
    assert not added.weight.any()
    assert result.certificate.level == result.rule.claim(result.matches) == "exact"
    assert_same_outputs(graph, result.graph)
    assert not ng.apply(AddEdges(), result.graph).changed


def test_pairs_of_layers_that_are_not_linked_get_a_link(graph):
    result = ng.apply(AddEdges(), graph, on=[(0, 4), (1, 4), (0, 2)])
    assert len(result.matches) == 2
    assert len(result.graph.links["x", "y"]) == 2
    assert_same_outputs(graph, result.graph)


def test_a_spread_is_bounded(graph):
    result = ng.apply(AddEdges(spread=0.5), graph, rng=3)
    assert result.certificate.level == result.rule.claim(result.matches) == "bounded"
    assert result.certificate.measured.change > 0
    weight = result.delta.edges_added.weight
    assert (np.abs(weight) <= 0.5).all()
    assert weight.any()
    with pytest.raises(RewriteError, match="exact was required"):
        ng.apply(AddEdges(spread=0.5), graph, require="exact")
    with pytest.raises(OptionError, match="spread=-1 is negative"):
        AddEdges(spread=-1)


@pytest.mark.parametrize(
    ("pair", "words"), [((4, 2), "cycle"), ((2, 3), "itself"), ((2, 0), "inputs take no edges"), ((0, 2, 1), "tap 1")]
)
def test_edges_that_do_not_fit_are_refused(graph, pair, words):
    with pytest.raises(RewriteError, match=words):
        ng.apply(AddEdges(), graph, on=[pair])


def test_convolutions_gain_taps():
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 1, grid=(4, 4), domain=(0, 1))
    b.output("y", 1, grid=(4, 4))
    b.edges("x", "y", [0], [0], weight=0.5, tap=4, kind=ng.Conv2d((3, 3), padding=(1, 1)))
    graph = b.build()
    one = ng.apply(AddEdges(), graph, on=[(0, 1, 7)]).graph
    np.testing.assert_array_equal(one.edges.tap, [4, 7])
    full = ng.apply(AddEdges(), graph, require="exact").graph
    np.testing.assert_array_equal(full.edges.tap, np.arange(9))
    assert_same_outputs(graph, full)


@pytest.mark.parametrize("on", [None, [(1, 3)]])
def test_edges_join_the_link_that_lacks_them_at_its_port(on):
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 2)
    b.output("y", 2)
    b.identity("x", "y")
    b.edges("x", "y", [0, 0, 1], [0, 1, 0], weight=1.0, port=1)
    graph = as_stored(b)
    result = ng.apply(AddEdges(), graph, on=on, require="exact")
    assert [len(k) for k in result.graph.links] == [2, 4]
    assert result.delta.link_keys == ((0, 1, 1),)
    assert_same_outputs(graph, result.graph)


def test_the_only_link_may_have_another_port():
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 2)
    b.output("y", 1)
    b.edges("x", "y", [0], [0], weight=1.0, port=1)
    graph = ng.apply(AddEdges(), as_stored(b)).graph
    assert [(k.key, len(k)) for k in graph.links] == [((0, 1, 1), 2)]


def test_every_port_is_filled():
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 2)
    b.output("y", 1)
    b.edges("x", "y", [0], [0], weight=1.0)
    b.edges("x", "y", [1], [0], weight=1.0, port=1)
    graph = as_stored(b)
    result = ng.apply(AddEdges(), graph)
    assert [len(k) for k in result.graph.links] == [2, 2]
    assert_same_outputs(graph, result.graph)


@pytest.mark.parametrize("wires", [0, 2])
def test_wires_take_no_edges(wires):
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 2)
    b.output("y", 2)
    rows = np.arange(wires)
    b.edges("x", "y", rows, rows, weight=1.0, kind=ng.Identity(), frozen=True)
    graph = b.build()
    for on in (None, [(0, 3)]):
        result = ng.apply(AddEdges(), graph, on=on)
        assert not result.changed
        assert result.graph is graph
