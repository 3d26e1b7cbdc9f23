"""The compiled network against the oracle and against autograd."""

import copy
import gc
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from compilers import CostTable, lift, lower
from netgraph.errors import CompileError, InputError
from netgraph.graph import ACTIVATIONS, GraphBuilder, Layer, Link, mlp
from netgraph.graph.graph import Graph
from netgraph.graph.kinds import Dense
from netgraph.graph.link import edge_columns
from netgraph.interpret import interpret

KERNELS = ("csr", "padded-dense")


def forced(graph, kernel):
    return {layer.name: kernel for layer in graph.layers.values()}


def options(graph):
    """What `lower` takes to reach every kernel, with parents read as one view and gathered."""
    gathering = CostTable(call=0.0, gather_row=0.0, scatter_row=0.0)
    return [
        {"costs": costs, "kernels": kernels, "dtype": torch.float64}
        for costs in (CostTable(), gathering)
        for kernels in ({}, *(forced(graph, kernel) for kernel in KERNELS))
    ]


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("seed", range(25))
def test_agrees_with_the_oracle_for_every_kernel(make_graph, batch_of, seed, train, device):
    graph = make_graph(seed)
    x = batch_of(graph)
    expected = interpret(graph, x.numpy(), train=train)
    for choice in options(graph):
        net = lower(graph, device=device, **choice).train(train)
        for recorded in (True, False):
            with torch.set_grad_enabled(recorded):
                found = net(x.to(device)).detach().cpu().numpy()
            np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 6), min_size=2, max_size=4),
    activation=st.sampled_from(sorted(ACTIVATIONS)),
    norm=st.sampled_from(["none", "layer", "rms"]),
    density=st.sampled_from([0.2, 0.6, 1.0]),
    samples=st.integers(1, 5),
)
def test_any_mlp_agrees_with_the_oracle(sizes, activation, norm, density, samples):
    graph = mlp(sizes, activation=activation, norm=norm, density=density, dtype=np.float64)
    x = np.random.default_rng(len(sizes)).normal(size=(samples, sizes[0]))
    result = lower(graph, dtype=torch.float64)(torch.from_numpy(x))
    np.testing.assert_allclose(result.detach().numpy(), interpret(graph, x), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("seed", range(12))
def test_gradients_of_edges_vertices_and_inputs_match_finite_differences(make_graph, batch_of, seed, device):
    graph = make_graph(seed)
    for choice in options(graph):
        net = lower(graph, device=device, **choice).train(bool(seed % 2))
        slots = torch.from_numpy(net.plan.edge_slots[net.plan.edge_slots >= 0]).to(device)

        def run(edges, vertices, x, net=net, slots=slots):
            weights = torch.zeros_like(net.weights).index_put((slots,), edges)
            return torch.func.functional_call(net, {"weights": weights, "vertex_parameters": vertices}, (x,))

        edges = net.weights.detach()[slots].requires_grad_()
        vertices = net.vertex_parameters.detach().clone().requires_grad_()
        inputs = (edges, vertices, batch_of(graph).to(device).requires_grad_())
        # Sums by index come in any order on a GPU.
        assert torch.autograd.gradcheck(run, inputs, fast_mode=True, nondet_tol=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_input_gradients_do_not_change_the_others(make_graph, batch_of, seed):
    graph = make_graph(seed)
    net = lower(graph, dtype=torch.float64).eval()
    x = batch_of(graph)
    net(x).square().sum().backward()
    without = net.weights.grad.clone()
    net.zero_grad()
    net(x.requires_grad_()).square().sum().backward()
    torch.testing.assert_close(net.weights.grad, without)
    assert x.grad.shape == x.shape


def test_batch_norm_matches_torch_in_value_gradient_and_running_statistics():
    graph = mlp([3, 4, 2], norm="batch", activation="identity", dtype=np.float64)
    net = lower(graph, dtype=torch.float64)
    weight = graph.links["input", "hidden1"].weight.reshape(4, 3)
    reference = torch.nn.BatchNorm1d(4, dtype=torch.float64)
    for _ in range(3):
        x = torch.randn(5, 3, dtype=torch.float64)
        net(x)
        reference(x @ torch.from_numpy(weight.copy()).t())
    lifted = lift(net).layers["hidden1"].values
    np.testing.assert_allclose(lifted["mean"], reference.running_mean.numpy(), rtol=1e-12)
    np.testing.assert_allclose(lifted["var"], reference.running_var.numpy(), rtol=1e-12)


def test_eval_leaves_running_statistics_alone():
    net = lower(mlp([3, 4, 2], norm="batch")).eval()
    before = net.running.clone()
    net(torch.randn(5, 3))
    assert torch.equal(net.running, before)


def test_batch_norm_refuses_one_sample_in_training_and_names_the_layer():
    net = lower(mlp([3, 4, 2], norm="batch"))
    with pytest.raises(InputError, match="hidden1"):
        net(torch.randn(1, 3))
    assert net.eval()(torch.randn(1, 3)).shape == (1, 2)


def several() -> Graph:
    b = GraphBuilder(seed=3, dtype=np.float64)
    b.input("a", 3)
    b.input("b", 2)
    b.layer("h", 4, activation="tanh")
    b.output("y", 2, activation="relu")
    b.output("z", 1)
    for source, target in (("a", "h"), ("b", "h"), ("h", "y"), ("b", "z"), ("y", "z")):
        b.dense(source, target)
    return b.build()


def test_several_inputs_and_outputs_go_by_name_and_an_output_may_feed_another():
    graph = several()
    net = lower(graph, dtype=torch.float64)
    x = {"b": torch.randn(5, 2, dtype=torch.float64), "a": torch.randn(5, 3, dtype=torch.float64, requires_grad=True)}
    out = net(x)
    expected = interpret(graph, {name: value.detach().numpy() for name, value in x.items()})
    assert set(out) == {"y", "z"}
    for name, value in out.items():
        np.testing.assert_allclose(value.detach().numpy(), expected[name], rtol=1e-12)
    # Only one of the outputs is used; b needs no gradient.
    out["y"].sum().backward()
    assert x["a"].grad is not None
    assert x["b"].grad is None


def free(net, batch):
    return len(net._executor.pool._free.get(batch, ()))


def test_buffers_come_back_after_backward_after_no_grad_and_when_a_graph_is_dropped(batch_of):
    net = lower(mlp([3, 4, 2]))
    x = torch.randn(5, 3)
    loss = net(x).sum()
    assert free(net, 5) == 0
    loss.backward()
    assert free(net, 5) == 1
    out = net(x)
    assert free(net, 5) == 0
    del out
    gc.collect()
    assert free(net, 5) == 1
    with torch.no_grad():
        net(x)
    assert free(net, 5) == 1


def test_the_pool_stays_small_for_many_batch_sizes():
    net = lower(mlp([3, 4, 2]))
    for n in range(1, 30):
        net(torch.randn(n, 3)).sum().backward()
    assert len(net._executor.pool._free) <= 4


def test_outputs_and_input_gradients_do_not_alias_the_buffer():
    net = lower(mlp([1, 1, 1], activation="identity"))
    x = torch.ones(1, 1, requires_grad=True)
    first = net(x)
    kept = first.clone()
    first.sum().backward()
    gradient = x.grad.clone()
    net(torch.full((1, 1), 7.0, requires_grad=True)).mul(3).sum().backward()
    assert torch.equal(first, kept)
    assert torch.equal(x.grad, gradient)


def test_a_weight_changed_before_the_backward_is_noticed():
    net = lower(mlp([3, 4, 2]))
    loss = net(torch.randn(5, 3)).sum()
    with torch.no_grad():
        net.weights.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_hooks_on_saved_tensors_are_refused_not_wrong():
    net = lower(mlp([3, 4, 2], activation="tanh"))
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t.clone(), lambda t: t):
        loss = net(torch.randn(5, 3)).sum()
    with pytest.raises(CompileError, match="given back"):
        loss.backward()


def test_it_is_differentiable_once_and_says_so():
    net = lower(mlp([3, 4, 2]))
    with pytest.raises(CompileError, match="differentiable once"):
        torch.autograd.grad(net(torch.randn(5, 3)).sum(), net.weights, create_graph=True)


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_batch_with_nan_leaves_nothing_behind(kernel):
    graph = mlp([6, 3, 2], dtype=np.float64)
    h = graph.links["input", "hidden1"]
    scattered = {name: column[h.src % 2 == 0] for name, column in h.columns.items()}
    graph = Graph(graph.layers.values(), [Link.sorted(*h.key[:2], h.kind, scattered), graph.links["hidden1", "output"]])
    costs = CostTable(call=0.0, gather_row=0.0, scatter_row=0.0)
    net = lower(graph, dtype=torch.float64, kernels=forced(graph, kernel), costs=costs)
    assert len(net.plan.layers[1].blocks[0].parents) == 3
    x = torch.randn(4, 6, dtype=torch.float64, requires_grad=True)
    net(x * torch.nan).sum().backward()
    x.grad = net.weights.grad = net.vertex_parameters.grad = None
    net(x).sum().backward()
    assert x.grad.isfinite().all()
    assert net.weights.grad.isfinite().all()
    assert net.vertex_parameters.grad.isfinite().all()


@pytest.mark.parametrize("kernel", KERNELS)
def test_pads_stay_zero_and_frozen_edges_stay_put_under_adam_with_decay(make_graph, batch_of, kernel):
    for seed in range(8):
        graph = make_graph(seed)
        net = lower(graph, dtype=torch.float64, kernels=forced(graph, kernel))
        optimizer = torch.optim.AdamW(net.parameters(), lr=0.1, weight_decay=0.5)
        for i in range(5):
            optimizer.zero_grad()
            net(batch_of(graph, seed=i)).square().sum().backward()
            optimizer.step()
        slots = net.plan.edge_slots
        pads = np.setdiff1d(np.arange(len(net.weights)), slots)
        assert not net.weights.detach().numpy()[pads].any()
        frozen = graph.edges.frozen
        assert np.array_equal(slots < 0, frozen)
        assert np.array_equal(lift(net).edges.weight[frozen], graph.edges.weight[frozen])
        assert not np.array_equal(lift(net).edges.weight[~frozen], graph.edges.weight[~frozen])


def test_parameters_are_two_flat_vectors_and_the_state_dict_round_trips(make_graph, batch_of):
    graph = make_graph(2)
    net = lower(graph, dtype=torch.float64)
    assert [name for name, _ in net.named_parameters()] == ["weights", "vertex_parameters"]
    net(batch_of(graph))
    with torch.no_grad():
        net.weights.add_(1.0)
    other = lower(graph, dtype=torch.float64)
    other(batch_of(graph))
    other.load_state_dict(net.state_dict())
    x = batch_of(graph, seed=1)
    assert torch.equal(other.eval()(x), net.eval()(x))


def test_a_state_dict_of_another_topology_is_refused():
    net = lower(mlp([3, 4, 2]))
    other = GraphBuilder()
    other.input("x", 3)
    other.layer("h", 4)
    other.output("y", 2)
    other.dense("x", "h")
    other.dense("h", "y")
    with pytest.raises(CompileError, match="another topology"):
        net.load_state_dict(lower(other.build()).state_dict())


def test_a_refused_state_dict_leaves_the_weights_as_they_were():
    graph = mlp([8, 6, 3], density=0.4, seed=1)
    net = lower(graph, kernels=forced(graph, "csr"))
    other = mlp([8, 6, 3], density=0.4, seed=1).with_weights(np.ones(graph.num_edges))
    state = lower(other, kernels=forced(graph, "csr")).state_dict()
    state["_extra_state"] = state["_extra_state"] ^ 1
    before = {name: values.clone() for name, values in net.state_dict().items()}
    for strict in (True, False):
        with pytest.raises(CompileError, match="another topology or plan"):
            net.load_state_dict(state, strict=strict)
        with pytest.raises(CompileError, match="another topology or plan"):
            torch.nn.Sequential(net).load_state_dict({f"0.{k}": v for k, v in state.items()}, strict=strict)
    assert all(torch.equal(values, before[name]) for name, values in net.state_dict().items())


def test_it_moves_between_dtypes_and_back(make_graph, batch_of):
    graph = make_graph(3, dtype=np.float32)
    net = lower(graph).eval()
    x = batch_of(graph)
    single = net(x.float())
    double = net.double()(x)
    assert double.dtype == torch.float64
    np.testing.assert_allclose(double.detach().numpy(), interpret(graph, x.numpy()), rtol=1e-9)
    assert torch.equal(net.float()(x.float()), single)
    with pytest.raises(CompileError, match="bfloat16"):
        lower(graph).bfloat16()


def test_a_deep_copy_shares_the_graph_and_no_tensor(make_graph, batch_of):
    graph = make_graph(3)
    net = lower(graph, dtype=torch.float64).eval()
    x = batch_of(graph)
    expected = net(x)
    other = copy.deepcopy(net)
    with torch.no_grad():
        net.weights.zero_()
    assert other.graph is graph
    assert torch.equal(other(x), expected)


def test_it_can_be_saved_whole_and_pickled(make_graph, batch_of, tmp_path):
    graph = make_graph(3)
    net = lower(graph, dtype=torch.float64, kernels=forced(graph, "csr"))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    net.request("edge_gradients")
    x = batch_of(graph)
    net(x).square().mean().backward()
    optimizer.step()
    net.eval()
    torch.save(net, tmp_path / "net.pt")
    for other in (
        torch.load(tmp_path / "net.pt", weights_only=False),
        pickle.loads(pickle.dumps(net)),
        copy.copy(net),
        copy.deepcopy(net),
    ):
        assert not other.training
        assert other.plan.digest == net.plan.digest
        assert other.options == net.options
        assert other.requested == ()
        assert lift(other).equals(lift(net))
        assert torch.equal(other(x), net(x))
        other.train()(x).sum().backward()


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.zeros(2, 4), "expected \\(batch, 3\\)"),
        (torch.zeros(3), "expected \\(batch, 3\\)"),
        (torch.zeros(2, 3, dtype=torch.float64), r"float64 .* convert the input, by x\.float\(\)"),
        ({"nothing": torch.zeros(2, 3)}, "nothing"),
    ],
)
def test_wrong_inputs_are_named(x, message):
    with pytest.raises(InputError, match=message):
        lower(mlp([3, 4, 2]))(x)


def test_batches_of_different_sizes_are_refused():
    x = {"a": torch.zeros(2, 3), "b": torch.zeros(1, 2)}
    with pytest.raises(InputError, match="samples"):
        lower(several())(x)


def test_layers_without_edges_and_graphs_without_edges_run():
    b = GraphBuilder()
    b.input("x", 2)
    b.layer("dead", 3)
    b.output("y", 2)
    net = lower(b.build())
    x = torch.randn(4, 2, requires_grad=True)
    net(x).sum().backward()
    assert not x.grad.any()
    assert net.vertex_parameters.grad.tolist() == [0, 0, 0, 4, 4]


def chain(n: int) -> Graph:
    """`n` layers of one ReLU vertex each, joined by edges of weight 1; built by hand for speed."""
    zero = np.zeros(1, np.int32)
    layers = [Layer(0, "x", [0], zero, {"low": np.zeros(1), "high": np.ones(1)}, "input")]
    bias = {"bias": np.zeros(1, np.float32)}
    layers += [Layer(i, f"h{i}", [i], zero, bias, "hidden", activation="relu") for i in range(1, n - 1)]
    layers += [Layer(n - 1, "y", [n - 1], zero, bias, "output")]
    one = np.ones(1, np.float32)
    links = [Link(i, i + 1, Dense(), **edge_columns(id=[i], src=zero, dst=zero, weight=one)) for i in range(n - 1)]
    return Graph(layers, links, validate=False)


def test_a_very_deep_chain_hits_no_recursion_limit():
    net = lower(chain(5_000))
    x = torch.rand(3, 1, requires_grad=True)
    out = net(x)
    out.sum().backward()
    assert torch.equal(out, x)
    assert torch.equal(x.grad, torch.ones_like(x))
    assert torch.allclose(net.weights.grad, x.detach().sum())
