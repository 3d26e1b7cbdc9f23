"""Lifting weights, vertex columns and statistics."""

import numpy as np
import pytest
import torch

from compilers import lift, lower
from netgraph.errors import GraphError, StatisticsError
from netgraph.graph import GraphBuilder, mlp


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", range(10))
def test_lift_of_lower_is_the_graph_bit_for_bit(make_graph, seed, dtype):
    graph = make_graph(seed, dtype=dtype)
    net = lower(graph, dtype=torch.float32 if dtype is np.float32 else torch.float64)
    assert lift(net).equals(graph)


def test_lift_has_trained_values(make_graph, batch_of):
    graph = make_graph(6)
    net = lower(graph, dtype=torch.float64)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    net(batch_of(graph)).square().mean().backward()
    optimizer.step()
    lifted = lift(net)
    assert lifted.same_topology(graph)
    assert not lifted.equals(graph)
    x = batch_of(graph, seed=1)
    again = lower(lifted, dtype=torch.float64).eval()
    assert torch.equal(again(x), net.eval()(x))


def test_values_that_are_not_finite_are_refused():
    net = lower(mlp([2, 2]))
    with torch.no_grad():
        net.weights[0] = torch.nan
    with pytest.raises(GraphError, match="finite"):
        lift(net)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kernel", ["csr", "padded-dense"])
def test_edge_gradient_moments_match_those_of_each_batch(make_graph, batch_of, seed, kernel):
    graph = make_graph(seed)
    net = lower(graph, dtype=torch.float64, kernels={layer.name: kernel for layer in graph.layers.values()}).eval()
    net.request("edge_gradients")
    gradients = []
    for i in range(4):
        before = net.weights.grad.clone() if net.weights.grad is not None else 0.0
        # Gradients accumulate in .grad; statistics must not.
        net(batch_of(graph, seed=i)).square().mean().backward()
        gradients.append(net.edge_column(net.weights.grad - before))
    g = np.stack(gradients)
    stats = net.statistics(graph)
    assert stats.batches == 4
    np.testing.assert_allclose(stats.edge("mean_gradient"), g.mean(0), rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(stats.edge("mean_abs_gradient"), np.abs(g).mean(0), rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(stats.edge("variance_abs_gradient"), np.abs(g).var(0), rtol=1e-6, atol=1e-10)
    trained = ~graph.edges.frozen
    np.testing.assert_array_equal(stats.edge("magnitude")[trained], np.abs(graph.edges.weight[trained]))
    assert not stats.edge("mean_abs_gradient")[~trained].any()


def test_variance_of_equal_batches_is_zero_not_rounding():
    net = lower(mlp([3, 4, 2]))
    net.request("edge_gradients")
    x = torch.randn(4, 3) * 1e3
    for _ in range(7):
        net(x).sum().backward()
    stats = net.statistics()
    assert (stats.edge("variance_abs_gradient") <= 1e-14 * stats.edge("mean_abs_gradient") ** 2).all()


def test_statistics_are_collected_only_while_requested():
    net = lower(mlp([3, 4, 2]))
    x = torch.randn(4, 3)
    with pytest.raises(StatisticsError, match="request"):
        net.statistics()
    net.request("edge_gradients")
    with pytest.raises(StatisticsError, match="no mini-batch"):
        net.statistics()
    net(x).sum().backward()
    assert net.statistics().batches == 1
    net.request("edge_gradients")
    net(x).sum().backward()
    assert net.statistics().batches == 1
    net.release("edge_gradients")
    with pytest.raises(StatisticsError, match="request"):
        net.statistics()


def test_weights_without_gradients_still_have_statistics():
    net = lower(mlp([3, 4, 2]))
    net.weights.requires_grad_(False)
    net.request("edge_gradients")
    net(torch.randn(4, 3)).sum().backward()
    assert net.weights.grad is None
    assert net.statistics().edge("mean_abs_gradient").any()


def test_unknown_statistics_and_other_topologies_are_named():
    net = lower(mlp([3, 4, 2]))
    for call in (net.request, net.release):
        with pytest.raises(StatisticsError, match="Did you mean 'edge_gradients'"):
            call("edge_gradient")
    net.request("edge_gradients")
    net(torch.randn(4, 3)).sum().backward()
    with pytest.raises(StatisticsError, match="belong to topology"):
        net.statistics(mlp([3, 5, 2]))


def test_frozen_weights_keep_their_bits_in_a_narrower_network():
    b = GraphBuilder(seed=0, dtype=np.float64)
    b.input("x", 3)
    b.output("y", 2)
    b.edges("x", "y", [0, 1, 2], [0, 0, 1], weight=np.array([0.1, 0.2, 0.3]), frozen=np.array([True, False, True]))
    graph = b.build()
    lifted = lift(lower(graph, dtype=torch.float32))
    frozen = graph.edges.frozen
    np.testing.assert_array_equal(lifted.edges.weight[frozen], graph.edges.weight[frozen])
    np.testing.assert_array_equal(lifted.edges.weight[~frozen], np.float32(graph.edges.weight[~frozen]))


@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float64, 1e-9), (torch.float32, 2e-5)])
def test_edge_gradient_moments_of_many_batches_and_across_a_change_of_dtype(dtype, rtol):
    graph = mlp([5, 4, 2], density=0.8, seed=4)
    net = lower(graph, dtype=dtype)
    net.request("edge_gradients")
    generator = torch.Generator().manual_seed(0)
    gradients = []
    for i in range(150):
        if i == 70:
            net = net.double()
        net.weights.grad = None
        x = torch.randn(3, 5, generator=generator).to(net.weights)
        net(x).square().mean().backward()
        gradients.append(net.edge_column(net.weights.grad).astype(np.float64))
    g, stats = np.stack(gradients), net.statistics()
    assert stats.batches == 150
    scale = np.abs(g).mean(0)
    np.testing.assert_allclose(stats.edge("mean_gradient"), g.mean(0), rtol=rtol, atol=rtol * scale.max())
    np.testing.assert_allclose(stats.edge("mean_abs_gradient"), scale, rtol=rtol)
    np.testing.assert_allclose(stats.edge("variance_abs_gradient"), np.abs(g).var(0), rtol=10 * rtol)
