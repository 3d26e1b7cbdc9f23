"""`is_exact` parts graphs that round nothing from graphs that may."""

import numpy as np
import pytest

import netgraph as ng
from netgraph.testing import is_exact


def chain(depth, weight=1.5, **options):
    graph = ng.mlp([1] * (depth + 1), domain=(-1, 1), dtype=np.float64, **options)
    return graph.with_weights(np.full(depth, weight))


@pytest.mark.parametrize(
    ("graph", "exact"),
    [
        (chain(2), True),
        (chain(2, 0.1), False),
        (chain(2, activation="gelu"), False),
        (chain(2, norm="layer"), False),
        (chain(40), False),  # a digit more before and after the point in every layer
        (chain(30, 1.0), True),
    ],
)
def test_digits_are_counted(graph, exact):
    assert is_exact(graph) == exact


def gates(depth):
    """Each gate squares the value before it."""
    b = ng.GraphBuilder(dtype=np.float64)
    name = b.input("x", 1, domain=(-1, 1))
    for k in range(depth):
        b.product(f"m{k}", name, name)
        name = f"m{k}"
    b.output("y", 1)
    b.edges(name, "y", [0], [0], weight=1.0)
    return b.build()


def test_a_product_adds_the_digits_of_its_factors():
    assert [is_exact(gates(depth)) for depth in range(6)] == [True] * 5 + [False]
    x = {"x": np.array([[0.125], [0.875]])}
    assert ng.interpret(gates(4), x)[1, 0] == 0.875**16
