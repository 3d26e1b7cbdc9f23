"""Old values over the values that they are made of: however deep, and without rounding what need not be rounded."""

from itertools import pairwise

import numpy as np
import pytest
from proof_graphs import hidden, link, source, target

import netgraph as ng
from netgraph.graph import Graph
from netgraph.proof import certify
from netgraph.rules import InsertLayer, SplitVertices


def chain(depth, activation="relu", width=3, **options):
    """Layers one after the other, with weights of which no product of three fits a float64."""
    b = ng.GraphBuilder(dtype=np.float64, seed=5)
    names = ["x", *(f"h{i}" for i in range(depth)), "y"]
    b.input("x", width, domain=(0, 1))
    for name in names[1:-1]:
        b.layer(name, width, activation=activation, **options)
    b.output("y", width)
    for pair in pairwise(names):
        b.dense(*pair)
    graph = b.build()
    weight = np.random.default_rng(depth).uniform(0.1, 1, len(graph.edges))  # never negative: every ReLU is linear
    return graph.with_weights(weight)


@pytest.mark.parametrize("depth", [1, 2, 3, 6, 12])
@pytest.mark.parametrize("rule", [InsertLayer(), SplitVertices()], ids=["insert", "split"])
@pytest.mark.parametrize("activation", ["relu", "identity"])
def test_rewrites_of_many_linear_layers_at_once_are_exact_there_and_back(depth, rule, activation):
    old = chain(depth, activation)
    new = ng.apply(rule, old, probe=None).graph
    assert new.num_vertices > old.num_vertices
    assert certify(old, new).level == "exact"
    assert certify(new, old).level == "exact"


@pytest.mark.parametrize("slope", [0.01, 1 / 3])
def test_copies_of_vertices_that_scale_their_sum_are_merged_exactly(slope):
    old = chain(3, "leaky_relu", slope=slope)
    old = old.with_weights(-old.edges.weight)  # every sum is negative, and handed on times the slope
    new = ng.apply(SplitVertices(), old, probe=None).graph
    assert certify(new, old).level == "exact"


def test_a_change_below_many_linear_layers_is_as_large_as_their_product():
    old = chain(6)
    weight = old.edges.weight.copy()
    weight[0] += 0.5
    certificate = certify(old, old.with_weights(weight))
    x = (old.layers["x"].vertex_ids == old.edges.source[0]).astype(float)[None]
    change = np.abs(ng.interpret(old, x) - ng.interpret(old.with_weights(weight), x)).max()
    assert certificate.kind == "bounded"
    assert change <= certificate.bound <= change * (1 + 1e-9)


@pytest.mark.parametrize("read", [0, 1])
def test_of_equal_vertices_that_are_nearly_linear_either_may_be_read(read):
    """Rational vertices at their identity, t / sqrt(1 + 1e-8), hand their sum on with a factor that is not exact."""
    h, y = hidden(2, activation="rational"), target()
    old = Graph([source(), h, y], [link(0, 1, [(0, 0, 0.3), (0, 1, 0.3)]), link(1, 9, [(read, 0, 0.7)])])
    new = Graph([source(), y], [link(0, 9, [(0, 0, 0.21)])])
    assert certify(old, new).bound == pytest.approx(0.21 * 5e-9, rel=1e-3)
