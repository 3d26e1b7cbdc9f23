import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss, root_mean_squared_error
from tiny_training import diabetes, digits, start_graph

import netgraph as ng
from compilers import lower
from compilers.training import evaluate, training_loss
from compilers.training import evaluate as evaluate_function
from netgraph.errors import InputError, OptionError


def network(data, **options):
    return lower(start_graph(data, seed=3, **options))


def test_classification_metrics_are_those_of_scikit_learn():
    data = digits()
    net = network(data)
    with torch.no_grad():
        scores = torch.softmax(net(data.x_valid).double(), dim=1).numpy()
    y = data.y_valid.numpy()
    metrics = evaluate(net, data.x_valid, data.y_valid, "classification")
    assert set(metrics) == {"loss", "accuracy"}
    assert metrics["loss"] == pytest.approx(log_loss(y, scores, labels=range(10)), rel=1e-5)
    assert metrics["accuracy"] == accuracy_score(y, scores.argmax(axis=1))


@pytest.mark.parametrize("outputs", [1, 3])
def test_regression_metrics_are_those_of_scikit_learn(outputs):
    data = diabetes(outputs)
    net = network(data)
    with torch.no_grad():
        predicted = net(data.x_valid).numpy()
    metrics = evaluate(net, data.x_valid, data.y_valid, "regression")
    assert set(metrics) == {"loss", "rmse"}
    squares = np.square(predicted - data.y_valid.numpy()).mean()
    assert metrics["loss"] == pytest.approx(squares, rel=1e-5)
    if outputs == 1:
        expected = root_mean_squared_error(data.y_valid.numpy(), predicted)
        assert metrics["rmse"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("make", [digits, diabetes])
def test_the_size_of_the_batches_does_not_matter(make, monkeypatch):
    data = make()
    net = network(data)
    whole = evaluate(net, data.x_train, data.y_train, data.task)
    import sys

    monkeypatch.setattr(sys.modules[evaluate_function.__module__], "EVALUATION_BATCH", 7)
    parts = evaluate(net, data.x_train, data.y_train, data.task)
    assert parts == pytest.approx(whole, rel=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_evaluating_uses_eval_mode_and_changes_nothing(training):
    data = digits()
    net = network(data, hidden=(5,), norm="batch").train(training)
    running = net.running.clone()
    metrics = evaluate(net, data.x_valid, data.y_valid, data.task)
    assert net.training == training
    assert torch.equal(net.running, running)
    one = evaluate(net, data.x_valid[:1], data.y_valid[:1], data.task)
    assert np.isfinite(one["loss"])
    assert metrics == evaluate(net.eval(), data.x_valid, data.y_valid, data.task)


def test_a_failing_evaluation_restores_the_mode_too():
    data = digits()
    net = network(data).train()
    with pytest.raises(InputError):
        evaluate(net, data.x_valid[:, :-1], data.y_valid, data.task)
    assert net.training


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_training_loss_of_classification_is_smoothed_cross_entropy(smoothing):
    output, target = torch.randn(6, 4), torch.tensor([0, 1, 2, 3, 0, 1])
    spread = torch.full((6, 4), smoothing / 4).scatter(1, target[:, None], 1 - smoothing + smoothing / 4)
    expected = -(spread * torch.log_softmax(output, dim=1)).sum(dim=1).mean()
    torch.testing.assert_close(training_loss("classification", smoothing)(output, target), expected)


def test_the_training_loss_of_regression_is_the_mean_squared_error():
    output, target = torch.randn(6, 4), torch.randn(6, 4)
    torch.testing.assert_close(training_loss("regression")(output, target), ((output - target) ** 2).mean())


def test_tasks_and_label_smoothing_are_checked():
    net = lower(ng.mlp([2, 2]))
    x, y = torch.zeros(2, 2), torch.zeros(2, dtype=torch.long)
    for call in (lambda: training_loss("regresion"), lambda: evaluate(net, x, y, "regresion")):
        with pytest.raises(OptionError, match=r"'regresion' is none of .*Did you mean 'regression'"):
            call()
    for smoothing in (1.5, -0.1, True, float("nan"), "0.1"):
        with pytest.raises(OptionError, match="label_smoothing="):
            training_loss("classification", smoothing)
