"""Natural gradients: against golden numbers, against dense matrices, and as an optimizer of runs that grow."""

import numpy as np
import pytest
import torch
from map_graphs import inputs_of, lopsided_graph, random_map_graph, token_graph
from senn_case import EXPECTED
from senn_graph import golden_data, golden_net, golden_order

import netgraph as ng
from compilers import lower
from compilers.training import NaturalGradient, natural_step

EXACT = EXPECTED["exact"]


def close(values, expected):
    np.testing.assert_allclose(values, expected, rtol=1e-9, atol=1e-12)


# ---- golden ---------------------------------------------------------------------------------------------


def test_golden_natural_gradient():
    net, data = golden_net(), golden_data()
    step = natural_step(net, data.x_train, torch.tensor(EXPECTED["forward"]["dloss_dy"], dtype=torch.float64))
    close(golden_order(net, step.weights, step.vertex_parameters), EXACT["natgrad_damped"])
    close(step.score, EXACT["eta_damped"])
    assert step.iterations == 0
    assert step.residual < 1e-12


@pytest.mark.parametrize(("decay", "name"), [(0.0, "params_after_lr0.1_wd0"), (1e-3, "params_after_lr0.1_wd0.001")])
def test_golden_step(decay, name):
    net, data = golden_net(), golden_data()
    optimizer = NaturalGradient([net.weights, net.vertex_parameters], lr=0.1, weight_decay=decay)
    loss = optimizer.observe(net, data.x_train, data.y_train, torch.nn.functional.mse_loss)
    optimizer.step()
    close(float(loss), EXPECTED["forward"]["loss"])
    close(golden_order(net, net.weights, net.vertex_parameters), EXPECTED["step"][name])


# ---- against dense matrices -------------------------------------------------------------------------------


def dense_step(net, x, cotangent, damping):
    """(n, g) of a Jacobian that is taken row by row, each by a backward of its own."""
    outputs, pull = net.vjp(x)
    listed = outputs if isinstance(outputs, dict) else {net.plan.outputs[0].name: outputs}
    given = cotangent if isinstance(cotangent, dict) else {net.plan.outputs[0].name: cotangent}
    rows, c = [], []
    for name, values in listed.items():
        for index in np.ndindex(tuple(values.shape)):
            unit = {k: torch.zeros_like(v) for k, v in listed.items()}
            unit[name][index] = 1
            rows.append(torch.cat(pull(unit if isinstance(outputs, dict) else unit[name])).numpy())
            c.append(float(given[name][index]))
    j, samples = np.array(rows), len(next(iter(listed.values())))
    g = j.T @ np.array(c) / samples
    return np.linalg.solve(j.T @ j / samples + damping * np.eye(j.shape[1]), g), g


def flat(step):
    return torch.cat([step.weights, step.vertex_parameters]).numpy()


def random_cotangent(outputs, seed=0):
    torch.manual_seed(seed)
    if isinstance(outputs, dict):
        return {name: torch.randn_like(values) for name, values in outputs.items()}
    return torch.randn_like(outputs)


def rational_graph(seed=0, density=1.0, samples=None):
    """Two rational layers that both feed the output, so that several links meet in it."""
    rng = np.random.default_rng(seed)
    b = ng.GraphBuilder(seed=seed, dtype=np.float64)
    b.input("x", 3)
    b.layer("a", 4, activation="rational")
    b.layer("b", 3, activation="prelu")
    b.output("y", 2)
    for source, target in (("x", "a"), ("a", "b"), ("a", "y"), ("b", "y"), ("x", "y")):
        b.dense(source, target, density=density)
    graph = b.build()
    columns = {name: rng.normal(size=graph.num_vertices) for name in ("bias", "v", "c", "l", "slope")}
    return graph.with_weights(vertices=columns)


GRAPHS = {
    "rational": rational_graph(),
    "sparse": rational_graph(1, density=0.6),
    "batch norm": ng.mlp([4, 6, 5, 2], norm="batch", density=0.5, dtype=np.float64),
    "layer norm": ng.mlp([4, 6, 2], norm="layer", activation="tanh", dtype=np.float64),
    "tokens": token_graph(1),
    "lopsided": lopsided_graph(0),
    **{f"maps {seed}": random_map_graph(seed) for seed in range(6)},
}


@pytest.mark.parametrize("name", GRAPHS)
def test_both_ways_give_the_dense_solution(name):
    graph = GRAPHS[name]
    net = lower(graph, dtype=torch.float64).eval()
    x = {key: torch.from_numpy(values) for key, values in inputs_of(graph, 3).items()}
    cotangent = random_cotangent(net(x))
    expected, gradient = dense_step(net, x, cotangent, 0.1)
    direct = natural_step(net, x, cotangent, way="direct")
    found = natural_step(net, x, cotangent, way="cg", tolerance=1e-12, iterations=2000)
    scale = np.abs(expected).max()
    for step in (direct, found):
        np.testing.assert_allclose(flat(step), expected, rtol=1e-6, atol=1e-8 * scale)
        assert step.score == pytest.approx(gradient @ expected, rel=1e-8)
        assert step.residual < 1e-8
    assert direct.iterations == 0 < found.iterations
