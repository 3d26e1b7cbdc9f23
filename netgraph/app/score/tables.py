"""Tables of scores, for a terminal, for markdown and for the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from netgraph.app.score.scores import MOST_CLASSES, ClassScores, Scores, TargetScores
from netgraph.markup import shortened
from netgraph.tables import Table

ROWS = {
    "test": "grown, test",
    "val": "grown, validation",
    "train": "grown, training",
    "test_start": "start alone, test",
    "val_start": "start alone, validation",
}
"""Headings of rows, by the key of the network and of the samples that were scored."""


@dataclass(frozen=True)
class ScoreTable(Table):
    """A table of scores. Its first column has names, all others have numbers.

    Attributes:
        key: unique name on a page, letters only.
    """

    key: str = ""


def score_tables(scores: Mapping[str, Scores], classes: Sequence[str]) -> list[ScoreTable]:
    """Make the tables about the scores of a run: all scores, and for classes also recall and confusion.

    Args:
        scores: scores by the keys of `ROWS`; keys may be missing.
        classes: names of the classes; empty for regression.
    """
    present = {key: scores[key] for key in ROWS if key in scores}
    if not present:
        return []
    tables = [_overview(present)]
    test, val = present.get("test"), present.get("val")
    if isinstance(test, ClassScores):
        names = [shortened(name) for name in classes]
        tables += [_recall(test, val if isinstance(val, ClassScores) else None, names), _confusion(test, names)]
    return tables


def _overview(scores: Mapping[str, Scores]) -> ScoreTable:
    rows, columns = [], ["", "loss", "accuracy", "balanced accuracy", "commonest class"]
    note = (
        "All are of the network at the end, in eval mode, so that losses can be compared: without label smoothing or "
        "augmentation. Balanced accuracy is the mean recall of the classes. The last column is the accuracy of naming "
        "the commonest class of the training data for every sample."
    )
    for key, one in scores.items():
        loss = f"{one.loss:.4g}"
        if isinstance(one, TargetScores):
            columns = ["", "loss", "RMSE", "R²", "RMSE of the mean"]
            note = (
                "All are of the network at the end, in eval mode. The loss is the mean squared error of standardised "
                "targets; RMSE is in the units of the targets, R² the share of their variance that is explained. The "
                "last column is the RMSE of naming the mean of the training targets for every sample."
            )
            r2 = "" if one.r2 is None else f"{one.r2:.4f}"
            rows.append([ROWS[key], loss, f"{one.rmse:.4g}", r2, f"{one.baseline:.4g}"])
        else:
            rows.append([ROWS[key], loss, f"{one.accuracy:.4f}", f"{one.balanced_accuracy:.4f}", f"{one.majority:.4f}"])
    return ScoreTable(key="scores", title="Scores", columns=columns, rows=rows, note=note)


def _recall(test: ClassScores, val: ClassScores | None, names: Sequence[str]) -> ScoreTable:
    """Table of the recall of each class, or of the `MOST_CLASSES` classes with the lowest recall."""
    shown, note = list(range(len(names))), ""
    if len(shown) > MOST_CLASSES:
        shown = sorted((at for at in shown if test.samples[at]), key=lambda at: (test.recall[at], at))[:MOST_CLASSES]
        note = f"The {len(shown)} classes with the least recall, of {len(names):,}."
    rows = [
        [
            names[at],
            f"{test.samples[at]:,}",
            f"{test.predicted[at]:,}",
            _share(test.recall[at]),
            *([_share(val.recall[at])] if val else []),
        ]
        for at in shown
    ]
    columns = ["class", "test samples", "predicted", "test recall", *(["validation recall"] if val else [])]
    return ScoreTable(key="recall", title="Recall of every class", columns=columns, rows=rows, note=note)


def _confusion(test: ClassScores, names: Sequence[str]) -> ScoreTable:
    """Table of test samples by class and predicted class; above `MOST_CLASSES` classes, of the `confused` pairs."""
    if test.confusion is None:
        rows = [[f"{names[true]} as {names[given]}", f"{count:,}"] for true, given, count in test.confused]
        return ScoreTable(key="confusion", title="Confused most often", columns=["class", "test samples"], rows=rows)
    rows = [
        [name, *(f"{count:,}" if count else "·" for count in row)]
        for name, row in zip(names, test.confusion, strict=True)
    ]
    note = "A row for every class, a column for every predicted class."
    return ScoreTable(
        key="confusion", title="Confusion of the test samples", columns=["", *names], rows=rows, note=note
    )


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
