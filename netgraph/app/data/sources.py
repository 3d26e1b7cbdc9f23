"""Sources of data: names and paths of every kind, and the data sets that come with scikit-learn."""

from __future__ import annotations

import os
from dataclasses import dataclass

from netgraph.app.data.files import is_idx_name, read_csv, read_idx, read_npz, require_file
from netgraph.app.data.openml import read_openml
from netgraph.app.data.raw import RawData
from netgraph.errors import DataError, unknown_name
from netgraph.storage import expanded, there


@dataclass(frozen=True)
class _Bundled:
    """A data set that comes with scikit-learn."""

    description: str
    task: str
    full_scale: float | None = None


_BUNDLED = {
    "digits": _Bundled("1,797 handwritten digits, 8x8 pixels, 10 classes", "classification", full_scale=16.0),
    "breast_cancer": _Bundled("569 tumours, 30 measurements, 2 classes", "classification"),
    "wine": _Bundled("178 wines, 13 measurements, 3 classes", "classification"),
    "diabetes": _Bundled("442 patients, 10 measurements, regression", "regression"),
}


def dataset_names() -> dict[str, str]:
    """Return the name of every bundled data set with a description of one line."""
    return {name: bundled.description for name, bundled in _BUNDLED.items()}


def read(spec: str, target: str | None) -> RawData:
    """Read what `spec` names, by the reader for its kind."""
    if spec.startswith("openml:"):
        return read_openml(spec, target)
    path = expanded(spec)
    if path.name.lower().endswith((".csv", ".csv.gz")):
        require_file(path)
        return read_csv(path, target)
    if target is not None:
        raise DataError(f"--target {target!r} names a column, but {spec!r} has none to name. Leave --target out.")
    if spec in _BUNDLED:
        return _read_bundled(spec)
    kinds = "a .npz, .csv or IDX file, a directory of IDX files, or openml:NAME"
    looks_like_path = os.sep in spec or path.suffix or is_idx_name(path.name)
    if not looks_like_path and not there(path):
        raise DataError(f"{unknown_name('data set', spec, _BUNDLED)} Or give the path of {kinds}.")
    require_file(path)
    if path.is_dir() or is_idx_name(path.name):
        return read_idx(path)
    if path.suffix.lower() == ".npz":
        return read_npz(path)
    raise DataError(f"{path} is of no known kind (told by its name). Give the path of {kinds}.")


def _read_bundled(name: str) -> RawData:
    from sklearn import datasets

    bundled = _BUNDLED[name]
    bunch = getattr(datasets, f"load_{name}")()
    return RawData(
        name=name,
        source=name,
        splits={"all": (bunch.images if name == "digits" else bunch.data, bunch.target)},
        task=bundled.task,
        classes=tuple(map(str, getattr(bunch, "target_names", ()))),
        columns=() if name == "digits" else tuple(map(str, bunch.feature_names)),
        full_scale=bundled.full_scale,
    )
