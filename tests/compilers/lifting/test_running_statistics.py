"""How a compiled network behaves as a module, whatever it reads: rows, maps or tokens, by every family of kernels."""

import copy
import gc
import pickle

import numpy as np
import pytest
import torch
from map_graphs import inputs_of, random_map_graph, token_graph, with_random_columns

import netgraph as ng
from compilers import lift, lower
from netgraph.errors import CompileError
from netgraph.graph import Graph, GraphBuilder, Identity
from netgraph.interpret import interpret

DENSE = {"rows": "padded-dense", "maps": "padded-convolution"}
SPARSE = {"rows": "csr", "maps": "sparse-convolution"}


def branching() -> Graph:
    """Inputs and outputs with and without a grid, outputs that others read, and layers without edges."""
    b = GraphBuilder(seed=5, dtype=np.float64)
    b.input("x", 2, grid=(4, 4))
    b.input("z", 1, grid=(4, 4))
    b.input("v", 3)
    b.layer("dead maps", 2, grid=(4, 4), activation="sigmoid")
    b.layer("a", 3, grid=(4, 4), norm="batch", activation="tanh")
    b.conv2d("x", "a", kernel=3, padding=1, density=0.6)
    b.output("seen", 2, grid=(4, 4), activation="relu")
    b.conv2d("a", "seen", kernel=3, padding=1)
    b.conv2d("dead maps", "seen", kernel=1)
    b.edges("z", "seen", [0], [1], weight=1.0, kind=Identity(), frozen=True)
    b.layer("half", 3, grid=(2, 2), norm="layer", activation="gelu")
    b.conv2d("seen", "half", kernel=3, stride=2, padding=1)
    b.conv2d("z", "half", kernel=1, stride=2)
    b.output("blank", 2, grid=(4, 4), activation="softplus")
    b.layer("side", 4, activation="relu")
    b.dense("v", "side", density=0.7)
    b.layer("dead", 2, activation="sigmoid")
    b.output("y", 2)
    b.conv2d("half", "y", kernel=2)
    b.dense("side", "y")
    b.dense("dead", "y")
    b.output("last", 2, activation="tanh")
    b.dense("y", "last")
    return with_random_columns(b.build(), np.random.default_rng(3))


CASES = {
    "rows": (lambda make: make(4), None),
    "rows, dense": (lambda make: make(7), DENSE),
    "rows, sparse": (lambda make: make(4), SPARSE),
    "maps": (lambda make: random_map_graph(3), None),
    "maps, dense": (lambda make: random_map_graph(8), DENSE),
    "maps, sparse": (lambda make: random_map_graph(3), SPARSE),
    "tokens": (lambda make: token_graph(0), None),
    "tokens, sparse": (lambda make: token_graph(1), SPARSE),
    "branching": (lambda make: branching(), None),
    "branching, dense": (lambda make: branching(), DENSE),
    "branching, sparse": (lambda make: branching(), SPARSE),
}


@pytest.fixture(params=CASES)
def net(request, make_graph):
    """A network in eval mode: batch statistics would differ from batch to batch."""
    make, family = CASES[request.param]
    return lowered(make(make_graph), family)


def lowered(graph, family=None):
    kernels = {}
    if family is not None:
        for site in lower(graph).plan.choices:
            kernels[site.layer] = family["maps" if site.source else "rows"]
    return lower(graph, dtype=torch.float64, kernels=kernels).eval()


def batch(net, samples=4, seed=0, **options):
    return {k: torch.tensor(v, **options) for k, v in inputs_of(net.graph, samples, seed=seed).items()}


def outputs(net, x):
    found = net(x)
    return found if isinstance(found, dict) else {net.graph.outputs[0].name: found}


def loss(net, x):
    return sum((i + 1) * v.square().sum() for i, v in enumerate(outputs(net, x).values()))


def gradients(net, *xs):
    """Gradients of the sum of the losses of some batches, from a network of its own."""
    alone = lower(
        net.graph, dtype=net.weights.dtype, kernels=net.options.kernels, costs=net.options.costs
    ).train(net.training)  # fmt: skip
    sum(loss(alone, x) for x in xs).backward()
    return alone.weights.grad, alone.vertex_parameters.grad


def assert_gradients(net, *xs):
    for mine, expected in zip((net.weights.grad, net.vertex_parameters.grad), gradients(net, *xs), strict=True):
        torch.testing.assert_close(mine, expected, rtol=1e-9, atol=1e-12)


def test_outputs_are_those_of_the_oracle_for_every_batch_size(net):
    for samples in (8, 8, 3, 1, 8):
        x = inputs_of(net.graph, samples, seed=samples)
        expected = interpret(net.graph, x)
        named = expected if isinstance(expected, dict) else {net.graph.outputs[0].name: expected}
        for name, values in outputs(net, {k: torch.tensor(v) for k, v in x.items()}).items():
            np.testing.assert_allclose(values.detach().numpy(), named[name], rtol=1e-9, atol=1e-9)


def test_a_last_short_batch_gets_its_own_gradients(net):
    for samples in (8, 8, 3, 8):
        x = batch(net, samples, seed=samples)
        net.zero_grad()
        loss(net, x).backward()
        assert_gradients(net, x)


@pytest.mark.parametrize("sizes", [(4, 4), (4, 7)])
def test_two_forwards_before_one_backward_are_both_right(net, sizes):
    first, second = (batch(net, n, seed=i) for i, n in enumerate(sizes))
    a, b = loss(net, first), loss(net, second)
    (a + b).backward()
    assert_gradients(net, first, second)
    net.zero_grad()
    a, b = loss(net, first), loss(net, second)
    a.backward()
    assert_gradients(net, first)
    b.backward()
    assert_gradients(net, first, second)


def test_a_retained_graph_gives_its_gradients_again_after_other_forwards(net):
    x = batch(net)
    value = loss(net, x)
    value.backward(retain_graph=True)
    assert_gradients(net, x)
    loss(net, batch(net, seed=1)).backward(inputs=[net.vertex_parameters])
    with torch.no_grad():
        net(batch(net, seed=2))
    net.zero_grad()
    value.backward(retain_graph=True)
    value.backward()
    assert_gradients(net, x, x)
    with pytest.raises(RuntimeError, match="second time"):
        value.backward()


def test_forwards_without_a_backward_leave_no_trace(net):
    x = batch(net)
    for seed in range(5):
        net(batch(net, seed=seed))
    kept = [net(batch(net, seed=seed)) for seed in range(3)]
    loss(net, x).backward()
    assert_gradients(net, x)
    del kept
    gc.collect()
    assert len(net._executor.pool._free[4]) <= 2
    for workspace in net._executor.pool._free[4]:
        assert all(maps.values is None and maps.value_gradients is None for maps in workspace.maps.values())


def test_inputs_that_are_asked_for_one_after_the_other(net):
    x = batch(net, requires_grad=True)
    together = torch.autograd.grad(loss(net, x), list(x.values()))
    value = loss(net, x)
    for tensor, expected in zip(x.values(), together, strict=True):
        for _ in range(2):
            (found,) = torch.autograd.grad(value, tensor, retain_graph=True)
            torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)
    (found,) = torch.autograd.grad(value, net.weights, retain_graph=True)
    torch.testing.assert_close(found, gradients(net, batch(net))[0], rtol=1e-9, atol=1e-12)


def test_one_output_alone(net):
    x = batch(net)
    named = outputs(net, x)
    every = torch.autograd.grad(sum(v.sum() for v in named.values()), net.weights)[0]
    parts = [torch.autograd.grad(outputs(net, x)[name].sum(), net.weights)[0] for name in named]
    torch.testing.assert_close(sum(parts), every, rtol=1e-9, atol=1e-12)


def test_what_comes_out_and_what_went_in_may_be_changed_in_place(net):
    x = batch(net)
    expected = {k: v.detach().clone() for k, v in outputs(net, x).items()}
    named = outputs(net, x)
    value = sum((i + 1) * v.square().sum() for i, v in enumerate(named.values()))
    for tensor in (*x.values(), *(v.data for v in named.values())):
        tensor.zero_()
    fresh = outputs(net, batch(net))
    assert all(torch.equal(fresh[k], v) for k, v in expected.items())
    del value


def test_gradients_do_not_see_later_changes_of_the_input(net):
    x = batch(net)
    value = loss(net, x)
    for tensor in x.values():
        tensor.fill_(7.0)
    if net.plan.given_inputs:  # read where they are, as those of nn.Linear, and refused as there
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            value.backward()
        return
    value.backward()
    assert_gradients(net, batch(net))


def test_inputs_need_not_be_contiguous(net):
    x = batch(net)
    strided = {k: v.movedim(0, -1).contiguous().movedim(-1, 0) for k, v in x.items()}
    one, other = outputs(net, x), outputs(net, strided)
    assert all(torch.allclose(other[k], v, rtol=1e-12) for k, v in one.items())
    same = {k: v[:1].expand(4, *v.shape[1:]) for k, v in x.items()}
    net.zero_grad()
    loss(net, same).backward()
    assert_gradients(net, {k: v.clone() for k, v in same.items()})


def test_a_batch_with_nan_leaves_nothing_behind(net):
    x = batch(net, requires_grad=True)
    loss(net, {k: v * torch.nan for k, v in x.items()}).backward()
    with torch.no_grad():
        net({k: v * torch.nan for k, v in x.items()})
    net.zero_grad()
    again = batch(net, requires_grad=True)
    loss(net, again).backward()
    assert_gradients(net, batch(net))
    assert all(v.grad.isfinite().all() for v in again.values())


def test_inference_mode_first_then_training(net):
    x = batch(net)
    with torch.inference_mode():
        expected = {k: v.clone() for k, v in outputs(net, x).items()}
    found = outputs(net, x)
    assert all(torch.allclose(found[k], v, rtol=1e-12) for k, v in expected.items())
    loss(net, x).backward()
    assert_gradients(net, x)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    optimizer.step()
    with torch.inference_mode():
        moved = outputs(net, x)
    assert any(not torch.equal(moved[k], v) for k, v in expected.items())


def test_copies_are_whole_and_share_no_tensor(net):
    x = batch(net)
    loss(net.train(), x).backward()
    net.eval()
    expected = outputs(net, x)
    copies = [copy.deepcopy(net), pickle.loads(pickle.dumps(net))]
    weights = net.weights.detach().clone()
    with torch.no_grad():
        net.weights.zero_()
        net.running.zero_()
    for other in copies:
        assert all(torch.equal(outputs(other, x)[k], v) for k, v in expected.items())
        assert other.plan.digest == net.plan.digest
        assert torch.equal(other.weights, weights)
        assert not other.training
        other.zero_grad()
        loss(other, x).backward()
        assert other.weights.grad.isfinite().all()
        assert not np.array_equal(lift(other).edges.weight, lift(net).edges.weight)


def test_it_moves_to_float32_and_back(net):
    x = batch(net)
    exact = outputs(net, x)
    net.float()
    single = outputs(net, {k: v.float() for k, v in x.items()})
    assert all(v.dtype == torch.float32 for v in single.values())
    assert all(torch.allclose(v.double(), exact[k], rtol=1e-3, atol=1e-3) for k, v in single.items())
    loss(net, {k: v.float() for k, v in x.items()}).backward()
    assert net.weights.grad.dtype == torch.float32
    net.double().zero_grad()
    back = outputs(net, x)
    assert all(torch.allclose(v, exact[k], rtol=1e-4, atol=1e-4) for k, v in back.items())
    loss(net, x).backward()
    assert net.weights.grad.dtype == torch.float64


def test_train_mode_uses_and_records_each_batch_once(net):
    x = batch(net, 6)
    expected = interpret(net.graph, {k: v.numpy() for k, v in x.items()}, train=True)
    named = expected if isinstance(expected, dict) else {net.graph.outputs[0].name: expected}
    other = copy.deepcopy(net).train()
    for mode in (torch.no_grad(), torch.enable_grad()):
        with mode:
            found = outputs(net.train(), x)
        for name, values in named.items():
            np.testing.assert_allclose(found[name].detach().numpy(), values, rtol=1e-9, atol=1e-9)
    for _ in range(2):
        loss(other, x).backward()
    torch.testing.assert_close(net.running, other.running, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("entries", [1, 60])
def test_sparse_convolutions_go_through_a_batch_in_chunks(entries, dtype, monkeypatch):
    """Two samples at a time with a short chunk at the end, in tiles of one position, and of some."""
    tolerance = {"rtol": 1e-9, "atol": 1e-10} if dtype == torch.float64 else {"rtol": 1e-3, "atol": 1e-3}
    for graph in (random_map_graph(3), random_map_graph(5), branching()):
        whole, chunked = (lowered(graph, SPARSE).to(dtype) for _ in range(2))
        xs = [batch(whole, 7, dtype=dtype, requires_grad=True) for _ in range(2)]
        loss(whole, xs[0]).backward()
        with monkeypatch.context() as patch:
            patch.setattr("compilers.kernels.tiles._CHUNK_VALUES", 1)
            patch.setattr("compilers.kernels.tiles._SAMPLES", 2)
            patch.setattr("compilers.kernels.tiles._TILE_ENTRIES", {"cpu": entries})
            loss(chunked, xs[1]).backward()
        for one, other in zip(
            (whole.weights, whole.vertex_parameters, *xs[0].values()),
            (chunked.weights, chunked.vertex_parameters, *xs[1].values()),
            strict=True,
        ):
            torch.testing.assert_close(other.grad, one.grad, **tolerance)


def test_an_empty_batch_gives_empty_outputs(net):
    x = {k: v[:0] for k, v in batch(net).items()}
    full = outputs(net, batch(net))
    with torch.no_grad():
        for name, values in outputs(net, x).items():
            assert values.shape == (0, *full[name].shape[1:])
    net.zero_grad()
    sum(v.sum() for v in outputs(net, x).values()).backward()
    assert not net.weights.grad.any()
    assert not net.vertex_parameters.grad.any()


def test_what_would_give_wrong_gradients_is_refused(net):
    x = batch(net)
    with pytest.raises(CompileError, match="differentiable once"):
        torch.autograd.grad(loss(net, x), net.weights, create_graph=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t.clone(), lambda t: t):
        value = loss(net, x)
    with pytest.raises(CompileError, match="given back"):
        value.backward()
    value = loss(net, x)
    with torch.no_grad():
        net.weights.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        value.backward()
    net.zero_grad()
    with torch.no_grad():
        net.weights.div_(2)
    loss(net, x).backward()
    assert_gradients(net, x)


def test_inputs_that_only_dense_products_read_are_not_copied_and_yet_seen_by_statistics():
    graph = ng.mlp([6, 5, 3], dtype=np.float64)
    net = lower(graph, dtype=torch.float64)
    assert net.plan.given_inputs == (0,)
    assert lower(graph, kernels={"hidden1": "csr"}).plan.given_inputs == ()
    x = torch.rand(4, 6, dtype=torch.float64)
    net.request("vertex_signals")
    net(x).sum().backward()
    (workspace,) = net._executor.pool._free[4]
    assert workspace.given[0].values is None  # let go of
    np.testing.assert_allclose(net.statistics().vertex("mean_activation")[:6], x.mean(0))
    torch.testing.assert_close(net.capture(x, ["input"])["input"].activations, x)
