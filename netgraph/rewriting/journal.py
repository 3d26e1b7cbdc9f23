"""Journal of a run: all its rewrites on disk, from which every topology is rebuilt forwards and backwards."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netgraph.checks import LARGEST, Natural, Seed, checked, real_numbers
from netgraph.columns import FrozenDict
from netgraph.errors import FileFormatError, JournalError, RewriteError
from netgraph.proof import CERTIFICATE_SHAPE, Certificate
from netgraph.rewriting.commit import apply_delta
from netgraph.rewriting.delta import Delta, Stamp, load_delta, save_delta
from netgraph.rewriting.outcomes import Rewrite
from netgraph.storage import (
    PLAIN,
    Entries,
    Number,
    Record,
    Text,
    Whole,
    append_line,
    load,
    parse_json,
    read_file,
    save,
    whole_lines,
    write_atomically,
)

if TYPE_CHECKING:
    from netgraph.graph import Graph

FIRST_GRAPH = "first.safetensors"
JOURNAL_FILE = "journal.jsonl"
JOURNAL_FOLDER = "journal"
JOURNAL_ARRAYS = re.compile(r"(\d{6,})\.(?:before|delta)\.safetensors")
"""Pattern of the names of array files; the group is the number of the rewrite."""

_ENTRY = Record(
    {
        "rewrite": Whole(1),
        "rule": Text(),
        "parameters": Entries(PLAIN),
        "matches": Whole(),
        "summary": Text(),
        "certificate": CERTIFICATE_SHAPE,
        "edges": Whole(),
        "vertices": Whole(),
        "layers": Whole(),
        "epoch": Whole(),
        "metrics": Entries(Number(finite=False)),
        "seed": Whole(high=None),
        "topology_hash": Text(),
        "reason": Text(),
    },
    optional=frozenset({"reason"}),
)

_MAX_LINE = 64 << 20
"""Largest size of a line in bytes. A certificate has a number for every output vertex, so lines may be long."""


@dataclass(frozen=True)
class Entry:
    """One line of a journal.

    Attributes:
        rewrite: number of the rewrite, from 1.
        rule, parameters: name and parameters of the rule.
        matches: number of rewritten matches.
        summary: sizes of the delta as text.
        certificate: proved statement on the change of the outputs.
        edges, vertices, layers: sizes of the graph after the rewrite.
        epoch: number of epochs trained before the rewrite.
        metrics: metrics just before the rewrite.
        seed: seed of the random initial values.
        topology_hash: topology hash of the graph after the rewrite.
        reason: sentence on why the rewrite was made; "" when none was given, as in files of older versions.
    """

    rewrite: int
    rule: str
    parameters: Mapping[str, Any]
    matches: int
    summary: str
    certificate: Certificate
    edges: int
    vertices: int
    layers: int
    epoch: int
    metrics: Mapping[str, float]
    seed: int
    topology_hash: str
    reason: str = ""

    def __post_init__(self) -> None:
        for name in ("parameters", "metrics"):
            if isinstance(value := getattr(self, name), Mapping):  # a damaged line may hold any value
                object.__setattr__(self, name, FrozenDict(value))


class Journal:
    """Rewrites of one run in a directory: `journal.jsonl`, and array files in `journal/`.

    Every topology, ids included, is rebuilt from the first graph and the deltas. Deltas hold no trained weights, so
    the graph just before each rewrite is saved beside its delta; `undo` returns to it.

    Args:
        directory: the run directory. The constructor opens an existing journal in it, `create` makes a new one.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self.directory = Path(directory)
        if not (self.directory / JOURNAL_FILE).is_file():
            raise JournalError(
                f"There is no journal {os.fspath(self.directory / JOURNAL_FILE)!r}; is this a run directory?"
            )

    @classmethod
    def create(cls, directory: str | os.PathLike[str], graph: Graph) -> Journal:
        """Create a journal that starts at `graph`. Raises `JournalError` when the directory has one already."""
        path = Path(directory)
        path.mkdir(parents=True, exist_ok=True)
        if (path / JOURNAL_FILE).exists():
            raise JournalError(f"{os.fspath(path)!r} has a journal already; choose another directory or resume it.")
        (path / JOURNAL_FOLDER).mkdir(exist_ok=True)
        save(graph, path / JOURNAL_FOLDER / FIRST_GRAPH)
        write_atomically(path / JOURNAL_FILE, b"")
        return cls(path)

    # -- writing ----------------------------------------------------------------------------------

    @checked
    def append(
        self,
        result: Rewrite,
        *,
        before: Graph,
        epoch: Natural = 0,
        metrics: Mapping[str, float] | None = None,
        seed: Seed = 0,
        reason: str = "",
    ) -> Entry:
        """Record a rewrite: its array files first, then its line, so that a crash leaves no line without files.

        Args:
            result: the outcome of `apply`, or of `draft`, which is recorded as not proved.
            before: the graph, with trained weights, to which the rule was applied.
            epoch, metrics, seed, reason: values of the entry: see `Entry`.

        Raises:
            JournalError: when the result changed nothing or does not follow the last entry.
            OptionError: for a metric that is no number, which no reader would accept.
        """
        number = len(self) + 1
        if not result.changed:
            what = "changed" if result.count else "matched"
            raise JournalError(
                f"{result.rule.name} {what} nothing, so there is no rewrite to record; ask result.changed first."
            )
        entry = Entry(
            rewrite=number,
            rule=result.rule.name,
            parameters=result.parameters,
            matches=result.count,
            summary=result.delta.summary(),
            certificate=result.certificate,
            edges=result.graph.num_edges,
            vertices=result.graph.num_vertices,
            layers=result.graph.num_layers,
            epoch=epoch,
            metrics=_numbers(metrics or {}),
            seed=seed,
            topology_hash=result.graph.topology_hash,
            reason=reason,
        )
        line = json.dumps({**vars(entry), "certificate": entry.certificate.to_json()}, default=_plain)
        self._check_follows(number, result, before)
        self._cut_torn_line()
        save(before, self._before_path(number))
        save_delta(result.delta, self._delta_path(number))
        append_line(self.directory / JOURNAL_FILE, line)
        return entry

    def _check_follows(self, number: int, result: Rewrite, before: Graph) -> None:
        last = self.delta(number - 1).after if number > 1 else Stamp.of(self.first())
        start, given = result.delta.before, Stamp.of(before)
        if last != start:
            raise JournalError(
                f"Rewrite {number} starts at {start}, but {self._name()} ends at {last}: "
                "it is recorded already, or belongs to another branch."
            )
        if given != start:
            raise JournalError(
                f"Rewrite {number} starts at {start}, the graph given as `before` is at {given}; "
                "give the one that `apply` was given."
            )

    def _cut_torn_line(self) -> None:
        """Remove an incomplete last line, so that the next entry starts on a line of its own."""
        data = read_file(self.directory / JOURNAL_FILE)
        if data and not data.endswith(b"\n"):
            write_atomically(self.directory / JOURNAL_FILE, data[: data.rfind(b"\n") + 1])

    def truncate(self, length: int) -> None:
        """Remove all entries after the first `length`. Their lines are moved to `journal.undone.jsonl`."""
        lines = self._lines()
        if not 0 <= length <= len(lines):
            raise JournalError(f"The journal has {len(lines)} entries; it cannot be cut to {length}.")
        for line in lines[length:]:
            append_line(self.directory / "journal.undone.jsonl", line.decode(errors="replace"))
        write_atomically(self.directory / JOURNAL_FILE, b"".join(line + b"\n" for line in lines[:length]))
        for path in (self.directory / JOURNAL_FOLDER).iterdir():
            found = JOURNAL_ARRAYS.fullmatch(path.name)
            if found and int(found[1]) > length:
                path.unlink()

    # -- reading ----------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._lines())

    def entries(self) -> list[Entry]:
        """Read all entries in order. Raises `JournalError`, which names the line, when a line is damaged."""
        result = []
        for number, line in enumerate(self._lines(), start=1):
            try:
                values = parse_json(line, _ENTRY, f"{self._name()} line {number}", _MAX_LINE)
                entry = Entry(**{**values, "certificate": Certificate.from_json(values["certificate"])})
            except FileFormatError as error:
                raise JournalError(str(error)) from error
            if entry.rewrite != number:
                raise JournalError(f"{self._name()} line {number} records rewrite {entry.rewrite}; a line is missing.")
            result.append(entry)
        return result

    def first(self) -> Graph:
        """Load the graph at which the run started, before any training."""
        return load(self.directory / JOURNAL_FOLDER / FIRST_GRAPH)

    def before(self, number: int) -> Graph:
        """Load the trained graph just before rewrite `number`."""
        return load(self._before_path(number))

    def delta(self, number: int) -> Delta:
        """Load the delta of rewrite `number`."""
        return load_delta(self._delta_path(number))

    def replay(self) -> Iterator[tuple[Entry, Graph]]:
        """Rebuild every topology from the first graph and the deltas, and check each against its hash.

        Yields:
            Every entry with the graph after it. The weights are not trained: they are the weights of the first graph,
            and the initial weights of new edges.

        Raises:
            JournalError: when a rebuilt topology is not the recorded one; the text names the line.
        """
        graph = self.first()
        for entry in self.entries():
            try:
                graph, _ = apply_delta(graph, self.delta(entry.rewrite))
            except (RewriteError, FileFormatError) as error:
                raise JournalError(f"{self._name()} line {entry.rewrite} cannot be replayed: {error}") from error
            if graph.topology_hash != entry.topology_hash:
                raise JournalError(
                    f"{self._name()} line {entry.rewrite}: replay gives topology {graph.topology_hash[:8]}, "
                    f"the line says {entry.topology_hash[:8]}."
                )
            yield entry, graph

    def replay_backwards(self, graph: Graph) -> Iterator[tuple[Entry, Graph]]:
        """Undo every rewrite, starting from `graph`, the last topology of the run, and check every hash.

        Yields:
            Every entry, last first, with the graph before it.

        Raises:
            JournalError: when a rewrite cannot be undone; the text names the line.
        """
        for entry in reversed(self.entries()):
            try:
                graph, _ = apply_delta(graph, self.delta(entry.rewrite).inverse())
            except (RewriteError, FileFormatError) as error:
                raise JournalError(f"{self._name()} line {entry.rewrite} cannot be undone: {error}") from error
            yield entry, graph

    def undo(self) -> Graph:
        """Undo the last rewrite: return the trained graph before it and remove its entry from the journal.

        Raises:
            JournalError: when there is no rewrite to undo, or its files are damaged. The journal then does not change.
        """
        graph = self.before_last()
        self.truncate(len(self) - 1)
        return graph

    def before_last(self) -> Graph:
        """Load the trained graph to which `undo` returns, and check it against the last delta. No entry is removed.

        Raises:
            JournalError: when there is no rewrite, or its files are damaged.
        """
        number = len(self)
        if number == 0:
            raise JournalError(f"{self._name()} has no rewrite to undo.")
        try:
            graph, delta = self.before(number), self.delta(number)
        except FileFormatError as error:
            raise JournalError(f"{self._name()} line {number} cannot be undone: {error}") from error
        if graph.topology_hash != delta.before.topology_hash:
            raise JournalError(f"{self._name()} line {number}: the graph before it does not fit its delta.")
        return graph

    def _lines(self) -> list[bytes]:
        # A crash may leave an incomplete last line: its rewrite does not count.
        try:
            return list(whole_lines(read_file(self.directory / JOURNAL_FILE)))
        except FileFormatError as error:
            raise JournalError(str(error)) from error

    def _name(self) -> str:
        return os.fspath(self.directory / JOURNAL_FILE)

    def _before_path(self, number: int) -> Path:
        return self.directory / JOURNAL_FOLDER / f"{number:06d}.before.safetensors"

    def _delta_path(self, number: int) -> Path:
        return self.directory / JOURNAL_FOLDER / f"{number:06d}.delta.safetensors"


def _numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Metrics as plain numbers that a reader gets back: ints up to `LARGEST`, else floats, also NaN and infinity."""
    result = {}
    for name, value in metrics.items():
        real = real_numbers(f"metrics[{name!r}]", value, shape=(), infinite=True, nan=True)
        result[str(name)] = value if type(value) is int and abs(value) <= LARGEST else float(real)
    return result


def _plain(value: Any) -> Any:
    """Plain value in place of a parameter that JSON cannot hold: the number of a NumPy scalar, else the `repr`."""
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 else repr(value)
