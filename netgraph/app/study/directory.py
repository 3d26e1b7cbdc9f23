"""Files of a study: its settings and the outcomes of its jobs, from which an interrupted study is resumed."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from netgraph.app.places import CONFIG, check_place, clear_temporary, marked, own_files
from netgraph.app.prepare import versions
from netgraph.app.study.jobs import Job, Outcome, Study
from netgraph.errors import DataError, FileFormatError, OptionError
from netgraph.markup import shortened
from netgraph.storage import (
    PLAIN,
    Entries,
    Record,
    Text,
    append_line,
    parse_json,
    read_file,
    read_json,
    record_of,
    whole_lines,
    write_atomically,
    write_text,
)

RUNS = "runs.jsonl"

_RUN = Record({**record_of(Outcome).entries, "settings": Text()})

_REMEDY = "Remove the line, and its job is done again, or use --overwrite."

_OBJECT = Entries(PLAIN)

_STUDY = Record(
    {
        "study": Record({"run": _OBJECT, "training": _OBJECT, "dense": _OBJECT}, others=PLAIN),
        "methods": Entries(_OBJECT),
    },
    others=PLAIN,
)


class StudyDirectory:
    """Directory of a study: `config.json`, `runs.jsonl` with a line for every finished job, and the report.

    Args:
        path: path of the directory. It is made when it does not exist, and used again when it holds the same study.
        study: settings of the study. Methods and seeds may be added to an existing study.
        overwrite: whether to replace a study with other settings.

    Raises:
        OptionError: when the directory holds other files, or a study with other settings.
        DataError: when a file of the study is damaged.
    """

    def __init__(self, path: Path, study: Study, *, overwrite: bool = False) -> None:
        self.path, self._study = path, study
        check_place(path, "study", overwrite=overwrite)
        recorded = self._recorded() if (path / CONFIG).is_file() and not overwrite else {}
        methods = {name: asdict(options) for name, options in study.options.items()}
        if recorded:
            self._check(recorded, {"study": study.common, "methods": methods})
        path.mkdir(parents=True, exist_ok=True)
        clear_temporary(path, "study")
        values = {
            **versions(torch.device("cpu")),
            "study": study.common,
            "methods": {**recorded.get("methods", {}), **methods},
        }
        self.write(CONFIG, json.dumps(marked("study", values), indent=2) + "\n")
        if overwrite:  # At the end, so that a study that cannot begin leaves the old one as it is.
            for file in own_files(path, "study"):
                if file.name != CONFIG:
                    file.unlink(missing_ok=True)
        self._cut_off()

    def outcomes(self) -> list[Outcome]:
        """Read the outcomes of all finished jobs whose methods belong to the study.

        Raises:
            DataError: for a damaged line of `runs.jsonl`.
            OptionError: for a line that was made with other settings.
        """
        found = []
        for number, line in enumerate(self._lines(), start=1):
            try:
                values = parse_json(line, _RUN, f"Line {number} of {os.fspath(self.path / RUNS)!r}")
            except FileFormatError as error:
                raise DataError(f"{error} {_REMEDY}") from error
            outcome, key = Outcome.from_json(values), values["settings"]
            if other := [p for p in outcome.points if (p.method, p.seed) != (outcome.job.method, outcome.job.seed)]:
                raise DataError(
                    f"Line {number} of {os.fspath(self.path / RUNS)!r} is damaged: it is about {outcome.job}, and has "
                    f"a network of {shortened(other[0].method)!r}, seed {other[0].seed}. {_REMEDY}"
                )
            if wrong := [p.target for p in outcome.points if p.target is not None and not 0 < p.target <= 1]:
                raise DataError(
                    f"Line {number} of {os.fspath(self.path / RUNS)!r} is damaged: the target {wrong[0]!r} is not "
                    f"a density above 0 and up to 1. {_REMEDY}"
                )
            if outcome.job.method not in self._study.options:
                continue
            if key != self._study.key(outcome.job.method):
                raise OptionError(
                    f"Line {number} of {os.fspath(self.path / RUNS)!r} ({outcome.job}) was made with other settings; "
                    "replace the study by --overwrite, or choose another --out."
                )
            found.append(outcome)
        return found

    def append(self, outcome: Outcome) -> None:
        """Append the outcome of a finished job to `runs.jsonl`."""
        line = json.dumps({"settings": self._study.key(outcome.job.method), **asdict(outcome)})
        append_line(self.path / RUNS, line)

    def write(self, name: str, text: str) -> None:
        """Write a text file into the directory, completely or not at all."""
        write_text(self.path / name, text)

    def _recorded(self) -> dict[str, Any]:
        """Read the configuration of the study in the directory."""
        file = self.path / CONFIG
        try:
            values: dict[str, Any] = read_json(file, _STUDY)
        except FileFormatError as error:
            raise DataError(f"{error} Remove the directory, or choose another --out.") from error
        return values

    def _check(self, recorded: dict[str, Any], asked: dict[str, Any]) -> None:
        """Raise `OptionError` when a recorded setting differs from the requested one; methods may be added."""
        parts = [name for name, value in asked["study"].items() if isinstance(value, dict)]
        old, new = ({k: v for k, v in side["study"].items() if k not in parts} for side in (recorded, asked))
        pairs = [("", old, new)]
        pairs += [(f"{name}.", recorded["study"][name], asked["study"][name]) for name in parts]
        pairs += [
            (f"{name}.", recorded["methods"][name], options)
            for name, options in asked["methods"].items()
            if name in recorded.get("methods", {})
        ]
        for prefix, old, new in pairs:
            for key in {**old, **new}:
                if old.get(key) != new.get(key):
                    raise OptionError(
                        f"The study in {os.fspath(self.path)!r} has other settings ({prefix}{key}: recorded "
                        f"{old.get(key)!r}, asked for {new.get(key)!r}); go on with the same, replace it by "
                        "--overwrite, or choose another --out."
                    )

    def _lines(self) -> list[bytes]:
        """Complete lines of `runs.jsonl`, without a last line that a crash has truncated."""
        file = self.path / RUNS
        try:
            return list(whole_lines(read_file(file))) if file.exists() else []
        except FileFormatError as error:
            raise DataError(str(error)) from error

    def _cut_off(self) -> None:
        """Remove a truncated last line, since the next outcome would be appended to it."""
        file, lines = self.path / RUNS, self._lines()
        whole = b"".join(line + b"\n" for line in lines)
        if file.exists() and file.stat().st_size > len(whole):
            write_atomically(file, whole)


def missing(jobs: list[Job], outcomes: list[Outcome]) -> list[Job]:
    """Jobs without an outcome, in the order of `jobs`."""
    done = {outcome.job for outcome in outcomes}
    return [job for job in jobs if job not in done]
