"""`sweep`: the matches at one layer after those at another."""

import numpy as np
import pytest
from small_rules import Flip

import netgraph as ng
from netgraph.errors import OptionError, RewriteError
from netgraph.rules import AddEdges, AddSkip, InsertLayer, SplitEdges, SplitVertices

ORDERS = {"topological": ["a", "b", "y"], "reverse": ["y", "b", "a"]}


def layers_of(done, rows):
    """Names of the layers at which each step was."""
    return [[s.before.layer(int(i)).name for i in np.unique(rows(s.matches))] for s in done.steps]


@pytest.mark.parametrize("order", ORDERS)
def test_edges_are_rewritten_layer_by_layer(graph, order):
    done = ng.apply(ng.sweep(Flip(), order), graph)
    assert layers_of(done, lambda m: m.c.layer) == [[name] for name in ORDERS[order]]
    np.testing.assert_array_equal(done.graph.edges.weight, -graph.edges.weight)
    assert done.reason == "end of the sweep; 3 of 4 layers had matches"


@pytest.mark.parametrize("order", ORDERS)
def test_vertices_are_rewritten_layer_by_layer(graph, order):
    done = ng.apply(ng.sweep(SplitVertices(), order), graph)
    assert layers_of(done, lambda m: m.v.layer) == [[name] for name in ORDERS[order] if name != "y"]


def test_layers_that_the_sweep_adds_are_not_visited(graph):
    done = ng.apply(ng.sweep(SplitEdges(cross="none")), graph)
    assert [s.count for s in done.steps] == [6, 4, 4]
    assert done.certificate.kind == "exact"


@pytest.mark.parametrize("rule", [InsertLayer(), AddEdges(spread=1.0), AddSkip(spread=1.0)], ids=lambda r: r.name)
def test_links_and_missing_parts_are_at_their_target_layer(graph, rule):
    thin = ng.apply(ng.rules.PruneEdges(below=None), graph, on=[0, 6, 10]).graph
    done = ng.apply(ng.sweep(rule), thin)
    at_once = ng.find(rule, thin)
    assert sum(s.count for s in done.steps) >= len(at_once) - 1
    assert len(done.steps) > 1


def test_wrong_sweeps_are_refused(graph):
    with pytest.raises(OptionError, match="order='upwards' is none of"):
        ng.sweep(Flip(), "upwards")
    with pytest.raises(RewriteError, match="sweep takes one rule, not the driver repeat"):
        ng.sweep(ng.repeat(Flip()))
