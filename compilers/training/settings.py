"""Settings of a training run, and the data that it trains on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from compilers.lifting import Newcomers
from netgraph.checks import Checked, Seed, choice, real_numbers, whole_numbers
from netgraph.columns import Array
from netgraph.errors import DataError, OptionError
from netgraph.schedules import get_curve


@dataclass(frozen=True, kw_only=True)
class TrainSettings(Checked):
    """Settings of training; every field is an option of the command line.

    Attributes:
        epochs: passes over the training data, growth included; on the command line also --epochs.
        batch_size: samples per step; the last, short batch of an epoch is used as well.
        optimizer: "adam", "adamw", "sgd" (with momentum 0.9) or "natural" (`NaturalGradient`, which is published with a
            learning rate of 0.1).
        learning_rate: learning rate at the start.
        curve: how the learning rate falls over the run: "constant", "cosine", "late_cosine" or "linear" (see
            `netgraph.schedules.CURVES`).
        weight_decay: decay of edge weights; biases and norms are spared, but by "natural", which decays all parameters.
        damping: number that is added to the diagonal of the Fisher matrix, by the optimizer "natural" and wherever a
            method asks for the natural gradient.
        label_smoothing: share of the target that is spread over all classes (classification); the training loss
            includes it, and the validation loss does not.
        score_batches: mini-batches over which gradient statistics are collected before a rewrite.
        watch_batches: last mini-batches of every epoch, over which statistics that a method watches are collected on
            the way.
        newcomers: first steps of new entries of a network that grows: "eased", with a step count of their own, or
            "zero", with the shared one, as in most papers (see `compilers.migrate`).
        patience: stop when the validation loss has not improved for this number of epochs since the last rewrite, and
            the method has nothing left to do; 0 never stops early.
        augment: how training maps are changed: "none", "crop" (moved at random), "flip" (mirrored left and right at
            random) or "crop+flip"; validation, test and gradient statistics see them as they are.
        crop_padding: most positions along each axis by which a crop moves maps.
        seed: seed of batch order and of what rewrites draw; on the command line it is --seed.
    """

    epochs: int = 40
    batch_size: int = 128
    optimizer: Literal["adam", "adamw", "sgd", "natural"] = "adamw"
    learning_rate: float = 2e-3
    curve: str = "cosine"
    weight_decay: float = 0.1
    damping: float = 0.1
    label_smoothing: float = 0.1
    score_batches: int = 64
    watch_batches: int = 8
    newcomers: Newcomers = "eased"
    patience: int = 0
    augment: Literal["none", "crop", "flip", "crop+flip"] = "none"
    crop_padding: int = 4
    seed: Seed = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("epochs", "batch_size", "score_batches", "watch_batches", "crop_padding"):
            if getattr(self, name) < 1:
                raise OptionError(f"{name}={getattr(self, name)} is below 1.")
        for name in ("weight_decay", "patience"):
            if getattr(self, name) < 0:
                raise OptionError(f"{name}={getattr(self, name)} is negative.")
        for name in ("learning_rate", "damping"):
            if getattr(self, name) <= 0:
                raise OptionError(f"{name}={getattr(self, name)} is not a finite number above 0.")
        if not 0 <= self.label_smoothing < 1:
            raise OptionError(f"label_smoothing={self.label_smoothing} is outside 0..1.")
        get_curve(self.curve)


def _check_no_nan(name: str, values: Array) -> None:
    """Raise `DataError` with the first row that has NaN."""
    array = np.asarray(values)
    if array.dtype.kind == "f" and array.ndim:
        rows = np.isnan(array.reshape(len(array), -1)).any(axis=1) if array.size else np.zeros(0, bool)
        if rows.any():
            raise DataError(f"{name} has NaN at row {int(np.argmax(rows))}; fill it in or drop that sample.")


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Training and validation data as tensors on one device.

    Attributes:
        x_train, x_valid: (samples, vertices, *grid) inputs: (samples, features), or (samples, maps, height, width); for
            an input with encoding "index" int64 rows of its vertices, `(samples, *grid)`.
        y_train, y_valid: (samples, *grid) class numbers, such as (samples,), or the next token of each token,
            (samples, tokens); or (samples, outputs, *grid) targets.
        task: "classification" or "regression".
    """

    x_train: Tensor
    y_train: Tensor
    x_valid: Tensor
    y_valid: Tensor
    task: Literal["classification", "regression"]

    def __post_init__(self) -> None:
        for name in ("train", "valid"):
            x, y = getattr(self, f"x_{name}"), getattr(self, f"y_{name}")
            if len(x) != len(y) or not len(x):
                raise DataError(
                    f"x_{name} has {len(x)} samples and y_{name} {len(y)}; they must agree and not be empty."
                )
        choice("task", self.task, ("classification", "regression"), error=DataError)
        for name in ("y_train", "y_valid"):
            y = getattr(self, name)
            classes = self.task == "classification"
            # A column of classes is a mistake; a grid of a single position says no more than none.
            if (not 1 <= y.ndim <= 3 or y.shape[1:] == (1,)) if classes else y.ndim < 2:
                wanted = "(samples,) or (samples, *grid) class numbers" if classes else "(samples, outputs) targets"
                raise DataError(f"{name} has shape {tuple(y.shape)}; {self.task} needs {wanted}.")

    @classmethod
    def from_arrays(
        cls,
        x_train: Array,
        y_train: Array,
        x_valid: Array,
        y_valid: Array,
        *,
        task: Literal["classification", "regression"],
        indices: bool = False,
        device: torch.device | str = "cpu",
    ) -> TrainingData:
        """Copy NumPy arrays to a device; inputs and regression targets become float32, classes and indices int64.

        Args:
            x_train, y_train, x_valid, y_valid: see `TrainingData`.
            task: "classification" or "regression".
            indices: whether the inputs are rows of vertices, such as tokens, for an input with encoding "index".
            device: where the tensors lie.

        Raises:
            DataError: naming the array, the value and its place, for inputs and targets that are not finite or no
                numbers, and for classes and indices that are no whole numbers from 0; and when shapes do not agree.
        """
        choice("task", task, ("classification", "regression"), error=DataError)

        def put(name: str, values: Array, whole: bool) -> Tensor:
            if np.asarray(values).dtype == np.bool_:  # two classes, or inputs of 0 and 1
                values = np.asarray(values).astype(np.uint8)
            if whole:
                array = whole_numbers(name, values, least=0, floats=True, error=DataError)
            else:
                _check_no_nan(name, values)
                array = real_numbers(name, values, dtype=np.float32, error=DataError)
            return torch.from_numpy(np.array(array, order="C")).to(device)

        labels = task == "classification"
        return cls(
            put("x_train", x_train, indices),
            put("y_train", y_train, labels),
            put("x_valid", x_valid, indices),
            put("y_valid", y_valid, labels),
            task,
        )

    @property
    def device(self) -> torch.device:
        """Where the tensors lie."""
        return self.x_train.device
