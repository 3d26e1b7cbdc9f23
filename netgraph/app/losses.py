"""Texts about the training loss of an epoch, and its difference from the validation loss."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def loss_floor(smoothing: float, classes: int) -> float:
    """Compute the smallest possible cross-entropy with smoothed targets: the entropy of such a target."""
    rest = smoothing / classes
    shares = [1 - smoothing + rest, *[rest] * (classes - 1)]
    return -sum(share * math.log(share) for share in shares if share > 0)


def training_loss_name(training: Mapping[str, Any], task: str) -> str:
    """Name of the training loss, with what makes it differ from the validation loss."""
    return ", ".join(["training", *_differences(training, task)])


def loss_note(training: Mapping[str, Any], task: str, classes: int) -> str:
    """Sentences about how the two losses of an epoch are measured.

    Args:
        training: settings of training, by name.
        task: "classification" or "regression".
        classes: number of classes.
    """
    plain = "the plain cross-entropy" if task == "classification" else "the mean squared error of standardised targets"
    text = (
        "The training loss is the mean over the steps of an epoch, in train mode, while the weights change"
        f"{''.join(f', with {one}' for one in _differences(training, task))}; the validation loss is {plain} after the "
        "epoch, in eval mode."
    )
    smoothing = training.get("label_smoothing", 0)
    if task == "classification" and smoothing and classes > 1:
        floor = loss_floor(smoothing, classes)
        text += (
            f" With label smoothing {smoothing:g} over {classes:,} classes no network has a training loss below "
            f"{floor:.3g}, so the two are not comparable."
        )
    return text


def _differences(training: Mapping[str, Any], task: str) -> list[str]:
    smoothing, augment = training.get("label_smoothing", 0), training.get("augment", "none")
    result = [f"label smoothing {smoothing:g}"] if smoothing and task == "classification" else []
    return [*result, f"augment={augment}"] if augment != "none" else result
