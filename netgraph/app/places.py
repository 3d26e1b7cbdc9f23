"""Names of the files in a directory of results, and checks that it is one of netgraph's before it is written to."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from netgraph.app.lock import LOCK
from netgraph.errors import FileFormatError, OptionError
from netgraph.rewriting import FIRST_GRAPH, JOURNAL_ARRAYS, JOURNAL_FILE, JOURNAL_FOLDER
from netgraph.storage import EPOCH_FILE, EPOCHS_FOLDER, PLAIN, Entries, holds, read_json, temporary_of

Kind = Literal["run", "study", "export"]

CONFIG = "config.json"
MODEL = "model.json"
"""Facts about an exported network, by which its folder is known."""

MOST_BYTES = 64 << 20
"""Largest size, in bytes, of a file of facts: each of very many features has a few numbers there."""

GROWN = "grown.safetensors"
"""File of the grown graph, when a run keeps its start as `graph.safetensors` instead."""

STARTING = ".netgraph-start"
"""Folder for the files of a run that is about to begin. While it exists no run has begun, so all can be replaced."""

RUN_FILES = (
    CONFIG, JOURNAL_FILE, "journal.undone.jsonl", "metrics.jsonl",
    "checkpoint.safetensors", "checkpoint.previous", "checkpoint.undone.safetensors",
    "start.safetensors", "graph.safetensors", GROWN, "grown.undone.safetensors",
    "topology.svg", "report.html", "timeline.html", "explore.html",
    "summary.json", "summary.md", "summary.undone.json", "summary.undone.md",
    "static.json", "static.md", "static.undone.json", "static.undone.md",
)  # fmt: skip
"""Files of a run, beside those of its journal and of its epochs."""

STUDY_FILES = (CONFIG, "runs.jsonl", "study.json", "study.md", "accuracy.svg", "cost.svg", "topology.svg")
"""Files of a study."""


MODEL_CARD = "MODEL_CARD.md"

EXPORT_FILES = (
    MODEL, MODEL_CARD, "model.py", "model.safetensors", "model.onnx", "graph.safetensors",
    "graph.graphml", "graph.gexf", "graph.dot", "edges.csv", "edges.vertices.csv", "model_explorer.json",
)  # fmt: skip
"""Files of an exported network."""


def _named(*names: str) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, names)))


_JOURNALED = re.compile(f"{re.escape(FIRST_GRAPH)}|{JOURNAL_ARRAYS.pattern}")
_FILES: dict[Kind, dict[str, re.Pattern[str]]] = {
    "run": {
        "": _named(*RUN_FILES), JOURNAL_FOLDER: _JOURNALED, EPOCHS_FOLDER: EPOCH_FILE,
        STARTING: _named(CONFIG, JOURNAL_FILE), f"{STARTING}/{JOURNAL_FOLDER}": _JOURNALED,
    },
    "study": {"": _named(*STUDY_FILES)},
    "export": {"": _named(*EXPORT_FILES)},
}  # fmt: skip
_MARKS: dict[Kind, str] = {"run": CONFIG, "study": CONFIG, "export": MODEL}
"""Files by which directories are known."""
_NOUNS: dict[Kind, str] = {"run": "run", "study": "study", "export": "exported network"}
_WHOLE: dict[Kind, str] = {"run": "a run", "study": "a study of `netgraph compare`", "export": "an exported network"}
_SCHEMA: dict[Kind, dict[str, type]] = {
    "run": {
        "netgraph": str, "data": str, "method": str, "fingerprint": str, "seed": int,
        "run": dict, "training": dict, "options": dict,
    },
    "study": {"netgraph": str, "study": dict, "methods": dict},
    "export": {"format": str, "netgraph": str, "network": dict, "files": dict},
}  # fmt: skip


def marked(kind: Kind, config: Mapping[str, Any]) -> dict[str, Any]:
    """Add to a configuration the mark by which its directory is known as one of netgraph's."""
    return {"format": f"netgraph.{kind}", **config}


def kind_of_place(directory: Path) -> Kind | None:
    """Find out by its files whether a directory holds a run, a study or an exported network; None for neither."""
    for file in (CONFIG, MODEL):
        values = _values(directory / file)
        if values is not None:
            return next((kind for kind in _SCHEMA if _MARKS[kind] == file and _is_config(kind, values)), None)
    # Damaged, or removed: without it the journal decides, which no other program writes.
    first = directory / JOURNAL_FOLDER / FIRST_GRAPH
    return "run" if (directory / JOURNAL_FILE).is_file() and holds(first, "graph") else None


def _values(file: Path) -> dict[str, Any] | None:
    """Read a JSON object from a file; None when there is none that could be read."""
    try:
        values: dict[str, Any] = read_json(file, Entries(PLAIN), MOST_BYTES)
    except (FileFormatError, OSError):
        return None
    return values


def _is_config(kind: Kind, values: dict[str, Any]) -> bool:
    schema = _SCHEMA[kind]
    return values.get("format") == f"netgraph.{kind}" or all(isinstance(values.get(k), t) for k, t in schema.items())


def is_unbegun(directory: Path, kind: Kind) -> bool:
    """Whether a directory holds nothing, or only the beginnings of a result that was killed before it began."""
    if (directory / _MARKS[kind]).exists():
        return False
    if kind == "run" and (directory / STARTING).is_dir():
        return True
    return all(file.name == LOCK or temporary_of(file.name) == _MARKS[kind] for file in directory.iterdir())


def was_cut_off(directory: Path) -> bool:
    """Whether a process was killed in a directory before its run had begun."""
    return directory.is_dir() and is_unbegun(directory, "run")


def check_place(path: str | os.PathLike[str], kind: Kind, *, overwrite: bool) -> None:
    """Refuse a directory in which a run, study or export would be begun, before anything in it is touched.

    Raises:
        OptionError: for what is no directory, or holds something that is not to be replaced.
    """
    name, place, noun = os.fspath(path), Path(path), _NOUNS[kind]
    if not name:
        raise OptionError("The name of the directory is empty, which would be the working directory; give it a name.")
    if place.is_symlink() and not place.exists():
        raise OptionError(f"{name!r} is a link to {os.fspath(place.readlink())!r}, which does not exist.")
    if not os.path.lexists(place):
        return
    if not place.is_dir():
        raise OptionError(f"{name!r} is a file and holds no {noun}; choose another --out.")
    if is_unbegun(place, kind):
        return
    found, mark = kind_of_place(place), place / _MARKS[kind]
    if found is None and mark.is_file() and _values(mark) is None:
        raise OptionError(
            f"{os.fspath(mark)!r} is damaged, so it is not known whose the directory is, and nothing in it "
            "is replaced. Remove the directory, or choose another --out."
        )
    if found is None:
        raise OptionError(
            f"{name!r} exists and holds no {noun} of netgraph, so nothing in it is replaced; choose another --out."
        )
    if found != kind:
        raise OptionError(f"{name!r} holds {_WHOLE[found]}, not {_WHOLE[kind]}; choose another --out.")
    if overwrite:
        _check_removable(name, place)
    elif kind == "run":
        raise OptionError(
            f"{name!r} holds a run already; go on with it by --resume, replace it by --overwrite, or choose another "
            "--out."
        )
    elif kind == "export":
        raise OptionError(
            f"{name!r} holds an exported network already; replace it by --overwrite, or choose another --out."
        )


def _check_removable(name: str, place: Path) -> None:
    """Refuse to replace files behind a link, in the working directory or one above it, or in the home directory."""
    if place.is_symlink():
        raise OptionError(
            f"--overwrite does not follow the link {name!r}; give the directory itself: {os.fspath(place.resolve())!r}."
        )
    real, here = place.resolve(), Path.cwd()
    if real in (here, *here.parents, Path("~").expanduser().resolve()):
        raise OptionError(
            f"--overwrite does not replace what is in {name!r}, which is the working directory, one above it or your "
            "home; go elsewhere and name the run, or choose another --out."
        )


def own_files(directory: Path, kind: Kind) -> Iterator[Path]:
    """Files in a directory that netgraph has written, temporary ones among them; the lock and other files are not.

    Nothing behind a link is among them.
    """
    for folder, names in _FILES[kind].items():
        place = directory / folder
        if place.is_dir() and (not folder or not place.is_symlink()):
            yield from [file for file in place.iterdir() if _is_own(file.name, names) and _is_file(file)]


def clear_temporary(directory: Path, kind: Kind) -> None:
    """Remove temporary files that a killed process left behind."""
    for file in own_files(directory, kind):
        if temporary_of(file.name) is not None:
            file.unlink(missing_ok=True)


def _is_own(name: str, names: re.Pattern[str]) -> bool:
    return names.fullmatch(temporary_of(name) or name) is not None


def _is_file(path: Path) -> bool:
    """Whether `unlink` removes the path, which is a file or a link; it removes only the link itself."""
    return path.is_symlink() or path.is_file()
