"""Data of a run: read, split by a seed and normalised, as a network takes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from compilers.training import TrainingData
from netgraph.app.data import Dataset, ImageLayout, Normalisation, image_layout, load_dataset, split_validation
from netgraph.app.hardware import check_threads
from netgraph.checks import Checked
from netgraph.columns import Array
from netgraph.errors import OptionError
from netgraph.graph import Graph
from netgraph.methods import Start


@dataclass(frozen=True, kw_only=True)
class RunSettings(Checked):
    """Options about data and machine.

    Attributes:
        normalise: whether inputs become (x - mean) / deviation, by channel of images, else by feature; mean and
            deviation are those of the training samples. None does it where features come in units of their own, as the
            columns of a table.
        validation: share of the training data that is held out for triggers and choices.
        samples: most training samples that are used; 0 uses all.
        threads: number of torch threads. Steps of networks with some 100,000 edges gain nothing from more than one, and
            results depend on the number to the last bits.
        costs: costs by which kernels are picked: "built-in", the same everywhere, or "tuned", as `netgraph tune`
            measured them on this machine.
    """

    normalise: bool | None = None
    validation: float = 1 / 12
    samples: int = 0
    threads: int = 1
    costs: Literal["built-in", "tuned"] = "built-in"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_threads(self.threads)
        if self.samples < 0:
            raise OptionError(f"samples={self.samples} is negative; 0 uses all.")
        if not 0 < self.validation < 1:
            raise OptionError(f"validation={self.validation} is not a share between 0 and 1.")


@dataclass(frozen=True, kw_only=True, eq=False)
class Inputs:
    """A data set split by a seed, before it is known whether a network takes it flat or as maps.

    Attributes:
        dataset: the data as loaded, test samples included.
        seed: that split them.
        layout: layout of rows as maps; None when samples are no images.
        normalisation: normalisation of the inputs, or None.
        parts: inputs and targets to train on, then those to validate with, as loaded.
    """

    dataset: Dataset
    seed: int
    layout: ImageLayout | None
    normalisation: Normalisation | None
    parts: tuple[Array, Array, Array, Array]

    @property
    def start(self) -> Start:
        """The facts about the data that a method starts from."""
        dataset, layout = self.dataset, self.layout
        shape = (dataset.features,) if layout is None else layout.shape
        last = layout is not None and layout.channels_last
        domain = self.normalisation.domain(dataset.domain) if self.normalisation else dataset.domain
        task: Any = dataset.task
        return Start(shape=shape, outputs=dataset.outputs, domain=domain, seed=self.seed, channels_last=last, task=task)

    @property
    def preparation(self) -> dict[str, Any]:
        """The facts, as JSON, that users of a trained network need, beside its normalisation."""
        sizes = {"training": len(self.parts[0]), "validation": len(self.parts[2]), "test": len(self.dataset.x_test)}
        return {**self.dataset.preparation, "samples": sizes}

    def training(self, first: Graph, device: torch.device) -> TrainingData:
        """Training and validation samples as a graph takes them, on a device."""
        x_train, y_train, x_valid, y_valid = self.parts
        x_train, x_valid = (self._taken(x, first) for x in (x_train, x_valid))
        task: Any = self.dataset.task
        return TrainingData.from_arrays(x_train, y_train, x_valid, y_valid, task=task, device=device)

    def test(self, first: Graph, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs and targets of the test samples as a graph takes them, on a device."""
        classification = self.dataset.task == "classification"
        x = self._taken(self.dataset.x_test, first)
        y = self.dataset.y_test.astype(np.int64 if classification else np.float32)
        return torch.from_numpy(x).to(device), torch.from_numpy(y).to(device)

    def _taken(self, x: Array, first: Graph) -> Array:
        rows = self.normalisation.apply(x) if self.normalisation else x
        return self.layout.as_maps(rows) if self.layout and first.inputs[0].grid else rows


def read_inputs(data: str, options: RunSettings, seed: int, *, target: str | None, task: str | None) -> Inputs:
    """Read a data set and split it.

    Args:
        data: name of a data set, a path, or openml:NAME.
        options: about data and machine.
        seed: of the split.
        target: target column of a CSV file.
        task: "classification" or "regression"; None infers it from the targets.

    Raises:
        NetgraphError: for data that cannot be read or used.
    """
    dataset = load_dataset(data, seed=seed, target=target, task=task, limit=options.samples or None)
    layout = image_layout(dataset.input_shape)
    parts = _parts(dataset, options, seed)
    normalise = dataset.scaling.by_feature if options.normalise is None else options.normalise
    normalisation = Normalisation.measured(parts[0], layout) if normalise else None
    return Inputs(dataset=dataset, seed=seed, layout=layout, normalisation=normalisation, parts=parts)


def _parts(dataset: Dataset, options: RunSettings, seed: int) -> tuple[Array, Array, Array, Array]:
    """Inputs and targets to train on, and those to validate with."""
    x, y = dataset.x_train, dataset.y_train
    if dataset.x_valid is not None and dataset.y_valid is not None:
        return x, y, dataset.x_valid, dataset.y_valid
    train_rows, valid_rows = split_validation(dataset, fraction=options.validation, seed=seed)
    return x[train_rows], y[train_rows], x[valid_rows], y[valid_rows]
