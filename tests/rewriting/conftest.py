"""The graph on which rewriters are tried."""

import numpy as np
import pytest

import netgraph as ng
from netgraph.rewriting import Rewriter


@pytest.fixture
def graph():
    """x(3) -> a(2) -> b(2) -> y(2), dense; edges 0..5, 6..9, 10..13."""
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 3)
    b.layer("a", 2)
    b.layer("b", 2)
    b.output("y", 2)
    for pair in (("x", "a"), ("a", "b"), ("b", "y")):
        b.dense(*pair)
    return b.build()


@pytest.fixture
def rw(graph):
    return Rewriter(graph, np.random.default_rng(0))
