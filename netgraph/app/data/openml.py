"""Data sets of openml.org, fetched through scikit-learn."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from netgraph.app.data.files import encode_table
from netgraph.app.data.raw import RawData
from netgraph.errors import DataError


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
        raise DataError(f"{spec} names no target column. Give --target, one of {known}.")
    columns = {name: bunch.data[:, at] for at, name in enumerate(bunch.feature_names)}
    for column, values in (bunch.categories or {}).items():
        if column in columns:
            # Categories come as codes with NaN for "missing", which becomes a category of its own.
            codes = np.nan_to_num(columns[column].astype(np.float64), nan=len(values)).astype(np.intp)
            columns[column] = np.array([*map(str, values), "?"], dtype=np.str_)[codes]
    x, names, encoding = encode_table(spec, columns)
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
