"""The experiments on SENN at tiny sizes."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import senn_mnist, senn_moons, senn_regression, senn_runs

EASY = {"cooldown": 2, "tau": 1e-3, "alpha": 1e-6, "steps": 3, "chains": 4, "at_once": 2}


def test_points_of_a_teacher_are_its_own():
    x, y = senn_regression.points(0)
    again, other = senn_regression.points(0)[1], senn_regression.points(1)[1]
    assert x.shape == y.shape == (1050, 1)
    np.testing.assert_array_equal(y, again)
    assert not np.allclose(y, other)
    assert np.abs(x).max() < senn_regression.DOMAIN[1]


def test_a_learner_grows_and_is_recorded(tmp_path):
    run = senn_regression.one_run(6, replace(senn_regression.OPTIONS, **EASY), 0, 0)
    assert len(run.history) == len(run.widths) == 6
    assert sum(run.hidden) == 1 + len(run.additions)
    assert {kind for _, kind, *_ in run.additions} == {"vertex"}
    assert run.widths[0] == 1
    assert run.moved < 1e-6
    assert 0 < run.looking < run.seconds
    senn_regression.draw(run, tmp_path / "a" / "plot.svg")
    assert (tmp_path / "a" / "plot.svg").read_text().count("teacher") == 1
    assert len(senn_regression.centres(run.graph)) <= sum(run.hidden)


def test_moons_gain_layers(tmp_path):
    run = senn_moons.one_run(4, replace(senn_moons.OPTIONS, **EASY), 0)
    assert run.additions[0][:2] == (2, "layer")
    assert len(run.hidden) == 1
    assert run.moved < 1e-6
    senn_moons.draw(run, tmp_path / "plot.svg")
    assert (tmp_path / "plot.svg").stat().st_size > 1000


@pytest.fixture
def images(tmp_path):
    rng = np.random.default_rng(0)
    y = np.arange(2_300) % 3
    x = rng.integers(0, 60, (2_300, 28, 28)).astype(np.uint8)
    x[np.arange(2_300), 5 + y * 5, 14] = 255
    path = tmp_path / "images.npz"
    np.savez(path, x_train=x[:2_200], y_train=y[:2_200], x_test=x[2_200:], y_test=y[2_200:])
    return path


def arguments(images, out, *more):
    return [
        "senn_mnist",
        str(images),
        "--sizes",
        "60",
        "120",
        "--steps",
        "16",
        "--batch",
        "20",
        "--out",
        str(out),
        *more,
    ]


def test_widths_over_samples(images, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(senn_mnist, "OPTIONS", replace(senn_mnist.OPTIONS, widths="2", steps=3, chains=3, at_once=1))
    monkeypatch.setattr(senn_mnist, "FIXED", "4")
    monkeypatch.setattr(sys, "argv", arguments(images, tmp_path, "--tau", "0", "--significance", "0"))
    senn_mnist.main()
    told = capsys.readouterr().out
    assert "60 samples, seed 0" in told
    assert "width 4" in told.replace("\n", " ")
    assert (tmp_path / "senn_mnist.svg").stat().st_size > 1000


def test_images_lose_their_rim(images):
    from netgraph.app.data import load_dataset

    dataset = load_dataset(images)
    inner = senn_mnist.reduced(dataset)
    assert inner.x_train.shape[1] == 24 * 24
    whole = dataset.x_train[7].reshape(28, 28)[2:-2, 2:-2]
    np.testing.assert_array_equal(inner.x_train[7], whole.ravel())


def test_spread_in_words():
    assert senn_runs.spread([3.0, 1.0, 2.0]) == "2 (1 to 3)"
    assert senn_runs.mean_and_deviation([1.0, 3.0]) == "2.000 +- 1.000"
