"""Maps, tokens, pools and residual links: compiled against the oracle and against finite differences."""

import numpy as np
import pytest
import torch
from map_graphs import inputs_of, lopsided_graph, random_map_graph, token_graph
from torch.nn import functional

from compilers import lift, lower
from netgraph import Pool
from netgraph.errors import CompileError, InputError
from netgraph.graph import GraphBuilder
from netgraph.interpret import interpret

MAPS, ROWS = ("padded-convolution", "sparse-convolution"), ("padded-dense", "csr")
SMOOTH = ("identity", "tanh", "gelu", "gelu_tanh", "silu", "softplus", "rational")


def choices(graph):
    """Overrides that reach every kernel."""
    auto = lower(graph, dtype=torch.float64)
    sites = {site.layer: bool(site.source) for site in auto.plan.choices}
    yield {}
    for maps, rows in zip(MAPS, ROWS, strict=True):
        yield {layer: maps if reads else rows for layer, reads in sites.items()}


def tensors(x, **options):
    return {name: torch.tensor(values, **options) for name, values in x.items()}


def named(value):
    return value if isinstance(value, dict) else {"y": value}


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("make", [random_map_graph, token_graph, lopsided_graph])
@pytest.mark.parametrize("seed", range(15))
def test_agrees_with_the_oracle_for_every_kernel(make, seed, train, device):
    graph = make(seed)
    x = inputs_of(graph)
    expected = named(interpret(graph, x, train=train))
    for kernels in choices(graph):
        net = lower(graph, device=device, dtype=torch.float64, kernels=kernels).train(train)
        for recorded in (True, False):
            with torch.set_grad_enabled(recorded):
                found = named(net(tensors(x, device=device)))
            assert found.keys() == expected.keys()
            for name, values in expected.items():
                np.testing.assert_allclose(found[name].detach().cpu().numpy(), values, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_gradients_match_finite_differences(seed, device):
    make = lopsided_graph if seed % 4 == 1 else random_map_graph
    graph = make(seed, activations=SMOOTH) if seed % 4 else token_graph(seed)
    x = inputs_of(graph, 3)
    names = list(x)
    for kernels in choices(graph):
        net = lower(graph, device=device, dtype=torch.float64, kernels=kernels).train(bool(seed % 2))
        slots = torch.from_numpy(net.plan.edge_slots[net.plan.edge_slots >= 0]).long().to(device)

        def run(edges, vertices, *inputs, net=net, slots=slots):
            weights = torch.zeros_like(net.weights).index_put((slots,), edges)
            given = {"weights": weights, "vertex_parameters": vertices}
            out = torch.func.functional_call(net, given, (dict(zip(names, inputs, strict=True)),))
            return tuple(named(out).values())

        edges = net.weights.detach()[slots].requires_grad_()
        vertices = net.vertex_parameters.detach().clone().requires_grad_()
        inputs = [torch.tensor(x[name], device=device, requires_grad=True) for name in names]
        # Sums by index come in any order on a GPU. The slow mode, entry by entry, is taken where it is quick.
        fast = device.type != "cpu" or len(edges) > 60
        assert torch.autograd.gradcheck(run, (edges, vertices, *inputs), rtol=1e-5, fast_mode=fast, nondet_tol=1e-9)


def test_training_steps_equal_those_of_torch():
    """A small convolutional network with batch norm and max pooling against the same one in torch.nn."""
    b = GraphBuilder(seed=1, dtype=np.float64)
    b.input("x", 2, grid=(6, 6))
    b.layer("c", 3, grid=(6, 6), norm="batch", bias=False, pool=Pool("max", (2, 2)))
    b.conv2d("x", "c", kernel=3, padding=1)
    b.output("y", 4)
    b.conv2d("c", "y", kernel=3)
    graph = b.build()
    peer = torch.nn.Sequential(
        torch.nn.Conv2d(2, 3, 3, padding=1, bias=False), torch.nn.BatchNorm2d(3), torch.nn.ReLU(),
        torch.nn.MaxPool2d(2), torch.nn.Flatten(), torch.nn.Linear(27, 4),
    ).double()  # fmt: skip
    with torch.no_grad():
        peer[0].weight.copy_(torch.from_numpy(graph.links["x", "c"].weight.reshape(3, 2, 3, 3).copy()))
        peer[5].weight.copy_(torch.from_numpy(graph.links["c", "y"].weight.reshape(4, 27).copy()))
        peer[5].bias.zero_()
    net = lower(graph, dtype=torch.float64)
    optimizers = [torch.optim.Adam(m.parameters(), lr=1e-2) for m in (net, peer)]
    x, y = torch.randn(16, 2, 6, 6, dtype=torch.float64), torch.randint(4, (16,))
    for _ in range(5):
        losses = []
        for m, optimizer in zip((net, peer), optimizers, strict=True):
            optimizer.zero_grad()
            loss = functional.cross_entropy(m(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        torch.testing.assert_close(*losses, rtol=1e-9, atol=1e-12)
    lifted = lift(net)
    np.testing.assert_allclose(lifted.links["x", "c"].weight, peer[0].weight.detach().reshape(-1), rtol=1e-7)
    np.testing.assert_allclose(lifted.layers["c"].values["var"], peer[1].running_var, rtol=1e-9)
    np.testing.assert_allclose(lifted.layers["c"].values["mean"], peer[1].running_mean, rtol=1e-9)
    torch.testing.assert_close(net.eval()(x), peer.eval()(x), rtol=1e-9, atol=1e-12)


def test_pads_stay_zero_and_frozen_edges_stay_put():
    for seed in range(6):
        graph = random_map_graph(seed)
        for kernels in choices(graph):
            net = lower(graph, dtype=torch.float64, kernels=kernels)
            optimizer = torch.optim.AdamW(net.parameters(), lr=0.05, weight_decay=0.5)
            for i in range(3):
                optimizer.zero_grad()
                sum(v.square().sum() for v in named(net(tensors(inputs_of(graph, seed=i)))).values()).backward()
                optimizer.step()
            slots = net.plan.edge_slots
            pads = np.setdiff1d(np.arange(len(net.weights)), slots)
            assert not net.weights.detach().numpy()[pads].any()
            frozen = graph.edges.frozen
            assert np.array_equal(slots < 0, frozen)
            assert np.array_equal(lift(net).edges.weight[frozen], graph.edges.weight[frozen])


def test_maps_are_let_go_of_after_a_forward_without_gradients():
    net = lower(random_map_graph(2), dtype=torch.float64)
    with torch.no_grad():
        net(tensors(inputs_of(net.graph)))
    (workspace,) = net._executor.pool._free[4]
    assert all(maps.values is None and not maps.started for maps in workspace.maps.values())


def test_the_caller_picks_kernels_and_wrong_ones_are_named():
    graph = random_map_graph(0)
    net = lower(graph, kernels={"a": "sparse-convolution"})
    (block,) = [b for layer in net.plan.layers if layer.name == "a" for b in layer.blocks if not b.frozen]
    assert block.kernel == "sparse-convolution"
    with pytest.raises(CompileError, match="reads rows, but the layer reads maps"):
        lower(graph, kernels={"a": "csr"})
    with pytest.raises(InputError, match=r"expected \(batch, \d, \d, \d\)"):
        net(torch.zeros(2, 3))


def test_the_cost_model_prefers_sparse_columns_for_few_taps():
    def kernel(density):
        b = GraphBuilder()
        b.input("x", 64, grid=(8, 8))
        b.output("y", 64, grid=(8, 8))
        b.conv2d("x", "y", kernel=3, padding=1, density=density)
        return lower(b.build()).plan.layers[-1].blocks[0].kernel

    assert kernel(1.0) == "convolution"
    assert kernel(0.7) == "padded-convolution"
    assert kernel(0.01) == "sparse-convolution"
