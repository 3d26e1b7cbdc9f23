"""Contents of a report: the files of a run, read once, and figures derived from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any, Literal

from compilers.training import checkpoint_graph
from netgraph.app.data import ImageLayout, image_layout
from netgraph.app.losses import loss_note, training_loss_name
from netgraph.app.run_directory import RunDirectory
from netgraph.app.summary import RunSummary
from netgraph.app.verdicts import Change, change_of, in_words, verdicts
from netgraph.errors import DataError, FileFormatError, JournalError, TrainingError
from netgraph.graph import Graph
from netgraph.rewriting import Entry
from netgraph.storage import readable
from netgraph.viz import format_count

State = Literal["ended", "undone", "open"]

MOST_MARKS = 12
"""Largest number of groups of rewrites that a curve shows."""


def current_graph(run: RunDirectory) -> Graph:
    """Grown graph of a run; while the run has not ended, the graph of its checkpoint, or else the first graph."""
    if run.graph_file.exists():
        return run.grown
    return checkpoint_graph(run.checkpoint) if run.checkpoint.exists() else run.journal.first()


@dataclass(frozen=True)
class Mark:
    """A group of consecutive rewrites that a curve marks together.

    Attributes:
        first, last: numbers of the first and of the last rewrite.
        epochs: epochs after which they happened, in order.
        change: effect of the whole group on the number of edges.
        edges: numbers of edges before and after the group.
    """

    first: int
    last: int
    epochs: tuple[int, ...]
    change: Change
    edges: tuple[int, int]

    @property
    def words(self) -> str:
        """Numbers, epochs and effect of the rewrites in words."""
        numbers = f"rewrite {self.first}" if self.first == self.last else f"rewrites {self.first} to {self.last}"
        start, end = self.epochs[0], self.epochs[-1]
        when = f"after epoch {start}" if start == end else f"after epochs {start} to {end}"
        before, after = self.edges
        size = format_count(after, "edge") if before == after else f"{before:,} to {format_count(after, 'edge')}"
        return f"{numbers}, {when}: {size}"

    def joined(self, other: Mark) -> Mark:
        """Return the group of these rewrites and those of `other`, which follow them."""
        edges = (self.edges[0], other.edges[1])
        return Mark(self.first, other.last, self.epochs + other.epochs, change_of(*edges), edges)


@dataclass(frozen=True)
class RunFacts:
    """Contents of a report about a run, except for figures computed from graphs.

    Attributes:
        run: run directory.
        config: configuration of the run.
        metrics: metrics of every finished epoch, by name.
        entries: entries of the journal, one per rewrite.
        first: first graph of the run.
        summary: results; None while the run has not ended, or after its rewrites were undone.
        state: "ended"; "undone" after `netgraph undo`; "open" when the run still trains or was interrupted.
    """

    run: RunDirectory
    config: Mapping[str, Any]
    metrics: Sequence[Mapping[str, float]]
    entries: Sequence[Entry]
    first: Graph
    summary: RunSummary | None
    state: State

    @classmethod
    def read(cls, run: RunDirectory) -> RunFacts:
        """Read the files of a run.

        Raises:
            DataError: for a damaged file, or a file of an ended run with missing lines, with its name and a remedy.
            OSError: when a file is removed while it is read.
        """
        config = run.whole_config
        try:
            entries, first = run.journal.entries(), run.journal.first()
        except JournalError as error:
            raise DataError(f"{error} Go on with the run by --resume, or make it again by `netgraph grow`.") from error
        except FileFormatError as error:
            raise DataError(f"{error} Make the run again by `netgraph grow`.") from error
        values, metrics = run.read_summary(), run.read_metrics()
        run.check_complete(rewrites=len(entries), epochs=len(metrics))
        undone = run.undone_checkpoint.is_file() and not run.checkpoint.is_file()
        return cls(
            run=run,
            config=config,
            metrics=metrics,
            entries=entries,
            first=first,
            summary=None if values is None else RunSummary.from_json(values, run.path / "summary.json"),
            state="ended" if values is not None else "undone" if undone else "open",
        )

    @cached_property
    def graph(self) -> Graph:
        """Final graph, or the graph of the checkpoint. Raises `DataError` when its file is damaged."""
        try:
            return current_graph(self.run)
        except (FileFormatError, TrainingError) as error:
            raise DataError(f"{error} Go on with the run by --resume, or make it again.") from error

    @property
    def name(self) -> str:
        """Name of the data; for a file its name without directories."""
        return self.summary.data if self.summary else readable(str(self.config["data"]).rstrip("/").split("/")[-1])

    @property
    def metric(self) -> str:
        """Name of the score: "accuracy" or "rmse"."""
        return "accuracy" if self.config["task"] == "classification" else "rmse"

    @property
    def loss_note(self) -> str:
        """Sentences about the measurement of the losses of an epoch."""
        return loss_note(self.config["training"], self.config["task"], len(self.first.outputs[0]))

    @property
    def training_loss(self) -> str:
        """Name of the training loss, with its differences from the validation loss."""
        return training_loss_name(self.config["training"], self.config["task"])

    @property
    def epochs(self) -> int:
        """Number of epochs of the run: the configured number, or the finished one where that is larger."""
        return max(int(self.config["training"].get("epochs", 0)), len(self.metrics))

    @property
    def seconds(self) -> float:
        """Wall time of the run, or of its finished epochs, in seconds."""
        return self.summary.seconds if self.summary else sum(m.get("seconds", 0.0) for m in self.metrics)

    @property
    def sizes(self) -> list[int]:
        """Numbers of trainable edges at the start and after every rewrite."""
        return [self.first.num_edges, *(entry.edges for entry in self.entries)]

    @property
    def verdicts(self) -> str:
        """Clause with the numbers of rewrites by effect and by proof; '' without rewrites."""
        return in_words(verdicts(self.entries, self.first.num_edges))

    @cached_property
    def origin(self) -> tuple[int, int]:
        """Identity of the run: inode and time of its first graph, which another run in the directory does not share."""
        stat = (self.run.path / "journal" / "first.safetensors").stat()
        return stat.st_ino, stat.st_mtime_ns

    @property
    def images(self) -> ImageLayout | None:
        """Layout of the data's rows as images; None for other data."""
        return image_layout(tuple(self.config.get("input_shape") or ()))

    def marks(self) -> list[Mark]:
        """Groups of rewrites that are close in time, at most `MOST_MARKS`."""
        sizes = self.sizes
        marks: list[Mark] = []
        for epoch, group in groupby(self.entries, key=lambda entry: entry.epoch):
            numbers = [entry.rewrite for entry in group]
            edges = (sizes[numbers[0] - 1], sizes[numbers[-1]])
            marks.append(Mark(numbers[0], numbers[-1], (epoch,), change_of(*edges), edges))
        gap = max(1, self.epochs // 25)
        marks = _group(marks, gap, alike=True)
        while len(marks) > MOST_MARKS:
            gap *= 2
            marks = _group(marks, gap, alike=gap < self.epochs)
        return marks


def _group(marks: Sequence[Mark], gap: int, *, alike: bool) -> list[Mark]:
    """Join neighbours at most `gap` epochs apart; with `alike`, only if both change edges the same way."""
    result: list[Mark] = []
    for mark in marks:
        near = bool(result) and mark.epochs[0] - result[-1].epochs[-1] <= gap
        if near and (not alike or result[-1].change == mark.change):
            result[-1] = result[-1].joined(mark)
        else:
            result.append(mark)
    return result
