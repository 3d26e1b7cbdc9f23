"""Subjects of an explorer page: graphs, rewrites and runs, each read into the graphs that the page shows."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from netgraph.columns import Array
from netgraph.errors import FileFormatError, OptionError
from netgraph.graph import Graph
from netgraph.rewriting import Journal, Matches, Rewrite, apply_delta
from netgraph.storage import load, load_epochs
from netgraph.viz.explorer.history import EdgeHistory, history_of, moments_of
from netgraph.viz.explorer.rewrites import rewrites_of_journal, rewrites_of_result

Subject = Graph | Rewrite | Journal | str | os.PathLike[str]
"""Type of the things that `explore` shows. A path is a run directory, or the file of a graph."""

_ENDS = ("grown.safetensors", "graph.safetensors")
"""Files with the graph to which the journal of a run leads, the first that exists."""

_KINDS = "a Graph, the Result of a rewrite, a Journal, a run directory, or the file of a graph"


@dataclass(frozen=True, eq=False)
class Shown:
    """One graph of a page.

    Attributes:
        graph: the graph.
        name: name of the graph on the page.
        rewrites: rewrites of its history as JSON values.
        history: weights of its edges over epochs, or None.
        more: further columns of "edges" and "vertices", by name.
    """

    graph: Graph
    name: str
    rewrites: list[dict[str, Any]] = field(default_factory=list)
    history: EdgeHistory | None = None
    more: dict[str, dict[str, Array]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Read:
    """A subject as it was read.

    Attributes:
        title: title of the page.
        shown: its graphs: one, or two of one history, before and after.
        focus: index of the graph in which a rule looks for matches.
        matches: matches on the graph before a rewrite, with the rewrite, or None.
    """

    title: str
    shown: Sequence[Shown]
    focus: int = 0
    matches: tuple[Rewrite, Matches] | None = None


def read_subject(subject: Any, *, last_only: bool = False) -> Read:
    """Read the graphs of a subject.

    Args:
        subject: what to show.
        last_only: of a rewrite or a run, take the graph that it ends with.

    Raises:
        OptionError: the subject is none of these.
        JournalError, FileFormatError: a file is missing or damaged.
    """
    if isinstance(subject, Graph):
        return Read("Network", [Shown(subject, "network")])
    if isinstance(subject, Rewrite):
        return _of_rewrite(subject, last_only)
    if isinstance(subject, Journal):
        return _of_journal(subject, last_only)
    if isinstance(subject, str | os.PathLike):
        path = Path(subject)
        if path.is_dir():
            return _of_journal(Journal(path), last_only)
        return Read(path.name, [Shown(load(path), path.stem)])
    remedy = "; lift it first: lift(net)" if type(subject).__name__ == "CompiledNetwork" else ""
    raise OptionError(f"explore shows {_KINDS}, not {type(subject).__name__}{remedy}.")


def _of_rewrite(rewrite: Rewrite, last_only: bool) -> Read:
    rewrites = rewrites_of_result(rewrite)
    after = Shown(rewrite.graph, "after", rewrites)
    matches = getattr(rewrite, "matches", None)
    found = (rewrite, matches) if isinstance(matches, Matches) else None
    title = f"Rewrite by {rewrite.rule.name}"
    if last_only:
        return Read(title, [after])
    if not rewrite.changed:
        return Read(title, [Shown(rewrite.before, "unchanged")], matches=found)
    gone = {"edges": rewrite.delta.edges_removed.id, "vertices": rewrite.delta.vertices_removed.id}
    number = rewrite.graph.rewrites
    before = Shown(rewrite.before, "before", rewrites, more=_removed(rewrite.before, [(number, gone)]))
    return Read(title, [before, after], matches=found)


def _of_journal(journal: Journal, last_only: bool) -> Read:
    name = journal.directory.resolve().name
    first, last, trained = journal.first(), *_last(journal)
    rewrites = rewrites_of_journal(journal)
    moments = moments_of(journal, last, trained)
    end = Shown(last, name if last_only else "end", rewrites, history_of(moments, _trainable(last)))
    if last_only or not rewrites:
        return Read(f"Run {name}", [end])
    gone = []
    for rewrite in rewrites:
        delta = journal.delta(rewrite["number"])
        gone.append((rewrite["number"], {"edges": delta.edges_removed.id, "vertices": delta.vertices_removed.id}))
    history = history_of(moments, _trainable(first))
    return Read(f"Run {name}", [Shown(first, "start", rewrites, history, _removed(first, gone)), end], focus=1)


def _trainable(graph: Graph) -> Array:
    """Ids of the edges that are trained; wires keep their weight 1."""
    return np.asarray(graph.edges.id[~graph.edges.wired])


def _last(journal: Journal) -> tuple[Graph, int | None]:
    """The graph to which a journal leads, and the number of epochs trained until then, None where it is unknown.

    Before the end of a run its weights are those of the last kept epoch, or else those trained before the last rewrite.
    """
    count = len(journal)
    reached = apply_delta(journal.before(count), journal.delta(count))[0] if count else journal.first()
    for name in _ENDS:
        try:
            end = load(journal.directory / name)
        except (OSError, FileFormatError):
            continue
        if end.same_topology(reached):
            return end, _epochs(journal)
    kept = [one for one in load_epochs(journal.directory) if one.topology_hash == reached.topology_hash]
    if kept and len(kept[-1].weight) == len(reached.edges):
        return reached.with_weights(kept[-1].weight), kept[-1].epoch
    return reached, None


def _epochs(journal: Journal) -> int | None:
    """Number of epochs of a run that has ended, that of the lines of `metrics.jsonl`; None of any other run.

    A rewrite that was undone takes `summary.json` along; the graph is then one of an earlier epoch.
    """
    if not (journal.directory / "summary.json").is_file():
        return None
    try:
        return (journal.directory / "metrics.jsonl").read_bytes().count(b"\n")
    except OSError:
        return None


def _removed(graph: Graph, gone: list[tuple[int, dict[str, Array]]]) -> dict[str, dict[str, Array]]:
    """Columns with the number of the rewrite that removed each edge and vertex, 0 where none did."""
    more: dict[str, dict[str, Array]] = {}
    for kind, table in (("edges", graph.edges), ("vertices", graph.vertices)):
        numbers = np.zeros(len(table), np.int64)
        for number, ids in reversed(gone):
            rows = table.find(ids[kind])
            numbers[rows[rows >= 0]] = number
        more[kind] = {"removed": numbers}
    return more
