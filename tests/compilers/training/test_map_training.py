"""Training of networks of maps: accuracy, growth, checkpoints, checks of data."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from map_training import NETWORKS, digit_maps, settings, tiny_resnet, tiny_vgg
from tiny_training import CPU, Killed, assert_same_state, saving

import netgraph as ng
from compilers import lift, lower, migrate
from compilers.training import (
    Rewritten,
    TrainingData,
    begin,
    edge_statistics,
    evaluate,
    load_checkpoint,
    train,
    training_loss,
)
from compilers.training.batches import SCORE, mini_batches
from compilers.training.evaluate import EVALUATION_BYTES, evaluation_batch
from netgraph.criteria import TopK
from netgraph.errors import DataError, InputError
from netgraph.graph import GraphBuilder
from netgraph.methods import Method, PruneToBudget, Split
from netgraph.rules import SplitEdges, WidenLayer
from netgraph.schedules import EveryEpochs


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
def test_they_learn_the_digits(make):
    data, options = digit_maps(), settings()
    state = train(begin(make(), options, CPU), data, options)
    assert state.history[-1]["val_accuracy"] > 0.88
    assert state.history[-1]["train_loss"] < 0.5 * state.history[0]["train_loss"]


# -- growth ------------------------------------------------------------------------------------------


def widen(graph, layers, init):
    rule = WidenLayer(count=2, init=init)
    return ng.apply(rule, graph, on=layers, rng=1, probe=8)


def split(graph, layers, cross):
    edges = graph.edges
    into = np.isin(graph.vertices.layer[edges.target_row], [graph.layer(name).id for name in layers])
    ids = edges.id[into & ~edges.frozen][::7]
    return ng.apply(SplitEdges(cross=cross), graph, on=ids, rng=1, probe=8)


RULES = {
    "widen by zeros": lambda graph, layers: widen(graph, layers, "outgoing zero"),
    "widen by copies": lambda graph, layers: widen(graph, layers, "duplicate"),
    "split": lambda graph, layers: split(graph, layers, "none"),
    "split and cross": lambda graph, layers: split(graph, layers, "selected"),
}
LAYERS = {
    "resnet": ["stage1-block1-conv1", "stage2-block1-conv1", "stage3-block1-conv1"],
    "vgg": ["conv1_2", "conv2_1", "dense"],
}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
@pytest.mark.parametrize("name", NETWORKS)
def test_growing_keeps_the_function_and_the_state_of_survivors(name, rule):
    data, options = digit_maps(128, 64), settings(epochs=1)
    state = train(begin(NETWORKS[name](), options, CPU), data, options)
    graph = lift(state.net)
    result = rule(graph, LAYERS[name])
    assert len(result.delta.edges_added) > 0
    assert result.certificate.kind in ("exact", "exact up to rounding")
    if "copies" not in str(result.rule):
        assert result.certificate.measured.change < 1e-6
    new, optimizer = migrate(state.net, state.optimizer, result)
    assert lift(new).equals(result.graph)
    for mode in (False, True):
        # In float64, in which float32 rounding of other sums does not blur what is equal.
        old_net, new_net = (lower(g, dtype=torch.float64).train(mode) for g in (graph, result.graph))
        x = data.x_valid.double()
        with torch.no_grad():
            torch.testing.assert_close(new_net(x), old_net(x), rtol=1e-6, atol=1e-6)
    _assert_state_follows_ids(state.net, state.optimizer, new, optimizer)
    loss_of, losses = training_loss("classification"), []
    for _ in range(12):
        optimizer.zero_grad()
        losses.append(loss_of(new.train()(data.x_train), data.y_train))
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < losses[0]


def _assert_state_follows_ids(old, old_optimizer, new, optimizer):
    before, after = old_optimizer.state[old.weights], optimizer.state[new.weights]
    rows = old.graph.edges.find(new.graph.edges.id)
    kept = (rows >= 0) & (new.plan.edge_slots >= 0)
    assert kept.sum() > 100
    for key in ("exp_avg", "exp_avg_sq"):
        assert np.array_equal(new.edge_column(after[key])[kept], old.edge_column(before[key])[rows[kept]])
    for name, where in new.plan.vertex_slots.items():
        if not where.trained:
            continue
        was = old.plan.vertex_slots[name]
        slot_of = dict(zip(old.graph.vertices.id[was.rows].tolist(), was.slots.tolist(), strict=True))
        survivors = [(s, slot_of[i]) for i, s in _ids(new, where) if i in slot_of]
        assert survivors
        mine, theirs = (torch.tensor(column) for column in zip(*survivors, strict=True))
        for key in ("exp_avg", "exp_avg_sq"):
            assert torch.equal(
                optimizer.state[new.vertex_parameters][key][mine],
                old_optimizer.state[old.vertex_parameters][key][theirs],
            )


def _ids(net, where):
    return zip(net.graph.vertices.id[where.rows].tolist(), where.slots.tolist(), strict=True)


# -- runs --------------------------------------------------------------------------------------------


def growth(edges):
    return Method(
        "tiny",
        (Split(selection=TopK(6), trigger=EveryEpochs(2), expansions=2), PruneToBudget(edges=edges, start=0.5, end=1)),
    )


@pytest.mark.parametrize("name", NETWORKS)
def test_a_resumed_run_that_grows_is_the_uninterrupted_one_bit_for_bit(name, tmp_path):
    data, options = digit_maps(64, 32), settings(epochs=5)
    edges = NETWORKS[name]().num_edges
    rules = []
    whole = begin(NETWORKS[name](), options, CPU)
    tell = lambda event: rules.append(event.result.rule.name) if isinstance(event, Rewritten) else None  # noqa: E731
    train(whole, data, options, growth(edges - 50), [tell])
    assert {"SplitEdges", "PruneEdges"} <= set(rules)
    for until in (2, 4):
        state = begin(NETWORKS[name](), options, CPU)
        with pytest.raises(Killed):
            train(state, data, options, growth(edges - 50), [saving(tmp_path / "c", state, until)])
        loaded = load_checkpoint(tmp_path / "c", options, CPU)
        assert_same_state(loaded, state)
        assert_same_state(train(loaded, data, options, growth(edges - 50)), whole)


def test_edge_statistics_are_those_of_each_mini_batch():
    data, options = digit_maps(96, 32), settings(label_smoothing=0.0)
    net = lower(tiny_resnet(), kernels={"stage2-block1-conv1": "sparse-convolution"})
    running = net.running.clone()
    found = edge_statistics(net, data, options, epoch=3)
    assert torch.equal(net.running, running)
    assert net.requested == ()
    gradients = []
    for rows in mini_batches(data, options, 3, SCORE, net.graph)[:2]:
        net.zero_grad()
        training_loss("classification")(net(data.x_train[rows]), data.y_train[rows]).backward()
        gradients.append(net.edge_column(net.weights.grad).astype(np.float64))
    absolute = np.abs(gradients)
    np.testing.assert_allclose(found.edges["mean_abs_gradient"], absolute.mean(axis=0), rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(found.edges["variance_abs_gradient"], absolute.var(axis=0), rtol=1e-4, atol=1e-12)
    np.testing.assert_allclose(found.edges["mean_gradient"], np.mean(gradients, axis=0), rtol=1e-5, atol=1e-9)


# -- how much is evaluated at a time -----------------------------------------------------------------


@pytest.mark.parametrize(("width", "dtype"), [(4, torch.float32), (64, torch.float32), (64, torch.float64)])
def test_an_evaluation_keeps_no_more_than_its_share_of_memory(width, dtype):
    net = lower(ng.resnet(8, width=width), dtype=dtype)
    batch = evaluation_batch(net)
    per_sample = net.plan.floats_per_sample * net.weights.element_size()
    assert batch * per_sample <= EVALUATION_BYTES < (batch + 1) * per_sample
    assert evaluation_batch(lower(ng.mlp([4, 3, 2]))) == 4096


def test_evaluations_go_batch_by_batch(monkeypatch):
    data, net = digit_maps(), lower(tiny_vgg())
    whole = evaluate(net, data.x_valid, data.y_valid, "classification")
    seen = []
    net.register_forward_pre_hook(lambda module, args: seen.append(len(args[0])))
    # The module, which the function of the same name hides in the package.
    module = sys.modules[evaluate.__module__]
    monkeypatch.setattr(module, "EVALUATION_BYTES", 4 * net.plan.floats_per_sample * 100)
    assert evaluate(net, data.x_valid, data.y_valid, "classification") == pytest.approx(whole, rel=1e-5)
    assert seen == [100, 100, 56]


def probed(data, graph, options):
    """Number of samples on which a rewrite of a one-epoch run was measured."""
    samples = []
    rewritten = lambda e: samples.append(e.result.certificate.measured.samples) if isinstance(e, Rewritten) else 0  # noqa: E731
    method = Method("tiny", (Split(selection=TopK(3), trigger=EveryEpochs(1), expansions=1),))
    train(begin(graph, options, CPU), data, options, method, [rewritten])
    return samples


def test_changes_are_measured_on_fewer_samples_where_evaluating_takes_long(monkeypatch):
    data, options = digit_maps(64, 300), settings(epochs=2)
    assert probed(data, tiny_vgg(), options) == [256]
    positions = {"conv1_1": 64, "conv1_2": 64, "conv2_1": 16, "conv2_2": 16, "dense": 1, "output": 1}
    products = sum(len(link) * positions[tiny_vgg().layer(link.target).name] for link in tiny_vgg().links)
    monkeypatch.setattr("compilers.training.rewriting.PROBE_PRODUCTS", 20 * products + 1)
    assert probed(data, tiny_vgg(), options) == [20]
    monkeypatch.setattr("compilers.training.rewriting.PROBE_PRODUCTS", 1)
    assert probed(data, tiny_vgg(), options) == [8]


def test_data_on_the_boundary_of_a_domain_that_float32_rounds_can_be_measured():
    data = digit_maps(64, 64)
    x = data.x_train * np.float32(0.1)
    data = replace(data, x_train=x, x_valid=x)
    b = GraphBuilder()
    b.input("input", 1, grid=(8, 8), domain=(0, 0.1))
    b.layer("c", 2, grid=(8, 8))
    b.conv2d("input", "c", kernel=3, padding=1)
    b.output("output", 10)
    b.conv2d("c", "output", kernel=8)
    assert float(x.max()) > 0.1
    assert probed(data, b.build(), settings(epochs=2)) == [64]


# -- checks of data ----------------------------------------------------------------------------------


def refused(graph, data, error, message):
    state = begin(graph, settings(epochs=1), CPU)
    with pytest.raises(error, match=message):
        train(state, data, settings(epochs=1))
    assert state.epoch == 0


def two_maps(domain):
    b = GraphBuilder()
    b.input("input", 2, grid=(3, 4), domain=domain)
    b.output("output", 2)
    b.conv2d("input", "output", kernel=(3, 4))
    return b.build()


def test_the_domain_of_each_map_is_checked():
    graph = two_maps((np.array([0.0, -1.0]), np.array([1.0, 3.0])))
    x, y = np.full((6, 2, 3, 4), 0.5), np.arange(6) % 2
    x[:, 1] = 2.5
    good = TrainingData.from_arrays(x, y, x, y, task="classification")
    train(begin(graph, settings(epochs=1), CPU), good, settings(epochs=1))
    bad = x.copy()
    bad[4, 0, 2, 3] = 1.25
    data = TrainingData.from_arrays(x, y, bad, y, task="classification")
    refused(graph, data, InputError, r"x_valid has values from 0.5 to 1.25 in map 0, outside the domain \[0, 1\]")
    bad[4, 0, 2, 3], bad[1, 1, 0, 0] = 0.5, np.nan
    with pytest.raises(DataError, match="x_train has NaN at row 1"):
        TrainingData.from_arrays(bad, y, x, y, task="classification")
    data = replace(good, x_train=torch.from_numpy(bad.astype(np.float32)))
    refused(graph, data, InputError, r"x_train has values from nan to nan in map 1")


def test_the_domain_is_checked_in_the_dtype_of_the_data():
    x = torch.full((4, 1), 0.1, dtype=torch.float64)
    y = torch.tensor([0, 1, 0, 1])
    graph = ng.mlp([1, 2], domain=(0.1, 0.7))
    net_data = TrainingData(x, y, x, y, "classification")
    state = begin(graph, settings(epochs=1), CPU)
    state.net.double()
    train(state, net_data, settings(epochs=1))


def test_inputs_of_another_shape_are_refused():
    x, y = np.full((6, 24), 0.5), np.arange(6) % 2
    data = TrainingData.from_arrays(x, y, x, y, task="classification")
    refused(two_maps((0, 1)), data, InputError, r"x_train has shape \(6, 24\), .* takes \(samples, 2, 3, 4\)")
    refused(ng.mlp([1, 2], domain=(0, 1)), data, InputError, r"shape \(6, 24\), .* takes \(samples, 1\)")


def with_outputs(*outputs):
    b = GraphBuilder()
    b.input("input", 1, grid=(4, 4), domain=(0, 1))
    for name in outputs:
        b.output(name, 2, grid=(4, 4))
        b.conv2d("input", name, kernel=3, padding=1)
    return b.build()


def test_targets_may_be_maps_where_the_output_is():
    x = np.random.default_rng(0).random((40, 1, 4, 4))
    y = np.concatenate([x, x.mean(axis=(2, 3), keepdims=True) + 0 * x], axis=1)
    data, options = TrainingData.from_arrays(x, y, x, y, task="regression"), settings(epochs=20, batch_size=8)
    state = train(begin(with_outputs("y"), options, CPU), data, options)
    assert state.history[-1]["val_rmse"] < 0.6 * state.history[0]["val_rmse"]
    flat = TrainingData.from_arrays(x, y[:, :, 0, 0], x, y[:, :, 0, 0], task="regression")
    refused(with_outputs("y"), flat, DataError, r"y_train has shape \(40, 2\), .* gives \(samples, 2, 4, 4\)")
    two = np.repeat(x[:, :, :3], 2, axis=1)
    wide = TrainingData.from_arrays(two, y, two, y, task="regression")
    refused(two_maps((0, 1)), wide, DataError, r"y_train has shape \(40, 2, 4, 4\), .* gives \(samples, 2\)")
    classes = TrainingData.from_arrays(x, np.arange(40) % 2, x, np.arange(40) % 2, task="classification")
    refused(with_outputs("y"), classes, DataError, "a map of .* for every class")


def test_several_outputs_are_refused():
    x = np.zeros((4, 1, 4, 4))
    data = TrainingData.from_arrays(x, np.zeros((4, 2, 4, 4)), x, np.zeros((4, 2, 4, 4)), task="regression")
    refused(with_outputs("y", "z"), data, DataError, "one output layer, but the graph has")


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_single_sample_at_the_end_does_not_stop_batch_norm(task):
    x = np.random.default_rng(0).random((65, 3))
    y = np.arange(65) % 2 if task == "classification" else x[:, :2]
    data = TrainingData.from_arrays(x, y, x, y, task=task)
    graph, options = ng.mlp([3, 4, 2], norm="batch", domain=(0, 1)), settings(epochs=1)
    train(begin(graph, options, CPU), data, options)
    batches = mini_batches(data, options, 0, SCORE, graph)
    assert [len(rows) for rows in batches] == [32, 33]
    assert torch.equal(torch.cat(batches).sort().values, torch.arange(65))
    assert [len(rows) for rows in mini_batches(data, options, 0, SCORE, ng.mlp([3, 2]))] == [32, 32, 1]
