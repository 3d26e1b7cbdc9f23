"""Reading .npz, IDX and CSV files and OpenML through `load_dataset`, with every way that it can fail."""

from __future__ import annotations

import gzip
import struct
import sys
import warnings
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest

from netgraph.app.data import Dataset, load_dataset
from netgraph.errors import DataError


def has_note(dataset: Dataset, *words: str) -> bool:
    return any(all(word in note for word in words) for note in dataset.notes)


# ---- finding the source --------------------------------------------------------------------------------


def test_missing_file_is_answered_with_the_nearest_name(tmp_path: Path) -> None:
    (tmp_path / "mnist.npz").touch()
    with pytest.raises(DataError, match=r"mnst\.npz does not exist.*Did you mean 'mnist\.npz'"):
        load_dataset(str(tmp_path / "mnst.npz"))
    with pytest.raises(DataError, match=r"zzz\.csv does not exist\. Check the path"):
        load_dataset(str(tmp_path / "zzz.csv"), target="y")


def test_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no directory .*nowhere"):
        load_dataset(str(tmp_path / "nowhere" / "a.npz"))


def test_file_of_unknown_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(DataError, match=r"notes\.txt is of no known kind.*\.npz, \.csv or IDX"):
        load_dataset(str(tmp_path / "notes.txt"))


def test_target_is_for_tables_with_named_columns() -> None:
    with pytest.raises(DataError, match=r"target 'y'.*'digits'"):
        load_dataset("digits", target="y")


def test_path_object_is_taken(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((10, 2)), y=np.arange(10) % 2)
    assert load_dataset(tmp_path / "a.npz").name == "a"


# ---- .npz ----------------------------------------------------------------------------------------------


def test_npz_with_x_and_y_is_split(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", x=np.zeros((10, 2, 3)), y=np.arange(10) % 2, ids=np.arange(10))
    data = load_dataset(str(tmp_path / "a.npz"))
    assert (data.x_train.shape, data.x_test.shape, data.input_shape) == ((8, 6), (2, 6), (2, 3))
    assert has_note(data, "not used: ids")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            ("jpg_train", "y_train", "y_test"),
            "x_train, x_test missing; the file has jpg_train, y_test, y_train",
        ),
        (("x",), "y missing; the file has x"),
        (("x_train", "y_train"), "x_test, y_test missing"),
        (("x", "y", "x_valid"), "x_valid stands alone"),
        ((), "the file has no arrays"),
    ],
)
def test_npz_without_the_expected_arrays(tmp_path: Path, keys: tuple[str, ...], message: str) -> None:
    arrays: dict[str, Any] = dict.fromkeys(keys, np.zeros((4, 2)))
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(DataError, match=f"{message}.*Expected x_train, y_train, x_test, y_test"):
        load_dataset(str(tmp_path / "a.npz"))


def test_npz_with_python_objects_is_refused_unread(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((4, 2)), y=np.array([{}, 1, "b", None], dtype=object))
    with pytest.raises(DataError, match=r"array y cannot be read.*Python objects.*refused"):
        load_dataset(str(tmp_path / "a.npz"))


@pytest.mark.parametrize("content", [b"", b"this is no archive", b"\x80\x04N.", b"PK\x03\x04 cut short"])
def test_file_that_is_no_archive(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.npz is not a \.npz archive, or it is truncated"):
        load_dataset(str(tmp_path / "a.npz"))


def test_archive_behind_other_bytes(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((4, 2)), y=np.arange(4))
    (tmp_path / "a.npz").write_bytes(b"junk" + (tmp_path / "a.npz").read_bytes())
    with pytest.raises(DataError, match=r"a\.npz is not a \.npz archive"):
        load_dataset(str(tmp_path / "a.npz"))


def test_truncated_and_damaged_npz(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, x=np.random.default_rng(0).normal(size=(50, 20)), y=np.arange(50) % 2)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="truncated"):
        load_dataset(str(path))
    path.write_bytes(content[:1000] + bytes(200) + content[1200:])
    with pytest.raises(DataError, match=r"array x cannot be read.*damaged"):
        load_dataset(str(path))


def test_archive_of_other_things(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x", "hello")
        archive.writestr("y", "world")
    with pytest.raises(DataError, match="x is not a NumPy array"):
        load_dataset(str(tmp_path / "a.npz"))


# ---- IDX -----------------------------------------------------------------------------------------------

IMAGES = np.random.default_rng(0).integers(0, 256, size=(30, 4, 3), dtype=np.uint8)
LABELS = (np.arange(30) % 3).astype(np.uint8)


def idx_bytes(array: np.ndarray[Any, Any]) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_idx(directory: Path, prefix: str, count: int = 30, packed: bool = False) -> Path:
    """Write `count` images and labels as an IDX pair and return the path of the images."""
    pack, suffix = (gzip.compress, ".gz") if packed else (bytes, "")
    images = directory / f"{prefix}-images-idx3-ubyte{suffix}"
    images.write_bytes(pack(idx_bytes(IMAGES[:count])))
    (directory / f"{prefix}-labels-idx1-ubyte{suffix}").write_bytes(pack(idx_bytes(LABELS[:count])))
    return images


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("as_directory", [False, True])
def test_idx_pairs_are_found_from_a_file_or_a_directory(tmp_path: Path, packed: bool, as_directory: bool) -> None:
    images = write_idx(tmp_path, "train", packed=packed)
    write_idx(tmp_path, "t10k", count=12, packed=packed)
    data = load_dataset(str(tmp_path if as_directory else images))
    assert data.name == tmp_path.name
    assert np.array_equal(data.x_train, IMAGES.reshape(30, 12) / np.float32(255))
    assert data.y_train.tolist() == LABELS.tolist()
    assert data.x_test.shape == (12, 12)
    assert data.input_shape == (4, 3)


def test_idx_without_a_test_pair_is_split(tmp_path: Path) -> None:
    data = load_dataset(str(write_idx(tmp_path, "train")))
    assert (len(data.x_train), len(data.x_test)) == (24, 6)


def test_labels_may_be_gzipped_when_images_are_not(tmp_path: Path) -> None:
    images = write_idx(tmp_path, "train")
    labels = tmp_path / "train-labels-idx1-ubyte"
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels.read_bytes()))
    labels.unlink()
    assert load_dataset(str(images)).outputs == 3


def test_idx_of_other_number_types(tmp_path: Path) -> None:
    images = write_idx(tmp_path, "train")
    values = np.linspace(-2, 2, 30, dtype=">f4").reshape(30, 1)
    images.write_bytes(bytes([0, 0, 0x0D, 2]) + struct.pack(">2I", 30, 1) + values.tobytes())
    data = load_dataset(str(images))
    assert data.input_shape == (1,)
    assert data.x_train.dtype == np.float32
    assert data.x_train.max() == 1


def test_idx_labels_are_missing(tmp_path: Path) -> None:
    images = write_idx(tmp_path, "train")
    (tmp_path / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match="has no labels: put train-labels-idx1-ubyte"):
        load_dataset(str(images))


def test_idx_test_labels_are_missing(tmp_path: Path) -> None:
    images = write_idx(tmp_path, "train")
    write_idx(tmp_path, "t10k")
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match="t10k-images-idx3-ubyte has no labels"):
        load_dataset(str(images))


def test_idx_labels_given_for_images(tmp_path: Path) -> None:
    write_idx(tmp_path, "train")
    with pytest.raises(DataError, match=r"holds labels\. Give the image file"):
        load_dataset(str(tmp_path / "train-labels-idx1-ubyte"))


def test_directory_without_idx_files(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").touch()
    with pytest.raises(DataError, match=r"directory without train-images-idx3-ubyte.*it holds readme\.txt"):
        load_dataset(str(tmp_path))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (idx_bytes(IMAGES)[:100], "damaged or truncated: 100 bytes"),
        (idx_bytes(IMAGES)[:6], "damaged or truncated: 6 bytes"),
        (idx_bytes(IMAGES) + b"more", "damaged or truncated"),
        (b"", "not an IDX file"),
        (b"\x89PNG....", "not an IDX file"),
        (gzip.compress(idx_bytes(IMAGES), mtime=0)[:80], "cannot be read"),
        (gzip.compress(idx_bytes(IMAGES), mtime=0)[:40] + bytes(40), "cannot be read"),
        (idx_bytes(IMAGES[:29]), r"x has shape \(29, 4, 3\) but y has shape \(30,\)"),
        (idx_bytes(IMAGES[:0]), r"x is empty: shape \(0, 4, 3\)"),
    ],
)
def test_damaged_idx_files(tmp_path: Path, content: bytes, message: str) -> None:
    images = write_idx(tmp_path, "train")
    images.write_bytes(content)
    with pytest.raises(DataError, match=message):
        load_dataset(str(images))


# ---- .csv ----------------------------------------------------------------------------------------------

TABLE = "size,colour,kind\n" + "".join(
    f"{at},{('red', 'green', 'blue')[at % 3]},{('cat', 'dog')[at % 2]}\n" for at in range(30)
)


def write_csv(directory: Path, text: str) -> str:
    (directory / "t.csv").write_text(text, encoding="utf-8")
    return str(directory / "t.csv")


def test_text_columns_are_one_hot_encoded(tmp_path: Path) -> None:
    data = load_dataset(write_csv(tmp_path, TABLE), target="kind")
    assert (data.task, data.classes, data.name) == ("classification", ("cat", "dog"), "t")
    assert data.input_shape == (4,)
    assert (data.x_train[:, 1:].sum(axis=1) == 1).all()
    assert set(np.unique(data.x_train[:, 1:])) == {0, 1}
    assert has_note(data, "one-hot", "colour (3 values)")


def test_column_to_predict_may_be_any(tmp_path: Path) -> None:
    data = load_dataset(write_csv(tmp_path, TABLE), target="size")
    assert data.task == "regression"
    assert data.outputs == 1
    assert data.features == 5
    with pytest.raises(DataError, match="30 samples are too few"):
        load_dataset(write_csv(tmp_path, TABLE), target="size", task="classification")


def test_few_whole_numbers_are_classes(tmp_path: Path) -> None:
    text = "a,y\n" + "".join(f"{at},{at % 3 + 1}\n" for at in range(30))
    data = load_dataset(write_csv(tmp_path, text), target="y")
    assert data.classes == ("1", "2", "3")
    assert load_dataset(write_csv(tmp_path, text), target="y", task="regression").task == "regression"


def test_csv_may_be_gzipped_quoted_and_blank_in_places(tmp_path: Path) -> None:
    text = '\ufeff"a, b", y\r\n\r\n' + "".join(f'"{at}", "no, {at % 2}"\r\n' for at in range(20)) + "\r\n"
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(text.encode()))
    data = load_dataset(str(path), target="y")
    assert data.name == "t"
    assert data.classes == ("no, 0", "no, 1")


def test_underscored_numbers_are_names(tmp_path: Path) -> None:
    text = "a,y\n" + "".join(f"1_{at % 2},{at % 2}\n" for at in range(20))
    assert load_dataset(write_csv(tmp_path, text), target="y").features == 2


def test_unknown_category_marks_are_categories_in_text_columns(tmp_path: Path) -> None:
    text = "a,y\n" + "".join(f"{('?', 'x')[at % 2]},{at % 2}\n" for at in range(20))
    assert load_dataset(write_csv(tmp_path, text), target="y").features == 2


@pytest.mark.parametrize(
    ("text", "target", "message"),
    [
        (TABLE, None, "give --target.*Columns: size, colour, kind"),
        (TABLE, "kinds", "target column 'kinds'. Did you mean 'kind'"),
        ("", "y", "empty: it has 0 lines"),
        ("a,y\n", "y", "empty: it has 1 lines"),
        ("a;y\n1;2\n", "y", "one column, 'a;y'. Separate the columns by commas"),
        ("1,2\n3,4\n", "2", "first line holds numbers"),
        ("a,a,y\n1,2,3\n", "y", "two columns are called 'a'"),
        ("a,y\n1,2\n3\n", "y", "line 3: 1 cells, but the header names 2"),
        ('a,y\n1,"2\n', "y", "not comma-separated UTF-8"),
        ("a,b,y\n1,2,0\n1,,1\n1,NaN,0\n1,3,1\n", "y", r"x has 2 values.*row 1, column 1 \(b\)"),
        ("a,y\n1,0\n2,\n3,1\n", "y", "1 samples without a label or target.*row 1 in column 'y'.*line 3 of the file"),
        ("a,y\n1,0\n\n2,nan\n3,1\n", "y", "row 1 in column 'y'.*line 4 of the file"),
        ("a,b,y\n1,2,0\n2,,1\n3,1,1\n", "y", "row 1, column 1 \\(b\\).*line 3 of the file"),
        ("a,y\n1,u\n2,\n3,v\n", "y", "1 samples without a label or target.*row 1"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path: Path, text: str, target: str | None, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_dataset(write_csv(tmp_path, text), target=target)


def test_csv_in_another_encoding(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("a,y\nä,1\n".encode("latin-1"))
    with pytest.raises(DataError, match="not comma-separated UTF-8"):
        load_dataset(str(tmp_path / "t.csv"), target="y")


def test_column_of_names_is_not_one_hot_encoded(tmp_path: Path) -> None:
    text = "name,y\n" + "".join(f"n{at},{at % 2}\n" for at in range(1001))
    with pytest.raises(DataError, match=r"'name' has 1001 distinct values.*Drop the column"):
        load_dataset(write_csv(tmp_path, text), target="y")


def test_directory_called_csv(tmp_path: Path) -> None:
    (tmp_path / "t.csv").mkdir()
    with pytest.raises(DataError, match=r"t\.csv' is a directory"):
        load_dataset(str(tmp_path / "t.csv"), target="y")


# ---- openml.org ----------------------------------------------------------------------------------------


def fake_openml(monkeypatch: pytest.MonkeyPatch, answer: object) -> list[dict[str, Any]]:
    """Make OpenML give `answer` (raise it, if it is an exception) and return the calls it gets."""
    import sklearn.datasets

    calls: list[dict[str, Any]] = []

    def fetch_openml(name: str, **options: Any) -> object:
        calls.append({"name": name, **options})
        warnings.warn(f"Several versions\n of {name}", stacklevel=2)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch_openml)
    return calls


def openml_answer(**changed: object) -> SimpleNamespace:
    codes = np.arange(20) % 2
    fields: dict[str, object] = {
        "data": np.column_stack([np.linspace(0, 9, 20), codes]),
        "target": np.array(["p", "q"] * 10, dtype=object),
        "feature_names": ["width", "shape"],
        "categories": {"shape": ["round", "square"], "class": ["p", "q"]},
    }
    return SimpleNamespace(**(fields | changed))


def test_openml_table_is_read_with_its_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = fake_openml(monkeypatch, openml_answer())
    data = load_dataset("openml:things@2")
    assert calls == [
        {
            "name": "things",
            "version": 2,
            "target_column": "default-target",
            "as_frame": False,
            "parser": "liac-arff",
        }
    ]
    assert (data.name, data.classes, data.features) == ("openml:things@2", ("p", "q"), 3)
    assert has_note(data, "Several versions of things")
    assert has_note(data, "one-hot", "shape (2 values)")


def test_openml_version_and_target_are_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = fake_openml(monkeypatch, openml_answer(target=np.linspace(0, 1.5, 20)))
    assert load_dataset("openml:things", target="z").task == "regression"
    assert calls[0]["version"] == "active"
    assert calls[0]["target_column"] == "z"


def test_openml_missing_category_is_a_category(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = openml_answer()
    answer.data[3, 1] = np.nan
    fake_openml(monkeypatch, answer)
    assert load_dataset("openml:things").features == 4


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (URLError("no route"), "needs a network connection.*no route.*bundled"),
        (TimeoutError("slow"), "needs a network connection"),
        (ValueError("No active dataset things found."), "cannot be used.*No active dataset"),
        (KeyError("Could not find target_column='z'"), "cannot be used.*target_column"),
        (openml_answer(data="a sparse matrix"), "sparse table"),
        (openml_answer(target=None), "names no target column.*width, shape"),
        (openml_answer(target=np.array(["p", None] * 10, dtype=object)), "10 samples without"),
    ],
)
def test_openml_failures(monkeypatch: pytest.MonkeyPatch, answer: object, message: str) -> None:
    fake_openml(monkeypatch, answer)
    with pytest.raises(DataError, match=message):
        load_dataset("openml:things")


@pytest.mark.parametrize("spec", ["openml:", "openml:@1", "openml:iris@", "openml:iris@new"])
def test_openml_spec_that_is_not_one(spec: str) -> None:
    with pytest.raises(DataError, match="is not openml:NAME or openml:NAME@VERSION"):
        load_dataset(spec)


def test_scikit_learn_is_imported_only_when_needed() -> None:
    import subprocess

    code = "import sys, netgraph.app.data; print('sklearn' in sys.modules, 'torch' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["False", "False"]
