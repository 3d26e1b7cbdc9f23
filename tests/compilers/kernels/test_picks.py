"""Indices, positions, places and pools of tokens: compiled against the oracle and against finite differences."""

import copy
import pickle

import numpy as np
import pytest
import torch
from picked_graphs import picked_graph, picked_inputs

from compilers import lower
from compilers.kernels import Picks
from compilers.plan import KINDS
from netgraph import Pool, mlp
from netgraph.errors import InputError
from netgraph.graph import GraphBuilder
from netgraph.interpret import interpret

SMOOTH = ("identity", "tanh", "gelu", "silu", "softplus", "rational")


def choices(graph):
    """Overrides that reach every kernel of tables and tokens."""
    auto = lower(graph, dtype=torch.float64)
    reads = {}
    for site, choice in auto.plan.choices.items():
        reads.setdefault(site.layer, set()).add(KINDS[choice.kernel].reads)
    yield {}
    for kernels in (
        {"maps": "token-csr", "index": "sparse-lookup", "positions": "sparse-table"},
        {"maps": "padded-convolution", "index": "padded-lookup", "positions": "padded-table"},
        {"positions": "sparse-table", "maps": "sparse-convolution"},
    ):
        found = {}
        for layer, kinds in reads.items():
            for kind in sorted(kinds):
                if kind in kernels and not (kernels[kind] == "token-csr" and layer == "patches"):
                    found[layer] = kernels[kind]
        yield found


def tensors(x):
    return {name: torch.tensor(values) for name, values in x.items()}


def as_taken(x, dtype):
    return {name: value.to(dtype) if value.is_floating_point() else value for name, value in x.items()}


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("seed", range(25))
def test_agrees_with_the_oracle_for_every_kernel(seed, train):
    graph = picked_graph(seed)
    x = picked_inputs(graph)
    expected = interpret(graph, x, train=train)
    for kernels in choices(graph):
        net = lower(graph, dtype=torch.float64, kernels=kernels).train(train)
        for recorded in (True, False):
            with torch.set_grad_enabled(recorded):
                found = net(tensors(x))
            for name, values in expected.items():
                np.testing.assert_allclose(found[name].detach().numpy(), values, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_gradients_match_finite_differences(seed):
    graph = picked_graph(seed, activations=SMOOTH)
    x = tensors(picked_inputs(graph, 3))
    for kernels in choices(graph):
        net = lower(graph, dtype=torch.float64, kernels=kernels).train(bool(seed % 2))
        slots = torch.from_numpy(net.plan.edge_slots[net.plan.edge_slots >= 0]).long()

        def run(edges, vertices, picture, net=net, slots=slots):
            weights = torch.zeros_like(net.weights).index_put((slots,), edges)
            given = {"weights": weights, "vertex_parameters": vertices}
            out = torch.func.functional_call(net, given, ({**x, "picture": picture},))
            return tuple(out.values())

        edges = net.weights.detach()[slots].requires_grad_()
        vertices = net.vertex_parameters.detach().clone().requires_grad_()
        picture = x["picture"].clone().requires_grad_()
        assert torch.autograd.gradcheck(run, (edges, vertices, picture), rtol=1e-5, fast_mode=True)


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_tangents_match_differences_and_are_the_transpose_of_vjp(seed, train):
    graph = picked_graph(seed, activations=("tanh", "gelu"))
    net = lower(graph, dtype=torch.float64).train(train)
    x = tensors(picked_inputs(graph, 5))
    torch.manual_seed(seed)
    weights, vertices = torch.randn_like(net.weights) * net._edge_mask(), torch.randn_like(net.vertex_parameters)
    picture = torch.randn_like(x["picture"])

    def moved(step):
        other = lower(graph, dtype=torch.float64).train(train)
        with torch.no_grad():
            other.weights.copy_(net.weights + step * weights)
            other.vertex_parameters.copy_(net.vertex_parameters + step * vertices)
            return other({**x, "picture": x["picture"] + step * picture})

    _, tangents = net.jvp(x, weights=weights, vertex_parameters=vertices, inputs={"picture": picture})
    above, below = moved(1e-6), moved(-1e-6)
    for name, tangent in tangents.items():
        torch.testing.assert_close((above[name] - below[name]) / 2e-6, tangent, rtol=1e-4, atol=1e-5)
    _, tangents = net.jvp(x, weights=weights, vertex_parameters=vertices)
    out, pull = net.vjp(x)
    cotangents = {name: torch.randn_like(value) for name, value in out.items()}
    found = pull(cotangents)
    forward = sum((cotangents[name] * tangents[name]).sum() for name in out)
    torch.testing.assert_close(forward, (found[0] * weights).sum() + (found[1] * vertices).sum())


def test_statistics_of_picks_are_those_of_their_ones():
    graph = picked_graph(0)
    net = lower(graph, dtype=torch.float64)
    x = tensors(picked_inputs(graph, 6))
    pairs = (("ids", "stream"), ("place", "stream"), ("labels", "patches"), ("class", "numbers"))
    net.request("vertex_signals")
    for source, target in pairs:
        net.request("cross_moments", source=source, target=target)
        net.request("second_moments", layer=source)
    out = net(x)
    cotangents = {name: torch.randn_like(value) for name, value in out.items()}
    sum((out[name] * cotangents[name]).sum() for name in out).backward()
    seen = net.statistics()
    captured = net.capture(x, list(net.plan.position), cotangent=cotangents)
    for source, target in pairs:
        ones = captured[source].activations.flatten(2) if source != "class" else captured[source].activations[..., None]
        gradients = captured[target].gradients.reshape(6, -1, ones.shape[2])
        cross = torch.einsum("bvt,bdt->vd", ones, gradients)
        np.testing.assert_allclose(seen.moments["cross", source, target].reshape(cross.shape), cross, atol=1e-12)
        columns = ones.transpose(0, 1).reshape(ones.shape[1], -1)
        second = columns @ columns.t() / columns.shape[1]
        np.testing.assert_allclose(seen.moments["activations", source][:-1, :-1], second)
        at = graph.vertices.offset(graph.layer(source).id)
        rows = slice(at, at + len(columns))
        np.testing.assert_allclose(seen.vertices["mean_activation"][rows], columns.mean(1), atol=1e-12)
        np.testing.assert_allclose(seen.vertices["variance_activation"][rows], columns.var(1, correction=0), atol=1e-12)
        assert np.isnan(seen.vertices["rms_gradient"][rows]).all()


def text_graph(words=7, tokens=5):
    b = GraphBuilder(seed=0)
    b.input("ids", words, grid=(tokens,), encoding="index")
    b.output("y", 3, grid=(tokens,))
    b.dense("ids", "y")
    return b.build()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (torch.full((2, 5), 7), "indices from 7 to 7, but its vertices are the rows 0 to 6"),
        (torch.tensor([[0, 0, -1, 0, 0]]), "indices from -1 to 0"),
        (torch.zeros(2, 5), "takes whole numbers"),
        (torch.zeros(2, 7, 5, dtype=torch.int64), r"expected \(batch, 5\)"),
    ],
)
def test_wrong_indices_are_refused(given, message):
    with pytest.raises(InputError, match=message):
        lower(text_graph())(given)


def test_tangents_of_indices_are_refused_and_both_widths_of_integers_taken():
    net = lower(text_graph())
    ids = torch.randint(7, (4, 5))
    torch.testing.assert_close(net(ids), net(ids.int()))
    with pytest.raises(InputError, match="indices, which have no tangents"):
        net.jvp(ids, inputs=torch.zeros(4, 5))


def test_indices_that_the_caller_changes_before_a_backward_do_no_harm():
    net = lower(text_graph(), dtype=torch.float64)
    ids = torch.randint(7, (4, 5))
    net(ids).sum().backward()
    expected, net.weights.grad = net.weights.grad, None
    loss = net(changed := ids.clone()).sum()
    changed.zero_()
    loss.backward()
    torch.testing.assert_close(net.weights.grad, expected)


def test_no_ones_are_made_in_a_step(monkeypatch):
    def refuse(self):
        raise AssertionError

    net = lower(text_graph())
    monkeypatch.setattr(Picks, "_made", refuse)
    net(torch.randint(7, (4, 5))).sum().backward()


def test_values_that_layers_share_by_wires_stay_as_they_are():
    """A layer that works in place behind wires does not change what others read."""
    b = GraphBuilder(seed=0, dtype=np.float64)
    b.input("x", 3, grid=(4,))
    b.layer("a", 3, grid=(4,), activation="relu", bias=False)
    b.identity("x", "a")
    b.layer("b", 3, grid=(4,), activation="identity", bias=False)
    b.identity("a", "b")
    b.layer("c", 3, grid=(4,), activation="relu", bias=False)
    b.identity("b", "c")
    b.output("y", 3, grid=(4,))
    for source in ("x", "a", "b", "c"):
        b.dense(source, "y", density=0.9)
    graph = b.build()
    x = np.random.default_rng(0).normal(size=(5, 3, 4))
    given = torch.tensor(x, requires_grad=True)
    net = lower(graph, dtype=torch.float64)
    np.testing.assert_allclose(net(given).detach().numpy(), interpret(graph, x), rtol=1e-12)
    assert torch.autograd.gradcheck(net, given)


def test_gradients_of_sums_are_let_go_of_unless_a_statistic_reads_them():
    net = lower(text_graph())
    ids = torch.randint(7, (4, 5))
    out = net(ids)
    workspace = out.grad_fn.workspace
    out.sum().backward(retain_graph=True)
    assert all(maps.sum_gradients is None for maps in workspace.maps.values())
    net.request("vertex_signals")
    out.sum().backward()
    assert net.statistics().batches == 1


@pytest.mark.parametrize("grid", [(6,), (4, 2)])
def test_sparse_rows_read_pooled_maps(grid):
    """Some vertices are read by no edge; the grid of the values is another than that of the sums."""
    half, rng = tuple(side // 2 for side in grid), np.random.default_rng(0)
    b = GraphBuilder(seed=0, dtype=np.float64)
    b.input("x", 3, grid=grid)
    b.layer("a", 5, grid=grid, pool=Pool("max", (2,) * len(grid)), activation="tanh")
    b.dense("x", "a")
    b.layer("b", 4, grid=half, activation="tanh")
    b.edges("a", "b", [0, 3, 3, 1], [0, 0, 1, 3], weight=rng.normal(size=4))
    b.output("y", 3, grid=half)
    b.dense("b", "y")
    graph = b.build()
    net = lower(graph, dtype=torch.float64, kernels={"b": "token-csr", "y": "token-csr"})
    x = rng.normal(size=(3, 3, *grid))
    np.testing.assert_allclose(net(torch.tensor(x)).detach().numpy(), interpret(graph, x), rtol=1e-12)
    assert torch.autograd.gradcheck(net, torch.tensor(x, requires_grad=True))
    ours, others = (
        net.weights,
        (other := lower(graph, dtype=torch.float64, kernels={"b": "padded-convolution"})).weights,
    )
    for network in (net, other):
        network(torch.tensor(x)).square().sum().backward()
    np.testing.assert_allclose(net.edge_column(ours.grad), other.edge_column(others.grad), atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_batches_of_no_samples_have_outputs_and_gradients_of_zero(dtype):
    graph = picked_graph(2)
    given = as_taken(tensors(picked_inputs(graph, 0)), dtype)
    for kernels in choices(graph):
        net = lower(graph, dtype=dtype, kernels=kernels).eval()
        sum(value.sum() for value in net(given).values()).backward()
        assert not net.weights.grad.any()
    net = lower(mlp([50, 400, 10], density=0.02), dtype=dtype)
    assert net(torch.zeros(0, 50, dtype=dtype)).shape == (0, 10)


def test_copies_and_pickles_run_alike():
    graph = picked_graph(3)
    net = lower(graph).eval()
    x = as_taken(tensors(picked_inputs(graph)), torch.float32)
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        for one, two in zip(net(x).values(), other(x).values(), strict=True):
            assert torch.equal(one, two)
    assert set(net.measure(x, repeats=1)) == {(p.name, i) for p in net.plan.layers for i in range(len(p.blocks))}
