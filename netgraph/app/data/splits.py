"""Splits of samples: held out for testing and validation, at random and in proportion to the classes."""

from __future__ import annotations

from typing import Literal

import numpy as np

from netgraph.app.data.dataset import Dataset
from netgraph.app.data.raw import RawData
from netgraph.app.data.targets import listing
from netgraph.columns import Array, spans
from netgraph.errors import DataError, OptionError

# Keeps the random choices of one seed apart from each other.
_PURPOSES = ("test", "valid", "limit")


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


def split_test(
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
            notes.append(f"Classes with a single sample, which is in the training set: {listing(single)}.")
    return notes


def apply_limit(
    raw: RawData, x: dict[str, Array], y: dict[str, Array], classes: tuple[str, ...], limit: int, seed: int
) -> list[str]:
    """Keep `limit` training samples of `x` and `y`, in place, some of each class; return a note."""
    if limit < len(classes):
        raise DataError(
            f"{raw.source}: samples={limit} is less than the number of classes. Give at least {len(classes)}."
        )
    total = len(y["train"])
    kept, _ = _hold_out(_groups(y["train"], bool(classes)), total - limit, _generator(seed, "limit"))
    x["train"], y["train"] = x["train"][kept], y["train"][kept]
    return [f"{limit} of {total} training samples were kept at random, by seed {seed}."]


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
        groups: the group of each sample, `(N,)`.
        count: number of samples to hold out, at most N less the number of groups.
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
    rank = spans(0, sizes)
    held = rank < np.repeat(taken, sizes)
    return np.sort(order[~held]), np.sort(order[held])
