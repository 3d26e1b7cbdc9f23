"""What looks at a network leaves it, and whatever else is under way, as it was."""

import copy
import gc
import sys

import numpy as np
import pytest
import torch
from map_graphs import random_map_graph

import netgraph as ng
from compilers import lift, lower, migrate
from netgraph import Conv2d
from netgraph.errors import InputError, StatisticsError


def mlp(dtype=np.float64, **options):
    return ng.mlp([5, 7, 3], dtype=dtype, seed=1, **options)


def batch(dtype=torch.float64, n=6):
    return torch.randn(n, 5, dtype=dtype, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", ["edge_gradients", "vertex_signals", "cross_moments", "second_moments"])
def test_a_retained_graph_is_differentiated_again_while_statistics_are_collected(name):
    net = lower(mlp(), dtype=torch.float64)
    options = {"cross_moments": {"source": "input", "target": "output"}, "second_moments": {"layer": "input"}}
    net.request(name, **options.get(name, {}))
    loss = net(batch()).square().sum()
    loss.backward(retain_graph=True)
    once = net.weights.grad.clone()
    loss.backward()
    torch.testing.assert_close(net.weights.grad, 2 * once)
    assert net.statistics().batches == 2


@pytest.mark.parametrize("train", [True, False])
def test_capture_leaves_a_pending_backward_alone(train):
    net = lower(mlp(norm="batch"), dtype=torch.float64).train(train)
    net(batch()).square().sum().backward()
    alone = net.weights.grad.clone()
    net = lower(mlp(norm="batch"), dtype=torch.float64).train(train)
    loss = net(batch()).square().sum()
    net.capture(batch(), ["hidden1"], cotangent=lambda out: out)
    loss.backward()
    torch.testing.assert_close(net.weights.grad, alone)


def test_measuring_is_no_mini_batch():
    net = lower(mlp(), dtype=torch.float64)
    net.request("edge_gradients")
    net(batch()).sum().backward()
    net.measure(batch(), repeats=1)
    assert net.statistics().batches == 1


def test_capture_in_inference_mode_leaves_buffers_that_can_be_trained_with():
    for graph in (mlp(), mlp(activation="tanh")):
        net = lower(graph, dtype=torch.float64)
        with torch.inference_mode():
            net.capture(batch(), ["hidden1"], cotangent=torch.ones(6, 3, dtype=torch.float64))
        net(batch()).sum().backward()
        assert net.weights.grad.any()


def test_asking_for_moments_again_starts_them_anew_whatever_the_options():
    net = lower(random_map_graph(0), dtype=torch.float64)
    net.request("cross_moments", source="x", target="a")
    net.request("cross_moments", source="x", target="a", kind=Conv2d((1, 1)))
    net.request("second_moments", layer="head")
    net.request("second_moments", layer="head", of="activations")
    assert len(net.requested) == 2
    with pytest.raises(StatisticsError, match="has no maps"):
        net.request("cross_moments", source="head", target="y", kind=Conv2d((1, 1)))


def test_a_large_mean_does_not_hide_a_variance():
    net = lower(mlp(np.float32))
    net.request("vertex_signals")
    generator = torch.Generator().manual_seed(0)
    batches = [1000 + 0.1 * torch.randn(n, 5, generator=generator) for n in (300, 212, 7)]
    for x in batches:
        net(x).sum().backward()
    expected = torch.cat(batches).double().var(0, correction=0)
    np.testing.assert_allclose(net.statistics().vertex("variance_activation")[:5], expected, rtol=1e-3)


@pytest.mark.parametrize("name", ["vertex_signals", "cross_moments", "second_moments"])
def test_statistics_go_along_with_a_change_of_dtype(name):
    options = {"cross_moments": {"source": "input", "target": "output"}, "second_moments": {"layer": "hidden1"}}
    net = lower(mlp(np.float32))
    net.request(name, **options.get(name, {}))
    net(batch(torch.float32)).sum().backward()
    net.double()
    net(batch()).sum().backward()
    assert net.statistics().samples == 12


def test_statistics_of_no_samples_are_refused():
    net = lower(mlp(), dtype=torch.float64)
    net.request("vertex_signals")
    net(batch(n=0)).sum().backward()
    with pytest.raises(StatisticsError, match="has seen no"):
        net.statistics()


@pytest.mark.parametrize("graph", [mlp(np.float32), random_map_graph(1)])
def test_autocast_does_not_reach_into_a_network(graph):
    net = lower(graph).eval()
    x = {layer.name: torch.rand(3, len(layer), *layer.grid) for layer in graph.inputs}
    results = []
    for enabled in (False, True):
        net.weights.grad = None
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            out = net(x)
            out = list(out.values()) if isinstance(out, dict) else [out]
            sum(v.square().sum() for v in out).backward()
        results.append((*out, net.weights.grad))
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_an_optimizer_that_is_copied_along_trains_the_copy():
    net = lower(mlp(), dtype=torch.float64)
    net.note = ["kept"]
    other, optimizer = copy.deepcopy((net, torch.optim.Adam(net.parameters())))
    assert optimizer.param_groups[0]["params"][0] is other.weights
    assert other.note == ["kept"]
    assert other.note is not net.note
    before = net.weights.detach().clone()
    other(batch()).sum().backward()
    optimizer.step()
    assert torch.equal(net.weights, before)
    assert not torch.equal(other.weights, before)


def test_the_input_is_let_go_of_after_a_forward():
    net = lower(mlp(np.float32))
    values = np.ones((64, 5), np.float32)
    references = sys.getrefcount(values)
    x = torch.from_numpy(values)
    with torch.no_grad():
        net(x)
    del x
    gc.collect()
    assert sys.getrefcount(values) == references


def test_a_layer_that_was_to_be_dense_is_padded_when_it_loses_an_edge():
    graph = mlp()
    net = lower(graph, dtype=torch.float64, kernels={"hidden1": "dense"})
    result = ng.apply(ng.rules.PruneEdges(below=None), lift(net), on=graph.links["input", "hidden1"].id[:1])
    new, _ = migrate(net, torch.optim.SGD(net.parameters(), lr=0.1), result)
    assert new.plan.layers[1].blocks[0].kernel == "padded-dense"


def test_wrong_kinds_of_inputs_and_numbers_of_samples_are_told():
    net = lower(mlp(), dtype=torch.float64)
    with pytest.raises(InputError, match=r"is ndarray; make a torch.Tensor"):
        net(batch().numpy())
    ones = torch.ones(6, 3, dtype=torch.float64)
    with pytest.raises(InputError, match=r"\[1\] samples, the batch has 6"):
        net.capture(batch(), ["hidden1"], cotangent=ones[:1])
    with pytest.raises(InputError, match=r"shape \(4,\), expected \(6,\)"):
        net.capture(batch(), ["hidden1"], cotangent=ones, sample_weight=torch.ones(4))
