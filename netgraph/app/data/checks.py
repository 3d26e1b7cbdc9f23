"""`checked`: checks that the arrays of a data set are usable and fit each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from netgraph.app.data.raw import MISSING_MARKS, RawData, array_name
from netgraph.columns import Array
from netgraph.errors import DataError


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
        _check_finite(x_place, x, raw)
        y = _flat_targets(y_place, y)
        if len(x) != len(y):
            y_name = array_name("y", split)
            raise DataError(f"{x_place} has shape {x.shape} but {y_name} has shape {y.shape}: each sample needs one y.")
        _check_no_missing(y_place, y, raw)
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


def _check_finite(place: str, x: Array, raw: RawData) -> None:
    if x.dtype.kind != "f":
        return
    bad = ~np.isfinite(x.reshape(len(x), -1))
    count = int(np.count_nonzero(bad))
    if count:
        row, column = (int(at) for at in np.unravel_index(int(np.argmax(bad)), bad.shape))
        where = f"{column} ({raw.columns[column]})" if raw.columns else str(column)
        raise DataError(
            f"{place} has {count} values that are NaN or infinite, the first at row {row}, column {where}, "
            f"both counted from 0{_line(raw, row)}. Fill them in or drop those samples."
        )


def _line(raw: RawData, row: int) -> str:
    """Where a row of a table stands in its file."""
    return f" (line {raw.lines[row]} of the file)" if raw.lines else ""


def _flat_targets(place: str, y: Array) -> Array:
    """Return y as (samples,) or (samples, several targets), bytes decoded."""
    if y.dtype.kind not in "buifUS":
        raise DataError(f"{place} has dtype {y.dtype}. Store labels as integers or text, targets as floats.")
    if y.size == 0:
        raise DataError(f"{place} is empty: shape {y.shape}. One label or target per sample is needed.")
    if y.ndim not in (1, 2):
        raise DataError(f"{place} has shape {y.shape}. It needs (samples,) or (samples, targets).")
    if y.dtype.kind == "S":
        y = np.char.decode(y, "utf-8", "backslashreplace")
    return y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y


def _check_no_missing(place: str, y: Array, raw: RawData) -> None:
    is_text = y.dtype.kind == "U"
    missing = np.isin(np.char.lower(np.char.strip(y)), list(MISSING_MARKS)) if is_text else ~np.isfinite(y)
    rows = np.flatnonzero(missing.reshape(len(y), -1).any(axis=1))
    if len(rows):
        marks = "empty, ?, NA, nan, null, none or the like" if is_text else "empty, NaN or infinite"
        rename = " If that is the name of a class, give it another one." if is_text else ""
        row = int(rows[0])
        column = f" in column {raw.target!r}" if raw.target is not None else ""
        if y.ndim == 2:
            column = f" in column {int(np.flatnonzero(missing[row])[0])}"
        raise DataError(
            f"{place} has {len(rows)} samples without a label or target ({marks}), the first "
            f"at row {row}{column}, counted from 0{_line(raw, row)}. Drop those samples.{rename}"
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
            kinds = (dtype.kind if dtype.kind in "Ub" else "" for dtype in (one.dtype, other.dtype))
            if (unlike and kind == "x") or (kind == "y" and len(set(kinds)) > 1):
                raise DataError(f"{names[0]} has dtype {one.dtype} but {names[1]} has {other.dtype}: store both alike.")
