"""`load_dataset`: a data set that is read, checked, labelled, split and scaled."""

from __future__ import annotations

import os

from netgraph.app.data.checks import checked
from netgraph.app.data.dataset import Dataset
from netgraph.app.data.scaling import scaled
from netgraph.app.data.sources import read
from netgraph.app.data.splits import apply_limit, split_test
from netgraph.app.data.targets import TASKS, class_indices, resolve_task, standardised
from netgraph.checks import choice
from netgraph.errors import OptionError
from netgraph.storage import readable


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
    raw = checked(read(os.fspath(spec), target))
    task, notes = resolve_task(raw, task)
    x = {split: inputs for split, (inputs, _) in raw.splits.items()}
    y = {split: targets for split, (_, targets) in raw.splits.items()}
    classes: tuple[str, ...] = ()
    if task == "classification":
        y, classes, relabelled = class_indices(raw, y)
        notes += relabelled
    if "all" in x:
        notes += split_test(raw, x, y, classes, test_fraction, seed)
    if limit is not None and limit < len(y["train"]):
        notes += apply_limit(raw, x, y, classes, limit, seed)
    mean, std = None, None
    if task == "regression":
        y, mean, std = standardised(raw, y)
        notes.append("Targets were standardised by the mean and standard deviation of the training targets.")
    shape = x["train"].shape[1:]
    x, how, scaling = scaled(raw, x)
    return Dataset(
        name=readable(raw.name),
        task=task,
        x_train=x["train"],
        y_train=y["train"],
        x_test=x["test"],
        y_test=y["test"],
        x_valid=x.get("valid"),
        y_valid=y.get("valid"),
        input_shape=shape,
        domain=(0.0, 1.0),
        scaling=scaling,
        columns=raw.columns,
        classes=classes,
        target_mean=mean,
        target_std=std,
        notes=(*raw.notes, *notes, *how),
    )


def _check_options(task: str | None, limit: int | None) -> None:
    if task is not None:
        choice("task", task, TASKS)
    if limit is not None and limit < 1:
        raise OptionError(f"samples={limit} leaves no training sample. Give a whole number above 0.")
