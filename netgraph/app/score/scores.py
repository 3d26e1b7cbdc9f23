"""Scores of a network on a set of samples: of classes with recall and confusion, of targets beside their mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from compilers import CompiledNetwork
from compilers.training import predicted_classes, squared_errors
from netgraph.app.data import Dataset
from netgraph.columns import Array

MOST_CLASSES = 20
"""Classes up to which every pair of classes is counted; of more, the pairs that are confused most often."""

MOST_PAIRS = 10
"""Confused pairs that are kept of more classes."""

MOST_NAMED = 5
"""Classes that a sentence names."""


@dataclass(frozen=True, kw_only=True)
class ClassScores:
    """Scores of a classifier on a set of samples.

    Attributes:
        loss: mean cross-entropy in eval mode, without label smoothing or augmentation.
        accuracy: share of the samples that get their class.
        balanced_accuracy: mean recall of the classes that have samples.
        majority: accuracy of naming the commonest class of the training data for every sample.
        samples: number of samples of each class.
        predicted: number of samples that were given each class.
        recall: share of the samples of each class that get it; None for a class without samples.
        confusion: number of samples by class (row) and predicted class (column); None of very many classes.
        confused: pairs of different classes, most samples first: class, predicted class, number of samples.
    """

    loss: float
    accuracy: float
    balanced_accuracy: float
    majority: float
    samples: Sequence[int]
    predicted: Sequence[int]
    recall: Sequence[float | None]
    confusion: Sequence[Sequence[int]] | None
    confused: Sequence[Sequence[int]]

    @classmethod
    def of(cls, true: Array, given: Array, classes: int, commonest: int, loss: float) -> ClassScores:
        """Count the classes of samples and the classes that a network gives them.

        Args:
            true: (samples,) their classes.
            given: (samples,) the classes that they were given.
            classes: number of classes.
            commonest: the commonest class of the training data.
            loss: mean cross-entropy.
        """
        samples, predicted = (np.bincount(values, minlength=classes) for values in (true, given))
        hits = np.bincount(true[true == given], minlength=classes)
        present = samples > 0
        recall = hits[present] / samples[present]
        shares: list[float | None] = [None] * classes
        for at, share in zip(np.flatnonzero(present).tolist(), recall.tolist(), strict=True):
            shares[at] = share
        # Pairs by their code, since a table of all pairs of very many classes fits no memory.
        codes, counts = np.unique(true.astype(np.int64) * classes + given, return_counts=True)
        rows, columns = codes // classes, codes % classes
        confusion = None
        if classes <= MOST_CLASSES:
            table = np.zeros((classes, classes), dtype=np.int64)
            table[rows, columns] = counts
            confusion = table.tolist()
        wrong = np.flatnonzero(rows != columns)
        first = wrong[np.argsort(-counts[wrong], kind="stable")][:MOST_PAIRS]
        return cls(
            loss=loss,
            accuracy=int(hits.sum()) / len(true),
            balanced_accuracy=float(recall.mean()),
            majority=int(samples[commonest]) / len(true),
            samples=samples.tolist(),
            predicted=predicted.tolist(),
            recall=shares,
            confusion=confusion,
            confused=np.stack([rows[first], columns[first], counts[first]], axis=1).tolist(),
        )

    @property
    def score(self) -> float:
        """The accuracy, by which runs are compared."""
        return self.accuracy

    def fits(self, classes: int) -> bool:
        """Whether these can be scores of this number of classes: a check of values from a file."""
        tables = [
            self.samples,
            self.predicted,
            self.recall,
            *([self.confusion, *self.confusion] if self.confusion else []),
        ]
        pairs = all(len(pair) == 3 and min(pair) >= 0 and max(pair[:2]) < classes for pair in self.confused)
        return pairs and all(len(values) == classes for values in tables)

    @property
    def never_predicted(self) -> list[int]:
        """Classes that have samples, none of which and no other sample was given the class."""
        pairs = enumerate(zip(self.samples, self.predicted, strict=True))
        return [at for at, (there, given) in pairs if there and not given]

    def warnings(self, classes: Sequence[str], data: str) -> list[str]:
        """Sentences about faults that the accuracy hides.

        Args:
            classes: their names.
            data: name of the samples, such as "test".
        """
        result = []
        never, total = self.never_predicted, sum(self.samples)
        if never:
            named = ", ".join(f"{classes[at]!r} ({self.samples[at] / total:.1%})" for at in never[:MOST_NAMED])
            more = f" and {len(never) - MOST_NAMED:,} more" if len(never) > MOST_NAMED else ""
            what = "Class" if len(never) == 1 else "Classes"
            result.append(f"{what} {named}{more} of the {data} samples: never predicted.")
        if self.accuracy <= self.majority < 1:
            result.append(
                f"The {data} accuracy, {self.accuracy:.4f}, is no better than naming the commonest class for every "
                f"sample, {self.majority:.4f}."
            )
        return result


@dataclass(frozen=True, kw_only=True)
class TargetScores:
    """Scores of a regression on a set of samples, in the units of the targets.

    Attributes:
        loss: mean squared error of the standardised targets, in eval mode, without augmentation.
        rmse: root mean squared error over all targets.
        baseline: that of naming the mean of the training targets for every sample.
        r2: share of the variance of these samples' targets that is explained, the mean over targets that vary; None
            when none varies.
    """

    loss: float
    rmse: float
    baseline: float
    r2: float | None

    @property
    def score(self) -> float:
        """The root mean squared error, by which runs are compared."""
        return self.rmse

    def warnings(self, _classes: Sequence[str], data: str) -> list[str]:
        """A sentence when the network is of no use."""
        if self.rmse < self.baseline:
            return []
        return [
            f"The {data} RMSE, {self.rmse:.4g}, is no better than naming the mean of the training targets for every "
            f"sample, {self.baseline:.4g}."
        ]


Scores = ClassScores | TargetScores


def scores(net: CompiledNetwork, data: tuple[torch.Tensor, torch.Tensor], dataset: Dataset) -> Scores:
    """Score a network on samples of a data set: inputs as the network takes them, and targets.

    Errors of regression are in the units of the targets, which were standardised one by one.
    """
    if dataset.target_std is None:
        commonest = int(np.bincount(dataset.y_train).argmax())
        given, loss = predicted_classes(net, *data)
        return ClassScores.of(data[1].cpu().numpy(), given.numpy(), dataset.outputs, commonest, loss)
    y = data[1].cpu().numpy().astype(np.float64)
    units = dataset.target_std**2
    errors = squared_errors(net, *data).numpy().mean(0)
    around_training = ((y - dataset.y_train.mean(0, dtype=np.float64)) ** 2).mean(0)
    variance = y.var(0)
    varies = variance > 0
    return TargetScores(
        loss=float(errors.mean()),
        rmse=float(np.sqrt(np.mean(errors * units))),
        baseline=float(np.sqrt(np.mean(around_training * units))),
        r2=float(np.mean(1 - errors[varies] / variance[varies])) if varies.any() else None,
    )


def score(net: CompiledNetwork, data: tuple[torch.Tensor, torch.Tensor], dataset: Dataset) -> float:
    """Accuracy, or root mean squared error in the units of the targets."""
    return scores(net, data, dataset).score
