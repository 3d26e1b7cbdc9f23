"""`RawData`: a data set as its source holds it, before labelling, splitting and scaling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from netgraph.columns import Array


@dataclass(frozen=True, eq=False)
class RawData:
    """A data set as its source holds it: neither labelled, nor split, nor scaled."""

    name: str
    """Short name for reports."""
    source: str
    """Name or path that the user gave; every error message begins with it."""
    splits: Mapping[str, tuple[Array, Array]]
    """Inputs and targets by split: `all`, which is still to be split, or `train`, `test` and maybe `valid`."""
    task: str | None = None
    """The task, when the source knows it."""
    classes: tuple[str, ...] = ()
    """Names of the classes 0, 1, ..., when the source knows them."""
    columns: tuple[str, ...] = ()
    """Names of the features of a table, for messages."""
    target: str | None = None
    """Name of the column of targets, for messages."""
    lines: tuple[int, ...] = ()
    """Line of the file in which each row of a table ends, for messages."""
    labels: Array | None = None
    """Texts in the file for numeric targets of `all`: names of the classes when the targets are labels."""
    full_scale: float | None = None
    """Largest value that an input can take by its encoding (255 for bytes), when the source knows it."""
    notes: tuple[str, ...] = ()
    """Sentences for the user about changes that the reader made."""

    @property
    def first(self) -> str:
        """Name of the split that training samples come from: `train`, or `all` before splitting."""
        return "all" if "all" in self.splits else "train"


MISSING_MARKS = frozenset(
    {"", "?", "na", "n/a", "nan", "-nan", "null", "none", "<na>", "#n/a", "#na", "nat", "1.#qnan", "-1.#ind"}
)
"""Texts that stand for "no value", in lower case."""


def array_name(kind: str, split: str) -> str:
    """Name an array in messages: `x_test`, or plain `x` when there is no split."""
    return kind if split == "all" else f"{kind}_{split}"
