"""What `load_dataset` makes of arrays: task, labels, scaling. Splits and readers have files of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netgraph.app.data import Dataset, dataset_names, load_dataset
from netgraph.errors import DataError, OptionError


def save(path: Path, **arrays: Any) -> Path:
    """Write `arrays` to data.npz in the directory `path` and return the file."""
    np.savez(path / "data.npz", **arrays)
    return path / "data.npz"


def four(n_train: int = 40, n_test: int = 20, features: int = 3, **changed: Any) -> dict[str, Any]:
    """Return usable x_train, y_train, x_test, y_test of two classes, with `changed` in their place."""
    generator = np.random.default_rng(0)
    arrays: dict[str, Any] = {
        "x_train": generator.normal(size=(n_train, features)).astype(np.float32),
        "y_train": np.arange(n_train) % 2,
        "x_test": generator.normal(size=(n_test, features)).astype(np.float32),
        "y_test": np.arange(n_test) % 2,
    }
    return arrays | changed


def has_note(dataset: Dataset, *words: str) -> bool:
    return any(all(word in note for word in words) for note in dataset.notes)


# ---- bundled data sets ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "task", "shape", "outputs", "samples"),
    [
        ("digits", "classification", (8, 8), 10, 1797),
        ("breast_cancer", "classification", (30,), 2, 569),
        ("wine", "classification", (13,), 3, 178),
        ("diabetes", "regression", (10,), 1, 442),
    ],
)
def test_bundled_data_set_is_ready_for_training(
    name: str, task: str, shape: tuple[int, ...], outputs: int, samples: int
) -> None:
    data = load_dataset(name)
    assert (data.name, data.task, data.input_shape, data.outputs) == (name, task, shape, outputs)
    assert data.features == np.prod(shape) == data.x_train.shape[1] == data.x_test.shape[1]
    assert len(data.x_train) + len(data.x_test) == samples
    assert len(data.x_test) == round(0.2 * samples)
    assert data.domain == (0.0, 1.0)
    for x in (data.x_train, data.x_test):
        assert x.dtype == np.float32
        assert x.flags.c_contiguous
        assert x.min() >= 0
        assert x.max() <= 1
    assert data.x_train.max() == 1
    assert data.x_valid is None
    assert data.y_valid is None


def test_names_have_a_line_each_and_all_load() -> None:
    names = dataset_names()
    assert set(names) == {"digits", "breast_cancer", "wine", "diabetes"}
    assert all(text and "\n" not in text for text in names.values())


def test_digits_are_divided_by_sixteen() -> None:
    data = load_dataset("digits")
    assert set(np.unique(data.x_train * 16)) == set(range(17))
    assert has_note(data, "divided by 16")


def test_bundled_class_names_are_kept() -> None:
    assert load_dataset("breast_cancer").classes == ("malignant", "benign")


def test_regression_targets_are_standardised_and_can_be_given_back_their_unit() -> None:
    from sklearn.datasets import load_diabetes

    data = load_dataset("diabetes")
    assert data.y_train.dtype == np.float32
    assert data.y_train.shape == (354, 1)
    assert data.y_train.mean() == pytest.approx(0, abs=1e-6)
    assert data.y_train.std() == pytest.approx(1, abs=1e-6)
    assert data.target_mean is not None
    assert data.target_std is not None
    restored = np.concatenate([data.y_train, data.y_test]) * data.target_std + data.target_mean
    assert np.allclose(np.sort(restored[:, 0]), np.sort(load_diabetes().target), atol=1e-3)
    assert data.classes == ()


def test_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(DataError, match=r"'digit'.*'digits'.*openml:NAME"):
        load_dataset("digit")


# ---- labels --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["no", "yes"], ("no", "yes")),
        ([b"no", b"yes"], ("no", "yes")),
        ([3, 10], ("3", "10")),
        ([-1, 1], ("-1", "1")),
        ([1.0, 2.0], ("1", "2")),
        ([False, True], ("False", "True")),
        (np.array([7, 9], dtype=np.uint64), ("7", "9")),
    ],
)
def test_labels_of_any_kind_become_indices_with_names(tmp_path: Path, labels: object, names: object) -> None:
    labels = np.asarray(labels)
    arrays = four(y_train=np.tile(labels, 20), y_test=np.tile(labels, 10))
    data = load_dataset(str(save(tmp_path, **arrays)))
    assert data.y_train.dtype == np.int64
    assert data.y_train.tolist() == [0, 1] * 20
    assert data.y_test.tolist() == [0, 1] * 10
    assert data.classes == names
    assert has_note(data, "numbered 0 to 1", names[0])


def test_indices_are_kept_without_a_note(tmp_path: Path) -> None:
    data = load_dataset(str(save(tmp_path, **four())))
    assert data.classes == ("0", "1")
    assert not has_note(data, "numbered")


def test_column_of_labels_is_squeezed(tmp_path: Path) -> None:
    arrays = four(y_train=np.tile([[0], [1]], (20, 1)))
    assert load_dataset(str(save(tmp_path, **arrays))).y_train.shape == (40,)


def test_label_that_is_nan_is_counted_and_placed(tmp_path: Path) -> None:
    y = np.tile([0.0, 1.0], 20)
    y[[7, 9]] = np.nan
    with pytest.raises(DataError, match=r"y_train has 2 samples without.*row 7"):
        load_dataset(str(save(tmp_path, **four(y_train=y))))


def test_empty_text_label_is_missing(tmp_path: Path) -> None:
    y = np.array(["a", "b"] * 20)
    y[5] = ""
    with pytest.raises(DataError, match=r"1 samples without.*row 5"):
        load_dataset(str(save(tmp_path, **four(y_train=y, y_test=np.array(["a", "b"] * 10)))))


def test_label_that_occurs_only_in_test_is_named(tmp_path: Path) -> None:
    y_test = np.arange(20) % 2
    y_test[3] = 8
    with pytest.raises(DataError, match=r"y_test.*no training sample has: 8\."):
        load_dataset(str(save(tmp_path, **four(y_test=y_test))))


def test_one_class_is_refused(tmp_path: Path) -> None:
    arrays = four(y_train=np.zeros(40, int), y_test=np.zeros(20, int))
    with pytest.raises(DataError, match=r"every label is '0'.*two classes"):
        load_dataset(str(save(tmp_path, **arrays)))


def test_text_and_number_labels_do_not_mix(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"y_train has dtype <U1 but y_test has int64"):
        load_dataset(str(save(tmp_path, **four(y_train=np.array(["0", "1"] * 20)))))


@pytest.mark.parametrize("dtype", [int, float])
def test_one_hot_labels_are_refused_with_the_way_out(tmp_path: Path, dtype: type) -> None:
    eye: np.ndarray[Any, Any] = np.eye(2).astype(dtype)
    path = str(save(tmp_path, **four(y_train=np.tile(eye, (20, 1)), y_test=np.tile(eye, (10, 1)))))
    with pytest.raises(DataError, match=r"one-hot.*argmax.*--task regression"):
        load_dataset(path)
    assert load_dataset(path, task="regression").outputs == 2


# ---- task ----------------------------------------------------------------------------------------------


def test_fractions_as_targets_are_a_regression(tmp_path: Path) -> None:
    y = np.linspace(-5, 5, 60)
    path = str(save(tmp_path, **four(y_train=y[:40], y_test=y[40:])))
    data = load_dataset(path)
    assert data.task == "regression"
    assert data.y_test.shape == (20, 1)
    assert np.allclose(data.y_test[:, 0], (y[40:] - y[:40].mean()) / y[:40].std())
    with pytest.raises(DataError, match="not a whole number"):
        load_dataset(path, task="classification")


def test_many_whole_floats_are_a_regression_and_many_integers_are_classes(tmp_path: Path) -> None:
    x, y = np.zeros((90, 2)), np.arange(90) // 3
    as_floats = load_dataset(str(save(tmp_path, x=x, y=y.astype(float))))
    assert as_floats.task == "regression"
    assert has_note(as_floats, "30 distinct", "--task classification")
    as_integers = load_dataset(str(save(tmp_path, x=x, y=y)))
    assert as_integers.task == "classification"
    assert has_note(as_integers, "30 distinct", "--task regression")


def test_several_columns_of_floats_are_several_targets(tmp_path: Path) -> None:
    y = np.random.default_rng(0).normal([5, -3], [1, 10], size=(60, 2))
    data = load_dataset(str(save(tmp_path, **four(y_train=y[:40], y_test=y[40:]))))
    assert data.outputs == 2
    assert data.target_mean == pytest.approx(y[:40].mean(axis=0))
    assert data.target_std == pytest.approx(y[:40].std(axis=0))


def test_task_overrides_what_the_targets_look_like(tmp_path: Path) -> None:
    path = str(save(tmp_path, **four()))
    data = load_dataset(path, task="regression")
    assert data.task == "regression"
    assert data.y_train.shape == (40, 1)
    assert data.y_train.dtype == np.float32


def test_unknown_task_is_answered_with_the_nearest() -> None:
    with pytest.raises(OptionError, match=r"task='regresion'.*'regression'"):
        load_dataset("wine", task="regresion")


def test_text_targets_cannot_be_a_regression(tmp_path: Path) -> None:
    arrays = four(y_train=np.array(["a", "b"] * 20), y_test=np.array(["a", "b"] * 10))
    with pytest.raises(DataError, match=r"'a' are text"):
        load_dataset(str(save(tmp_path, **arrays)), task="regression")


def test_constant_target_is_refused(tmp_path: Path) -> None:
    y = np.full((40, 2), 0.1)
    y[:, 0] = np.linspace(0, 1, 40)
    with pytest.raises(DataError, match=r"target 1 is constant \(0\.1\)"):
        load_dataset(str(save(tmp_path, **four(y_train=y, y_test=y[:20]))))


def test_target_beyond_any_scale_is_refused(tmp_path: Path) -> None:
    y = np.tile([1.5e308, -1.5e308], 20)
    with pytest.raises(DataError, match="too large or small"):
        load_dataset(str(save(tmp_path, **four(y_train=y, y_test=y[:20]))), task="regression")


# ---- scaling -------------------------------------------------------------------------------------------


def test_bytes_are_divided_by_255_and_flattened(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, size=(60, 4, 5), dtype=np.uint8)
    data = load_dataset(str(save(tmp_path, **four(x_train=images[:40], x_test=images[40:]))))
    assert data.input_shape == (4, 5)
    assert data.domain == (0.0, 1.0)
    assert np.array_equal(data.x_train, images[:40].reshape(40, 20) / np.float32(255))
    assert has_note(data, "divided by 255")


def test_binary_bytes_are_not_divided(tmp_path: Path) -> None:
    planes = np.tile(np.eye(2, dtype=np.uint8), (30, 1))
    data = load_dataset(str(save(tmp_path, **four(x_train=planes[:40], x_test=planes[40:]))))
    assert np.array_equal(data.x_train, planes[:40])
    assert has_note(data, "already lie in [0, 1]")


def test_table_in_0_to_1_is_left_as_it_is(tmp_path: Path) -> None:
    x = np.random.default_rng(0).uniform(0.2, 0.8, size=(40, 3)).astype(np.float32)
    x_test = np.tile(np.array([0.5, 1.5, -1.0], dtype=np.float32), (20, 1))
    data = load_dataset(str(save(tmp_path, **four(x_train=x, x_test=x_test))))
    assert np.array_equal(data.x_train, x)
    assert data.x_test[0].tolist() == [0.5, 1.0, 0.0]
    assert has_note(data, "40 of 60 x_test values", "clipped")


def test_table_is_scaled_by_training_extremes_only(tmp_path: Path) -> None:
    x_train = np.array([[0.0, -10], [4.0, 10]] * 20)
    x_test = np.array([[2.0, 0], [100.0, -100]] * 10)
    data = load_dataset(str(save(tmp_path, **four(x_train=x_train, x_test=x_test))))
    assert data.x_train[:2].tolist() == [[0, 0], [1, 1]]
    assert data.x_test[:2].tolist() == [[0.5, 0.5], [1, 0]]
    assert has_note(data, "20 of 40 x_test values", "clipped")
    assert has_note(data, "smallest and largest training value")


def test_constant_feature_becomes_0_even_where_the_test_differs(tmp_path: Path) -> None:
    x_train = np.column_stack([np.full(40, 7.0), np.linspace(-3, 3, 40)])
    data = load_dataset(str(save(tmp_path, **four(x_train=x_train, x_test=x_train[:20] + np.array([1, 0])))))
    assert not data.x_train[:, 0].any()
    assert has_note(data, "became 0: 0")
    assert data.x_test.min() >= 0
    assert data.x_test.max() <= 1


def test_images_that_are_not_bytes_share_one_range(tmp_path: Path) -> None:
    images = np.zeros((40, 2, 2))
    images[:, 0, 0], images[0, 1, 1] = 10, -10
    data = load_dataset(str(save(tmp_path, **four(x_train=images, x_test=images[:20]))))
    assert data.x_train[1].tolist() == [1.0, 0.5, 0.5, 0.5]
    assert has_note(data, "[-10, 10]")


def test_large_offset_survives_scaling(tmp_path: Path) -> None:
    x = 1e9 + np.linspace(0, 1, 40)[:, None]
    data = load_dataset(str(save(tmp_path, **four(x_train=x, x_test=x[:20]))))
    assert np.allclose(data.x_train, np.linspace(0, 1, 40)[:, None], atol=1e-6)


def test_values_far_outside_stay_in_the_domain(tmp_path: Path) -> None:
    x_train = np.column_stack([np.full(40, -1.7e308), np.linspace(-1, 1, 40)])
    x_test = np.tile([1.7e308, 1.7e308], (20, 1))
    data = load_dataset(str(save(tmp_path, **four(x_train=x_train, x_test=x_test))))
    assert data.x_test[0].tolist() == [0.0, 1.0]


def test_range_wider_than_floats_is_refused(tmp_path: Path) -> None:
    x = np.tile([[1.7e308], [-1.7e308]], (20, 1))
    with pytest.raises(DataError, match="too far apart"):
        load_dataset(str(save(tmp_path, **four(x_train=x, x_test=x[:20]))))


def test_scaling_in_pieces_covers_every_row(tmp_path: Path) -> None:
    x = np.linspace(-1, 1, 10_000)[:, None]
    arrays = four(x_train=x, y_train=np.arange(10_000) % 2, x_test=x[:20])
    data = load_dataset(str(save(tmp_path, **arrays)))
    assert np.allclose(data.x_train, (x + 1) / 2, atol=1e-6)


def test_validation_split_of_the_file_is_scaled_and_labelled_alike(tmp_path: Path) -> None:
    arrays = four(y_train=np.array(["n", "y"] * 20), y_test=np.array(["n", "y"] * 10))
    extra = {"x_valid": np.full((4, 3), 99.0), "y_valid": np.array(["y", "n", "n", "y"])}
    data = load_dataset(str(save(tmp_path, **arrays, **extra)))
    assert data.x_valid is not None
    assert data.y_valid is not None
    assert data.x_valid.tolist() == [[1.0, 1.0, 1.0]] * 4
    assert data.y_valid.tolist() == [1, 0, 0, 1]
    assert has_note(data, "12 of 12 x_valid values")


@pytest.mark.parametrize("split", ["y_test", "y_valid"])
def test_a_target_whose_error_no_number_holds_is_refused(tmp_path: Path, split: str) -> None:
    arrays = four(y_train=np.linspace(0, 1, 40), y_test=np.linspace(0, 1, 20))
    arrays |= {"x_valid": arrays["x_test"], "y_valid": arrays["y_test"].copy()}
    arrays[split] = arrays[split].copy()
    arrays[split][3] = 1e40
    with pytest.raises(DataError, match=rf"{split} has 1e\+40 at row 3, target 0.*deviations from the mean"):
        load_dataset(str(save(tmp_path, **arrays)))


def test_the_column_of_a_missing_target_is_named(tmp_path: Path) -> None:
    y = np.random.default_rng(0).random((40, 3))
    y[7, 2] = np.nan
    with pytest.raises(DataError, match=r"y_train has 1 samples without.*at row 7 in column 2"):
        load_dataset(str(save(tmp_path, **four(y_train=y, y_test=y[:20]))))


# ---- arrays that do not fit ----------------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_input_that_is_not_finite_is_counted_and_placed(tmp_path: Path, value: float) -> None:
    x = np.zeros((40, 3))
    x[4, 2] = x[9, 0] = value
    with pytest.raises(DataError, match=r"x_train has 2 values.*row 4, column 2.*Fill them in or drop"):
        load_dataset(str(save(tmp_path, **four(x_train=x))))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"y_train": np.arange(39) % 2}, r"x_train has shape \(40, 3\) but y_train has shape \(39,\)"),
        ({"x_test": np.zeros((20, 4))}, r"x_train has shape \(40, 3\) but x_test has \(20, 4\)"),
        ({"x_train": np.zeros(40)}, r"x_train has shape \(40,\).*reshape\(-1, 1\)"),
        ({"x_train": np.zeros((0, 3)), "y_train": np.zeros(0, int)}, r"x_train is empty: shape \(0, 3\)"),
        ({"x_train": np.zeros((40, 0))}, r"x_train is empty: shape \(40, 0\)"),
        ({"y_test": np.zeros(0, int)}, r"y_test is empty"),
        ({"y_train": np.zeros((40, 2, 2))}, r"y_train has shape \(40, 2, 2\)"),
        ({"y_train": np.int64(3)}, r"y_train has shape \(\)"),
        ({"x_train": np.full((40, 3), "a")}, r"x_train has dtype <U1"),
        ({"x_train": np.zeros((40, 3), complex)}, r"x_train has dtype complex128"),
        ({"y_train": np.zeros(40, complex)}, r"y_train has dtype complex128"),
        ({"x_train": np.zeros((40, 3), np.uint8)}, r"x_train has dtype uint8 but x_test has float32"),
        ({"y_train": np.zeros((40, 2))}, r"y_train has shape \(40, 2\) but y_test has \(20,\)"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    path = save(tmp_path, **four(**changed))
    with pytest.raises(DataError, match=message) as caught:
        load_dataset(str(path))
    assert str(path) in str(caught.value)
