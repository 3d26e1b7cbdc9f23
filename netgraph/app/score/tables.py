"""Tables of scores, for a terminal, for markdown and for the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from netgraph.app.score.scores import MOST_CLASSES, ClassScores, Scores, TargetScores
from netgraph.markup import markdown_row, printable, shortened

ROWS = {
    "test": "grown, test", "val": "grown, validation", "train": "grown, training", "test_start": "start alone, test",
    "val_start": "start alone, validation",
}  # fmt: skip
"""The networks and samples that are scored, as tables name them."""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A table of texts: the first column names its row, the others are numbers.

    Attributes:
        key: unique on a page, letters only.
        title: what it shows.
        columns: headings.
        rows: as many cells as headings in each.
        note: a sentence below it, or nothing.
    """

    key: str
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""

    def table(self) -> Table:
        """The table for a terminal; names are taken literally."""
        table = Table(title=self.title, caption=self.note or None)
        for at, name in enumerate(self.columns):
            table.add_column(Text(printable(name)), justify="right" if at else "left")
        for row in self.rows:
            table.add_row(*(Text(printable(cell)) for cell in row))
        return table

    def markdown(self) -> list[str]:
        """Lines of markdown, with the title above them."""
        lines = [
            f"### {self.title}",
            "",
            markdown_row(self.columns),
            "| --- " + "| ---: " * (len(self.columns) - 1) + "|",
            *map(markdown_row, self.rows),
        ]
        return [*lines, "", self.note] if self.note else lines


def score_grids(scores: Mapping[str, Scores], classes: Sequence[str]) -> list[Grid]:
    """Tables about the scores of a run: all of them, and of classes also recall and confusion.

    Args:
        scores: by the names in `ROWS`.
        classes: names of the classes.
    """
    present = {key: scores[key] for key in ROWS if key in scores}
    if not present:
        return []
    grids = [_overview(present)]
    test, val = present.get("test"), present.get("val")
    if isinstance(test, ClassScores):
        names = [shortened(name) for name in classes]
        grids += [_recall(test, val if isinstance(val, ClassScores) else None, names), _confusion(test, names)]
    return grids


def _overview(scores: Mapping[str, Scores]) -> Grid:
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
    return Grid(key="scores", title="Scores", columns=columns, rows=rows, note=note)


def _recall(test: ClassScores, val: ClassScores | None, names: Sequence[str]) -> Grid:
    """Recall class by class; of very many classes, those that are found least."""
    shown, note = list(range(len(names))), ""
    if len(shown) > MOST_CLASSES:
        shown = sorted((at for at in shown if test.samples[at]), key=lambda at: (test.recall[at], at))[:MOST_CLASSES]
        note = f"The {len(shown)} classes with the least recall, of {len(names):,}."
    rows = [
        [names[at], f"{test.samples[at]:,}", f"{test.predicted[at]:,}", _share(test.recall[at]),
         *([_share(val.recall[at])] if val else [])]
        for at in shown
    ]  # fmt: skip
    columns = ["class", "test samples", "predicted", "test recall", *(["validation recall"] if val else [])]
    return Grid(key="recall", title="Recall of every class", columns=columns, rows=rows, note=note)


def _confusion(test: ClassScores, names: Sequence[str]) -> Grid:
    """Test samples by class and predicted class, or the pairs that are confused most often."""
    if test.confusion is None:
        rows = [[f"{names[true]} as {names[given]}", f"{count:,}"] for true, given, count in test.confused]
        return Grid(key="confusion", title="Confused most often", columns=["class", "test samples"], rows=rows)
    rows = [
        [name, *(f"{count:,}" if count else "·" for count in row)]
        for name, row in zip(names, test.confusion, strict=True)
    ]
    note = "A row for every class, a column for every predicted class."
    return Grid(key="confusion", title="Confusion of the test samples", columns=["", *names], rows=rows, note=note)


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
