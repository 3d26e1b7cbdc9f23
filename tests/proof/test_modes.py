"""Batch norm: what is proved of any batch needs no assumption, what rests on running statistics says so."""

import numpy as np
import pytest
from proof_graphs import hidden, link, source, target

import netgraph as ng
from netgraph.graph import Graph
from netgraph.proof import certify
from netgraph.rules import PruneEdges, SplitVertices, WidenLayer

EVAL = ("batch norm in eval mode",)


def branches():
    """Two branches from the inputs to the outputs, one of them under batch norm."""
    b = ng.GraphBuilder(dtype=np.float64, seed=1)
    b.input("x", 3, domain=(-1, 1))
    b.layer("normed", 4, activation="relu", norm="batch")
    b.layer("plain", 4, activation="tanh")
    b.output("y", 2)
    for name in ("normed", "plain"):
        b.dense("x", name)
        b.dense(name, "y")
    return b.build()


def without_edges_into(graph, name):
    edges = graph.edges
    gone = edges.id[np.isin(edges.target, graph.layers[name].vertex_ids[:1])]
    return ng.apply(PruneEdges(below=None), graph, on=gone, probe=None)


def test_a_change_beside_batch_norm_is_bounded_in_both_modes():
    result = without_edges_into(branches(), "plain")
    assert result.certificate.kind == "bounded"
    assert result.certificate.assumptions == ()


def test_a_change_through_batch_norm_is_bounded_in_eval_mode_only():
    result = without_edges_into(branches(), "normed")
    assert result.certificate.kind == "bounded"
    assert result.certificate.assumptions == EVAL


@pytest.mark.parametrize("rule", [SplitVertices(), WidenLayer(init="incoming zero", count=2), WidenLayer(count=2)])
def test_copies_and_zeros_under_batch_norm_are_exact_in_both_modes(rule):
    old = branches()
    new = ng.apply(rule, old, probe=None).graph
    for certificate in (certify(old, new), certify(new, old)):
        assert certificate.level == "exact"
        assert certificate.assumptions == ()


def test_a_batch_norm_that_is_taken_away_is_compared_by_its_statistics():
    old = ng.mlp([2, 3, 1], norm="batch", activation="identity", domain=(0, 1))
    values = {"mean": [0.0] * 6, "var": [1.0 - 1e-5] * 6}
    old = old.with_weights(vertices={k: np.array(v)[: old.num_vertices] for k, v in values.items()})
    changed = old.with_weights(vertices={"mean": np.full(old.num_vertices, 0.25)})
    certificate = certify(old, changed)
    assert certificate.kind == "bounded"
    assert certificate.assumptions == EVAL


def test_a_change_that_underflows_is_not_called_exact():
    """The values are -1e-400 and -2e-400, which no float tells apart."""
    one, two = (
        Graph([source(), hidden(norm="batch", mean=mean, scale=1e-200, var=1.0), target()], [link(1, 9, [(0, 0, 1.0)])])
        for mean in (1e-200, 2e-200)
    )
    assert 0 < certify(one, two).bound < 1e-280
