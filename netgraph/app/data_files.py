"""Read a data set from a file or from OpenML into `RawData`: arrays as the source holds them.

Four kinds of source are read here: NumPy archives (`.npz`), IDX image files (the format of MNIST), tables
(`.csv`), each of the last two also gzipped, and data sets of openml.org. `checked` then proves that the
arrays fit each other. Labelling, splitting and scaling are the work of `netgraph.app.data`.
"""

from __future__ import annotations

import csv
import difflib
import gzip
import io
import math
import re
import warnings
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from netgraph.errors import DataError, unknown_name

Array = np.ndarray[Any, np.dtype[Any]]

_SPLIT_KEYS = ("x_train", "y_train", "x_test", "y_test")
_WHOLE_KEYS = ("x", "y")
_VALID_KEYS = ("x_valid", "y_valid")
_IMAGES_NAME = re.compile(r"images([-.])idx3")
_LABELS_NAME = re.compile(r"labels[-.]idx1")
_IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
# What reading and unpacking a damaged file raises.
_DAMAGE = (OSError, EOFError, zlib.error)
_GZIP_MAGIC = b"\x1f\x8b"
# Cells that stand for "no value" in a column whose other cells are all numbers.
_MISSING_CELLS = frozenset({"", "?", "na", "n/a", "nan", "null", "none"})
# More distinct texts than this in a column is a name or an identifier, not a category.
_MAX_CATEGORIES = 1000


@dataclass(frozen=True, eq=False)
class RawData:
    """A data set as its source holds it: neither labelled, nor split, nor scaled."""

    name: str
    """Short name for reports."""
    source: str
    """What the user asked for; every error message begins with it."""
    splits: Mapping[str, tuple[Array, Array]]
    """(x, y) per split: either `all`, which is still to be split, or `train` and `test`; maybe `valid`."""
    task: str | None = None
    """The task, when the source knows it."""
    classes: tuple[str, ...] = ()
    """Names of the classes 0, 1, ..., when the source knows them."""
    columns: tuple[str, ...] = ()
    """Names of the features of a table, for messages."""
    full_scale: float | None = None
    """Largest value that an input can take by its encoding (255 for bytes), when the source knows it."""
    notes: tuple[str, ...] = ()
    """What the reader did to the data, for the user."""

    @property
    def first(self) -> str:
        """Name of the split that training samples come from: `train`, or `all` before splitting."""
        return "all" if "all" in self.splits else "train"


def array_name(kind: str, split: str) -> str:
    """Return what an array is called in messages: `x_test`, or plain `x` when there is no split."""
    return kind if split == "all" else f"{kind}_{split}"


# ---- finding and opening files -------------------------------------------------------------------------


def require_file(path: Path) -> None:
    """Raise `DataError` with the nearest name in the same directory unless `path` exists."""
    if path.exists():
        return
    if not path.parent.is_dir():
        raise DataError(f"{path} does not exist: there is no directory {path.parent}. Check the path.")
    near = difflib.get_close_matches(path.name, sorted(entry.name for entry in path.parent.iterdir()), n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise DataError(f"{path} does not exist.{hint} Check the path.")


def _unreadable(path: Path, error: Exception) -> DataError:
    return DataError(f"{path} cannot be read ({error}). Check that it is complete and readable.")


def _read_bytes(path: Path) -> bytes:
    """Return the content of `path`, unpacked if it is gzipped (told by content, not by name)."""
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if data.startswith(_GZIP_MAGIC) else data
    except _DAMAGE as error:
        raise _unreadable(path, error) from error


# ---- .npz ----------------------------------------------------------------------------------------------


def read_npz(path: Path) -> RawData:
    """Read a NumPy archive with x_train, y_train, x_test, y_test (and x_valid, y_valid), or with x and y.

    Args:
        path: the archive; object arrays in it are refused, since reading them can run code.

    Returns:
        Its arrays; other arrays of the file are named in the notes.

    Raises:
        DataError: the file is damaged or no archive, or lacks some of these arrays.
    """
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path} is not a .npz archive, or it is truncated. Write it again with numpy.savez.")
    try:
        opened = np.load(path, allow_pickle=False)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise _unreadable(path, error) from error
    with opened as archive:
        keys = _wanted_keys(path, archive.files)
        arrays = {key: _member(path, archive, key) for key in keys}
        unused = [key for key in archive.files if key not in keys]
    splits = {}
    for x_key, y_key in zip(keys[::2], keys[1::2], strict=True):
        splits["all" if x_key == "x" else x_key.removeprefix("x_")] = (arrays[x_key], arrays[y_key])
    notes = (f"Other arrays of the file are not used: {', '.join(unused)}.",) if unused else ()
    return RawData(path.stem, str(path), splits, notes=notes)


def _wanted_keys(path: Path, present: Sequence[str]) -> tuple[str, ...]:
    """Return the keys to read, as x, y pairs; raise `DataError` when a pair is not complete."""
    keys = _SPLIT_KEYS if set(_SPLIT_KEYS) <= set(present) else _WHOLE_KEYS
    expected = (
        f"Expected {', '.join(_SPLIT_KEYS)} (and {', '.join(_VALID_KEYS)} if there are any), or x and y; "
        "save the samples under these names as arrays of numbers (compressed images must be decoded first)."
    )
    listing = f"the file has {', '.join(sorted(present)) or 'no arrays'}"
    if not set(keys) <= set(present):
        # Name what is missing from the layout that the file seems to follow.
        started = _WHOLE_KEYS if set(_WHOLE_KEYS) & set(present) else _SPLIT_KEYS
        missing = ", ".join(key for key in started if key not in present)
        raise DataError(f"{path}: {missing} missing; {listing}. {expected}")
    valid = [key for key in _VALID_KEYS if key in present]
    if len(valid) == 1:
        raise DataError(f"{path}: {valid[0]} stands alone; {listing}. {expected}")
    return (*keys, *valid)


def _member(path: Path, archive: Mapping[str, Any], key: str) -> Array:
    """Return one array of an archive; raise `DataError` when it is damaged or holds Python objects."""
    try:
        array = archive[key]
    except (*_DAMAGE, ValueError, RuntimeError, MemoryError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path}: array {key} cannot be read ({error}). Either the file is damaged, or the array holds "
            "Python objects, which are refused; save it again as numbers or text."
        ) from error
    if not isinstance(array, np.ndarray):
        raise DataError(f"{path}: {key} is not a NumPy array. Write the file again with numpy.savez.")
    return array


# ---- IDX -----------------------------------------------------------------------------------------------


def is_idx_name(name: str) -> bool:
    """Say whether a file name is one of an IDX pair, such as `train-images-idx3-ubyte.gz`."""
    return bool(_IMAGES_NAME.search(name) or _LABELS_NAME.search(name))


def read_idx(path: Path) -> RawData:
    """Read IDX images with the labels, and the test pair, that stand beside them.

    Args:
        path: an image file such as `train-images-idx3-ubyte` or a directory with one; each file may be
            gzipped.

    Returns:
        The images and labels, with a `test` split if there is a `t10k-...` pair.

    Raises:
        DataError: a file of a pair is missing, damaged or of another format.
    """
    images = _training_images(path) if path.is_dir() else path
    if not _IMAGES_NAME.search(images.name):
        raise DataError(f"{path} holds labels. Give the image file, …images-idx3…, that stands beside it.")
    pair = _read_idx_pair(images)
    name = images.absolute().parent.name or images.stem
    test = _beside(images, images.name.replace("train", "t10k")) if "train" in images.name else None
    splits = {"all": pair} if test is None else {"train": pair, "test": _read_idx_pair(test)}
    return RawData(name, str(path), splits)


def _training_images(directory: Path) -> Path:
    """Return the training images in `directory`."""
    for name in ("train-images-idx3-ubyte", "train-images.idx3-ubyte"):
        if found := _beside(directory / name, name):
            return found
    listing = ", ".join(sorted(entry.name for entry in directory.iterdir())[:10]) or "nothing"
    raise DataError(
        f"{directory} is a directory without train-images-idx3-ubyte or train-images-idx3-ubyte.gz "
        f"(it holds {listing}). Give a directory of IDX files, or a .npz or .csv file."
    )


def _beside(path: Path, name: str) -> Path | None:
    """Return the file called `name` beside `path`, whether gzipped or not, or None."""
    bare = name.removesuffix(".gz")
    return next((path.with_name(n) for n in (name, bare, bare + ".gz") if path.with_name(n).is_file()), None)


def _read_idx_pair(images: Path) -> tuple[Array, Array]:
    name = _IMAGES_NAME.sub(r"labels\1idx1", images.name)
    labels = _beside(images, name)
    if labels is None:
        raise DataError(f"{images} has no labels: put {name} (or the same gzipped or unpacked) beside it.")
    return _read_idx_array(images), _read_idx_array(labels)


def _read_idx_array(path: Path) -> Array:
    data = _read_bytes(path)
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in _IDX_TYPES or data[3] not in range(1, 9):
        raise DataError(f"{path} is not an IDX file: it begins with {data[:4]!r}. Check file and name.")
    dtype = np.dtype(_IDX_TYPES[data[2]])
    header = 4 + 4 * data[3]
    shape = tuple(int.from_bytes(data[at : at + 4], "big") for at in range(4, header, 4))
    expected = header + math.prod(shape) * dtype.itemsize
    if len(data) != expected:
        raise DataError(
            f"{path} is damaged or truncated: {len(data)} bytes, but shape {shape} in its header needs "
            f"{expected}. Fetch it again."
        )
    return np.frombuffer(data[header:], dtype).reshape(shape).astype(dtype.newbyteorder("="))


# ---- .csv ----------------------------------------------------------------------------------------------


def read_csv(path: Path, target: str | None) -> RawData:
    """Read a table with a header; number columns are kept, text columns become one-hot columns.

    Args:
        path: the file, comma-separated UTF-8, maybe gzipped.
        target: name of the column to predict.

    Returns:
        The table as one split `all`; which columns were one-hot encoded stands in the notes.

    Raises:
        DataError: the table is not regular, or `target` is missing or not one of its columns.
    """
    header, rows = _csv_rows(path)
    if target is None:
        raise DataError(f"{path}: give target= the column to predict. Columns: {', '.join(header)}.")
    if target not in header:
        raise DataError(f"{path}: {unknown_name('target column', target, header)}")
    columns = dict(zip(header, zip(*rows, strict=True), strict=True))
    labels = columns.pop(target)
    numbers = _as_numbers(labels)
    y = np.array(labels, dtype=np.str_) if numbers is None else numbers
    parsed: dict[str, Array] = {}
    for name, cells in columns.items():
        numbers = _as_numbers(cells)
        parsed[name] = np.array(cells, dtype=np.str_) if numbers is None else numbers
    x, names, notes = _encode_table(str(path), parsed)
    stem = path.name.removesuffix(".gz").removesuffix(".csv")
    return RawData(stem, str(path), {"all": (x, y)}, columns=names, notes=notes)


def _csv_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of a table, all cells stripped; blank lines are skipped."""
    try:
        text = _read_bytes(path).decode("utf-8-sig")
        reader = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True, strict=True)
        numbered = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not comma-separated UTF-8 text ({error}). Save it as such.") from error
    if len(numbered) < 2:
        raise DataError(f"{path} is empty: it has {len(numbered)} lines, but needs a header and samples.")
    header = numbered[0][1]
    if len(header) < 2:
        raise DataError(f"{path} has one column, {header[0]!r}. Separate the columns by commas.")
    if _as_numbers(header) is not None:
        raise DataError(f"{path}: the first line holds numbers. Put the names of the columns there.")
    if len(set(header)) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise DataError(f"{path}: two columns are called {twice!r}. Give each column its own name.")
    for line, row in numbered:
        if len(row) != len(header):
            raise DataError(
                f"{path}, line {line}: {len(row)} cells, but the header names {len(header)} columns. Mend that line."
            )
    return header, [row for _, row in numbered[1:]]


def _as_numbers(cells: Sequence[str]) -> Array | None:
    """Return a column as float64 with NaN for missing cells, or None if some cell is text."""
    try:
        return np.array([_number(cell) for cell in cells], dtype=np.float64)
    except ValueError:
        return None


def _number(cell: str) -> float:
    if cell.lower() in _MISSING_CELLS:
        return math.nan
    if "_" in cell:  # float() takes 1_2 for 12, but in a table it is a name
        raise ValueError(cell)
    return float(cell)


def _encode_table(source: str, columns: Mapping[str, Array]) -> tuple[Array, tuple[str, ...], tuple[str, ...]]:
    """Join columns to one float array, with a 0/1 column per distinct value of each text column.

    Returns:
        The array (rows, features), the names of its features, and a note about the text columns.
    """
    parts: list[Array] = []
    names: list[str] = []
    encoded: list[str] = []
    for name, column in columns.items():
        if column.dtype.kind != "U":
            parts.append(column[:, None])
            names.append(name)
            continue
        values, codes = np.unique(column, return_inverse=True)
        if len(values) > _MAX_CATEGORIES:
            raise DataError(
                f"{source}: text column {name!r} has {len(values)} distinct values; "
                f"at most {_MAX_CATEGORIES} are one-hot encoded. Drop the column, or replace it by numbers."
            )
        parts.append(np.equal.outer(codes, np.arange(len(values))))
        names.extend(f"{name}={value}" for value in values)
        encoded.append(f"{name} ({len(values)} values)")
    notes = (f"Text columns were one-hot encoded: {', '.join(encoded)}.",) if encoded else ()
    return np.concatenate(parts, axis=1, dtype=np.float64), tuple(names), notes


# ---- openml.org ----------------------------------------------------------------------------------------


def read_openml(spec: str, target: str | None) -> RawData:
    """Fetch `openml:NAME` or `openml:NAME@VERSION` through scikit-learn, which keeps a copy on disk.

    Args:
        spec: the data set.
        target: the column to predict; None for the one that OpenML names.

    Returns:
        The table as one split `all`; categories are one-hot encoded.

    Raises:
        DataError: no network, no such data set, or one that is not a dense table.
    """
    name, _, version = spec.removeprefix("openml:").partition("@")
    if not name or not (version.isdecimal() or (not version and "@" not in spec)):
        raise DataError(f"{spec!r} is not openml:NAME or openml:NAME@VERSION with a whole number as version.")
    bunch, notes = _fetch_openml(spec, name, int(version) if version else "active", target)
    if not isinstance(bunch.data, np.ndarray):
        raise DataError(f"{spec} is a sparse table. Save it as a dense .npz file and give its path.")
    if bunch.target is None:
        known = ", ".join(bunch.feature_names)
        raise DataError(f"{spec} names no target column. Give target= one of {known}.")
    columns = {name: bunch.data[:, at] for at, name in enumerate(bunch.feature_names)}
    for column, values in (bunch.categories or {}).items():
        if column in columns:
            # Categories come as codes with NaN for "missing", which becomes a category of its own.
            codes = np.nan_to_num(columns[column].astype(np.float64), nan=len(values)).astype(np.intp)
            columns[column] = np.array([*map(str, values), "?"], dtype=np.str_)[codes]
    x, names, encoding = _encode_table(spec, columns)
    y = np.asarray(bunch.target)
    if y.dtype.kind == "O":
        y = np.array([["" if cell is None else str(cell) for cell in row] for row in y.reshape(len(y), -1)])
    return RawData(spec, spec, {"all": (x, y)}, columns=names, notes=(*notes, *encoding))


def _fetch_openml(spec: str, name: str, version: int | str, target: str | None) -> tuple[Any, tuple[str, ...]]:
    """Return scikit-learn's answer and its warnings (several versions, known problems) as notes."""
    from sklearn.datasets import fetch_openml

    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            bunch = fetch_openml(
                name,
                version=version,
                target_column="default-target" if target is None else target,
                as_frame=False,
                parser="liac-arff",
            )
    except OSError as error:
        raise DataError(
            f"{spec} needs a network connection to openml.org, which failed ({error}). Fetch it on a machine "
            "with a network and give the path of a .csv or .npz file, or use a bundled data set."
        ) from error
    except (ValueError, KeyError) as error:
        raise DataError(f"{spec} cannot be used ({error}). Look it up on openml.org.") from error
    return bunch, tuple(" ".join(str(warning.message).split()) for warning in caught)


# ---- structure -----------------------------------------------------------------------------------------


def checked(raw: RawData) -> RawData:
    """Return `raw` with flat targets (no axis of length 1, no bytes) after checking that its arrays fit.

    Args:
        raw: arrays as read.

    Returns:
        The same data; every x is (samples, features...) of finite numbers, every y has as many samples.

    Raises:
        DataError: shapes, dtypes or values of the arrays are not usable.
    """
    splits = {}
    for split, (x, y) in raw.splits.items():
        x_place, y_place = (f"{raw.source}: {array_name(kind, split)}" for kind in "xy")
        _check_inputs(x_place, x)
        _check_finite(x_place, x, raw.columns)
        y = _flat_targets(y_place, y)
        if len(x) != len(y):
            y_name = array_name("y", split)
            raise DataError(f"{x_place} has shape {x.shape} but {y_name} has shape {y.shape}: each sample needs one y.")
        _check_no_missing(y_place, y)
        splits[split] = (x, y)
    _check_alike(raw, splits)
    return replace(raw, splits=splits)


def _check_inputs(place: str, x: Array) -> None:
    if x.dtype.kind not in "buif":
        raise DataError(f"{place} has dtype {x.dtype}. Store numbers (integers or floats).")
    if x.ndim < 2:
        raise DataError(f"{place} has shape {x.shape}. It needs (samples, features...): use reshape(-1, 1).")
    if x.size == 0:
        raise DataError(f"{place} is empty: shape {x.shape}. At least one sample and one feature are needed.")


def _check_finite(place: str, x: Array, columns: tuple[str, ...]) -> None:
    if x.dtype.kind != "f":
        return
    bad = ~np.isfinite(x.reshape(len(x), -1))
    count = int(np.count_nonzero(bad))
    if count:
        row, column = (int(at) for at in np.unravel_index(int(np.argmax(bad)), bad.shape))
        where = f"{column} ({columns[column]})" if columns else str(column)
        raise DataError(
            f"{place} has {count} values that are NaN or infinite, the first at row {row}, column {where}, "
            "both counted from 0. Fill them in or drop those samples."
        )


def _flat_targets(place: str, y: Array) -> Array:
    """Return y as (samples,) or (samples, several targets), bytes decoded."""
    if y.dtype.kind not in "buifUS":
        raise DataError(f"{place} has dtype {y.dtype}. Store labels as integers or text, targets as floats.")
    if y.size == 0:
        raise DataError(f"{place} is empty: shape {y.shape}. One label or target per sample is needed.")
    if y.ndim not in (1, 2):
        raise DataError(f"{place} has shape {y.shape}. It needs (samples,) or (samples, targets).")
    if y.dtype.kind == "S":
        y = np.char.decode(y, "utf-8", "replace")
    return y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y


def _check_no_missing(place: str, y: Array) -> None:
    is_text = y.dtype.kind == "U"
    missing = (y == "") | (np.char.lower(y) == "nan") if is_text else ~np.isfinite(y)
    rows = np.flatnonzero(missing.reshape(len(y), -1).any(axis=1))
    if len(rows):
        raise DataError(
            f"{place} has {len(rows)} samples without a label or target (empty, NaN or infinite), the first "
            f"at row {rows[0]}, counted from 0. Drop those samples."
        )


def _check_alike(raw: RawData, splits: Mapping[str, tuple[Array, Array]]) -> None:
    """Raise `DataError` unless the splits have samples, and targets, of one shape and kind."""
    x_first, y_first = splits[raw.first]
    for split, (x, y) in splits.items():
        for kind, one, other in (("x", x_first, x), ("y", y_first, y)):
            names = f"{raw.source}: {array_name(kind, raw.first)}", array_name(kind, split)
            if one.shape[1:] != other.shape[1:]:
                raise DataError(
                    f"{names[0]} has shape {one.shape} but {names[1]} has {other.shape}: all axes after the "
                    "first must agree."
                )
            # Bytes are divided by 255 and other numbers are not; text never equals a number.
            unlike = one.dtype != other.dtype and np.uint8 in (one.dtype, other.dtype)
            if (unlike and kind == "x") or (one.dtype.kind == "U") != (other.dtype.kind == "U"):
                raise DataError(f"{names[0]} has dtype {one.dtype} but {names[1]} has {other.dtype}: store both alike.")
