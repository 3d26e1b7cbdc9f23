"""Runs with the natural optimizer: they descend, grow, resume bit for bit, and refuse what makes no sense."""

import numpy as np
import pytest
import torch
from map_training import digit_maps, tiny_resnet
from tiny_training import (
    CPU,
    assert_same_state,
    diabetes,
    digits,
    growth,
    killed_and_resumed,
    run,
    settings,
    start_graph,
)
from torch.nn import functional

import netgraph as ng
from compilers import lift, lower, migrate
from compilers.training import (
    FORWARDS_PER_STEP,
    NaturalGradient,
    begin,
    load_checkpoint,
    natural,
    natural_step,
    save_checkpoint,
    train,
    train_epoch,
)
from netgraph.analysis import forward_flops
from netgraph.errors import CompileError, DivergenceError, InputError, OptionError, TrainingError
from netgraph.rules import WidenLayer


def natural_settings(**options):
    return settings(**{"optimizer": "natural", "learning_rate": 0.3, "weight_decay": 1e-3, **options})


def vectors(net):
    return [net.weights, net.vertex_parameters]


@pytest.fixture
def conjugate_gradients(monkeypatch):
    """Large networks cost too much in a test; small ones are treated as if they were."""
    monkeypatch.setattr(natural, "_is_small", lambda net, x: False)


# ---- runs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [digits(), diabetes(2)], ids=["classes", "values"])
@pytest.mark.parametrize("way", ["direct", "cg"])
def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(data, way, tmp_path, monkeypatch):
    monkeypatch.setattr(natural, "_is_small", lambda net, x: way == "direct")
    options, first = natural_settings(), start_graph(data, hidden=(4,))
    whole = train(begin(first, options, CPU), data, options, growth(edges=first.num_edges + 3))
    assert {action.rule for action in whole.actions} >= {"SplitEdges", "PruneEdges"}
    for until in (1, 3, 6):
        method = growth(edges=first.num_edges + 3)
        again = killed_and_resumed(tmp_path / f"{until}.ckpt", first, data, options, method, until)
        assert_same_state(again, whole)
    assert whole.history[-1]["train_loss"] < whole.history[0]["train_loss"]


def test_a_checkpoint_of_another_optimizer_is_refused(tmp_path):
    path = tmp_path / "state.ckpt"
    save_checkpoint(begin(start_graph(digits()), natural_settings(), CPU), path)
    with pytest.raises(TrainingError, match="made with NaturalGradient, but optimizer='adam'"):
        load_checkpoint(path, settings(optimizer="adam"), CPU)


def test_the_rate_follows_its_curve():
    rates = [entry["learning_rate"] for entry in run(options=natural_settings(curve="cosine")).history]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] < 0.3
    assert rates[-1] < 0.05


def test_an_epoch_counts_what_natural_gradients_take(conjugate_gradients):
    data, options = diabetes(), natural_settings(epochs=1, batch_size=300)
    state = train(begin(start_graph(data), options, CPU), data, options)
    plain = FORWARDS_PER_STEP * 300 * forward_flops(state.net.graph)
    assert state.history[0]["flops"] > 3 * plain
    assert state.costs["training"] == state.history[0]["flops"]


@pytest.mark.parametrize("small", [True, False])
def test_what_a_method_watches_is_what_an_ordinary_backward_shows(small, monkeypatch):
    monkeypatch.setattr(natural, "_is_small", lambda net, x: small)
    data = digits()
    watches = {"vertex_signals": {}, "edge_gradients": {}}
    found = []
    for optimizer in ("natural", "sgd"):
        options = settings(optimizer=optimizer, learning_rate=1e-12, weight_decay=0.0, epochs=1)
        state = begin(start_graph(data, hidden=(5,)), options, CPU)
        found.append(train_epoch(state, data, options, watches)[1])
    for name in ("rms_gradient", "mean_activation"):
        np.testing.assert_array_equal(found[0].vertices[name], found[1].vertices[name])
    np.testing.assert_array_equal(found[0].edges["mean_gradient"], found[1].edges["mean_gradient"])


def test_batch_norm_moves_its_running_statistics_once_a_step():
    data = digit_maps(64, 64)
    running = []
    for optimizer in ("natural", "sgd"):
        options = settings(optimizer=optimizer, learning_rate=1e-12, weight_decay=0.0, epochs=1, batch_size=32)
        state = begin(tiny_resnet(), options, CPU)
        train_epoch(state, data, options)
        running.append(state.net.running.clone())
    torch.testing.assert_close(running[0], running[1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("task", ["classes", "values", "maps"])
def test_short_steps_descend(task):
    data = {"classes": digits, "values": diabetes, "maps": lambda: digit_maps(128, 64)}[task]()
    graph = tiny_resnet() if task == "maps" else start_graph(data, hidden=(6,), activation="rational")
    net = lower(graph).eval()
    optimizer = NaturalGradient(vectors(net), lr=0.01)
    smooth = {} if data.task == "regression" else {"label_smoothing": 0.1}
    loss = functional.mse_loss if data.task == "regression" else functional.cross_entropy
    x, y = data.x_train[:64], data.y_train[:64]
    losses = []
    for _ in range(4):
        losses.append(float(optimizer.observe(net, x, y, lambda out, target: loss(out, target, **smooth))))
        optimizer.step()
    assert losses == sorted(losses, reverse=True)


def test_the_loss_falls_by_the_score():
    data = diabetes(2)
    net = lower(start_graph(data, hidden=(5,), activation="tanh", dtype=np.float64), dtype=torch.float64)
    x, y = data.x_train.double(), data.y_train.double()
    cotangent = natural.MeanLoss(lambda outputs: functional.mse_loss(outputs, y))
    step = natural_step(net, x, cotangent)
    rate = 1e-6
    with torch.no_grad():
        net.weights.sub_(step.weights, alpha=rate)
        net.vertex_parameters.sub_(step.vertex_parameters, alpha=rate)
        fell = float(cotangent.value) - float(functional.mse_loss(net(x), y))
    assert fell == pytest.approx(rate * step.score, rel=1e-3)


def test_conjugate_gradients_stop(conjugate_gradients):
    data = digits()
    net = lower(start_graph(data, hidden=(12,)))
    loss = natural.MeanLoss(lambda outputs: functional.cross_entropy(outputs, data.y_train))
    full = natural_step(net, data.x_train, loss)
    assert 1 < full.iterations <= 100
    assert full.residual <= 1e-5
    few = natural_step(net, data.x_train, loss, iterations=3)
    assert few.iterations == 3
    assert few.residual > full.residual
    still = natural_step(net, data.x_train, torch.zeros(len(data.x_train), 10))
    assert (still.iterations, still.score, still.residual) == (0, 0.0, 0.0)
    assert not still.weights.any()


# ---- across a rewrite -------------------------------------------------------------------------------------


def test_it_goes_on_across_a_rewrite():
    data = diabetes()
    net = lower(start_graph(data, hidden=(3,)))
    optimizer = NaturalGradient(vectors(net), lr=0.2, damping=0.3, weight_decay=0.01, iterations=7, tolerance=1e-3)
    optimizer.observe(net, data.x_train, data.y_train, functional.mse_loss)
    optimizer.step()
    result = ng.apply(WidenLayer(count=2), lift(net), on=np.array([lift(net).layer("hidden1").id]), rng=0)
    new, carried = migrate(net, optimizer, result)
    assert isinstance(carried, NaturalGradient)
    (group,) = carried.param_groups
    options = {name: value for name, value in group.items() if name != "params"}
    assert options == {"lr": 0.2, "damping": 0.3, "weight_decay": 0.01, "iterations": 7, "tolerance": 1e-3}
    before = new.weights.detach().clone()
    carried.observe(new, data.x_train, data.y_train, functional.mse_loss)
    carried.step()
    assert not torch.equal(new.weights, before)
    with pytest.raises(OptionError, match="other vectors"):
        optimizer.observe(new, data.x_train, data.y_train, functional.mse_loss)


# ---- refusals ---------------------------------------------------------------------------------------------


def test_a_step_without_its_batch_is_refused():
    data = diabetes()
    net = lower(start_graph(data))
    optimizer = NaturalGradient(vectors(net))
    functional.mse_loss(net(data.x_train), data.y_train).backward()
    with pytest.raises(TrainingError, match="call observe"):
        optimizer.step()
    optimizer.observe(net, data.x_train, data.y_train, functional.mse_loss)
    optimizer.step()
    with pytest.raises(TrainingError, match="call observe"):
        optimizer.step()
    with pytest.raises(TrainingError, match="without a closure"):
        optimizer.step(lambda: 0.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"damping": 0.0}, "damping=0.0"),
        ({"damping": float("inf")}, "damping=inf"),
        ({"iterations": 0}, "iterations=0"),
        ({"tolerance": 0.0}, "tolerance=0.0"),
        ({"tolerance": 1.0}, "tolerance=1.0"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    net = lower(ng.mlp([2, 2]))
    with pytest.raises(OptionError, match=message):
        NaturalGradient(vectors(net), **options)
    with pytest.raises(OptionError, match=message):
        natural_step(net, torch.zeros(1, 2), torch.zeros(1, 2), **options)


@pytest.mark.parametrize("options", [{"lr": -1.0}, {"lr": float("nan")}, {"weight_decay": -0.1}])
def test_rates_out_of_range_are_refused(options):
    with pytest.raises(OptionError, match=next(iter(options))):
        NaturalGradient(vectors(lower(ng.mlp([2, 2]))), **options)


@pytest.mark.parametrize("way", ["direct", "cg"])
def test_batches_that_make_no_sense_are_refused(way):
    net = lower(ng.mlp([2, 3]))
    with pytest.raises(InputError, match="no samples"):
        natural_step(net, torch.zeros(0, 2), torch.zeros(0, 3), way=way)
    with pytest.raises(InputError, match=r"shape \(4, 2\)"):
        natural_step(net, torch.zeros(4, 2), torch.zeros(4, 2), way=way)
    with pytest.raises(InputError, match="5 samples, the batch has 4"):
        natural_step(net, torch.zeros(4, 2), torch.zeros(5, 3), way=way)
    with pytest.raises(OptionError, match="Did you mean 'direct'"):
        natural_step(net, torch.zeros(4, 2), torch.zeros(4, 3), way="direkt")


def test_coupled_samples_have_no_direct_way():
    net = lower(ng.mlp([3, 4, 2], norm="batch"))
    x, cotangent = torch.randn(6, 3), torch.randn(6, 2)
    with pytest.raises(CompileError, match="couples the samples"):
        natural_step(net, x, cotangent, way="direct")
    running = net.running.clone()
    assert natural_step(net, x, cotangent).iterations
    assert torch.equal(net.running, running)
    assert natural_step(net.eval(), x, cotangent).iterations == 0


def test_autocast_and_inference_mode_change_nothing():
    net = lower(ng.mlp([3, 6, 2], activation="rational"))
    x, cotangent = torch.randn(9, 3), torch.randn(9, 2)
    for way in ("direct", "cg"):
        expected = natural_step(net, x, cotangent, way=way)
        with torch.autocast("cpu", dtype=torch.bfloat16), torch.inference_mode():
            found = natural_step(net, x, cotangent, way=way)
        assert torch.equal(found.weights, expected.weights)
    net(x).sum().backward()


@pytest.mark.parametrize("small", [True, False])
def test_a_loss_that_is_not_finite_stops_the_run(small, monkeypatch):
    monkeypatch.setattr(natural, "_is_small", lambda net, x: small)
    data = diabetes()
    options = natural_settings(learning_rate=1e30, weight_decay=0.0)
    with pytest.raises(DivergenceError, match="not finite"):
        train(begin(start_graph(data, hidden=(3,)), options, CPU), data, options)
