"""What a search finds, put into a network by the rules: the function stays, and the new vertices do what was scored."""

import numpy as np
import pytest

import netgraph as ng
from netgraph.interpret import interpret_layers
from netgraph.methods.senn import Expansion, SearchOptions, layer_residual, search_depth, search_width
from netgraph.rules import InsertLayer, WidenLayer

OPTIONS = SearchOptions(chains=4, steps=30)


@pytest.fixture(scope="module")
def case():
    """A float32 network, its inputs, values of its hidden layer, and what the output layer would gain."""
    graph = ng.mlp([10, 60, 5], activation="rational", seed=0, domain=(-1, 1))
    x = np.random.default_rng(0).uniform(-1, 1, (400, 10))
    hidden = interpret_layers(graph, x)["hidden1"]
    gradients = ng.interpret(graph, x) - np.sin(3 * x[:, :5])
    unit = gradients / np.linalg.norm(gradients, axis=1, keepdims=True)
    return graph, x, hidden, Expansion(layer_residual(gradients, hidden), unit.T @ unit / len(x))


def test_a_vertex_that_was_found(case):
    graph, x, _hidden, target = case
    found = search_width([target], x, "rational", OPTIONS, np.random.default_rng(0))
    rule = WidenLayer(
        incoming={graph.links["input", "hidden1"].key: found.incoming[None, :, None]},
        values={"bias": np.array([found.bias]), **found.parameters},
    )
    result = ng.apply(rule, graph, on="hidden1", require="exact")
    values = interpret_layers(result.graph, x)
    np.testing.assert_array_equal(values["output"], ng.interpret(graph, x))
    np.testing.assert_allclose(values["hidden1"][:, 60], found.activations, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(target.score(values["hidden1"][:, 60:]), found.score, rtol=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_a_layer_that_was_found(case, seed):
    graph, x, hidden, target = case
    found = search_depth(target, hidden, "rational", OPTIONS, np.random.default_rng(seed))
    rule = InsertLayer(activation="rational", matrix=found.matrix, shift=found.shift)
    result = ng.apply(rule, graph, on=("hidden1", "output"), require="exact up to rounding")
    old, new = ng.interpret(graph, x), ng.interpret(result.graph, x)
    assert np.abs(new - old).max() < 1e-6 * np.ptp(old)
    sums = interpret_layers(result.graph, x)["insert-3"]
    wanted = hidden @ found.matrix + found.shift
    assert np.linalg.norm(sums - wanted) < 0.01 * np.linalg.norm(wanted)  # small singular values may be raised
