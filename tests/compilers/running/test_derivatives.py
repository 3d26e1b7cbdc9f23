"""jvp, vjp and capture against autograd."""

import numpy as np
import pytest
import torch
from map_graphs import inputs_of, random_map_graph, token_graph

import netgraph as ng
from compilers import lower
from netgraph.errors import CompileError, InputError, StatisticsError


def tensors(x):
    return {name: torch.tensor(values) for name, values in x.items()}


def named(value):
    return value if isinstance(value, dict) else {"y": value}


GRAPHS = [
    *(random_map_graph(seed) for seed in range(5)),
    token_graph(1),
    ng.mlp([4, 6, 5, 2], norm="batch", density=0.5, dtype=np.float64),
]


def tangents(net, x):
    torch.manual_seed(0)
    slots = torch.from_numpy(net.plan.edge_slots[net.plan.edge_slots >= 0]).long()
    weights = torch.zeros_like(net.weights).detach()
    weights[slots] = torch.randn(len(slots), dtype=torch.float64)
    vertices = torch.randn_like(net.vertex_parameters)
    return weights, vertices, {name: torch.randn_like(values) for name, values in x.items()}


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("graph", GRAPHS)
def test_jvp_is_the_transpose_of_vjp_and_changes_nothing(graph, train):
    net = lower(graph, dtype=torch.float64).train(train)
    net.request("edge_gradients")
    x = tensors(inputs_of(graph))
    along = tangents(net, x)
    running = net.running.clone()
    out, tangent = net.jvp(x, weights=along[0], vertex_parameters=along[1], inputs=along[2])
    assert torch.equal(net.running, running)
    for name, value in named(net(x)).items():
        torch.testing.assert_close(named(out)[name], value.detach(), rtol=1e-9, atol=1e-11)

    torch.manual_seed(1)
    cotangent = {name: torch.randn_like(value) for name, value in named(out).items()}
    given = cotangent if isinstance(out, dict) else next(iter(cotangent.values()))
    leaves = {name: values.clone().requires_grad_() for name, values in x.items()}
    to_inputs = torch.autograd.grad(
        sum((named(net(leaves))[k] * v).sum() for k, v in cotangent.items()), list(leaves.values())
    )
    _, pull = net.vjp(x)
    first, again = pull(given), pull(given)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert net.weights.grad is None
    left = sum((named(tangent)[k] * v).sum() for k, v in cotangent.items())
    pairs = zip((*first, *to_inputs), (*along[:2], *along[2].values()), strict=True)
    right = sum((a * b).sum() for a, b in pairs)
    torch.testing.assert_close(left, right, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_jvp_matches_a_difference_quotient(seed):
    graph = random_map_graph(seed, activations=("tanh", "gelu", "gelu_tanh", "silu", "softplus", "rational"))
    net = lower(graph, dtype=torch.float64).eval()
    x = tensors(inputs_of(graph))
    along = tangents(net, x)
    _, tangent = net.jvp(x, weights=along[0], vertex_parameters=along[1], inputs=along[2])
    step = 1e-6
    ends = []
    for sign in (1, -1):
        given = {
            "weights": net.weights.detach() + sign * step * along[0],
            "vertex_parameters": net.vertex_parameters.detach() + sign * step * along[1],
        }
        moved = {name: values + sign * step * along[2][name] for name, values in x.items()}
        with torch.no_grad():
            ends.append(named(torch.func.functional_call(net, given, (moved,))))
    for name, value in named(tangent).items():
        quotient = (ends[0][name] - ends[1][name]) / (2 * step)
        torch.testing.assert_close(value, quotient, rtol=1e-4, atol=1e-4 * (1 + float(quotient.abs().max())))


def test_each_tangent_alone_and_tangents_of_pads_do_nothing():
    net = lower(ng.mlp([4, 6, 2], density=0.6, dtype=np.float64), dtype=torch.float64,
                kernels={"hidden1": "padded-dense"})  # fmt: skip
    x = torch.rand(3, 4, dtype=torch.float64)
    assert not net.jvp(x)[1].any()
    pads = torch.ones_like(net.weights)
    pads[torch.from_numpy(net.plan.edge_slots).long()] = 0
    assert pads.any()
    assert not net.jvp(x, weights=pads)[1].any()
    assert net.jvp(x, inputs=torch.ones_like(x))[1].any()
    assert net.jvp(x, vertex_parameters=torch.ones_like(net.vertex_parameters))[1].any()


def test_statistics_do_not_see_a_vjp():
    net = lower(ng.mlp([4, 6, 2]))
    net.request("edge_gradients")
    out, pull = net.vjp(torch.rand(3, 4))
    pull(torch.ones_like(out))
    with pytest.raises(StatisticsError, match="no mini-batch"):
        net.statistics()


def test_capture_gives_each_samples_own_gradients():
    graph = ng.mlp([3, 4, 2], activation="tanh", dtype=np.float64)
    net = lower(graph, dtype=torch.float64)
    x = torch.rand(5, 3, dtype=torch.float64)
    cotangent, factor = torch.randn(5, 2, dtype=torch.float64), torch.rand(5, dtype=torch.float64)
    found = net.capture(x, ["hidden1", "output", "input"], cotangent=cotangent, sample_weight=factor)
    w1 = torch.from_numpy(graph.links["input", "hidden1"].weight.reshape(4, 3).copy())
    w2 = torch.from_numpy(graph.links["hidden1", "output"].weight.reshape(2, 4).copy())
    h = torch.tanh(x @ w1.t())
    g = cotangent * factor[:, None]
    torch.testing.assert_close(found["hidden1"].activations, h)
    torch.testing.assert_close(found["output"].gradients, g)
    torch.testing.assert_close(found["hidden1"].gradients, g @ w2 * (1 - h**2))
    torch.testing.assert_close(found["input"].activations, x)
    assert found["input"].gradients is None
    assert net.weights.grad is None
    assert net.capture(x, ["hidden1"])["hidden1"].gradients is None


def test_capture_keeps_running_statistics_and_later_steps_intact():
    graph = random_map_graph(4, norms=("batch",))
    net = lower(graph, dtype=torch.float64)
    x = tensors(inputs_of(graph))
    before = net.running.clone()
    net.capture(x, ["a", "pooled"], cotangent=lambda out: {k: torch.ones_like(v) for k, v in out.items()}
                if isinstance(out, dict) else torch.ones_like(out))  # fmt: skip
    assert torch.equal(net.running, before)
    sum(v.sum() for v in named(net(x)).values()).backward()
    assert net.weights.grad.isfinite().all()


def test_wrong_shapes_and_names_are_told():
    net = lower(ng.mlp([3, 4, 2]))
    x = torch.rand(5, 3)
    with pytest.raises(CompileError, match=r"tangent of weights has shape \(3,\)"):
        net.jvp(x, weights=torch.zeros(3))
    with pytest.raises(InputError, match="tangent of the inputs has 4 samples"):
        net.jvp(x, inputs=torch.zeros(4, 3))
    with pytest.raises(InputError, match="cotangent of 'output' has shape"):
        net.vjp(x)[1](torch.zeros(5, 3))
    with pytest.raises(StatisticsError, match="Did you mean 'hidden1'"):
        net.capture(x, ["hidden"])
    with pytest.raises(InputError, match="output layers"):
        net.capture(x, ["hidden1"], cotangent={"x": torch.zeros(5, 2)})
