"""`Dataset`: a data set that is ready for training."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from netgraph.app.data.scaling import Scaling
from netgraph.columns import Array


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set that is ready for training; its arrays must not be changed."""

    name: str
    """Short name for reports."""
    task: str
    """`classification` or `regression`."""
    x_train: Array
    """Training inputs, float32 and C-contiguous, images flattened, `(N, features)`."""
    y_train: Array
    """Training targets: int64 class indices 0..C-1, `(N,)`, or standardised float32 targets, `(N, outputs)`."""
    x_test: Array
    """Test inputs, like `x_train`."""
    y_test: Array
    """Test targets, like `y_train`."""
    input_shape: tuple[int, ...]
    """Shape of one sample before flattening: (28, 28) for MNIST, (30,) for a table of 30 columns."""
    domain: tuple[float, float] | tuple[Array, Array]
    """Smallest and largest value that inputs may have; two floats when all features have the same."""
    scaling: Scaling
    """Scaling of the inputs as stored into [0, 1], by the range of the training inputs."""
    columns: tuple[str, ...] = ()
    """Names of the features of a table; empty for data without names."""
    classes: tuple[str, ...] = ()
    """Names of the classes in the order of their indices; empty for regression."""
    x_valid: Array | None = None
    """Validation inputs, like `x_train`, when the source has a validation split of its own."""
    y_valid: Array | None = None
    """Validation targets, like `y_train`, when the source has a validation split of its own."""
    target_mean: Array | None = None
    """Mean of the training targets in their own units, `(outputs,)`; None for classification."""
    target_std: Array | None = None
    """Factors from standardised errors to the units of the targets, `(outputs,)`."""
    notes: tuple[str, ...] = ()
    """Sentences for the user about changes that the loader made."""

    @property
    def features(self) -> int:
        """Number of input features."""
        return int(self.x_train.shape[1])

    @property
    def preparation(self) -> dict[str, Any]:
        """The facts, as JSON, that users of a trained network need: units of inputs and outputs, names, sizes."""
        targets = None
        if self.target_mean is not None and self.target_std is not None:
            targets = {"mean": self.target_mean.tolist(), "std": self.target_std.tolist()}
        return {
            "scaling": self.scaling.to_json(), "columns": list(self.columns), "classes": list(self.classes),
            "targets": targets,
        }  # fmt: skip

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
