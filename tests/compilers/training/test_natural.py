"""Natural gradients: against golden numbers, against dense matrices, and as an optimizer of runs that grow."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from map_graphs import inputs_of, lopsided_graph, random_map_graph, token_graph
from senn_case import EXPECTED
from senn_graph import golden_data, golden_net, golden_order

import netgraph as ng
from compilers import lower
from compilers.running.jacobian import jacobian_bytes, output_size
from compilers.running.linearized import Linearized
from compilers.training import NaturalGradient, natural, natural_step
from netgraph import testing

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


def rational_graph(seed=0, density=1.0):
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
    "rms norm": ng.mlp([4, 6, 2], norm="rms", activation="gelu_tanh", dtype=np.float64),
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


@pytest.mark.parametrize("seed", [None, 0, 1, 2, 4])
def test_in_train_mode_batch_norm_couples_samples(seed):
    graph = GRAPHS["batch norm"] if seed is None else random_map_graph(seed, norms=("batch",), activations=("tanh",))
    net = lower(graph, dtype=torch.float64)
    x = {key: torch.from_numpy(values) for key, values in inputs_of(graph, 4).items()}
    cotangent = random_cotangent(net(x))
    running = net.running.clone()
    step = natural_step(net, x, cotangent, tolerance=1e-12, iterations=3000)
    assert step.iterations
    assert torch.equal(net.running, running)
    expected, _ = dense_step(net, x, cotangent, 0.1)
    np.testing.assert_allclose(flat(step), expected, rtol=1e-5, atol=1e-7 * np.abs(expected).max())


def test_two_products_at_a_time_have_buffers_of_their_own():
    net = lower(rational_graph(), dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(5, 3, dtype=torch.float64, generator=generator)
    expected = natural_step(net, x, torch.ones(5, 2, dtype=torch.float64), way="cg")
    outputs = net(x)
    held = Linearized(net._executor, net._state(), [x.flip(0)], training=True)
    step = natural_step(net, x, torch.ones(5, 2, dtype=torch.float64), way="cg")
    assert torch.equal(step.weights, expected.weights)
    pulled = held.pull([torch.ones(5, 2, dtype=torch.float64)])
    held.close()
    outputs.sum().backward()
    torch.testing.assert_close(pulled[0], net.weights.grad)


def padded(graph):
    """A network whose links all run by kernels with pads, where they can."""
    plan = lower(graph).plan
    kernels = {site.layer: "padded-convolution" if site.source else "padded-dense" for site in plan.choices}
    return lower(graph, dtype=torch.float64, kernels=kernels).eval()


@pytest.mark.parametrize("way", ["direct", "cg"])
@pytest.mark.parametrize("name", ["sparse", "maps 0", "maps 3"])
def test_pads_and_frozen_edges_do_not_move(name, way):
    graph = GRAPHS[name]
    net = padded(graph)
    x = {key: torch.from_numpy(values) for key, values in inputs_of(graph, 3).items()}
    cotangent = random_cotangent(net(x))
    step = natural_step(net, x, cotangent, way=way, tolerance=1e-12, iterations=2000)
    slots = net.plan.edge_slots[net.plan.edge_slots >= 0]
    pads = np.setdiff1d(np.arange(net.plan.num_slots), slots)
    assert len(pads)
    assert not step.weights[torch.from_numpy(pads)].any()
    assert len(slots) == int((~graph.edges.frozen).sum())
    np.testing.assert_allclose(flat(step), dense_step(net, x, cotangent, 0.1)[0], rtol=1e-6, atol=1e-9)


def by_differences(net, x, step=1e-5):
    """(outputs, parameters) Jacobian of all outputs by central differences."""
    slots = net.plan.edge_slots[net.plan.edge_slots >= 0]
    where = [(net.weights, int(k)) for k in slots] + [
        (net.vertex_parameters, k) for k in range(net.plan.num_vertex_slots)
    ]
    columns = []
    with torch.no_grad():
        for vector, k in where:
            kept = float(vector[k])
            ends = []
            for sign in (1, -1):
                vector[k] = kept + sign * step
                found = net(x)
                ends.append(
                    torch.cat([v.reshape(-1) for v in (found.values() if isinstance(found, dict) else [found])])
                )
            vector[k] = kept
            columns.append((ends[0] - ends[1]).numpy() / (2 * step))
    return np.stack(columns, axis=1) if columns else np.zeros((0, 0)), slots


@given(data=st.data(), kind=st.sampled_from(["dense", "skip", "conv", "residual"]))
@settings(max_examples=settings.default.max_examples // 4)
def test_random_graphs_take_the_step_of_finite_differences(data, kind):
    smooth = ("identity", "tanh", "gelu", "sigmoid", "softplus", "rational")
    graph = data.draw(testing.graphs(kinds=kind, exact=False, activations=smooth, norms="none", pools=()))
    values = data.draw(testing.inputs(graph, samples=3))
    net = lower(graph, dtype=torch.float64).eval()
    x = {name: torch.tensor(v, dtype=torch.float64) for name, v in values.items()}
    cotangent = random_cotangent(net(x))
    listed = list(cotangent.values()) if isinstance(cotangent, dict) else [cotangent]
    c = torch.cat([v.reshape(-1) for v in listed]).numpy()
    j, slots = by_differences(net, x)
    samples = len(listed[0])
    g = j.T @ c / samples
    expected = np.linalg.solve(j.T @ j / samples + 0.5 * np.eye(j.shape[1]), g)
    for way in ("direct", "cg"):
        step = natural_step(net, x, cotangent, damping=0.5, way=way, tolerance=1e-12, iterations=2000)
        found = np.concatenate([step.weights.numpy()[slots], step.vertex_parameters.numpy()])
        scale = max(1.0, np.abs(expected).max(initial=0), np.abs(j).max(initial=0) ** 2)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6 * scale)


# ---- which way ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sizes", "batch", "direct"),
    [
        ((1, 10, 1), 50, True),
        ((2, 3, 3, 2), 200, True),
        ((1, 20, 1), 1000, True),
        ((2, 16, 16, 2), 200, True),
        ((64, 10), 32, False),
        ((64, 64, 10), 128, False),
    ],
)
def test_small_networks_are_solved_directly(sizes, batch, direct, monkeypatch):
    net = lower(ng.mlp(sizes, activation="rational"))
    x = torch.zeros(batch, sizes[0])
    assert natural._is_small(net, x) == direct
    monkeypatch.setattr(natural, "JACOBIAN_BYTES", 1000)
    assert not natural._is_small(net, x)


def test_patches_count_as_memory():
    net = lower(random_map_graph(0))
    assert jacobian_bytes(net.plan, 8, 4) == 8 * jacobian_bytes(net.plan, 1, 4)
    assert jacobian_bytes(net.plan, 1, 4) > output_size(net.plan) * 12 * (
        net.plan.num_slots + net.plan.num_vertex_slots
    )


def test_without_factors_the_result_is_not_finite():
    net = lower(ng.mlp([2, 3, 1], activation="rational"))
    step = natural_step(net, torch.full((4, 2), torch.nan), torch.ones(4, 1))
    assert not torch.isfinite(step.weights).any()
