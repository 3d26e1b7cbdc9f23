"""Widened networks in training: the same outputs, the state of survivors, and the running statistics of newcomers."""

import copy

import numpy as np
import pytest
import torch
from map_graphs import with_random_columns
from migrating import by_edge, by_vertex

import netgraph as ng
from compilers import lift, lower, migrate, parameter_groups, settle_running
from netgraph.errors import CompileError, InputError
from netgraph.graph import Conv2d, GraphBuilder, Pool, resnet
from netgraph.rules import WidenLayer, tied_layers


def convolutions():
    """Maps with batch norm and missing taps, a pool, and dense layers with batch norm behind them."""
    b = GraphBuilder(seed=3)
    b.input("x", 2, grid=(6, 6))
    b.layer("a", 4, grid=(6, 6), norm="batch")
    b.layer("b", 3, grid=(6, 6), norm="batch", pool=Pool("max", (2, 2)))
    b.layer("d", 6, norm="batch")
    b.layer("e", 5, norm="batch", activation="tanh")
    b.output("y", 3)
    b.conv2d("x", "a", kernel=3, padding=1, density=0.8)
    b.conv2d("a", "b", kernel=3, padding=1)
    b.conv2d("b", "d", kernel=3)
    b.dense("d", "e")
    b.dense("e", "y")
    return b.build()


def residual():
    return resnet(8, classes=3, width=4, input_size=(2, 6, 6))


CASES = {
    "maps": (convolutions, "a"),
    "maps before dense": (convolutions, "b"),
    "dense": (convolutions, "e"),
    "dense behind maps": (convolutions, "d"),
    "all at once": (convolutions, None),
    "residual group": (residual, "stage2-block1"),
    "first residual group": (residual, "conv"),
    "inside a block": (residual, "stage3-block1-conv1"),
    "all of a residual network": (residual, None),
}


@pytest.fixture(params=CASES)
def case(request):
    make, on = CASES[request.param]
    return make(), on


def batch(n=16, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, 2, 6, 6, generator=generator, dtype=dtype) + 0.5


def trained(graph, steps=8):
    net = lower(graph)
    optimizer = torch.optim.AdamW(parameter_groups(net, weight_decay=0.01), lr=3e-3)
    for seed in range(steps):
        step(net, optimizer, seed)
    return net, optimizer


def step(net, optimizer, seed):
    optimizer.zero_grad()
    loss = torch.nn.functional.cross_entropy(net(batch(seed=seed)), torch.arange(16) % 3)
    loss.backward()
    optimizer.step()
    return loss.detach()


def widened(net, optimizer, on, *, count=3, rng=0, **options):
    result = ng.apply(WidenLayer(count=count), lift(net), on=on, rng=rng, require="exact", probe=None)
    return result, *migrate(net, optimizer, result, **options)


def outputs(net, x, *, training):
    """Of a copy, since train mode moves the running statistics; in float64, where sums of other orders are equal."""
    with torch.no_grad():
        return copy.deepcopy(net).double().train(training)(x.double())


def edges_of(net, result):
    """Masks over edges: new ones into new vertices, trained, and new ones out of new to old vertices."""
    edges, fresh = net.graph.edges, result.delta.vertices_added.id
    added = np.isin(edges.id, result.delta.edges_added.id) & ~edges.frozen
    into = added & np.isin(edges.target, fresh)
    return into, added & ~into


# -- migration ------------------------------------------------------------------------------------


def test_outputs_stay_and_survivors_keep_their_state(case):
    graph, on = case
    net, optimizer = trained(graph)
    _result, new, carried = widened(net, optimizer, on)
    x = batch(seed=99)
    for training in (False, True):
        torch.testing.assert_close(
            outputs(new, x, training=training), outputs(net, x, training=training), rtol=1e-9, atol=1e-12
        )
    for key in ("exp_avg", "exp_avg_sq"):
        before, after = (by_edge(n, o.state[n.weights][key]) for n, o in ((net, optimizer), (new, carried)))
        assert all(after[i] == value for i, value in before.items() if not np.isnan(value))
        assert not any(after[i] for i in set(after) - set(before) if not np.isnan(after[i]))
        before, after = (by_vertex(n, o.state[n.vertex_parameters][key]) for n, o in ((net, optimizer), (new, carried)))
        assert all(after[i] == value for i, value in before.items())


def test_only_what_leaves_new_vertices_learns_at_first_and_all_of_it_afterwards(case):
    graph, on = case
    net, optimizer = trained(graph)
    result, new, carried = widened(net, optimizer, on)
    settle_running(new, result, batch())
    losses = [step(new, carried, 0)]
    into, out = edges_of(new, result)
    gradient = new.edge_column(new.weights.grad)
    assert not gradient[into].any()
    assert np.count_nonzero(gradient[out]) > 0.5 * np.count_nonzero(out)
    losses += [step(new, carried, seed) for seed in range(1, 6)]
    assert torch.stack(losses).isfinite().all()
    assert np.count_nonzero(new.edge_column(new.weights.grad)[into]) > 0.5 * np.count_nonzero(into)


def test_wires_of_new_vertices_stay_wires_in_training():
    net, optimizer = trained(residual())
    _result, new, carried = widened(net, optimizer, "conv")
    for seed in range(3):
        step(new, carried, seed)
    graph = lift(new)
    wires = [k for k in graph.links if k.kind.wires and k.kind.stride == (1, 1)]
    assert wires
    assert all((k.weight == 1).all() and len(k) == len(graph.layer(k.target)) for k in wires)


# -- running statistics ---------------------------------------------------------------------------


def running_of(net):
    """mean and var by (vertex id, name)."""
    flat = net.running.numpy()
    return {
        (int(net.graph.vertices.id[row]), name): flat[slot]
        for name, where in net.plan.vertex_slots.items()
        if not where.trained
        for row, slot in zip(where.rows, where.slots, strict=True)
    }


@pytest.mark.parametrize("on", ["a", "b", "d", "e", None])
def test_new_vertices_get_what_batch_norm_sees(on):
    """The layers rebuilt from torch.nn: convolutions and batch norms with momentum 1."""
    net, optimizer = trained(convolutions())
    result, new, _ = widened(net, optimizer, on)
    old = running_of(new)
    x = batch(seed=5)
    settle_running(new, result, x)
    settled, fresh = running_of(new), set(result.delta.vertices_added.id.tolist())
    graph, values, checked = lift(new), x.double(), 0
    for name in ("a", "b", "d", "e"):
        layer = graph.layers[name]
        (link,) = graph.incoming[layer.id]
        kind = link.kind if isinstance(link.kind, Conv2d) else Conv2d((1, 1))
        weight = torch.zeros(len(layer), len(graph.layer(link.source)), kind.taps, dtype=torch.float64)
        place = tuple(torch.tensor(rows, dtype=torch.int64) for rows in (link.dst, link.src, link.tap))
        weight[place] = torch.tensor(link.weight).double()
        weight = weight.view(*weight.shape[:2], *kind.kernel)
        values = values if values.dim() == 4 else values[:, :, None, None]
        sums = torch.nn.functional.conv2d(values, weight, torch.tensor(layer.bias).double(), padding=kind.padding)
        norm = torch.nn.BatchNorm2d(len(layer), momentum=1.0).double()
        with torch.no_grad():
            norm.weight.copy_(torch.tensor(layer.values["scale"]))
            norm.bias.copy_(torch.tensor(layer.values["shift"]))
            values = {"tanh": torch.tanh, "relu": torch.relu}[layer.activation](norm(sums))
            if layer.pool:
                values = torch.nn.functional.max_pool2d(values, 2)
        for row, i in enumerate(layer.vertex_ids.tolist()):
            seen = {"mean": norm.running_mean[row], "var": norm.running_var[row]}
            for column in ("mean", "var"):
                if i in fresh:
                    assert settled[i, column] == pytest.approx(float(seen[column]), rel=1e-4, abs=1e-5)
                    assert settled[i, column] != old[i, column]
                    checked += 1
                else:
                    assert settled[i, column] == old[i, column]
    assert checked == 2 * len(fresh)


def test_nothing_else_changes(case):
    graph, on = case
    net, optimizer = trained(graph)
    result, new, carried = widened(net, optimizer, on)
    new.request("vertex_signals")
    step(new, carried, 0)
    before = {"weights": new.weights, "vertices": new.vertex_parameters, "gradient": new.weights.grad}
    before = {name: values.detach().clone() for name, values in before.items()}
    old, seen, mode = running_of(new), new.statistics().vertex("mean_activation"), new.training
    x = batch(seed=7)
    given = x.clone()
    settle_running(new, result, x)
    assert new.training == mode
    assert torch.equal(x, given)
    after = {"weights": new.weights, "vertices": new.vertex_parameters, "gradient": new.weights.grad}
    assert all(torch.equal(after[name].detach(), values) for name, values in before.items())
    np.testing.assert_array_equal(new.statistics().vertex("mean_activation"), seen)
    fresh = set(result.delta.vertices_added.id.tolist())
    assert all(value == old[key] for key, value in running_of(new).items() if key[0] not in fresh)


@pytest.mark.parametrize("training", [False, True])
def test_outputs_stay_when_new_vertices_are_not_read(case, training):
    graph, on = case
    net, optimizer = trained(graph)
    result, new, _ = widened(net.train(training), optimizer, on)
    x = batch(seed=3)
    expected = outputs(net, x, training=False)
    settle_running(new, result, batch(seed=4))
    assert new.training == training
    torch.testing.assert_close(outputs(new, x, training=False), expected, rtol=1e-9, atol=1e-12)


def test_layers_widened_one_after_the_other():
    net, optimizer = trained(residual())
    x, expected = batch(seed=3), outputs(net, batch(seed=3), training=False)
    graph = net.graph
    hidden = [group for group in tied_layers(graph) if graph.layer(group[0]).role == "hidden"]
    for k, group in enumerate(hidden):
        before = running_of(net)
        result, net, optimizer = widened(net, optimizer, [group[0]], count=2, rng=k)
        settle_running(net, result, batch(seed=k))
        after = running_of(net)
        assert all(after[key] == value for key, value in before.items())
        assert all(after[key] not in (0.0, 1.0) for key in set(after) - set(before))
    torch.testing.assert_close(outputs(net, x, training=False), expected, rtol=1e-9, atol=1e-12)
    widths = {name: len(layer) for name, layer in net.graph.layers.items()}
    assert all(widths[layer.name] == len(layer) + 2 * (layer.role == "hidden") for layer in graph.layers.values())
    for seed in range(3):
        assert step(net, optimizer, seed).isfinite()


def test_all_running_statistics_of_a_batch_are_those_of_momentum_1():
    net, optimizer = trained(residual())
    x = batch(seed=6)
    found = net.eval().batch_statistics(x)
    other = copy.deepcopy(net).train()
    with torch.no_grad():
        other.running.zero_()
        other(x)
    torch.testing.assert_close(found, other.running * 10, rtol=1e-5, atol=1e-6)  # the momentum is 0.1
    _result, new, _ = widened(net, optimizer, None)
    settle_running(new, new.graph.vertices.id, x)  # by id: all of them
    assert torch.equal(new.running, new.batch_statistics(x))


@pytest.mark.parametrize("training", [False, True])
def test_a_pending_backward_is_not_disturbed_by_looking_and_told_of_new_statistics(training):
    net, optimizer = trained(convolutions())
    result, new, _ = widened(net, optimizer, None)
    new.train(training)
    loss = new(batch()).square().sum()
    new.batch_statistics(batch(seed=1))
    loss.backward(retain_graph=True)
    gradient = new.weights.grad.clone()
    new.zero_grad()
    new(batch()).square().sum().backward()
    assert torch.equal(new.weights.grad, gradient)
    settle_running(new, result, batch(seed=1))
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_what_does_not_fit_is_refused_and_changes_nothing():
    net, optimizer = trained(convolutions())
    result, new, _ = widened(net, optimizer, None)
    before = new.running.clone()
    with pytest.raises(CompileError, match="not in the network; settle"):
        settle_running(net, result, batch())
    with pytest.raises(InputError, match="has shape"):
        settle_running(new, result, batch()[:, :1])
    with pytest.raises(InputError, match="at least 2"):
        settle_running(new, result, batch(1))
    assert torch.equal(new.running, before)
    no_norm = lower(ng.mlp([2, 3, 1]))
    settle_running(no_norm, no_norm.graph.vertices.id, torch.zeros(1, 2))  # nothing to settle


def test_double_precision_and_random_columns():
    graph = with_random_columns(convolutions(), np.random.default_rng(0))
    net = lower(graph, dtype=torch.float64)
    result, new, _ = widened(net, torch.optim.SGD(net.parameters(), lr=0.1), None)
    x = batch(dtype=torch.float64)
    for training in (False, True):
        torch.testing.assert_close(
            outputs(new, x, training=training), outputs(net, x, training=training), rtol=1e-9, atol=1e-12
        )
    settle_running(new, result, x)
    torch.testing.assert_close(outputs(new, x, training=False), outputs(net, x, training=False), rtol=1e-9, atol=1e-12)
