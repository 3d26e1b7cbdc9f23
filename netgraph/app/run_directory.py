"""Run directories: where a run keeps its configuration, journal, metrics, checkpoints and results."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from netgraph.app.run_values import CONFIG_SHAPE, METRICS_SHAPE, PART_OF_CONFIG, RESULTS_SHAPE
from netgraph.errors import DataError, FileFormatError, OptionError
from netgraph.files import append_line, write_atomically
from netgraph.graph import Graph
from netgraph.json_values import Shape, read_json, read_json_lines
from netgraph.rewriting import Journal
from netgraph.serialize import load

CONFIG = "config.json"
JOURNAL = "journal.jsonl"

_REMEDY = "Bring the file back, or make the run again by `netgraph grow`."


class RunDirectory:
    """The files of one run.

    Args:
        path: the directory. `create` makes a new one; the constructor opens one that holds a run.

    Raises:
        OptionError: when there is no run.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if not (self.path / CONFIG).is_file():
            raise OptionError(f"{os.fspath(path)!r} holds no run ({CONFIG} is missing); make one with `netgraph grow`.")

    @classmethod
    def create(
        cls, path: str | os.PathLike[str], config: Mapping[str, Any], first: Graph, *, overwrite: bool = False
    ) -> RunDirectory:
        """Start a run at `first`. Only a directory that is empty, or holds a run that may be overwritten, is used.

        Raises:
            OptionError: when the directory holds something that would be lost.
        """
        target = Path(path)
        if (target / CONFIG).is_file():
            if not overwrite:
                raise OptionError(
                    f"{os.fspath(path)!r} holds a run already; go on with it by --resume, replace it by --overwrite, "
                    "or choose another --out."
                )
            shutil.rmtree(target)
        elif overwrite and (target / JOURNAL).is_file():  # killed before it had a configuration
            shutil.rmtree(target)
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise OptionError(f"{os.fspath(path)!r} exists and holds no run; choose another --out.")
        target.mkdir(parents=True, exist_ok=True)
        try:
            Journal.create(target, first)
            # Last, because a directory with a configuration counts as a run.
            write_atomically(target / CONFIG, (json.dumps(config, indent=2) + "\n").encode())
        except BaseException:
            # Half a start could neither be resumed nor overwritten. The directory was empty before.
            shutil.rmtree(target, ignore_errors=True)
            raise
        return cls(target)

    @property
    def config(self) -> dict[str, Any]:
        """The configuration, of which parts may be missing. Raises `DataError` when the file is damaged."""
        return _read_object(self.path / CONFIG, PART_OF_CONFIG)

    @property
    def whole_config(self) -> dict[str, Any]:
        """The configuration with all its parts. Raises `DataError` when the file is damaged, or lacks one."""
        return _read_object(self.path / CONFIG, CONFIG_SHAPE)

    @property
    def journal(self) -> Journal:
        """The journal of rewrites."""
        return Journal(self.path)

    @property
    def checkpoint(self) -> Path:
        """Where the state of training is kept."""
        return self.path / "checkpoint.safetensors"

    @property
    def undone_checkpoint(self) -> Path:
        """Where `netgraph undo` sets the checkpoint aside."""
        return self.checkpoint.with_stem(f"{self.checkpoint.stem}.undone")

    @property
    def start_file(self) -> Path:
        """The graph just before the first growth, trained to its plateau."""
        return self.path / "start.safetensors"

    @property
    def graph_file(self) -> Path:
        """The final graph."""
        return self.path / "graph.safetensors"

    @property
    def graph(self) -> Graph:
        """The final graph; raises `OptionError` when the run has not ended."""
        if not self.graph_file.exists():
            raise OptionError(
                f"The run in {os.fspath(self.path)!r} has not ended: there is no {self.graph_file.name}. "
                "Go on with it by `netgraph grow ... --resume`."
            )
        return load(self.graph_file)

    def standing(self, epoch: int) -> str:
        """What of a run that failed after an epoch is on the disk, and how to go on, in two sentences."""
        name = os.fspath(self.path)
        again = f"start again with other settings, with --overwrite or another --out than {name!r}."
        if not self.checkpoint.is_file():
            return f"There is no checkpoint yet: {again}"
        return f"The checkpoint of epoch {epoch} stands, and `netgraph show {name}` shows it: {again}"

    def clear_temporary(self) -> None:
        """Remove temporary files that a killed process left behind."""
        for folder in (self.path, self.path / "journal"):
            for file in folder.glob(".*.*"):
                file.unlink(missing_ok=True)

    def append_metrics(self, metrics: Mapping[str, float]) -> None:
        """Append the metrics of one epoch to `metrics.jsonl`."""
        append_line(self.path / "metrics.jsonl", json.dumps(metrics))

    def reset_metrics(self, history: list[dict[str, float]]) -> None:
        """Write `metrics.jsonl` anew, as it was at a checkpoint."""
        text = "".join(json.dumps({"epoch": k, **entry}) + "\n" for k, entry in enumerate(history, start=1))
        write_atomically(self.path / "metrics.jsonl", text.encode())

    def read_metrics(self) -> list[dict[str, float]]:
        """Metrics of every finished epoch; a line that a crash cut off is left out.

        Raises:
            DataError: naming the line that is damaged.
        """
        file = self.path / "metrics.jsonl"
        try:
            return read_json_lines(file, METRICS_SHAPE) if file.exists() else []
        except FileFormatError as error:
            raise DataError(
                f"{error} Resuming the run writes the file anew from the checkpoint; of a run that has ended, remove "
                "what is damaged, or make it again."
            ) from error

    def check_complete(self, *, rewrites: int, epochs: int) -> None:
        """Compare what was read of a run with its results, when it has ended: a file may have lost lines.

        Args:
            rewrites: entries of the journal.
            epochs: lines of `metrics.jsonl`.

        Raises:
            DataError: naming the file that does not fit `summary.json`, and what to do.
        """
        summary = self.read_summary() or {}
        again = f"bring the file back, or make the run again by `netgraph grow`, in place of {os.fspath(self.path)!r}"
        for name, key, found, remedy in (
            (JOURNAL, "rewrites", rewrites, f"`netgraph replay` checks a journal: {again}."),
            ("metrics.jsonl", "epochs", epochs, f"`--resume` writes it anew from the checkpoint; else {again}."),
        ):
            known = summary.get(key)
            if isinstance(known, int) and known != found:
                what = "lines are missing at its end" if found < known else "it has lines of another run"
                raise DataError(
                    f"{os.fspath(self.path / name)!r} holds {found:,} {key}, but the run ended with {known:,} (in "
                    f"summary.json): {what}. {remedy[0].upper()}{remedy[1:]}"
                )

    def write_text(self, name: str, text: str) -> None:
        """Write a text file, completely or not at all."""
        write_atomically(self.path / name, text.encode())

    def read_summary(self) -> dict[str, Any] | None:
        """Results of a run that has ended, or None. Raises `DataError` when the file is damaged."""
        file = self.path / "summary.json"
        return _read_object(file, RESULTS_SHAPE) if file.exists() else None


def _read_object(file: Path, shape: Shape) -> dict[str, Any]:
    """The JSON object that a file holds; raises `DataError` when it does not."""
    try:
        values: dict[str, Any] = read_json(file, shape)
    except FileFormatError as error:
        raise DataError(f"{error} {_REMEDY}") from error
    return values
