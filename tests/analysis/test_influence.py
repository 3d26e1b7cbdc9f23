"""Which vertices the outputs depend on."""

import numpy as np

import netgraph as ng
from netgraph.analysis import influential
from netgraph.rules import AddEdges, AddSkip, SplitEdges


def net(norm):
    """x(2) -> h(3) -> y(1): x0 feeds h0, x1 feeds h1; h0 is read with weight 0, h1 not at all, h2 with weight 1."""
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 2, domain=(-1, 1))
    b.layer("h", 3, norm=norm)
    b.output("y", 1)
    b.edges("x", "h", [0, 1], [0, 1], weight=1.0)
    b.edges("h", "y", [0, 2], [0, 0], weight=[0, 1])
    return b.build()


def test_a_path_of_weights_other_than_0():
    np.testing.assert_array_equal(influential(net("none")), [0, 0, 0, 0, 1, 1])


def test_under_layer_norm_each_vertex_acts_on_all():
    np.testing.assert_array_equal(influential(net("layer")), [1, 1, 1, 1, 1, 1])


def test_outputs_that_are_read_and_deep_chains():
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 1)
    b.output("y", 2)
    b.output("w", 1)
    b.edges("x", "y", [0], [0], weight=1.0)
    b.edges("y", "w", [1], [0], weight=1.0)
    assert influential(b.build()).all()
    assert influential(ng.mlp([1] * 3000)).all()


def test_claims_on_what_no_output_depends_on():
    graph = net("none")
    for rule, on, level in (
        (AddEdges(spread=1.0), [(1, 2)], "exact"),
        (AddEdges(spread=1.0), [(1, 4)], "bounded"),
        (AddSkip(spread=1.0), ("x", "y"), "bounded"),
        (SplitEdges(epsilon=0.5), [0, 1], "exact"),
    ):
        result = ng.apply(rule, graph, on=on, rng=1)
        assert result.changed
        assert result.certificate.level == rule.claim(result.matches) == level
