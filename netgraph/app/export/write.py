"""`netgraph export`: a folder with a model and its card."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compilers.export import Additions
from netgraph.app.epochs import last_statistics
from netgraph.app.export.card import model_card
from netgraph.app.export.facts import model_facts
from netgraph.app.export.folder import write_folder
from netgraph.app.export.forms import WRITERS
from netgraph.app.places import CONFIG, MODEL, MODEL_CARD
from netgraph.app.report import RunFacts
from netgraph.app.requests import ExportRequest
from netgraph.app.run_directory import RunDirectory
from netgraph.errors import OptionError
from netgraph.graph import Graph
from netgraph.storage import load, write_text
from netgraph.viz import format_count

MOST_NOTES = 3
"""Largest number of notes that the command prints; the card has all."""


@dataclass(frozen=True, kw_only=True)
class Exported:
    """An export that was carried out.

    Attributes:
        folder: the written folder.
        files: names of its files.
        graph: the network.
        added: differences of the model from the network.
    """

    folder: Path
    files: tuple[str, ...]
    graph: Graph
    added: Additions

    @property
    def remarks(self) -> list[str]:
        """Sentences for the user about these differences."""
        zeros = format_count(self.added.zeros, "parameter")
        added = f"The model has {zeros} for missing edges, all 0: training the model would change them."
        notes = list(self.added.notes)
        more = [f"{len(notes) - MOST_NOTES:,} more remarks are in {MODEL_CARD}."] if len(notes) > MOST_NOTES else []
        return [*([added] if self.added.zeros else []), *notes[:MOST_NOTES], *more]


def export(request: ExportRequest) -> Exported:
    """Write the network of a run, or of a graph file, into a folder, with a model card.

    Raises:
        OptionError: when there is no network, or the folder holds something that would be lost.
        NetgraphError: for damaged files, and for a network that has no such form.
    """
    if request.fold and WRITERS[request.to].runs:
        others = ", ".join(name for name, form in WRITERS.items() if not form.runs)
        raise OptionError(
            f"--fold {request.fold} does not go with --to {request.to}, which computes outputs; leave it out, or write "
            f"one of {others}."
        )
    run = _run(request.source)
    graph = load(request.source) if run is None else _kept(run)
    writer, done = WRITERS[request.to], []
    stats = None if run is None or writer.runs else last_statistics(run.run, graph)

    def fill(folder: Path) -> None:
        added = writer.write(graph, stats, folder, request)
        done.append(added)
        asked = {"to": request.to, "strict": request.strict, **({"fold": request.fold} if request.fold else {})}
        about = {**asked, "added_zeros": added.zeros, "notes": list(added.notes)}
        values: dict[str, Any] = model_facts(graph, run, about, sorted(folder.iterdir()))
        write_text(folder / MODEL_CARD, model_card(graph, run, values, request.source.name))
        write_text(folder / MODEL, json.dumps(values, indent=2) + "\n")

    write_folder(request.directory, fill, overwrite=request.overwrite)
    files = tuple(sorted(file.name for file in request.directory.iterdir()))
    return Exported(folder=request.directory, files=files, graph=graph, added=done[0])


def _run(source: Path) -> RunFacts | None:
    """Read the run at a path; None for a file. Raises `OptionError` when there is neither."""
    if source.is_file():
        return None
    if not (source / CONFIG).is_file():
        raise OptionError(
            f"{os.fspath(source)!r} is neither a run directory nor a graph file; name a directory that `netgraph grow` "
            "wrote, or a file of `netgraph.save`."
        )
    return RunFacts.read(RunDirectory(source))


def _kept(run: RunFacts) -> Graph:
    """The graph that a run ended with. Raises `OptionError` when it has not ended."""
    file = run.run.graph_file
    if not file.exists():
        raise OptionError(
            f"The run in {os.fspath(run.run.path)!r} has not ended: there is no {file.name}. "
            "Go on with it by `netgraph grow ... --resume`."
        )
    return load(file)
