import dataclasses
import itertools

import numpy as np
import pytest
import torch
from tiny_training import (
    CPU,
    EPOCHS,
    assert_same_state,
    diabetes,
    digits,
    growth,
    run,
    settings,
    start_graph,
    without_seconds,
)

import netgraph as ng
from compilers import lift, lower
from compilers.training import (
    EpochEnded,
    NothingSelected,
    Rewritten,
    Settled,
    Stopped,
    TrainingData,
    TrainSettings,
    begin,
    edge_statistics,
    every,
    train,
)
from compilers.training.batches import stream_seed
from netgraph.criteria import AbsoluteThreshold, TopK
from netgraph.errors import DataError, InputError, OptionError, TrainingError
from netgraph.methods import Method, Split
from netgraph.rules import SplitEdges
from netgraph.schedules import EveryEpochs, StopReason

# -- what training does -----------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_the_loss_goes_down(optimizer):
    data = digits()
    options = settings(optimizer=optimizer, weight_decay=1e-4, learning_rate=0.05 if optimizer == "sgd" else 0.01)
    state = train(begin(start_graph(data), options, CPU), data, options)
    losses = [entry["train_loss"] for entry in state.history]
    assert all(later < earlier for earlier, later in itertools.pairwise(losses))
    assert state.history[-1]["val_loss"] < state.history[0]["val_loss"]
    assert state.history[-1]["val_accuracy"] > 0.6
    assert state.epoch == EPOCHS


def test_flops_are_three_forwards_of_every_sample_by_the_edges_of_the_epoch():
    state = run()
    assert len({entry["edges"] for entry in state.history}) > 2
    assert [entry["flops"] for entry in state.history] == [3 * 2 * 256 * entry["edges"] for entry in state.history]


def test_growth_and_pruning_really_happen_and_the_loss_still_falls():
    sizes, rules = [], []
    state = run(callbacks=[lambda e: rules.append(e.result.rule.name) if isinstance(e, Rewritten) else None])
    sizes = [entry["edges"] for entry in state.history]
    assert rules.count("SplitEdges") == 2
    assert rules.count("PruneEdges") == 3
    assert max(sizes) > 655 >= sizes[-1]
    assert state.history[-1]["train_loss"] < state.history[0]["train_loss"]
    assert lift(state.net).num_edges == sizes[-1]


def test_the_same_seed_gives_the_same_run_bit_for_bit_and_another_does_not():
    assert_same_state(run(), run())
    one, other = run(), run(options=settings(seed=1))
    assert without_seconds(one.history) != without_seconds(other.history)


@pytest.mark.parametrize("outputs", [1, 2])
def test_regression(outputs):
    data = diabetes(outputs)
    state = run(data, settings(learning_rate=2e-2), growth(20 * outputs))
    first, last = state.history[0], state.history[-1]
    assert last["val_rmse"] < first["val_rmse"]
    assert last["val_rmse"] == pytest.approx(last["val_loss"] ** 0.5)
    assert "val_accuracy" not in last
    assert any(a.rule == "SplitEdges" for a in state.actions)


def test_the_learning_rate_follows_its_curve_from_step_to_step():
    state = run(options=settings(curve="linear", learning_rate=1.0, optimizer="sgd"), method=Method("none", ()))
    # Four steps an epoch; the rate recorded is that of the last step.
    expected = [1 - (epoch + 3 / 4) / EPOCHS for epoch in range(EPOCHS)]
    assert [entry["learning_rate"] for entry in state.history] == pytest.approx(expected)


def test_every_sample_is_seen_once_an_epoch_in_an_order_that_changes():
    data = digits(100, 20)
    options = settings(epochs=2, batch_size=32)
    state, seen = begin(start_graph(data), options, CPU), []
    state.net.register_forward_pre_hook(lambda net, args: seen.append(args[0]) if net.training else None)
    train(state, data, options)
    assert [len(x) for x in seen] == [32, 32, 32, 4] * 2
    epochs = [torch.cat(seen[:4]), torch.cat(seen[4:])]
    for epoch in epochs:
        assert sorted(map(tuple, epoch.tolist())) == sorted(map(tuple, data.x_train.tolist()))
    assert not torch.equal(*epochs)


def test_weight_decay_spares_biases():
    data = digits()
    options = settings(optimizer="adamw", weight_decay=50.0, learning_rate=1e-2, curve="constant")
    graph = start_graph(data)
    graph = graph.with_weights(vertices={"bias": np.full(graph.num_vertices, 3.0)})
    after = lift(train(begin(graph, options, CPU), data, options).net)
    assert np.abs(after.edges.weight).mean() < 0.05
    assert np.abs(after.layers["output"].values["bias"]).min() > 2


# -- growth ------------------------------------------------------------------------------------------


def test_growth_hardly_moves_the_output_measured_and_as_float32_network():
    data, seen = digits(), []

    @torch.no_grad()
    def check(event):
        if isinstance(event, Rewritten) and event.result.rule.name == "SplitEdges":
            assert event.result.certificate.kind == "exact"
            assert event.result.certificate.measured.relative < 1e-5
            assert event.result.certificate.measured.samples == len(data.x_valid)
            old, new = (lower(g)(data.x_valid) for g in (event.before, event.result.graph))
            assert float((old - new).abs().max()) < 1e-5 * float(old.abs().max())
            seen.append(event.epoch)

    run(callbacks=[check])
    assert seen == [2, 4]


def test_the_network_after_a_rewrite_is_that_of_its_result():
    events = []
    split = Split(selection=TopK(6), trigger=EveryEpochs(2))
    state = run(options=settings(epochs=3), method=Method("split", (split,)), callbacks=[events.append])
    (rewritten,) = [e for e in events if isinstance(e, Rewritten)]
    assert state.net.graph.same_topology(rewritten.result.graph)
    assert rewritten.before.num_edges == 640
    assert not rewritten.before.equals(start_graph(digits()))
    assert rewritten.metrics == state.history[1]
    assert state.net.weights is state.optimizer.param_groups[0]["params"][0]


def test_a_proposal_that_rewrites_nothing_is_recorded_without_a_rewrite():
    data = digits()
    graph = ng.mlp([64, 10], domain=(-1, 1))
    refuses = Split(selection=TopK(3), trigger=EveryEpochs(2), rule=SplitEdges(signed="refuse"), expansions=1)
    events, options = [], settings()
    state = train(begin(graph, options, CPU), data, options, Method("refuses", (refuses,)), [events.append])
    assert [a.matches for a in state.actions] == [0, 0, 0]
    assert state.net.graph.rewrites == 0


def test_nothing_selected_is_told_recorded_and_changes_nothing():
    data, options, events = digits(), settings(), []
    part = Split(selection=AbsoluteThreshold(1e9), trigger=EveryEpochs(3))
    state = train(begin(start_graph(data), options, CPU), data, options, Method("none", (part,)), [events.append])
    told = [e for e in events if isinstance(e, NothingSelected)]
    assert [e.epoch for e in told] == [3, 6]
    assert [(a.epoch, a.matches, a.edges_before) for a in state.actions] == [(3, 0, 640), (6, 0, 640)]
    plain = train(begin(start_graph(data), options, CPU), data, options)
    assert lift(plain.net).equals(lift(state.net))


def test_a_second_proposal_of_one_epoch_sees_the_graph_of_the_first():
    class Twice:
        name = "twice"

        def propose(self, context):
            for _ in range(2):
                edges = context.graph.edges
                stats = context.statistics()
                stats.check(context.graph)
                yield ng.methods.Proposal(self.name, SplitEdges(), edges.id[:1], "to see")

        def pending(self, context):
            return False

    data, options = digits(), settings(epochs=2)
    state = train(begin(start_graph(data), options, CPU), data, options, Method("twice", (Twice(),)))
    assert state.net.graph.rewrites == 2
    assert [a.edges_before for a in state.actions] == [640, 641]


# -- statistics ---------------------------------------------------------------------------------------


def reference(data, graph, batches):
    """Edge statistics by autograd on torch.nn.Linear, one backward for each mini-batch."""
    linear = torch.nn.Linear(data.x_train.shape[1], len(graph.outputs[0]))
    weight = torch.zeros_like(linear.weight)
    edges = graph.edges
    columns = (edges.target_row - len(graph.inputs[0]), edges.source_row.copy())
    weight[torch.from_numpy(columns[0]), torch.from_numpy(columns[1])] = torch.from_numpy(edges.weight.copy())
    linear.weight.data = weight
    linear.bias.data = torch.from_numpy(graph.outputs[0].values["bias"].copy())
    gradients = []
    for rows in batches:
        linear.zero_grad()
        x, y = data.x_train[rows], data.y_train[rows]
        if data.task == "classification":
            loss = torch.nn.functional.cross_entropy(linear(x), y, label_smoothing=0.1)
        else:
            loss = torch.nn.functional.mse_loss(linear(x), y)
        loss.backward()
        gradients.append(linear.weight.grad[columns].double().numpy())
    g = np.array(gradients)
    return {
        "mean_gradient": g.mean(axis=0),
        "mean_abs_gradient": np.abs(g).mean(axis=0),
        "variance_abs_gradient": np.abs(g).var(axis=0),
    }


def batches_seen(net, data, collect):
    """Row numbers of the mini-batches that `collect` runs through the network."""
    seen = []
    hook = net.register_forward_pre_hook(lambda _net, args: seen.append(args[0].clone()))
    result = collect()
    hook.remove()
    row_of = {tuple(x): row for row, x in enumerate(data.x_train.tolist())}
    return result, [torch.tensor([row_of[tuple(x)] for x in batch.tolist()]) for batch in seen]


@pytest.mark.parametrize("score_batches", [1, 3, 99])
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_edge_statistics_are_those_of_autograd_for_each_mini_batch(task, score_batches):
    data = digits(100, 20) if task == "classification" else diabetes(2)
    graph = start_graph(data, density=0.6)
    net, options = lower(graph), settings(batch_size=40, score_batches=score_batches, label_smoothing=0.1)
    stats, batches = batches_seen(net, data, lambda: edge_statistics(net, data, options, epoch=3))
    assert len(batches) == min(score_batches, -(-len(data.x_train) // 40)) == stats.batches
    for name, expected in reference(data, graph, batches).items():
        np.testing.assert_allclose(stats.edge(name), expected, rtol=2e-4, atol=1e-6, err_msg=name)


def test_mini_batches_for_scores_depend_on_epoch_and_seed():
    data, net = digits(), lower(start_graph(digits()))

    def of(epoch, seed):
        return edge_statistics(net, data, settings(seed=seed), epoch).edge("mean_abs_gradient")

    np.testing.assert_array_equal(of(1, 0), of(1, 0))
    assert not np.array_equal(of(1, 0), of(2, 0))
    assert not np.array_equal(of(1, 0), of(1, 1))


@pytest.mark.parametrize("norm", ["none", "batch"])
def test_collecting_statistics_changes_nothing(norm):
    data, options = digits(), settings(epochs=2)
    state = train(begin(start_graph(data, hidden=(6,), norm=norm), options, CPU), data, options)
    graph = lift(state.net)
    moments = {k: v.clone() for k, v in state.optimizer.state[state.net.weights].items()}
    mode = state.net.training
    stats = edge_statistics(state.net, data, options, 2)
    stats.check(graph)
    assert lift(state.net).equals(graph)
    assert state.net.training == mode
    assert state.net.requested == ()
    for name, values in moments.items():
        assert torch.equal(values, state.optimizer.state[state.net.weights][name])
    assert state.net.weights.grad is None or not state.net.weights.grad.any()


# -- stopping -----------------------------------------------------------------------------------------


def adversarial():
    """Validation data on which a network gets worse the better it trains."""
    data = digits()
    return TrainingData(data.x_train, data.y_train, data.x_train, (data.y_train + 1) % 10, "classification")


def test_patience_stops_when_the_validation_loss_no_longer_improves():
    data, options, events = adversarial(), settings(patience=3, epochs=20), []
    state = train(begin(start_graph(data), options, CPU), data, options, None, [events.append])
    losses = [entry["val_loss"] for entry in state.history]
    best = int(np.argmin(losses))
    assert state.epoch == best + 1 + 3 < 20
    assert state.stopped == StopReason.no_improvement(3)
    (stopped,) = [e for e in events if isinstance(e, Stopped)]
    assert (stopped.epoch, stopped.reason) == (state.epoch, state.stopped)
    assert isinstance(events[-1], Settled)
    train(state, data, options, None, [events.append])
    assert len(state.history) == best + 4
    assert isinstance(events[-1], Settled)


def test_without_patience_training_goes_on_to_its_end():
    data, options = adversarial(), settings(epochs=8)
    assert train(begin(start_graph(data), options, CPU), data, options).epoch == 8


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_remedy(optimizer):
    data = digits()
    options = settings(optimizer=optimizer, learning_rate=1e38, weight_decay=0.0)
    state, events = begin(start_graph(data), options, CPU), []
    with pytest.raises(TrainingError, match=r"not finite after epoch 1\. The likely cause: learning_rate=.* lower it"):
        train(state, data, options, None, [events.append])
    assert state.epoch == 0
    assert events == []


@pytest.mark.parametrize("parameter", ["weights", "vertex_parameters"])
def test_parameters_that_are_not_finite_stop_the_run_even_when_the_loss_is(parameter):
    # An infinite weight from an input that is always 0, or a bias of -inf below a ReLU, does not show in the loss.
    data, options = digits(), settings(epochs=2)
    state = begin(start_graph(data, hidden=(3,)), options, CPU)

    class Spoil:
        name = "spoil"

        def propose(self, context):
            with torch.no_grad():
                getattr(state.net, parameter)[0] = -np.inf
            yield from ()

        def pending(self, context):
            return False

    dark = TrainingData(data.x_train * 0, data.y_train, data.x_valid * 0, data.y_valid, "classification")
    with pytest.raises(TrainingError, match="not finite after epoch 2"):
        train(state, dark, options, Method("spoil", (Spoil(),)))
    assert state.epoch == 1


# -- events -------------------------------------------------------------------------------------------


def test_events_come_in_order():
    events = []
    run(callbacks=[events.append])
    kinds = [(type(e).__name__, e.epoch) for e in events]
    for epoch in range(1, EPOCHS + 1):
        mine = [kind for kind, at in kinds if at == epoch]
        assert mine[0] == "EpochEnded"
        assert mine[-1] == "Settled"
        inner = [kind for kind in mine[1:-1] if kind != "NothingSelected"]
        assert inner == ["Proposed", "Rewritten"] * (len(inner) // 2)
    assert [at for _, at in kinds] == sorted(at for _, at in kinds)
    rewritten = [e.epoch for e in events if isinstance(e, Rewritten)]
    assert {2, 4, 5, 6} == set(rewritten)
    assert all(e.epochs == EPOCHS for e in events if isinstance(e, EpochEnded | Settled))


def test_callbacks_are_called_one_after_the_other_for_every_event():
    calls = []
    run(callbacks=[lambda e: calls.append(("a", e)), lambda e: calls.append(("b", e))])
    assert [name for name, _ in calls] == ["a", "b"] * (len(calls) // 2)
    assert all(one[1] is two[1] for one, two in zip(calls[::2], calls[1::2], strict=True))


def test_epoch_events_carry_the_metrics_of_the_history():
    metrics = []
    state = run(callbacks=[lambda e: metrics.append(e.metrics) if isinstance(e, EpochEnded) else None])
    assert metrics == state.history
    assert set(metrics[0]) == {
        "train_loss", "learning_rate", "val_loss", "val_accuracy", "edges", "flops", "seconds",
    }  # fmt: skip


def test_every_thins_out_epochs_but_no_other_events():
    everything, some = [], []
    run(callbacks=[everything.append, every(3, some.append)])
    assert [e.epoch for e in some if isinstance(e, EpochEnded)] == [3, 6, 7]
    assert [e.epoch for e in some if isinstance(e, Settled)] == [3, 6, 7]
    others = [e for e in everything if not isinstance(e, EpochEnded | Settled)]
    assert [e for e in some if not isinstance(e, EpochEnded | Settled)] == others
    assert others


def test_a_callback_that_raises_ends_training():
    def fails(event):
        if event.epoch == 2:
            raise RuntimeError("enough")

    data, options = digits(), settings()
    state = begin(start_graph(data), options, CPU)
    with pytest.raises(RuntimeError, match="enough"):
        train(state, data, options, None, [fails])
    assert state.epoch == 2


def test_events_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settled(1, 2).epoch = 3


def test_a_frequency_below_one_epoch_is_refused():
    with pytest.raises(OptionError, match=r"every\(0"):
        every(0, print)


def test_targets_of_the_wrong_shape_are_refused():
    x, y = np.zeros((4, 2)), np.arange(4.0)
    with pytest.raises(DataError, match=r"y_train has shape \(4,\); regression needs \(samples, outputs\)"):
        TrainingData.from_arrays(x, y, x, y, task="regression")
    with pytest.raises(DataError, match=r"classification needs \(samples,\)"):
        TrainingData.from_arrays(x, y[:, None], x, y, task="classification")


def test_data_outside_the_domain_are_refused_before_the_first_epoch():
    x, y = np.full((8, 2), 0.5), np.arange(8) % 2
    wide = x.copy()
    wide[3, 1] = 2
    data = TrainingData.from_arrays(x, y, wide, y, task="classification")
    settings = TrainSettings(epochs=1)
    state = begin(ng.mlp([2, 2], domain=(0, 1)), settings, data.device)
    with pytest.raises(InputError, match=r"x_valid has values from 0.5 to 2 in feature 1, outside the domain \[0, 1\]"):
        train(state, data, settings)
    assert state.epoch == 0


def test_scores_and_rewrites_draw_from_different_streams():
    seeds = {stream_seed(0, number, use) for number in range(5) for use in range(4)}
    assert len(seeds) == 20


def test_targets_that_do_not_fit_the_outputs_are_refused():
    x = np.full((6, 2), 0.5)
    settings = TrainSettings(epochs=1)
    classes = TrainingData.from_arrays(x, np.arange(6), x, np.arange(6), task="classification")
    state = begin(ng.mlp([2, 3], domain=(0, 1)), settings, classes.device)
    with pytest.raises(DataError, match="y_train has class numbers from 0 to 5, but the graph has 3 outputs"):
        train(state, classes, settings)
    numbers = TrainingData.from_arrays(x, np.ones((6, 2)), x, np.ones((6, 2)), task="regression")
    with pytest.raises(DataError, match="2 targets per sample, but the graph has 3 outputs"):
        train(state, numbers, settings)
