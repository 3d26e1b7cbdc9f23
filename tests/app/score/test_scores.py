"""Reported scores: in eval mode, in the units of the data, whatever the network did before; and what they hide."""

import sys

import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, r2_score, recall_score

import netgraph as ng
from compilers import lower
from compilers.training import evaluate
from netgraph.app.data import load_dataset
from netgraph.app.score.scores import MOST_PAIRS, ClassScores, TargetScores, score, scores


@pytest.fixture
def trained():
    dataset = load_dataset("diabetes", seed=0)
    net = lower(ng.mlp([dataset.features, 6, 1], domain=dataset.domain, norm="batch"))
    x, y = torch.from_numpy(dataset.x_test), torch.from_numpy(dataset.y_test)
    with torch.no_grad():
        net(x[:40])  # running statistics of others than the samples that are scored
    return dataset, net, x, y


def test_regression_is_scored_in_eval_mode_and_changes_nothing(trained, monkeypatch):
    dataset, net, x, y = trained
    running = net.running.clone()
    net.eval()
    with torch.no_grad():
        error = (net(x) - y).double().numpy() * dataset.target_std
    expected = np.sqrt(np.mean(error**2))
    monkeypatch.setattr(sys.modules["compilers.training.evaluate"], "EVALUATION_BATCH", 13)
    for mode in (True, False):
        net.train(mode)
        assert score(net, (x, y), dataset) == pytest.approx(expected, rel=1e-5)
        assert net.training is mode
        assert torch.equal(net.running, running)
    assert expected < 2 * np.ptp(load_diabetes(return_X_y=True)[1])


def test_a_regression_is_scored_beside_the_mean_of_the_training_targets(trained):
    dataset, net, x, y = trained
    found = scores(net, (x, y), dataset)
    net.eval()
    with torch.no_grad():
        outputs = net(x).double().numpy()
    assert found.r2 == pytest.approx(r2_score(y.numpy(), outputs), rel=1e-5)
    mean = np.broadcast_to(dataset.y_train.mean(0), y.shape)
    assert found.baseline == pytest.approx(np.sqrt(np.mean((y.numpy() - mean) ** 2)) * dataset.target_std[0], rel=1e-5)
    assert found.warnings((), "test")  # it was not trained
    assert not TargetScores(loss=1.0, rmse=1.0, baseline=1.5, r2=0.5).warnings((), "test")
    assert (
        TargetScores(loss=1.0, rmse=1.5, baseline=1.5, r2=0.0)
        .warnings((), "validation")[0]
        .startswith("The validation RMSE")
    )


def test_targets_that_do_not_vary_have_no_share_of_variance(trained):
    dataset, net, x, y = trained
    assert scores(net, (x, torch.ones_like(y)), dataset).r2 is None


@pytest.mark.parametrize("classes", [2, 3, 7, 20, 21, 300])
def test_classes_are_counted_as_scikit_learn_counts_them(classes):
    rng = np.random.default_rng(classes)
    true, given = rng.integers(classes, size=(2, 40 * classes))
    found = ClassScores.of(true, given, classes, 1, 0.5)
    table = confusion_matrix(true, given, labels=np.arange(classes))
    assert found.accuracy == np.mean(true == given)
    assert found.balanced_accuracy == pytest.approx(balanced_accuracy_score(true, given))
    np.testing.assert_allclose(found.recall, recall_score(true, given, average=None))
    assert found.majority == np.mean(true == 1)
    assert found.samples == table.sum(1).tolist()
    assert found.predicted == table.sum(0).tolist()
    assert found.confusion == (table.tolist() if classes <= 20 else None)
    off = table * (1 - np.eye(classes, dtype=int))
    assert [count for *_, count in found.confused] == np.sort(off[off > 0])[::-1][:MOST_PAIRS].tolist()
    assert all(off[row, column] == count for row, column, count in found.confused)


def test_a_classifier_is_scored_without_label_smoothing(monkeypatch):
    dataset = load_dataset("wine", seed=0)
    net = lower(ng.mlp([dataset.features, 6, 3], domain=dataset.domain))
    x, y = torch.from_numpy(dataset.x_test), torch.from_numpy(dataset.y_test)
    monkeypatch.setattr(sys.modules["compilers.training.evaluate"], "EVALUATION_BATCH", 7)
    found, expected = scores(net, (x, y), dataset), evaluate(net, x, y, "classification")
    assert (found.accuracy, found.loss) == (expected["accuracy"], expected["loss"])
    with torch.no_grad():
        assert found.predicted == np.bincount(net(x).argmax(1), minlength=3).tolist()


def test_very_many_classes_take_no_table_of_all_pairs():
    true = np.arange(200_000)
    found = ClassScores.of(true, np.zeros_like(true), len(true), 0, 0.5)
    assert (found.confusion, len(found.confused), len(found.never_predicted)) == (None, MOST_PAIRS, len(true) - 1)
    (sentence,) = found.warnings([str(name) for name in true], "test")[:1]
    assert sentence.endswith("and 199,994 more of the test samples: never predicted.")
    assert len(sentence) < 200


def test_a_class_without_samples_counts_for_nothing():
    found = ClassScores.of(np.array([0, 0, 2]), np.array([0, 1, 2]), 4, 0, 0.5)
    assert found.recall == [0.5, None, 1.0, None]
    assert found.balanced_accuracy == 0.75
    assert found.never_predicted == []
    assert [w.split(",")[0] for w in found.warnings("abcd", "test")] == ["The test accuracy"]


def test_samples_of_one_class_that_are_all_right_are_no_warning():
    assert ClassScores.of(np.zeros(5, dtype=int), np.zeros(5, dtype=int), 2, 0, 0.0).warnings("ab", "test") == []
