"""Load a data set for training: labelled 0..C-1, split into train and test, and scaled into [0, 1].

`load_dataset` takes the name of a bundled data set, the path of a file, or `openml:NAME`, and returns a
`Dataset`. Inputs end in [0, 1] because growth by splitting an edge keeps the function of a network only for
sources that are never negative. Everything that was done to the data stands in `Dataset.notes`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from netgraph.app.data_files import (
    Array,
    RawData,
    array_name,
    checked,
    is_idx_name,
    read_csv,
    read_idx,
    read_npz,
    read_openml,
    require_file,
)
from netgraph.errors import DataError, OptionError, unknown_name

_TASKS = ("classification", "regression")
# Whole numbers with more distinct values than this are quantities rather than class labels.
_MAX_INFERRED_CLASSES = 20
# Rows that are scaled at a time, in float64: bounds the memory that scaling takes beside its result.
_SCALED_ROWS = 4096
# Keeps the random choices of one seed apart from each other.
_PURPOSES = ("test", "valid", "limit")


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


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set that is ready for training; its arrays must not be changed."""

    name: str
    """Short name for reports."""
    task: str
    """`classification` or `regression`."""
    x_train: Array
    """(N, features) float32, C-contiguous; images are flattened."""
    y_train: Array
    """(N,) int64 class indices 0..C-1, or (N, outputs) float32 standardised targets."""
    x_test: Array
    """Like `x_train`."""
    y_test: Array
    """Like `y_train`."""
    input_shape: tuple[int, ...]
    """Shape of one sample before flattening: (28, 28) for MNIST, (30,) for a table of 30 columns."""
    domain: tuple[float, float] | tuple[Array, Array]
    """Low and high that every input lies in; two floats when one pair serves all features."""
    classes: tuple[str, ...] = ()
    """Names of the classes in the order of their indices; empty for regression."""
    x_valid: Array | None = None
    """Like `x_train`, when the source has a validation split of its own."""
    y_valid: Array | None = None
    """Like `y_train`, when the source has a validation split of its own."""
    target_mean: Array | None = None
    """(outputs,) mean of the training targets in their own unit; None for classification."""
    target_std: Array | None = None
    """(outputs,) what a standardised error is multiplied by to get the unit of the targets back."""
    notes: tuple[str, ...] = ()
    """What the loader did to the data: sentences for the user."""

    @property
    def features(self) -> int:
        """Number of input features."""
        return int(self.x_train.shape[1])

    @property
    def outputs(self) -> int:
        """Number of classes, or of regression targets."""
        return len(self.classes) if self.task == "classification" else int(self.y_train.shape[1])

    @cached_property
    def fingerprint(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 of all arrays: equal data has an equal fingerprint."""
        digest = hashlib.sha256()
        inputs = {"x_train": self.x_train, "x_test": self.x_test, "x_valid": self.x_valid}
        targets = {"y_train": self.y_train, "y_test": self.y_test, "y_valid": self.y_valid}
        units = {"target_mean": self.target_mean, "target_std": self.target_std}
        for name, array in (inputs | targets | units).items():
            if array is not None:
                digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()[:16]


def dataset_names() -> dict[str, str]:
    """Return the name of every bundled data set with a description of one line."""
    return {name: bundled.description for name, bundled in _BUNDLED.items()}


def load_dataset(
    spec: str | os.PathLike[str],
    *,
    seed: int = 0,
    target: str | None = None,
    task: str | None = None,
    test_fraction: float = 0.2,
    limit: int | None = None,
) -> Dataset:
    """Load a data set, label it, split it and scale it.

    Args:
        spec: a name from `dataset_names`; the path of a `.npz`, `.csv`, `.csv.gz` or IDX image file, or of a
            directory of IDX files; or `openml:NAME`, `openml:NAME@VERSION`.
        seed: decides which samples are held out for testing and which ones `limit` keeps.
        target: the column to predict; for tables with named columns only.
        task: `classification` or `regression`; None to tell it by the targets.
        test_fraction: the share of samples held out for testing when the source has no test set.
        limit: keep only this many training samples, chosen at random in proportion to the classes.

    Returns:
        The data set, with every input in [0, 1] and regression targets standardised.

    Raises:
        DataError: the data cannot be found or read, or is not usable for learning.
        OptionError: `seed`, `task`, `test_fraction` or `limit` is not allowed.
    """
    _check_options(task, limit)
    raw = checked(_read(os.fspath(spec), target))
    task, notes = _resolve_task(raw, task)
    x = {split: inputs for split, (inputs, _) in raw.splits.items()}
    y = {split: targets for split, (_, targets) in raw.splits.items()}
    classes: tuple[str, ...] = ()
    if task == "classification":
        y, classes, relabelled = _class_indices(raw, y)
        notes += relabelled
    if "all" in x:
        notes += _split_test(raw, x, y, classes, test_fraction, seed)
    if limit is not None and limit < len(y["train"]):
        notes += _apply_limit(raw, x, y, classes, limit, seed)
    mean, std = None, None
    if task == "regression":
        y, mean, std = _standardised(raw, y)
        notes.append("Targets were standardised by the mean and standard deviation of the training targets.")
    shape = x["train"].shape[1:]
    x, scaling = _scaled(raw, x)
    return Dataset(
        name=raw.name,
        task=task,
        x_train=x["train"],
        y_train=y["train"],
        x_test=x["test"],
        y_test=y["test"],
        x_valid=x.get("valid"),
        y_valid=y.get("valid"),
        input_shape=shape,
        domain=(0.0, 1.0),
        classes=classes,
        target_mean=mean,
        target_std=std,
        notes=(*raw.notes, *notes, *scaling),
    )


def split_validation(dataset: Dataset, *, fraction: float = 1 / 6, seed: int) -> tuple[Array, Array]:
    """Divide the training samples into some to train on and some to validate with.

    Args:
        dataset: the data set; its own validation split, if any, is not looked at.
        fraction: share of the training samples to validate with, between 0 and 1.
        seed: decides which ones; the same seed gives the same samples.

    Returns:
        Row numbers of `x_train` to train on and to validate with, both sorted; classes are divided in
        proportion, and every class keeps a sample to train on.

    Raises:
        DataError: there are too few samples to hold any out.
        OptionError: `fraction` or `seed` is not allowed.
    """
    groups = _groups(dataset.y_train, dataset.task == "classification")
    count = _held_count(dataset.name, groups, fraction, "fraction")
    return _hold_out(groups, count, _generator(seed, "valid"))


def _check_options(task: str | None, limit: int | None) -> None:
    if task is not None and task not in _TASKS:
        raise OptionError(unknown_name("task", task, _TASKS))
    if limit is not None and limit < 1:
        raise OptionError(f"limit={limit} leaves no training sample. Give a whole number above 0.")


# ---- sources -------------------------------------------------------------------------------------------


def _read(spec: str, target: str | None) -> RawData:
    """Read what `spec` names, by the reader for its kind."""
    if spec.startswith("openml:"):
        return read_openml(spec, target)
    path = Path(spec).expanduser()
    if path.name.lower().endswith((".csv", ".csv.gz")):
        require_file(path)
        return read_csv(path, target)
    if target is not None:
        raise DataError(f"target={target!r} names a column, but {spec!r} has none to name. Leave target= out.")
    if spec in _BUNDLED:
        return _read_bundled(spec)
    kinds = "a .npz, .csv or IDX file, a directory of IDX files, or openml:NAME"
    looks_like_path = os.sep in spec or path.suffix or is_idx_name(path.name)
    if not looks_like_path and not path.exists():
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


# ---- task and labels -----------------------------------------------------------------------------------


def _resolve_task(raw: RawData, task: str | None) -> tuple[str, list[str]]:
    """Return the task, told by the targets unless `task` or the source says it, and notes about a guess."""
    y = raw.splits[raw.first][1]
    if y.ndim == 2 and task != "regression":
        one_hot = y.dtype.kind != "U" and bool(((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all())
        if task is None and y.dtype.kind == "f" and not one_hot:
            return "regression", []
        kind = "one-hot labels" if one_hot else "several columns"
        raise DataError(
            f"{raw.source}: {array_name('y', raw.first)} has shape {y.shape}, {kind}. For classification "
            "store class indices (y.argmax(axis=1)); for several targets give task='regression'."
        )
    if known := task or raw.task:
        return known, []
    targets = np.concatenate([targets for _, targets in raw.splits.values()])
    if targets.dtype.kind in "Ub":
        return "classification", []
    if targets.dtype.kind == "f" and not _all_whole(targets):
        return "regression", []
    count = len(np.unique(targets))
    if count <= _MAX_INFERRED_CLASSES:
        return "classification", []
    # Integers are labels whatever their number (ImageNet has 1000); floats are what quantities come as.
    guess, other = _TASKS if targets.dtype.kind in "iu" else _TASKS[::-1]
    note = f"{count} distinct whole numbers as targets were taken for {guess}; task='{other}' overrides it."
    return guess, [note]


def _all_whole(values: Array) -> bool:
    return values.dtype.kind != "f" or bool((values == np.round(values)).all())


def _class_indices(raw: RawData, y: Mapping[str, Array]) -> tuple[dict[str, Array], tuple[str, ...], list[str]]:
    """Number the labels 0..C-1 in sorted order.

    Returns:
        The class indices of each split, the names of the classes, and a note if labels were renumbered.
    """
    for split, labels in y.items():
        if labels.dtype.kind != "U" and not _all_whole(labels):
            first = labels[labels != np.round(labels)][0]
            raise DataError(
                f"{raw.source}: label {first} of {array_name('y', split)} is not a whole number. Store class "
                "labels as integers or text, or give task='regression'."
            )
    values = np.unique(y[raw.first])
    indices = {}
    for split, labels in y.items():
        codes = np.minimum(np.searchsorted(values, labels), len(values) - 1)
        unknown = np.unique(labels[values[codes] != labels])
        if len(unknown):
            raise DataError(
                f"{raw.source}: {array_name('y', split)} has labels that no training sample has: "
                f"{_listing(_class_names(unknown))}. Add samples of them to the training data or drop them "
                "(or give task='regression' if these are quantities)."
            )
        indices[split] = codes.astype(np.int64)
    names = _class_names(values)
    if len(values) < 2:
        raise DataError(f"{raw.source}: every label is {names[0]!r}. Classification needs two classes.")
    if values.dtype.kind in "iu" and np.array_equal(values, np.arange(len(values))):
        return indices, raw.classes if len(raw.classes) == len(names) else names, []
    return indices, names, [f"Labels {_listing(names)} were numbered 0 to {len(names) - 1} in sorted order."]


def _class_names(values: Array) -> tuple[str, ...]:
    if values.dtype.kind in "Ub":
        return tuple(str(value) for value in values)
    return tuple(str(int(value)) for value in values)


def _listing(names: tuple[str, ...]) -> str:
    return ", ".join(names[:8]) + (f", … ({len(names)} in all)" if len(names) > 8 else "")


def _standardised(raw: RawData, y: Mapping[str, Array]) -> tuple[dict[str, Array], Array, Array]:
    """Return the targets as (N, outputs) float32 with training mean 0 and deviation 1, and both values."""
    wide = {}
    for split, targets in y.items():
        if targets.dtype.kind == "U":
            raise DataError(
                f"{raw.source}: targets such as {str(targets.flat[0])!r} are text. Regression needs numbers; "
                "leave out task='regression' to use them as class labels."
            )
        wide[split] = targets.astype(np.float64).reshape(len(targets), -1)
    with np.errstate(all="ignore"):
        mean, std = wide["train"].mean(axis=0), wide["train"].std(axis=0)
    # The deviation of equal values can come out as a rounding error instead of 0.
    constant = wide["train"].min(axis=0) == wide["train"].max(axis=0)
    bad = np.flatnonzero(constant | (std == 0) | ~np.isfinite(std))
    if len(bad):
        value = wide["train"][0, bad[0]]
        reason = f"constant ({value:g}) in training" if constant[bad[0]] else "too large or small to scale"
        raise DataError(f"{raw.source}: regression target {bad[0]} is {reason}. Give a target that varies.")
    return {split: ((part - mean) / std).astype(np.float32) for split, part in wide.items()}, mean, std


# ---- splits --------------------------------------------------------------------------------------------


def _generator(seed: int, purpose: Literal["test", "valid", "limit"]) -> np.random.Generator:
    if seed < 0:
        raise OptionError(f"seed={seed} is negative. Give a whole number from 0 up.")
    return np.random.default_rng([_PURPOSES.index(purpose), seed])


def _groups(y: Array, by_class: bool) -> Array:
    """Return the group of each sample that a split keeps in proportion: its class, or one group for all."""
    return y if by_class else np.zeros(len(y), dtype=np.int64)


def _held_count(source: str, groups: Array, fraction: float, option: str) -> int:
    """Return how many samples to hold out: about `fraction`, at least one, but never all of a group."""
    if not 0.0 < fraction < 1.0:
        raise OptionError(f"{option}={fraction} is not between 0 and 1. Give a share such as 0.2.")
    kept = len(np.unique(groups))
    most = len(groups) - kept
    if most < 1:
        raise DataError(
            f"{source}: {len(groups)} samples are too few to hold any out, since {kept} (one of each class) "
            "must stay for training. Add samples."
        )
    return min(max(1, round(fraction * len(groups))), most)


def _hold_out(groups: Array, count: int, generator: np.random.Generator) -> tuple[Array, Array]:
    """Choose `count` samples at random, in proportion to the groups, so that no group is emptied.

    Args:
        groups: (N,) the group of each sample.
        count: how many to hold out, at most N less the number of groups.
        generator: source of the random choice.

    Returns:
        Sorted row numbers of the samples that stay, and of those held out.
    """
    _, codes, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    quota = count * sizes / len(groups)
    taken = np.minimum(np.floor(quota).astype(np.int64), sizes - 1)
    while missing := count - int(taken.sum()):
        free = np.flatnonzero(taken < sizes - 1)
        most_owed = np.argsort(taken[free] - quota[free], kind="stable")
        taken[free[most_owed[:missing]]] += 1
    order = generator.permutation(len(groups))
    order = order[np.argsort(codes[order], kind="stable")]
    rank = np.arange(len(groups)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    held = rank < np.repeat(taken, sizes)
    return np.sort(order[~held]), np.sort(order[held])


def _split_test(
    raw: RawData,
    x: dict[str, Array],
    y: dict[str, Array],
    classes: tuple[str, ...],
    fraction: float,
    seed: int,
) -> list[str]:
    """Replace the split `all` of `x` and `y` by `train` and `test`, in place; return notes about it."""
    whole_x, whole_y = x.pop("all"), y.pop("all")
    groups = _groups(whole_y, bool(classes))
    count = _held_count(raw.source, groups, fraction, "test_fraction")
    train, test = _hold_out(groups, count, _generator(seed, "test"))
    for split, rows in (("train", train), ("test", test)):
        x[split], y[split] = whole_x[rows], whole_y[rows]
    how = "in proportion to the classes" if classes else "at random"
    notes = [f"{len(test)} of {len(groups)} samples were held out for testing, {how}, by seed {seed}."]
    if classes:
        single = tuple(classes[at] for at in np.flatnonzero(np.bincount(whole_y) == 1))
        if single:
            notes.append(f"Classes with a single sample, which is in the training set: {_listing(single)}.")
    return notes


def _apply_limit(
    raw: RawData, x: dict[str, Array], y: dict[str, Array], classes: tuple[str, ...], limit: int, seed: int
) -> list[str]:
    """Keep `limit` training samples of `x` and `y`, in place, some of each class; return a note."""
    if limit < len(classes):
        raise DataError(
            f"{raw.source}: limit={limit} is less than the number of classes. Give at least {len(classes)}."
        )
    total = len(y["train"])
    kept, _ = _hold_out(_groups(y["train"], bool(classes)), total - limit, _generator(seed, "limit"))
    x["train"], y["train"] = x["train"][kept], y["train"][kept]
    return [f"{limit} of {total} training samples were kept at random, by seed {seed}."]


# ---- scaling -------------------------------------------------------------------------------------------


def _scaled(raw: RawData, x: Mapping[str, Array]) -> tuple[dict[str, Array], list[str]]:
    """Bring inputs into [0, 1] by what the training inputs alone show.

    Returns:
        Each split as (N, features) float32, and notes about how it was done and what had to be clipped.
    """
    low, high, notes = _input_range(raw, x["train"])
    scaled = {}
    for split, inputs in x.items():
        flat = inputs.reshape(len(inputs), -1)
        scaled[split], clipped = _clipped_to_unit(flat, low, high)
        if clipped:
            notes.append(
                f"{clipped} of {flat.size} {array_name('x', split)} values lay outside the range of the "
                "training inputs and were clipped into [0, 1]."
            )
    return scaled, notes


def _input_range(raw: RawData, train: Array) -> tuple[Array, Array, list[str]]:
    """Return the values that become 0 and 1, for all features or for each, and notes about the choice."""
    smallest, largest = train.min(), train.max()
    if smallest >= 0 and largest <= 1:
        return np.array(0.0), np.array(1.0), ["Inputs already lie in [0, 1] and are used as they are."]
    full_scale = 255.0 if train.dtype == np.uint8 else raw.full_scale
    if full_scale is not None:
        return np.array(0.0), np.array(full_scale), [f"Inputs were divided by {full_scale:g}."]
    if train.ndim > 2:
        # One range for all pixels: a range for each would distort the picture.
        low, high = np.array(smallest, dtype=np.float64), np.array(largest, dtype=np.float64)
        notes = [f"Inputs were scaled from [{low:g}, {high:g}], the range of all training inputs, to [0, 1]."]
    else:
        low, high = train.min(axis=0).astype(np.float64), train.max(axis=0).astype(np.float64)
        notes = ["Each feature was scaled to [0, 1] by its smallest and largest training value."]
        constant = np.flatnonzero(low == high)
        if len(constant):
            named = tuple(raw.columns[at] if raw.columns else str(at) for at in constant)
            notes.append(f"Features with one value in all training samples became 0: {_listing(named)}.")
    with np.errstate(over="ignore"):
        if not np.isfinite(high - low).all():
            raise DataError(
                f"{raw.source}: inputs from {smallest:g} to {largest:g} are too far apart to be scaled. "
                "Rescale or drop such features."
            )
    return low, high, notes


def _clipped_to_unit(flat: Array, low: Array, high: Array) -> tuple[Array, int]:
    """Map [low, high] to [0, 1] as float32 and count the values beyond, which become 0 or 1."""
    span = np.where(high > low, high - low, 1.0)
    result = np.empty(flat.shape, dtype=np.float32)
    clipped = 0
    for start in range(0, len(flat), _SCALED_ROWS):
        part = flat[start : start + _SCALED_ROWS].astype(np.float64)
        clipped += int(np.count_nonzero((part < low) | (part > high)))
        # Clipping first keeps the quotient finite, however far outside a value lies.
        result[start : start + _SCALED_ROWS] = (part.clip(low, high) - low) / span
    return result, clipped
