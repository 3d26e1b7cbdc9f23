"""Run directories: where a run keeps its configuration, journal, metrics, checkpoints and results."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from netgraph.app.places import CONFIG, GROWN, MOST_BYTES, STARTING, check_place, clear_temporary, marked, own_files
from netgraph.app.run_values import CONFIG_SHAPE, METRICS_SHAPE, PART_OF_CONFIG, RESULTS_SHAPE
from netgraph.errors import DataError, FileFormatError, OptionError
from netgraph.graph import Graph
from netgraph.rewriting import FIRST_GRAPH, JOURNAL_FILE, JOURNAL_FOLDER, Journal
from netgraph.storage import Shape, append_line, load, read_json, read_json_lines, save, sync_directory, write_text

_REMEDY = "Bring the file back, or make the run again by `netgraph grow`."


class RunDirectory:
    """Directory with the files of one run.

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

        Of an overwritten run the files that netgraph wrote go, and others stay. A run begins, and an overwritten one
        ends, with all files of its start on the disk: whenever the process is killed, the directory holds the old run,
        the new one, or the beginnings of a run, which may be begun anew.

        Raises:
            OptionError: when the directory holds something that would be lost.
        """
        check_place(path, "run", overwrite=overwrite)
        text, target = json.dumps(marked("run", config), indent=2) + "\n", Path(path)
        made, begun = not target.is_dir(), (target / CONFIG).exists()
        target.mkdir(parents=True, exist_ok=True)
        old = [file for file in own_files(target, "run") if target / STARTING not in file.parents]
        remains = bool(old) and not begun
        try:
            _stage(target / STARTING, text, first)
            remains = bool(old)
            for file in sorted(old, key=lambda file: file != target / CONFIG):  # Without it there is no run.
                file.unlink(missing_ok=True)
            _settle(target)
        except BaseException:
            # Remains of an old run may be replaced as long as the folder of the start is there.
            if not remains:
                _take_back(target, all_of_it=not old)
                if made:
                    with suppress(OSError):
                        target.rmdir()
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
        """The graph that the run ends with: the grown one, or the start where growth did harm."""
        return self.path / "graph.safetensors"

    @property
    def grown_file(self) -> Path:
        """The grown graph: a file of its own where the run ends with the start instead."""
        file = self.path / GROWN
        return file if file.exists() else self.graph_file

    def save_graphs(self, grown: Graph, *, kept: Graph | None = None) -> None:
        """Write the final graphs: the grown one, and the one that is kept in its place, if any."""
        if kept is None:
            save(grown, self.graph_file)
            (self.path / GROWN).unlink(missing_ok=True)
        else:
            save(grown, self.path / GROWN)
            save(kept, self.graph_file)

    @property
    def grown(self) -> Graph:
        """The grown graph, to which the journal leads; raises `OptionError` when the run has not ended."""
        if not self.graph_file.exists():
            raise OptionError(
                f"The run in {os.fspath(self.path)!r} has not ended: there is no {self.graph_file.name}. "
                "Go on with it by `netgraph grow ... --resume`."
            )
        return load(self.grown_file)

    def standing(self, epoch: int) -> str:
        """Two sentences about a run that failed after an epoch: its checkpoint on the disk, and how to go on."""
        name = os.fspath(self.path)
        again = f"start again with other settings, with --overwrite or another --out than {name!r}."
        if not self.checkpoint.is_file():
            return f"There is no checkpoint yet: {again}"
        return f"The checkpoint of epoch {epoch} stands, and `netgraph show {name}` shows it: {again}"

    @property
    def ended(self) -> tuple[int, int] | None:
        """Another value for every `summary.json`; None as long as there is none."""
        try:
            stat = (self.path / "summary.json").stat()
        except OSError:
            return None
        return stat.st_ino, stat.st_mtime_ns

    def clear_temporary(self) -> None:
        """Remove temporary files that a killed process left behind."""
        clear_temporary(self.path, "run")
        _take_back(self.path, all_of_it=False)

    def append_metrics(self, metrics: Mapping[str, float]) -> None:
        """Append the metrics of one epoch to `metrics.jsonl`."""
        append_line(self.path / "metrics.jsonl", json.dumps(metrics))

    def reset_metrics(self, history: list[dict[str, float]]) -> None:
        """Write `metrics.jsonl` anew, as it was at a checkpoint."""
        text = "".join(json.dumps({"epoch": k, **entry}) + "\n" for k, entry in enumerate(history, start=1))
        write_text(self.path / "metrics.jsonl", text)

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
        """Compare the files of a run that has ended with its results: a file may have lost lines.

        Args:
            rewrites: entries of the journal.
            epochs: lines of `metrics.jsonl`.

        Raises:
            DataError: naming the file that does not fit `summary.json`, and what to do.
        """
        summary = self.read_summary() or {}
        again = f"bring the file back, or make the run again by `netgraph grow`, in place of {os.fspath(self.path)!r}"
        for name, key, found, remedy in (
            (JOURNAL_FILE, "rewrites", rewrites, f"`netgraph replay` checks a journal: {again}."),
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
        write_text(self.path / name, text)

    def read_summary(self) -> dict[str, Any] | None:
        """Results of a run that has ended, or None. Raises `DataError` when the file is damaged."""
        file = self.path / "summary.json"
        return _read_object(file, RESULTS_SHAPE) if file.exists() else None


def _stage(starting: Path, config: str, first: Graph) -> None:
    """Write the first files of a run into the folder `starting`, without any that a killed process left there."""
    _empty(starting)
    Journal.create(starting, first)
    write_text(starting / CONFIG, config)


def _settle(target: Path) -> None:
    """Move the first files of a run to their places. The configuration is last, since it makes the directory a run."""
    folder, starting = target / JOURNAL_FOLDER, target / STARTING
    if folder.is_symlink():
        folder.unlink()  # Its target is not of this run.
    folder.mkdir(exist_ok=True)
    (starting / JOURNAL_FOLDER / FIRST_GRAPH).replace(folder / FIRST_GRAPH)
    sync_directory(folder)
    for name in (JOURNAL_FILE, CONFIG):
        (starting / name).replace(target / name)
        sync_directory(target)
    _take_back(target, all_of_it=False)


def _take_back(target: Path, *, all_of_it: bool) -> None:
    """Remove the folder of a start, and with `all_of_it` the files that were moved out of it, as far as possible."""
    with suppress(OSError):
        if all_of_it:
            for file in list(own_files(target, "run")):
                file.unlink(missing_ok=True)
            (target / JOURNAL_FOLDER).rmdir()
    starting = target / STARTING
    with suppress(OSError):
        _empty(starting)
        (starting / JOURNAL_FOLDER).rmdir()
    with suppress(OSError):
        starting.rmdir()


def _empty(starting: Path) -> None:
    """Remove the files of a start from its folder."""
    for file in own_files(starting.parent, "run"):
        if starting in file.parents:
            file.unlink(missing_ok=True)


def _read_object(file: Path, shape: Shape) -> dict[str, Any]:
    """Read the JSON object in a file. Raises `DataError` when the file is damaged or holds another value."""
    try:
        values: dict[str, Any] = read_json(file, shape, MOST_BYTES)
    except FileFormatError as error:
        raise DataError(f"{error} {_REMEDY}") from error
    return values
