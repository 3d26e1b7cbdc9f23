"""Labels are what the file has: different texts and different whole numbers are different classes."""

import numpy as np
import pytest

from netgraph.app.data import load_dataset
from netgraph.errors import DataError


def table(tmp_path, labels, header="a,label"):
    path = tmp_path / "t.csv"
    rows = [f"{k % 5},{label}" for label in labels for k in range(8)]
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (("9007199254740993", "9007199254740992", "7"), ("7", "9007199254740992", "9007199254740993")),
        (("1E1", "10", "2E3"), ("10", "1E1", "2E3")),
        (("007", "7", "7.0", "+7"), ("+7", "007", "7", "7.0")),
        (("-0", "0", "1"), ("-0", "0", "1")),
        (("\uff11", "1", "2"), ("1", "\uff11", "2")),
        (("10", "9", "2"), ("2", "9", "10")),
        (("b", "B", "a"), ("B", "a", "b")),
    ],
)
def test_texts_of_a_table_never_merge(tmp_path, labels, classes):
    data = load_dataset(table(tmp_path, labels), target="label", task="classification")
    assert data.classes == classes
    counts = np.bincount(np.concatenate([data.y_train, data.y_test]))
    assert counts.tolist() == [8] * len(labels)


@pytest.mark.parametrize("mark", ["?", "", "NA", "nan", "-NaN", "None", "null", "N/A", "#N/A", "<NA>", "NaT"])
@pytest.mark.parametrize("others", [("cat", "dog"), ("1", "2")])
def test_missing_labels_are_refused_in_texts_and_in_numbers(tmp_path, mark, others):
    with pytest.raises(DataError, match=r"8 samples without a label.*row 16.*Drop those samples"):
        load_dataset(table(tmp_path, (*others, mark)), target="label")


@pytest.mark.parametrize("mark", ["?", "", "NA", " none "])
def test_missing_labels_are_refused_in_arrays_of_texts(tmp_path, mark):
    np.savez(tmp_path / "d.npz", x=np.random.default_rng(0).random((30, 2)), y=np.array(["a", "b", mark] * 10))
    with pytest.raises(DataError, match="10 samples without a label"):
        load_dataset(tmp_path / "d.npz")


def test_whole_numbers_of_splits_are_compared_exactly(tmp_path):
    x = np.random.default_rng(0).random((20, 2))
    big = 2**53
    y = np.array([big, 7] * 10)
    for test in (np.array([float(big), 7.0]), np.array([big, 7], np.uint64)):
        np.savez(tmp_path / "d.npz", x_train=x, y_train=y, x_test=x[:2], y_test=test)
        assert load_dataset(tmp_path / "d.npz", task="classification").classes == ("7", str(big))
    np.savez(tmp_path / "d.npz", x_train=x, y_train=y + 1, x_test=x[:2], y_test=np.array([float(big), 8.0]))
    with pytest.raises(DataError, match=f"no training sample has: {big}"):
        load_dataset(tmp_path / "d.npz", task="classification")


def test_whole_numbers_beyond_64_bits_keep_their_names(tmp_path):
    y = np.array([2**64 - 1, 2**64 - 2] * 10, np.uint64)
    np.savez(tmp_path / "d.npz", x=np.random.default_rng(0).random((20, 2)), y=y)
    data = load_dataset(tmp_path / "d.npz", task="classification")
    assert data.classes == (str(2**64 - 2), str(2**64 - 1))


def test_truth_values_and_numbers_are_no_labels_of_one_kind(tmp_path):
    x = np.random.default_rng(0).random((20, 2))
    np.savez(tmp_path / "d.npz", x_train=x, y_train=np.array([True, False] * 10), x_test=x[:2], y_test=np.array([1, 0]))
    with pytest.raises(DataError, match="store both alike"):
        load_dataset(tmp_path / "d.npz")


def test_bytes_that_are_no_text_stay_apart(tmp_path):
    y = np.array([b"\xe8", b"\xe9"] * 10)
    np.savez(tmp_path / "d.npz", x=np.random.default_rng(0).random((20, 2)), y=y)
    assert len(load_dataset(tmp_path / "d.npz").classes) == 2


def test_targets_of_regression_stay_numbers(tmp_path):
    data = load_dataset(table(tmp_path, ("1E1", "10", "20")), target="label", task="regression")
    assert data.target_mean == pytest.approx(40 / 3, rel=0.1)


def test_an_index_without_a_name_is_left_out_with_a_note(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(",a,label\n" + "".join(f"{k},{k % 3},{k // 20}\n" for k in range(40)))
    data = load_dataset(path, target="label")
    assert data.features == 1
    assert any("left out" in note for note in data.notes)
    path.write_text("k,a,label\n" + "".join(f"{k},{k % 3},{k // 20}\n" for k in range(40)))
    assert load_dataset(path, target="label").features == 2
    path.write_text(",a,label\n" + "".join(f"{2 * k},{k % 3},{k // 20}\n" for k in range(40)))
    assert load_dataset(path, target="label").features == 2
