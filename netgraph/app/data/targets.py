"""Targets: their task, their class indices, and their standardisation."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from netgraph.app.data.raw import RawData, array_name
from netgraph.columns import Array
from netgraph.errors import DataError

TASKS = ("classification", "regression")
FARTHEST = 1e15
"""Largest distance of a target from the mean of the training targets, in standard deviations."""
# Whole numbers with more distinct values than this are quantities rather than class labels.
_MAX_INFERRED_CLASSES = 20


def resolve_task(raw: RawData, task: str | None) -> tuple[str, list[str]]:
    """Return the task, inferred from the targets unless `task` or the source says it, and notes about a guess."""
    y = raw.splits[raw.first][1]
    if y.ndim == 2 and task != "regression":
        one_hot = y.dtype.kind != "U" and bool(((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all())
        if task is None and y.dtype.kind == "f" and not one_hot:
            return "regression", []
        kind = "one-hot labels" if one_hot else "several columns"
        raise DataError(
            f"{raw.source}: {array_name('y', raw.first)} has shape {y.shape}, {kind}. For classification "
            "store class indices (y.argmax(axis=1)); for several targets give --task regression."
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
    guess, other = TASKS if targets.dtype.kind in "iu" else TASKS[::-1]
    note = f"{count} distinct whole numbers as targets were taken for {guess}; --task {other} overrides it."
    return guess, [note]


def _all_whole(values: Array) -> bool:
    return values.dtype.kind != "f" or bool((values == np.round(values)).all())


def class_indices(raw: RawData, y: Mapping[str, Array]) -> tuple[dict[str, Array], tuple[str, ...], list[str]]:
    """Number the labels 0..C-1 in sorted order, by their numbers where a table has numbers.

    Labels are the same where the file has the same: whole numbers are compared exactly, whatever their size and the
    dtype of their split, and labels of a table as texts.

    Returns:
        The class indices of each split, the names of the classes, and a note if labels were renumbered.
    """
    for split, labels in y.items():
        if labels.dtype.kind != "U" and not _all_whole(labels):
            first = labels[labels != np.round(labels)][0]
            raise DataError(
                f"{raw.source}: label {first} of {array_name('y', split)} is not a whole number. Store class "
                "labels as integers or text, or give --task regression."
            )
    plain = y[raw.first].dtype.kind in "iu"
    y = {"all": raw.labels} if raw.labels is not None else _exact(y)
    values = np.unique(y[raw.first])
    indices = {}
    for split, labels in y.items():
        codes = np.minimum(np.searchsorted(values, labels), len(values) - 1)
        unknown = np.unique(labels[values[codes] != labels])
        if len(unknown):
            raise DataError(
                f"{raw.source}: {array_name('y', split)} has labels that no training sample has: "
                f"{listing(_class_names(unknown))}. Add samples of them to the training data or drop them "
                "(or give --task regression if these are quantities)."
            )
        indices[split] = codes.astype(np.int64)
    if raw.labels is not None:
        values, indices["all"] = _by_number(values, indices["all"])
    names = _class_names(values)
    if len(values) < 2:
        raise DataError(f"{raw.source}: every label is {names[0]!r}. Classification needs two classes.")
    if plain and np.array_equal(values, np.arange(len(values))):
        return indices, raw.classes if len(raw.classes) == len(names) else names, []
    return indices, names, [f"Labels {listing(names)} were numbered 0 to {len(names) - 1} in sorted order."]


def _exact(y: Mapping[str, Array]) -> dict[str, Array]:
    """Whole numbers of all splits in one dtype that holds each exactly: int64, or Python's ints beyond it."""
    if next(iter(y.values())).dtype.kind in "Ub":
        return dict(y)
    fits = all(float(part.min()) >= -(2.0**63) and float(part.max()) < 2.0**63 for part in y.values())
    if fits:
        return {split: part.astype(np.int64) for split, part in y.items()}
    return {split: np.array([int(value) for value in part], dtype=object) for split, part in y.items()}


def _by_number(values: Array, codes: Array) -> tuple[Array, Array]:
    """Texts of numbers in the order of the numbers, and the codes that go with it."""
    # Python compares whole numbers and floats exactly.
    keys = [(int(text) if text.lstrip("+-").isdecimal() else float(text), text) for text in values.tolist()]
    order = np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.int64)
    return values[order], np.argsort(order)[codes]


def _class_names(values: Array) -> tuple[str, ...]:
    if values.dtype.kind in "Ub":
        return tuple(str(value) for value in values)
    return tuple(str(int(value)) for value in values)


def listing(names: tuple[str, ...]) -> str:
    """Return the first few names as text, and how many there are if they are more."""
    return ", ".join(names[:8]) + (f", … ({len(names)} in all)" if len(names) > 8 else "")


def standardised(raw: RawData, y: Mapping[str, Array]) -> tuple[dict[str, Array], Array, Array]:
    """Return the targets as (N, outputs) float32 with training mean 0 and deviation 1, and both values."""
    wide = {}
    for split, targets in y.items():
        if targets.dtype.kind == "U":
            raise DataError(
                f"{raw.source}: targets such as {str(targets.flat[0])!r} are text. Regression needs numbers; "
                "leave out --task regression to use them as class labels."
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
    return {split: _in_reach(raw, split, part, (part - mean) / std) for split, part in wide.items()}, mean, std


def _in_reach(raw: RawData, split: str, targets: Array, scaled: Array) -> Array:
    """Standardised targets as float32, whose squares float32 can hold; raises `DataError` at the first it cannot."""
    far = np.abs(scaled) > FARTHEST
    if far.any():
        row, column = (int(at) for at in np.argwhere(far)[0])
        raise DataError(
            f"{raw.source}: {array_name('y', split)} has {targets[row, column]:g} at row {row}, target {column}, both "
            f"counted from 0: {abs(scaled[row, column]):.3g} deviations from the mean of the training targets, so that "
            "no error would be finite. Mend or drop that sample."
        )
    return scaled.astype(np.float32)
