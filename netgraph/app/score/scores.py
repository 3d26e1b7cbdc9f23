"""Scores of a network on a set of samples, for classification and for regression, with simple baselines."""

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
"""Largest number of classes with a full confusion table; for more classes only the most frequent pairs are kept."""

MOST_PAIRS = 10
"""Largest number of confused pairs that are kept."""

MOST_NAMED = 5
"""Largest number of classes that a sentence names."""


@dataclass(frozen=True, kw_only=True)
class ClassScores:
    """Scores of a classifier on a set of samples.

    Attributes:
        loss: mean cross-entropy in eval mode, without label smoothing or augmentation.
        accuracy: fraction of the samples with a correct prediction.
        balanced_accuracy: mean recall of the classes that have samples.
        majority: accuracy of a baseline that predicts the commonest class of the training data for every sample.
        samples: number of samples of each class, `(classes,)`.
        predicted: number of predictions of each class, `(classes,)`.
        recall: fraction of the samples of each class with a correct prediction, `(classes,)`; None for a class without
            samples.
        confusion: number of samples by class (row) and predicted class (column); None above `MOST_CLASSES` classes.
        confused: most frequent wrong predictions as triples of class, predicted class and number of samples, at most
            `MOST_PAIRS`, the largest number first.
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
        """Compute the scores of predicted classes.

        Args:
            true: class of each sample, `(samples,)`.
            given: predicted class of each sample, `(samples,)`.
            classes: number of classes.
            commonest: commonest class of the training data.
            loss: mean cross-entropy.
        """
        samples, predicted = (np.bincount(values, minlength=classes) for values in (true, given))
        hits = np.bincount(true[true == given], minlength=classes)
        present = samples > 0
        recall = hits[present] / samples[present]
        shares: list[float | None] = [None] * classes
        for at, share in zip(np.flatnonzero(present).tolist(), recall.tolist(), strict=True):
            shares[at] = share
        # One number per pair of classes: a table of all pairs of very many classes does not fit into memory.
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
        """Score by which runs are compared, the accuracy; larger is better."""
        return self.accuracy

    def fits(self, classes: int) -> bool:
        """Whether lists have one value per class and `confused` has known classes; for scores read from a file."""
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
        """Indices of the classes that have samples but no predictions."""
        pairs = enumerate(zip(self.samples, self.predicted, strict=True))
        return [at for at, (there, given) in pairs if there and not given]

    def warnings(self, classes: Sequence[str], data: str) -> list[str]:
        """Sentences about classes that are never predicted, and an accuracy no better than the baseline `majority`.

        Args:
            classes: names of the classes.
            data: name of the set of samples, such as "test".
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
        baseline: root mean squared error of a baseline that predicts the mean of the training targets.
        r2: explained fraction of the variance of the targets, as a mean over all targets with a variance above 0; None
            without such a target.
    """

    loss: float
    rmse: float
    baseline: float
    r2: float | None

    @property
    def score(self) -> float:
        """Score by which runs are compared, the root mean squared error; smaller is better."""
        return self.rmse

    def warnings(self, _classes: Sequence[str], data: str) -> list[str]:
        """Sentence about an RMSE no better than the baseline, as a list of at most one."""
        if self.rmse < self.baseline:
            return []
        return [
            f"The {data} RMSE, {self.rmse:.4g}, is no better than naming the mean of the training targets for every "
            f"sample, {self.baseline:.4g}."
        ]


Scores = ClassScores | TargetScores


def scores(net: CompiledNetwork, data: tuple[torch.Tensor, torch.Tensor], dataset: Dataset) -> Scores:
    """Score a network on a set of samples.

    Args:
        net: compiled network.
        data: inputs in the shape that the network takes, and targets.
        dataset: data set of the samples, with the units of its targets. RMSE and baseline of a regression are in these
            units.
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
    """Compute the accuracy, or the root mean squared error in the units of the targets; see `scores`."""
    return scores(net, data, dataset).score
