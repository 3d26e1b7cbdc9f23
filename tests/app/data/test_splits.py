"""Which samples `load_dataset` and `split_validation` hold out, and what makes data the same."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netgraph.app.data import Dataset, load_dataset, split_validation
from netgraph.errors import DataError, OptionError


def save(path: Path, **arrays: Any) -> Path:
    """Write `arrays` to data.npz in the directory `path` and return the file."""
    np.savez(path / "data.npz", **arrays)
    return path / "data.npz"


def has_note(dataset: Dataset, *words: str) -> bool:
    return any(all(word in note for word in words) for note in dataset.notes)


def test_same_seed_gives_the_same_data_and_another_seed_does_not() -> None:
    one, same, other = (load_dataset("wine", seed=seed) for seed in (1, 1, 2))
    assert one.fingerprint == same.fingerprint
    assert one.fingerprint != other.fingerprint
    assert re.fullmatch("[0-9a-f]{16}", one.fingerprint)


def test_fingerprint_depends_on_every_array() -> None:
    data = load_dataset("wine")
    changed = data.y_test.copy()
    changed[0] += 1
    assert replace(data, y_test=changed).fingerprint != data.fingerprint
    assert replace(data, x_valid=data.x_test, y_valid=data.y_test).fingerprint != data.fingerprint


def test_split_keeps_every_sample_once_and_the_shares_of_the_classes(tmp_path: Path) -> None:
    x = np.arange(200.0)[:, None] / 199
    y = np.repeat([0, 1, 2], [100, 60, 40])
    data = load_dataset(str(save(tmp_path, x=x, y=y)), test_fraction=0.25)
    both = np.concatenate([data.x_train, data.x_test])[:, 0]
    assert np.array_equal(np.sort(both), x[:, 0].astype(np.float32))
    assert np.bincount(data.y_test).tolist() == [25, 15, 10]
    assert has_note(data, "50 of 200", "in proportion", "seed 0")


def test_class_with_one_sample_goes_to_training_with_a_note(tmp_path: Path) -> None:
    y = np.array(["a"] * 10 + ["b"] * 10 + ["rare"])
    path = str(save(tmp_path, x=np.zeros((21, 1)), y=y))
    for seed in range(20):
        data = load_dataset(path, seed=seed, test_fraction=0.5)
        assert 2 in data.y_train
        assert 2 not in data.y_test
        assert has_note(data, "single sample", "rare")


def test_too_few_samples_to_hold_any_out(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"2 samples are too few.*2 \(one of each class\)"):
        load_dataset(str(save(tmp_path, x=np.zeros((2, 1)), y=np.array([0, 1]))))


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.5, float("nan")])
def test_share_must_lie_between_0_and_1(fraction: float) -> None:
    with pytest.raises(OptionError, match=r"test_fraction=.*between 0 and 1"):
        load_dataset("wine", test_fraction=fraction)
    with pytest.raises(OptionError, match=r"fraction=.*between 0 and 1"):
        split_validation(load_dataset("wine"), fraction=fraction, seed=0)


def test_negative_seed_is_refused() -> None:
    with pytest.raises(OptionError, match="seed=-1"):
        load_dataset("wine", seed=-1)


def test_validation_indices_divide_the_training_samples() -> None:
    data = load_dataset("digits")
    train, valid = split_validation(data, seed=3)
    assert np.array_equal(np.sort(np.concatenate([train, valid])), np.arange(len(data.x_train)))
    assert len(valid) == round(len(data.x_train) / 6)
    assert (np.diff(train) > 0).all()
    assert (np.diff(valid) > 0).all()
    shares = np.bincount(data.y_train[valid]) / np.bincount(data.y_train)
    assert np.abs(shares - 1 / 6).max() < 0.01
    again = split_validation(data, seed=3)
    assert np.array_equal(valid, again[1])
    assert not np.array_equal(valid, split_validation(data, seed=4)[1])


def test_validation_indices_of_a_regression() -> None:
    data = load_dataset("diabetes")
    train, valid = split_validation(data, fraction=0.1, seed=0)
    assert (len(train), len(valid)) == (319, 35)


def test_validation_leaves_each_class_a_training_sample() -> None:
    data = load_dataset("wine", limit=4)
    train, valid = split_validation(data, fraction=0.9, seed=0)
    assert set(data.y_train[train]) == {0, 1, 2}
    assert len(valid) == 1
    with pytest.raises(DataError, match="too few"):
        split_validation(load_dataset("wine", limit=3), seed=0)


def test_limit_keeps_a_random_share_of_each_class(tmp_path: Path) -> None:
    x = np.arange(100.0)[:, None] / 100
    y = np.repeat([0, 1], [90, 10])
    path = str(save(tmp_path, x_train=x, y_train=y, x_test=x[:20], y_test=np.arange(20) % 2))
    data = load_dataset(path, limit=20)
    assert np.bincount(data.y_train).tolist() == [18, 2]
    assert len(data.x_test) == 20
    assert has_note(data, "20 of 100 training samples")
    assert load_dataset(path, limit=20).fingerprint == data.fingerprint
    assert load_dataset(path, limit=20, seed=1).fingerprint != data.fingerprint
    assert np.bincount(load_dataset(path, limit=2).y_train).tolist() == [1, 1]
    assert len(load_dataset(path, limit=1000).x_train) == 100


def test_limit_applies_to_regression() -> None:
    assert load_dataset("diabetes", limit=50).y_train.shape == (50, 1)


def test_limit_below_the_number_of_classes_is_refused() -> None:
    with pytest.raises(DataError, match=r"samples=2.*at least 3"):
        load_dataset("wine", limit=2)
    with pytest.raises(OptionError, match="samples=0"):
        load_dataset("wine", limit=0)
