"""Weights of frozen edges: part of the state dict, of what is lifted, and of what a rewrite must have started from."""

import pickle
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from compilers import lift, lower, migrate
from compilers.training import TrainSettings, TrainState, load_checkpoint, make_optimizer, save_checkpoint
from netgraph.errors import CompileError
from netgraph.graph import Graph, GraphBuilder, Identity, Link
from netgraph.interpret import interpret


def dense(seed=0, dtype=np.float32):
    """Two links, one of them frozen in part, and wires."""
    b, rng = GraphBuilder(seed=1, dtype=dtype), np.random.default_rng(seed)
    b.input("x", 4)
    b.layer("h", 4, activation="tanh")
    b.output("y", 3)
    src, dst = np.tile(np.arange(4), 4), np.repeat(np.arange(4), 4)
    b.edges("x", "h", src, dst, weight=rng.normal(size=16), frozen=np.arange(16) % 3 == 0)
    b.edges("x", "y", np.arange(3), np.arange(3), weight=1.0, kind=Identity(), frozen=True)
    b.dense("h", "y")
    return b.build()


def maps(seed=0, dtype=np.float32):
    """A convolution that is frozen."""
    b = GraphBuilder(seed=1, dtype=dtype)
    b.input("x", 1, grid=(4, 4))
    b.layer("h", 2, grid=(4, 4))
    b.output("y", 3)
    b.conv2d("x", "h", kernel=3, padding=1)
    b.conv2d("h", "y", kernel=4)
    graph = b.build()
    links = [
        Link(k.source, k.target, k.kind, **{**k.columns, "frozen": np.full(len(k), k.kind.kernel == (3, 3))})
        for k in graph.links
    ]
    graph = Graph(graph.layers.values(), links, lineage=graph.lineage)
    weights = graph.edges.weight.copy()
    weights[graph.edges.frozen] = np.random.default_rng(seed).normal(size=graph.edges.frozen.sum())
    return graph.with_weights(weights)


def batch(graph):
    return torch.linspace(-1, 1, 5 * 4 * (4 if graph.inputs[0].grid else 1)).reshape(
        (5, 1, 4, 4) if graph.inputs[0].grid else (5, 4)
    )


GRAPHS = pytest.mark.parametrize("make", [dense, maps])
KERNELS = pytest.mark.parametrize("kernel", [None, "csr", "padded-dense"])


@GRAPHS
def test_a_state_dict_brings_the_function_it_was_saved_with(make, tmp_path):
    one, other = lower(make(0)), lower(make(1))
    x = batch(one.graph)
    assert one.graph.topology_hash == other.graph.topology_hash
    assert not torch.equal(one(x), other(x))
    torch.save(one.state_dict(), tmp_path / "state.pt")
    other.load_state_dict(torch.load(tmp_path / "state.pt"))
    assert torch.equal(one(x), other(x))
    assert np.array_equal(lift(other).edges.weight, one.graph.edges.weight)
    np.testing.assert_allclose(interpret(lift(other), x.double().numpy()), one(x).detach(), atol=1e-5)


@KERNELS
def test_it_does_so_under_every_kernel_and_is_refused_by_another(kernel):
    options = {} if kernel is None else {"kernels": {"h": kernel}}
    one, other = lower(dense(0), **options), lower(dense(1), **options)
    other.load_state_dict(one.state_dict())
    x = batch(one.graph)
    assert torch.equal(one(x), other(x))


def test_wires_have_no_weights_and_add_nothing_to_a_state_dict():
    b = GraphBuilder(seed=1)
    b.input("x", 3)
    b.output("y", 3)
    b.edges("x", "y", np.arange(3), np.arange(3), weight=1.0, kind=Identity(), frozen=True)
    net = lower(b.build())
    assert set(net.state_dict()) == {"weights", "vertex_parameters", "running", "_extra_state"}
    assert len(net.state_dict()["_extra_state"]) == 16
    assert net.graph.edges.weight.tolist() == lift(net).edges.weight.tolist() == [1, 1, 1]


@GRAPHS
def test_a_state_dict_from_before_frozen_weights_were_in_it_is_loaded(make):
    net, other = lower(make(0)), lower(make(0))
    with torch.no_grad():
        net.weights.add_(0.5)
    state = net.state_dict()
    del state["frozen_weights"]
    state["_extra_state"] = state["_extra_state"][:16]
    other.load_state_dict(state)
    x = batch(net.graph)
    assert torch.equal(net(x), other(x))


@GRAPHS
def test_a_state_dict_of_other_slots_of_frozen_edges_is_refused(make):
    net = lower(make(0))
    state = net.state_dict()
    state["_extra_state"] = torch.cat([state["_extra_state"][:16], state["_extra_state"][16:] ^ 1])
    with pytest.raises(CompileError, match="another topology or plan"):
        net.load_state_dict(state)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("graph_dtype", [np.float32, np.float64])
def test_lifting_gives_frozen_weights_unrounded(dtype, graph_dtype):
    graph = dense(0, graph_dtype)
    net = lower(graph, dtype=dtype)
    frozen = graph.edges.frozen
    assert np.array_equal(lift(net).edges.weight[frozen], graph.edges.weight[frozen])


def test_a_rewrite_that_started_from_other_frozen_weights_is_refused():
    net = lower(dense(0))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

    def result(graph):
        return SimpleNamespace(graph=graph, delta=SimpleNamespace(before=graph, graphs=(graph, graph)))

    migrate(net, optimizer, result(net.graph))
    weights = np.where(net.graph.edges.frozen, dense(1).edges.weight, net.graph.edges.weight)
    with pytest.raises(CompileError, match="other weights"):
        migrate(net, optimizer, result(net.graph.with_weights(weights)))


def test_edges_that_a_rewrite_freezes_or_unfreezes_are_in_the_state_dict_or_not():
    frozen = dense(0)
    links = [Link(k.source, k.target, k.kind, **{**k.columns, "frozen": np.full(len(k), False)})
             if not k.kind.wires else k for k in frozen.links]  # fmt: skip
    free = Graph(frozen.layers.values(), links, lineage=frozen.lineage)
    for before, after in ((free, frozen), (frozen, free)):
        net = lower(before)
        result = SimpleNamespace(graph=after, delta=SimpleNamespace(before=before))
        new, _ = migrate(net, torch.optim.SGD(net.parameters(), lr=0.1), result)
        assert ("frozen_weights" in new.state_dict()) == (after is frozen)
        assert ("frozen_weights" in net.state_dict()) == (after is free)


def test_a_network_that_was_pickled_without_them_in_its_state_dict_has_them_there():
    net = lower(dense(0))
    net._non_persistent_buffers_set.add("frozen_weights")
    again = pickle.loads(pickle.dumps(net))
    assert "frozen_weights" in again.state_dict()
    lower(dense(1)).load_state_dict(again.state_dict())


@GRAPHS
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_checkpoint_keeps_frozen_weights_that_a_state_dict_brought(make, dtype, tmp_path):
    net = lower(make(0), dtype=dtype)
    with torch.no_grad():
        net.frozen_weights.mul_(1 / 3)
    settings = TrainSettings()
    save_checkpoint(TrainState(net, make_optimizer(net, settings)), tmp_path / "c")
    loaded = load_checkpoint(tmp_path / "c", settings, torch.device("cpu")).net
    assert torch.equal(loaded.frozen_weights, net.frozen_weights)
